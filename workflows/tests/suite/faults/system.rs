//! The calendar system that the faults are planted in, and the errors that it gives.

use std::time::Duration;

use domain::{Message, ProviderKind};
use providers::{Error, ErrorKind, Remedy, RoomInfo, memory::Memory};

/// The rooms of the directory.
pub const ROOMS: [&str; 2] = ["blue@acme.example", "red@acme.example"];
/// The service mailbox.
pub const SERVICE: &str = "service@acme.example";

/// An organisation with two rooms, whose calendars are read as a whole each time.
pub fn new() -> Memory {
    let memory = Memory::new(ProviderKind::CalDav);
    memory.add_rooms(ROOMS.map(room));
    memory.disable_change_checks();
    memory
}

fn room(address: &str) -> RoomInfo {
    RoomInfo {
        id: address.to_owned(),
        address: address.to_owned(),
        name: address.to_owned(),
        capacity: Some(6),
        building: None,
        floor: None,
        equipment: Vec::new(),
    }
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

/// The calendar system cannot be reached.
pub fn away() -> Error {
    let message = Message::verbatim("The calendar system cannot be reached.");
    Error::new(ErrorKind::Unavailable, Remedy::RetryAfter(Duration::from_secs(5)), "503", message)
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
