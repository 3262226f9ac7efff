//! One climb of the ladder of checks.

crate::table::tenant_table! {
    /// One climb of the ladder of checks.
    "verification" {
        /// The integration.
        integration_id: Uuid,
        /// The verdict.
        verdict: String,
        /// The checks.
        checks: Json,
        /// When.
        at: DateTimeUtc,
    }
}
