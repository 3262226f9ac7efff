//! What a verification reports to the pages that follow it while it runs.

use domain::{Id, ids};
use serde::{Deserialize, Serialize};

use super::Check;

/// The fan-out topic of checks, which reach the pages that follow a verification while it runs.
pub(crate) const CHECKS: &str = "checks";

/// Checks that a verification has made since it last reported some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChecksMade {
    /// The integration that is verified.
    #[serde(with = "domain::ids::plain")]
    pub(crate) integration: Id<ids::Integration>,
    /// Whether these are the first ones of the verification.
    pub(crate) is_first: bool,
    /// The checks, in the order in which they were made.
    pub(crate) checks: Vec<Check>,
}
