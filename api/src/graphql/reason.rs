//! Why something is in its state.

use async_graphql::SimpleObject;

/// Why something is in the state it is in, and what a person does next.
#[derive(Debug, Clone, SimpleObject)]
pub struct Reason {
    /// The stable code; docs/errors.md explains each.
    code: String,
    /// One sentence that a person without IT knowledge understands.
    message: String,
    /// What to do, as an imperative sentence; null when there is nothing to do.
    next_action: Option<String>,
}

impl From<domain::Reason> for Reason {
    fn from(reason: domain::Reason) -> Self {
        Self { code: reason.code, message: reason.message, next_action: reason.next_action }
    }
}

impl Reason {
    /// The reason that is stored with something.
    pub(super) fn stored(json: Option<&serde_json::Value>) -> Option<Self> {
        services::integrations::reason(json).map(Self::from)
    }
}
