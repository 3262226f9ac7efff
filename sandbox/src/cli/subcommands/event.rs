//! Commands that do with an event what people do in their calendars.

use clap::{Subcommand, ValueEnum};
use domain::Timestamp;
use serde_json::{Value, json};

use super::name;
use crate::cli::client::Request;

/// A command that moves, deletes or answers an event by hand.
#[derive(Debug, Clone, Subcommand)]
pub(in crate::cli) enum EventCommand {
    /// Moves an event, as the owner of the mailbox.
    Move {
        organisation: String,
        /// The address of the mailbox.
        mailbox: String,
        /// The event's id or iCalUId.
        event: String,
        /// The new start, such as 2026-12-16T14:00:00Z.
        start: Timestamp,
        /// The new end.
        end: Timestamp,
    },
    /// Deletes an event, as the owner of the mailbox.
    Delete {
        organisation: String,
        /// The address of the mailbox.
        mailbox: String,
        /// The event's id or iCalUId.
        event: String,
    },
    /// Responds to an invitation in place of an attendee.
    Answer {
        organisation: String,
        /// The address of the invited person or room.
        attendee: String,
        /// The event's iCalUId.
        event: String,
        /// The response.
        answer: AttendeeAnswer,
    },
}

/// The response of an attendee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum AttendeeAnswer {
    /// The attendee accepts.
    Accepted,
    /// The attendee may come.
    Tentative,
    /// The attendee declines.
    Declined,
}

impl EventCommand {
    /// Converts the command to a request.
    pub(super) fn request(&self) -> Request {
        let of = |organisation: &str, act: &str, body: Value| {
            Request::post(["organisations", organisation, "events", act], body)
        };
        match self {
            Self::Move { organisation, mailbox, event, start, end } => of(
                organisation,
                "move",
                json!({ "mailbox": mailbox, "event": event, "start": start, "end": end }),
            ),
            Self::Delete { organisation, mailbox, event } => {
                of(organisation, "delete", json!({ "mailbox": mailbox, "event": event }))
            }
            Self::Answer { organisation, attendee, event, answer } => of(
                organisation,
                "answer",
                json!({ "attendee": attendee, "event": event, "answer": name(*answer) }),
            ),
        }
    }
}
