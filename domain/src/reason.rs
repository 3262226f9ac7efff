//! Why something is in the state it is in, and what a person does next.

use serde::{Deserialize, Serialize};

/// A stable code for programs, a sentence for people, and the next action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// Upper-case words joined by underscores; documented in `docs/errors.md`.
    pub code: String,
    /// One sentence that a person without IT knowledge understands. Never holds a secret.
    pub message: String,
    /// What to do, as an imperative sentence; absent when there is nothing to do.
    pub next_action: Option<String>,
}

impl Reason {
    /// A reason that needs nobody to act.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), next_action: None }
    }

    /// The same reason, with what a person does about it.
    #[must_use]
    pub fn with_next_action(mut self, next_action: impl Into<String>) -> Self {
        self.next_action = Some(next_action.into());
        self
    }
}
