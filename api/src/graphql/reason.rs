//! Explanations of states.

use async_graphql::SimpleObject;
use domain::Zone;
use messages::Explanation;

use crate::wording;

/// Why an object is in its current state, and what a person should do next.
#[derive(Debug, Clone, SimpleObject)]
pub struct Reason {
    /// Stable, machine-readable code; docs/errors.md lists all codes.
    code: String,
    /// Explanation in one sentence, for readers without IT knowledge.
    message: String,
    /// Recommended next action, as an imperative sentence; null if there is nothing to do.
    next_action: Option<String>,
}

impl Reason {
    /// The rendered reason, with its times in the reader's time zone if that is known, otherwise in UTC.
    pub(super) fn from_domain(reason: &domain::Reason, zone: Option<&Zone>) -> Self {
        let Explanation { code, message, next_action } = wording::render_reason(reason, zone);
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
