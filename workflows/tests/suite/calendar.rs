//! The calendar system of these tests, and the errors that it gives.

use std::time::Duration;

use domain::{Message, ProviderKind};
use providers::{
    Error, ErrorKind, Remedy,
    memory::{Memory, Method},
};

/// Whom [`Memory::refuse_requests`] means when the directory itself fails.
pub const DIRECTORY: &str = "";

/// A system in which users connect their own calendars. It knows no effect key again, so whoever repeats a write has
/// to look first, and its calendars are read as a whole each time.
pub fn system() -> Memory {
    let memory = Memory::new(ProviderKind::Microsoft365);
    memory.change_features(|features| {
        features.verified_organisation = true;
        features.own_consent = true;
    });
    memory.ignore_effect_keys();
    memory.disable_change_checks();
    memory
}

/// How often something was requested.
pub fn calls(memory: &Memory, method: Method) -> usize {
    memory.requests().iter().filter(|request| request.method == method).count()
}

/// An error that passes.
pub fn busy() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(Duration::from_secs(1)),
        "503",
        Message::verbatim("A bad moment."),
    )
}

/// The mailbox is not in the agreed scope.
pub fn out_of_scope() -> Error {
    Error::new(
        ErrorKind::OutOfScope,
        Remedy::SkipMailbox,
        "403",
        Message::verbatim("This mailbox is outside the agreed scope."),
    )
}

/// The consent is gone.
pub fn lost() -> Error {
    Error::new(
        ErrorKind::GrantLost,
        Remedy::Reconnect,
        "invalid_grant",
        Message::verbatim("The consent is gone."),
    )
}

/// The request is impossible.
pub fn refused() -> Error {
    Error::new(ErrorKind::Invalid, Remedy::Never, "400", Message::verbatim("The calendar refused this."))
}
