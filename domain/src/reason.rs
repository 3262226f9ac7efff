//! The reason for the current state of an object, and what a person should do next.

use serde::{Deserialize, Serialize};

use crate::Message;

/// The reason for an object's state: a stable, machine-readable code, a sentence for people, and the next action.
///
/// Stored as JSON. Rows of older versions contain literal sentences in place of messages and can still be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// Upper-case words joined by underscores; documented in `docs/errors.md`.
    pub code: String,
    /// One sentence for readers without IT knowledge. Never contains a secret.
    pub message: Message,
    /// What to do next, as an imperative sentence; absent if there is nothing to do.
    pub next_action: Option<Message>,
}

impl Reason {
    /// Creates a reason that requires no action.
    pub fn new(code: impl Into<String>, message: Message) -> Self {
        Self { code: code.into(), message, next_action: None }
    }

    /// The same reason with a next action for a person.
    #[must_use]
    pub fn with_next_action(mut self, next_action: Message) -> Self {
        self.next_action = Some(next_action);
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reason_of_an_older_version_is_read_as_it_is() {
        let older = json!({ "code": "X", "message": "It failed.", "nextAction": "Try again." });
        let read: Reason = serde_json::from_value(older.clone()).unwrap();
        assert_eq!(read.message.verbatim_text(), Some("It failed."));
        assert_eq!(read.next_action.as_ref().and_then(Message::verbatim_text), Some("Try again."));
        assert_eq!(serde_json::to_value(&read).unwrap(), older);
        let bare: Reason = serde_json::from_value(json!({ "code": "X", "message": "x" })).unwrap();
        assert_eq!(bare.next_action, None);
    }
}
