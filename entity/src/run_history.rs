//! One committed step of a run, or a person's retry: one line a revision.

crate::table::tenant_table! {
    /// One committed step of a run, or a person's retry: one line a revision.
    "run_history" {
        /// The run.
        run_id: Uuid,
        /// The revision.
        revision: i64,
        /// The state, as one of the words of `domain::state`.
        state: String,
        /// The outcome.
        outcome: String,
        /// The next state.
        next_state: Option<String>,
        /// The attempt.
        attempt: i32,
        /// Why: a `domain::Reason`.
        reason: Option<Json>,
        /// The node.
        node: String,
        /// When.
        at: DateTimeUtc,
    }
}
