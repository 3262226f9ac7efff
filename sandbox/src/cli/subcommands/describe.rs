//! Formats responses of the control interface for people.

use serde_json::Value;

use super::{ClockCommand, ControlCommand, EventCommand, FaultCommand};
use crate::cli::table::format_table;

impl ControlCommand {
    /// The sandbox's response, formatted for people.
    pub(in crate::cli) fn describe_response(&self, response: &Value) -> String {
        match self {
            Self::Organisations => format_table(
                response,
                &[
                    ("DOMAIN", "domain"),
                    ("ID", "id"),
                    ("USERS", "users"),
                    ("ROOMS", "rooms"),
                    ("NAME", "name"),
                ],
            ),
            Self::Show { .. } | Self::Settings { .. } => pretty(response),
            Self::Generate { .. } | Self::Load { .. } => format!(
                "{} is there. People: {}, shared mailboxes: {}, rooms: {}. Its id is {}; {} is its administrator.\n",
                text(&response["domain"]),
                count(&response["users"]),
                count(&response["shared"]),
                count(&response["rooms"]),
                text(&response["id"]),
                text(&response["admin"]["address"]),
            ),
            Self::Events { .. } => format_table(
                response,
                &[
                    ("START", "start"),
                    ("END", "end"),
                    ("MAILBOX", "mailbox"),
                    ("AS", "show_as"),
                    ("ANSWER", "response"),
                    ("SUBJECT", "subject"),
                ],
            ),
            Self::Plant { .. } => format!("Planted as {}.\n", text(&response["id"])),
            Self::Mails { .. } => format_table(
                response,
                &[("AT", "at"), ("KIND", "kind"), ("FROM", "from"), ("TO", "to"), ("SUBJECT", "subject")],
            ),
            Self::Journal { .. } => format_table(
                response,
                &[
                    ("N", "n"),
                    ("AT", "at"),
                    ("METHOD", "method"),
                    ("STATUS", "status"),
                    ("OUTCOME", "outcome"),
                    ("MAILBOX", "mailbox"),
                    ("PATH", "path"),
                ],
            ),
            Self::Fault(FaultCommand::List) => format_table(
                response,
                &[
                    ("ACTION", "action"),
                    ("TIMES", "times"),
                    ("SKIP", "skip"),
                    ("METHOD", "match.method"),
                    ("PATH", "match.path_contains"),
                ],
            ),
            Self::Fault(_) => format!("Faults that wait: {}.\n", response["planted"]),
            Self::Clock(ClockCommand::Advance { .. }) => format!("It is {} now.\n", text(&response["now"])),
            Self::Clock(_) => format!(
                "It is {} now; the token endpoints' clock is off by {} seconds.\n",
                text(&response["now"]),
                response["token_skew_s"]
            ),
            Self::Revoke { client, .. } => format!("The consent for {client} is gone.\n"),
            Self::Scope { .. } | Self::Mailbox { .. } | Self::Room { .. } => {
                format!("{} is now:\n{}", text(&response["address"]), pretty(response))
            }
            Self::Answer { .. } => format!("Meetings answered: {}.\n", response["answered"]),
            Self::Event(EventCommand::Move { .. }) => "The event was moved.\n".to_owned(),
            Self::Event(EventCommand::Delete { .. }) => "The event was deleted.\n".to_owned(),
            Self::Event(EventCommand::Answer { .. }) => "The invitation was answered.\n".to_owned(),
            Self::App { .. } => format!("{} is registered.\n", text(&response["client_id"])),
            Self::Secret { .. } => match response["secret_expires_at"].as_str() {
                Some(end) => format!("The secret of {} expires at {end}.\n", text(&response["client_id"])),
                None => format!("The secret of {} does not expire.\n", text(&response["client_id"])),
            },
            Self::Expire { .. } => "Every token that was issued so far is refused.\n".to_owned(),
            Self::Forget => {
                format!("Every sync cursor is forgotten; times so far: {}.\n", response["sync_epoch"])
            }
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn count(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
