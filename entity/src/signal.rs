//! A message that waits for its run.

crate::table::tenant_table! {
    /// A message that waits for its run.
    "signal" {
        /// The run.
        run_id: Uuid,
        /// The name, for people.
        name: String,
        /// The payload.
        payload: Json,
        /// When it was made.
        created_at: DateTimeUtc,
    }
}
