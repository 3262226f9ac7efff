//! Explanations of states.

use async_graphql::SimpleObject;

/// Why an object is in its current state, and what a person should do next.
#[derive(Debug, Clone, SimpleObject)]
pub struct Reason {
    /// Stable code for programs; docs/errors.md lists them all.
    code: String,
    /// Explanation in one sentence, for readers without IT knowledge.
    message: String,
    /// What to do next, as an imperative sentence; null if there is nothing to do.
    next_action: Option<String>,
}

impl From<domain::Reason> for Reason {
    fn from(reason: domain::Reason) -> Self {
        Self { code: reason.code, message: reason.message, next_action: reason.next_action }
    }
}

impl Reason {
    /// Decodes the reason stored with an object; `None` if there is none.
    pub(super) fn stored(json: Option<&serde_json::Value>) -> Option<Self> {
        services::integrations::reason(json).map(Self::from)
    }
}
