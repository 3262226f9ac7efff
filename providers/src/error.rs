//! One error for all providers: a kind (what happened) and a remedy (what to do).

use std::time::Duration;

use domain::text;

use crate::sanitize::Sanitize;

/// The longest code or request id, in bytes.
const LONGEST_CODE: usize = 200;
/// The longest message, in bytes.
const LONGEST_MESSAGE: usize = 4_000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Too many requests.
    Throttled,
    /// The provider has a bad moment, or the connection broke.
    Unavailable,
    /// The access token was not accepted; a fresh one may be.
    TokenRefused,
    /// The grant is dead or too weak.
    GrantLost,
    /// Our registration or the customer's set-up is wrong.
    Misconfigured,
    /// The operator's source of signatures does not serve: nothing that the customer could mend.
    Signing,
    /// The mailbox lies outside the agreed scope.
    OutOfScope,
    /// There is no such mailbox.
    NoMailbox,
    /// The mailbox is on-premises, inactive or not licensed.
    NotServed,
    /// The object changed meanwhile.
    Conflict,
    /// The object or cursor is gone.
    Gone,
    /// The provider has no such function.
    Unsupported,
    /// We asked for something impossible.
    Invalid,
}

/// What to do. Workflows read this and never a status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same request again, not before this long.
    RetryAfter(Duration),
    /// A fresh token, then once more.
    RefreshToken,
    /// A person has to consent again.
    Reconnect,
    /// Leave this one mailbox out; the rest is healthy.
    SkipMailbox,
    /// Throw the cursor away and read everything again.
    Resync,
    /// Read the object again, decide, write again.
    Reread,
    /// Nothing that a program can do.
    Never,
}

/// A failed request to a provider.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What happened.
    pub kind: ErrorKind,
    /// What to do.
    pub remedy: Remedy,
    /// The provider's own code, for the log and for support; never a secret.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
    /// The provider's id of the request, where it gave one.
    pub request_id: Option<String>,
    /// Whether a write may have happened all the same: then it is looked up by its effect key before it is
    /// repeated.
    pub unknown: bool,
}

impl Error {
    /// An error whose effect certainly did not happen.
    pub fn new(kind: ErrorKind, remedy: Remedy, code: impl Into<String>, message: impl Into<String>) -> Self {
        // Both may quote the provider, or a redirect that anybody can type.
        let code = text::line(code.into(), LONGEST_CODE);
        let message = text::line(message.into(), LONGEST_MESSAGE);
        Self { kind, remedy, code, message, request_id: None, unknown: false }
    }

    /// Marks that the effect may have happened.
    #[must_use]
    pub fn unknown(mut self) -> Self {
        self.unknown = true;
        self
    }

    /// What has to be done about it, where that is not the customer's.
    pub const fn operators_action(&self) -> Option<&'static str> {
        match self.kind {
            ErrorKind::Signing => Some(
                "Ask the operator of this installation to repair its signing service; the connection then \
                    continues automatically.",
            ),
            _ => None,
        }
    }

    /// The stable code of the kind, for our own API.
    pub const fn kind_code(&self) -> &'static str {
        match self.kind {
            ErrorKind::Throttled => "PROVIDER_THROTTLED",
            ErrorKind::Unavailable => "PROVIDER_UNAVAILABLE",
            ErrorKind::TokenRefused => "PROVIDER_TOKEN_REFUSED",
            ErrorKind::GrantLost => "CONSENT_LOST",
            ErrorKind::Misconfigured => "PROVIDER_MISCONFIGURED",
            ErrorKind::Signing => "SIGNING_FAILED",
            ErrorKind::OutOfScope => "MAILBOX_OUT_OF_SCOPE",
            ErrorKind::NoMailbox => "MAILBOX_NOT_FOUND",
            ErrorKind::NotServed => "MAILBOX_NOT_SERVED",
            ErrorKind::Conflict => "PROVIDER_CONFLICT",
            ErrorKind::Gone => "PROVIDER_GONE",
            ErrorKind::Unsupported => "PROVIDER_UNSUPPORTED",
            ErrorKind::Invalid => "PROVIDER_REFUSED",
        }
    }
}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        let (kind, remedy) = match error {
            http::Error::Forbidden { .. } => (ErrorKind::Misconfigured, Remedy::Never),
            _ => (ErrorKind::Unavailable, Remedy::RetryAfter(Duration::from_secs(2))),
        };
        let unknown = error.is_unknown();
        Self { unknown, ..Self::new(kind, remedy, error.code(), error.to_string()) }
    }
}

impl Sanitize for Error {
    fn cleaned(self) -> Self {
        let Self { kind, remedy, code, message, request_id, unknown } = self;
        let request_id = request_id.map(|id| text::line(id, LONGEST_CODE));
        Self { request_id, unknown, ..Self::new(kind, remedy, code, message) }
    }
}
