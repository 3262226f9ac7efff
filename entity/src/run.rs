//! One execution of a workflow.

crate::table::tenant_table! {
    /// One execution of a workflow.
    "run" {
        /// The workflow.
        workflow: String,
        /// Grows with every change.
        version: Option<i32>,
        /// The state, as one of the words of `domain::state`.
        state: Option<String>,
        /// The memory.
        memory: Json,
        /// The trail.
        trail: Json,
        /// The revision.
        revision: i64,
        /// The status.
        status: String,
        /// The lane.
        lane: String,
        /// The business key.
        business_key: String,
        /// The subject.
        subject: Uuid,
        /// The asked by.
        asked_by: String,
        /// The wait signal.
        wait_signal: Option<String>,
        /// Whether somebody asked for it to be stopped.
        cancel_requested: bool,
        /// Whether it goes backwards, or did when it was parked.
        undoing: bool,
        /// Why: a `domain::Reason`.
        reason: Option<Json>,
        /// When it was made.
        created_at: DateTimeUtc,
        /// The updated at.
        updated_at: DateTimeUtc,
        /// The finished at.
        finished_at: Option<DateTimeUtc>,
    }
}
