//! Signals that have not been consumed by their runs yet.

crate::table::tenant_table! {
    /// A message to a run, kept until one of its steps consumes it.
    "signal": ids::Row {
        /// The run to wake.
        run_id: Id<ids::Run>,
        /// The name for which a waiting step listens.
        name: String,
        /// The signal's data, in a format defined by the workflow.
        payload: Json,
        /// When the signal was sent.
        created_at: DateTimeUtc,
    }
}
