//! Verifications: the recorded results of the checks of an integration.

use domain::state::Verdict;

use crate::Stored;

crate::table::tenant_table! {
    /// One verification of an integration: the results of all its checks.
    "verification": ids::Verification {
        /// The integration that was checked.
        integration_id: Id<ids::Integration>,
        /// The worst result among the checks that were not skipped.
        verdict: Stored<Verdict>,
        /// The results of the individual checks in order, as JSON.
        checks: Json,
        /// When the last check ended.
        at: DateTimeUtc,
    }
}
