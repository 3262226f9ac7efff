//! Maps failures of use cases to GraphQL.
//!
//! Resolvers use `?` on everything; this module decides how a failure is reported. A refusal becomes an entry of a
//! mutation's `userErrors` ([`super::payload::catch_refusals`]), anything else a top-level error with `extensions
//! {code, retryable}`. [`Failure`] has no `Display` on purpose: async-graphql would turn it into an error without a
//! code.

use std::future::Future;

use async_graphql::ErrorExtensionValues;
use domain::access::Denied;
use services::{
    Refusal,
    bookings::{self, SlotTaken},
};

use crate::wording;

/// Result of a resolver that can fail.
pub type Result<T> = std::result::Result<T, Failure>;

/// Why a resolver failed.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The use case refused the request, for a reason that the client can act on.
    Refused(Refusal),
    /// The time is taken; contains the conflicts and alternatives.
    SlotTaken(SlotTaken),
    /// The caller lacks a permission, or is not authenticated.
    Denied(Denied),
    /// An unexpected failure; the details are in the log.
    Broken {
        /// Stable, machine-readable code.
        code: &'static str,
        /// Message for a person that reveals no internals.
        message: String,
        /// Whether the same request may succeed later.
        retryable: bool,
    },
}

impl Failure {
    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::SlotTaken(_) => "SLOT_TAKEN",
            Self::Denied(denied) => denied.code(),
            Self::Broken { code, .. } => code,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Refused(refusal) => wording::render_message(&refusal.message),
            Self::SlotTaken(_) => "The time is taken.".to_owned(),
            Self::Denied(denied) => wording::render_message(&services::Error::Denied(*denied).message()),
            Self::Broken { message, .. } => message.clone(),
        }
    }

    /// Whether the requested object does not exist or belongs to another tenant.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.code == "NOT_FOUND")
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<services::Error> for Failure {
    fn from(error: services::Error) -> Self {
        let (code, retryable) = (error.code(), error.is_retryable());
        let message = match error {
            services::Error::Refused(refusal) => return Self::Refused(refusal),
            services::Error::Denied(denied) => return Self::Denied(denied),
            error @ services::Error::UnknownWord(_) => {
                return Self::Refused(Refusal::new(code, error.message()));
            }
            error @ (services::Error::Provider(_) | services::Error::Overloaded) => {
                wording::render_message(&error.message())
            }
            services::Error::Database(_) | services::Error::Queue(_) => {
                tracing::error!(error = ?error, "a use case failed");
                "The server cannot do this at the moment. Try again shortly.".to_owned()
            }
            error @ (services::Error::Unreadable { .. } | services::Error::MasterKeyUnknown { .. }) => {
                tracing::error!(%error, "what is stored cannot be read");
                "The server cannot read a stored value. Include the request id when you report it.".to_owned()
            }
        };
        Self::Broken { code, message, retryable }
    }
}

impl From<bookings::Error> for Failure {
    fn from(error: bookings::Error) -> Self {
        match error {
            bookings::Error::SlotTaken(taken) => Self::SlotTaken(taken),
            bookings::Error::Other(error) => error.into(),
        }
    }
}

impl From<Failure> for async_graphql::Error {
    fn from(failure: Failure) -> Self {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", failure.code());
        extensions.set("retryable", matches!(failure, Failure::Broken { retryable: true, .. }));
        if let Failure::Refused(Refusal { excess: Some(excess), .. }) = &failure {
            extensions.set("limit", excess.limit);
            extensions.set("actual", excess.actual);
        }
        let mut error = Self::new(failure.message());
        error.extensions = Some(extensions);
        error
    }
}

/// Turns "not found" into null, for queries of a single object.
pub(super) async fn null_if_missing<T>(work: impl Future<Output = Result<T>>) -> Option<Result<T>> {
    match work.await {
        Err(failure) if failure.is_not_found() => None,
        answer => Some(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_broke_inside_is_not_told() {
        let error = services::Error::Unreadable { what: "grant" };
        let error = async_graphql::Error::from(Failure::from(error));
        assert!(!error.message.contains("grant"), "{}", error.message);
        let extensions = error.extensions.unwrap();
        assert_eq!(extensions.get("code"), Some(&"UNREADABLE".into()));
        assert_eq!(extensions.get("retryable"), Some(&false.into()));
    }
}
