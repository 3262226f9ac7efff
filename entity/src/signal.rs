//! Signals that wait for their runs.

crate::table::tenant_table! {
    /// A message for a run, kept until one of the run's steps consumes it.
    "signal": ids::Row {
        /// The run to wake.
        run_id: Id<ids::Run>,
        /// The name that a waiting step asks for.
        name: String,
        /// The data of the signal, in a form that sender and workflow agree on.
        payload: Json,
        /// When the signal was sent.
        created_at: DateTimeUtc,
    }
}
