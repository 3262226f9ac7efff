//! Errors of use cases.

use domain::{Message, Reason, access::Denied};
use entity::{DatabaseError, UnknownWord};
use runs::WriteError;
use sea_orm::DbErr;

use crate::messages;

/// A limit and the amount that exceeded it, in the unit that the error message names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExceededLimit {
    /// The maximum that is allowed, in the unit of the error message.
    pub limit: u64,
    /// The actual amount. If counting stopped at the limit, for instance because a body was not read to its end, the
    /// amount counted until then.
    pub actual: u64,
}

/// A refusal: the rules or the input do not allow the request. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct Refusal {
    /// Stable, machine-readable code; documented in `docs/errors.md`.
    pub code: &'static str,
    /// Explanation for a person, in one sentence.
    pub message: Message,
    /// The input field that caused the refusal, as spelled in the schema; `None` if no single field did.
    pub field: Option<&'static str>,
    /// The exceeded limit; `None` if the refusal has another cause.
    pub excess: Option<ExceededLimit>,
}

/// The sentence of a refusal: a translatable message of the catalogue, or a plain sentence for a refusal that is
/// displayed immediately and never stored as a reason.
#[derive(Debug, Clone)]
pub struct RefusalMessage(Message);

impl From<Message> for RefusalMessage {
    fn from(message: Message) -> Self {
        Self(message)
    }
}

impl From<&str> for RefusalMessage {
    fn from(finished: &str) -> Self {
        Self(Message::verbatim(finished))
    }
}

impl From<String> for RefusalMessage {
    fn from(finished: String) -> Self {
        Self(Message::verbatim(finished))
    }
}

impl Refusal {
    /// Creates a refusal that applies to the whole request.
    pub fn new(code: &'static str, message: impl Into<RefusalMessage>) -> Self {
        Self { code, message: message.into().0, field: None, excess: None }
    }

    /// Attributes the refusal to one input field.
    #[must_use]
    pub fn at(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }

    /// Adds the exceeded limit, if `actual` is more than `limit`.
    #[must_use]
    pub fn exceeding(mut self, limit: impl TryInto<u64>, actual: impl TryInto<u64>) -> Self {
        let (limit, actual) = (limit.try_into().unwrap_or(u64::MAX), actual.try_into().unwrap_or(0));
        self.excess = (actual > limit).then_some(ExceededLimit { limit, actual });
        self
    }
}

/// Why a use case failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rules or the input do not allow the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The caller lacks a permission, or is not authenticated.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A provider failed.
    #[error(transparent)]
    Provider(#[from] providers::Error),
    /// Too many requests are waiting for customers' servers. Nothing was changed.
    #[error("The server is overloaded. Try again shortly.")]
    Overloaded,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DatabaseError),
    /// The queue of hints and limits could not be reached.
    #[error("the queue failed")]
    Queue(#[from] lanes::Error),
    /// A stored value is sealed with a master key that the configuration lacks.
    #[error(
        "what is stored as {what} is sealed with the master key {key}, which is neither master_key nor among \
         former_master_keys"
    )]
    MasterKeyUnknown {
        /// The kind of the stored value, for error messages.
        what: &'static str,
        /// Id of the missing master key.
        key: crate::vault::KeyId,
    },
    /// A row contains a word that only a newer version supports. Nothing was changed.
    #[error(transparent)]
    UnknownWord(#[from] UnknownWord),
    /// A stored value cannot be read: the key is wrong, or the value is damaged.
    #[error("what is stored as {what} cannot be read")]
    Unreadable {
        /// The kind of the stored value, for error messages.
        what: &'static str,
    },
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Database(error.into())
    }
}

impl Error {
    /// The error for an object that does not exist or belongs to another tenant; the two cases are not distinguished.
    pub fn not_found(what: &'static str) -> Self {
        Self::Refused(Refusal::new("NOT_FOUND", messages::not_found(what)))
    }

    /// The error for a refusal that applies to the whole request.
    pub fn refuse(code: &'static str, message: impl Into<RefusalMessage>) -> Self {
        Self::Refused(Refusal::new(code, message))
    }

    /// Stable, machine-readable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::Denied(denied) => denied.code(),
            Self::Provider(error) => error.kind_code(),
            Self::Overloaded => "OVERLOADED",
            Self::Database(_) | Self::Queue(_) => "UNAVAILABLE",
            Self::MasterKeyUnknown { .. } => "MASTER_KEY_UNKNOWN",
            Self::UnknownWord(_) => "STATE_UNKNOWN",
            Self::Unreadable { .. } => "UNREADABLE",
        }
    }

    /// Explanation for a person, in one sentence.
    pub fn message(&self) -> Message {
        match self {
            Self::Refused(refusal) => refusal.message.clone(),
            Self::Denied(Denied::Unauthenticated) => messages::sign_in_first(),
            Self::Denied(Denied::Forbidden(permission)) => messages::permission_needed(permission.as_str()),
            Self::Denied(Denied::TenantMissing) => messages::tenant_missing(),
            Self::Provider(error) => error.message.clone(),
            Self::Overloaded => messages::overloaded(),
            Self::Database(_) => messages::database_failed(),
            Self::Queue(_) => messages::queue_failed(),
            Self::MasterKeyUnknown { what, key } => messages::master_key_unknown(*what, key.to_string()),
            Self::UnknownWord(unknown) => messages::word_unknown(unknown.word.as_str()),
            Self::Unreadable { what } => messages::stored_value_unreadable(*what),
        }
    }

    /// Converts the error to the reason for a state.
    pub fn reason(&self) -> Reason {
        Reason::new(self.code(), self.message())
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Provider(error) => matches!(error.remedy, providers::Remedy::RetryAfter(_)),
            Self::Overloaded | Self::Database(_) | Self::Queue(_) => true,
            _ => false,
        }
    }

    /// Whether the transaction conflicted with another and should be repeated.
    pub fn is_contention(&self) -> bool {
        matches!(self, Self::Database(error) if error.is_contention())
    }
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        match error {
            Error::Database(error) => Self::Database(error),
            other => Self::Change(Box::new(other)),
        }
    }
}

/// Whether the database refused a row because a unique index already contains its key.
pub(crate) fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_)))
}

/// Whether the database refused a row because a booking already blocks the time.
pub(crate) fn is_time_taken(error: &DbErr) -> bool {
    error.to_string().contains("occupancy_taken")
}
