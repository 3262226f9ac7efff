//! The error type of all connectors: a kind (what happened) and a remedy (what to do).

use std::time::Duration;

use domain::{Message, text};
use http::Refusal;

use crate::{messages, sanitize::Sanitize};

/// Maximum length of a code or request id, in bytes.
const LONGEST_CODE: usize = 200;
/// Maximum length of each string argument of a message, in bytes.
const LONGEST_TEXT: usize = 4_000;

/// Classification of a failure, as far as callers distinguish it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The provider received too many requests.
    Throttled,
    /// The provider is temporarily unavailable, or the connection broke.
    Unavailable,
    /// The access token was not accepted; a fresh one may work.
    TokenRefused,
    /// The consent was withdrawn or lacks permissions.
    GrantLost,
    /// Muster's registration at the provider, or the customer's configuration, is incorrect.
    Misconfigured,
    /// The operator's signing service does not work; the customer cannot fix that.
    Signing,
    /// The mailbox is outside the agreed scope.
    OutOfScope,
    /// The mailbox does not exist.
    NoMailbox,
    /// The mailbox is on-premises, inactive or unlicensed.
    NotServed,
    /// The object was changed concurrently.
    Conflict,
    /// The object or cursor no longer exists.
    Gone,
    /// The provider does not support the function.
    Unsupported,
    /// The request is invalid.
    Invalid,
}

/// Recommended reaction to an error. Workflows depend on this and never on a status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Repeat the request, no sooner than after this wait.
    RetryAfter(Duration),
    /// Obtain a fresh token and repeat the request once.
    RefreshToken,
    /// A person has to consent again.
    Reconnect,
    /// Skip this mailbox; others are not affected.
    SkipMailbox,
    /// Discard the cursor and read everything again.
    Resync,
    /// Read the object again, decide again, and write again.
    Reread,
    /// No automatic reaction can resolve the error.
    Never,
}

/// A failed request to a provider.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} ({code})", self.kind_code())]
pub struct Error {
    /// Classification of the failure.
    pub kind: ErrorKind,
    /// Recommended reaction.
    pub remedy: Remedy,
    /// The provider's own code, for the log and for support; never a secret.
    pub code: String,
    /// Human-readable explanation in one sentence.
    pub message: Message,
    /// The provider's id of the request; `None` if it sent none.
    pub request_id: Option<String>,
    /// Whether a write may have taken effect nevertheless; if so, look up the event by its effect key before repeating
    /// the write.
    pub unknown: bool,
}

impl Error {
    /// Creates the error for a request that certainly had no effect.
    pub fn new(kind: ErrorKind, remedy: Remedy, code: impl Into<String>, message: Message) -> Self {
        // Both may quote the provider, or a redirect that anybody can type.
        let code = text::clean_line(code.into(), LONGEST_CODE);
        let message = message.map_texts(&|text| text::clean_line(text, LONGEST_TEXT));
        Self { kind, remedy, code, message, request_id: None, unknown: false }
    }

    /// Marks the outcome as unknown: the request may have taken effect.
    #[must_use]
    pub fn with_unknown_outcome(mut self) -> Self {
        self.unknown = true;
        self
    }

    /// What the operator must do; `None` if the customer must act instead.
    pub fn operator_action(&self) -> Option<Message> {
        (self.kind == ErrorKind::Signing).then(messages::repair_the_signing_service)
    }

    /// Stable, machine-readable code of the error's kind.
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

/// The error for a user's own account to which the mailbox does not belong.
pub(crate) fn another_account() -> Error {
    let message = messages::mailbox_of_another_account();
    Error::new(ErrorKind::OutOfScope, Remedy::SkipMailbox, "ANOTHER_ACCOUNT", message)
}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        let (kind, remedy) = match error {
            http::Error::Forbidden { .. } => (ErrorKind::Misconfigured, Remedy::Never),
            _ => (ErrorKind::Unavailable, Remedy::RetryAfter(Duration::from_secs(2))),
        };
        Self {
            unknown: error.may_have_taken_effect(),
            ..Self::new(kind, remedy, error.code(), explain(&error))
        }
    }
}

fn explain(error: &http::Error) -> Message {
    match error {
        http::Error::Forbidden { host, why } => {
            let host = host.as_str();
            match why {
                Refusal::NamesNoHost => messages::address_names_no_host(host),
                Refusal::PlainHttp => messages::address_is_plain_http(host),
                Refusal::OnlyHttps => messages::address_is_not_https(host),
                Refusal::PrivateAddress => messages::address_is_private(host),
                Refusal::ResolvesToPrivate => messages::address_resolves_to_private(host),
            }
        }
        http::Error::Unreachable { host, .. } => messages::host_unreachable(host.as_str()),
        http::Error::Broken { host, .. } => messages::host_broke_off(host.as_str()),
        http::Error::TooLarge { host, limit } => messages::host_sent_too_much(host.as_str(), *limit),
    }
}

impl Sanitize for Error {
    fn cleaned(self) -> Self {
        let Self { kind, remedy, code, message, request_id, unknown } = self;
        let request_id = request_id.map(|id| text::clean_line(id, LONGEST_CODE));
        Self { request_id, unknown, ..Self::new(kind, remedy, code, message) }
    }
}
