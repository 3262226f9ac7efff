//! Verifications: the recorded results of checking an integration step by step.

crate::table::tenant_table! {
    /// One verification of an integration: the results of all its checks.
    "verification" {
        /// The integration that was checked.
        integration_id: Uuid,
        /// The worst result among the checks that were not skipped: a `domain::Verdict` as text.
        verdict: String,
        /// The result of each check, in the order of checking, as JSON.
        checks: Json,
        /// When the last check ended.
        at: DateTimeUtc,
    }
}
