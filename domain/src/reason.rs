//! Why an object is in its current state, and what a person should do next.

use serde::{Deserialize, Serialize};

/// A stable code for programs, a sentence for people, and the next action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// Upper-case words joined by underscores; documented in `docs/errors.md`.
    pub code: String,
    /// One sentence for readers without IT knowledge. Never contains a secret.
    pub message: String,
    /// What to do next, as an imperative sentence; absent if there is nothing to do.
    pub next_action: Option<String>,
}

impl Reason {
    /// A reason that requires no action.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), next_action: None }
    }

    /// The same reason with a next action for a person.
    #[must_use]
    pub fn with_next_action(mut self, next_action: impl Into<String>) -> Self {
        self.next_action = Some(next_action.into());
        self
    }
}
