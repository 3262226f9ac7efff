//! Describes responses in words.

use serde_json::Value;

use super::{ClockCommand, ControlCommand, FaultCommand};
use crate::cli::table::table;

impl ControlCommand {
    /// The sandbox's response in words.
    pub(in crate::cli) fn tell(&self, told: &Value) -> String {
        match self {
            Self::Organisations => table(
                told,
                &[
                    ("DOMAIN", "domain"),
                    ("ID", "id"),
                    ("USERS", "users"),
                    ("ROOMS", "rooms"),
                    ("NAME", "name"),
                ],
            ),
            Self::Show { .. } | Self::Settings { .. } => pretty(told),
            Self::Generate { .. } | Self::Load { .. } => format!(
                "{} is there. People: {}, shared mailboxes: {}, rooms: {}. Its id is {}; {} is its administrator.\n",
                text(&told["domain"]),
                count(&told["users"]),
                count(&told["shared"]),
                count(&told["rooms"]),
                text(&told["id"]),
                text(&told["admin"]["address"]),
            ),
            Self::Events { .. } => table(
                told,
                &[
                    ("START", "start"),
                    ("END", "end"),
                    ("MAILBOX", "mailbox"),
                    ("AS", "show_as"),
                    ("ANSWER", "response"),
                    ("SUBJECT", "subject"),
                ],
            ),
            Self::Plant { .. } => format!("Planted as {}.\n", text(&told["id"])),
            Self::Mails { .. } => table(
                told,
                &[("AT", "at"), ("KIND", "kind"), ("FROM", "from"), ("TO", "to"), ("SUBJECT", "subject")],
            ),
            Self::Journal { .. } => table(
                told,
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
            Self::Fault(FaultCommand::List) => table(
                told,
                &[
                    ("ACTION", "action"),
                    ("TIMES", "times"),
                    ("SKIP", "skip"),
                    ("METHOD", "match.method"),
                    ("PATH", "match.path_contains"),
                ],
            ),
            Self::Fault(_) => format!("Faults that wait: {}.\n", told["planted"]),
            Self::Clock(ClockCommand::Advance { .. }) => format!("It is {} now.\n", text(&told["now"])),
            Self::Clock(_) => format!(
                "It is {} now; the token endpoints' clock is off by {} seconds.\n",
                text(&told["now"]),
                told["token_skew_s"]
            ),
            Self::Revoke { client, .. } => format!("The consent for {client} is gone.\n"),
            Self::Scope { .. } | Self::Mailbox { .. } | Self::Room { .. } => {
                format!("{} is now:\n{}", text(&told["address"]), pretty(told))
            }
            Self::Answer { .. } => format!("Meetings answered: {}.\n", told["answered"]),
            Self::App { .. } => format!("{} is registered.\n", text(&told["client_id"])),
            Self::Secret { .. } => match told["secret_expires_at"].as_str() {
                Some(end) => format!("The secret of {} expires at {end}.\n", text(&told["client_id"])),
                None => format!("The secret of {} does not expire.\n", text(&told["client_id"])),
            },
            Self::Expire { .. } => "Every token that was issued so far is refused.\n".to_owned(),
            Self::Forget => {
                format!("Every sync cursor is forgotten; times so far: {}.\n", told["sync_epoch"])
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
