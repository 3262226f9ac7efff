//! Explanations of states.

use async_graphql::SimpleObject;
use domain::Zone;
use messages::Explanation;

use crate::wording;

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

impl Reason {
    /// The reason as a person reads it, with its times in the reader's zone if that is known.
    pub(super) fn from_domain(reason: &domain::Reason, zone: Option<&Zone>) -> Self {
        let Explanation { code, message, next_action } = wording::explanation(reason, zone);
        Self { code, message, next_action }
    }

    /// Decodes the reason stored with an object; `None` if there is none.
    pub(super) fn from_stored(json: Option<&serde_json::Value>) -> Option<Self> {
        services::integrations::parse_reason(json).map(|reason| Self::from_domain(&reason, None))
    }

    /// What to do next; `None` if there is nothing to do.
    pub(super) fn into_next_action(self) -> Option<String> {
        self.next_action
    }
}
