//! Signals that have not been consumed by their runs yet.

crate::table::tenant_table! {
    /// A signal sent to a run, kept until one of the run's steps consumes it.
    "signal": ids::Row {
        /// The run to wake.
        run_id: Id<ids::Run>,
        /// The name of the signal, by which a step waits for it.
        name: String,
        /// The signal's data, in a format defined by the workflow.
        payload: Json,
        /// When the signal was sent.
        created_at: DateTimeUtc,
    }
}
