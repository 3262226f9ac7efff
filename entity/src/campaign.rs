//! One bulk activation.

crate::table::tenant_table! {
    /// One bulk activation.
    "campaign" {
        /// The integration.
        integration_id: Uuid,
        /// The state, as one of the words of `domain::state`.
        state: String,
        /// The total.
        total: i32,
        /// The asked by.
        asked_by: String,
        /// The started at.
        started_at: DateTimeUtc,
        /// The finished at.
        finished_at: Option<DateTimeUtc>,
    }
}
