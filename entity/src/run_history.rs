//! The history of runs: one row per committed step or retry by a person.

use domain::state::StepOutcome;

use crate::{StateName, Stored};

crate::table::tenant_table! {
    /// One committed step of a run, or a retry by a person: one row per revision.
    "run_history": ids::Row {
        /// The run whose step was committed.
        run_id: Id<ids::Run>,
        /// The run's revision after the step.
        revision: i64,
        /// The state whose step was executed; empty if the run had no state yet.
        state: StateName,
        /// The outcome of the step; `REVIVED` for a retry by a person.
        outcome: Stored<StepOutcome>,
        /// The state after the step; null when the run ended or stayed in its state.
        next_state: Option<StateName>,
        /// Number of the attempt, starting at 1; 0 for a retry by a person.
        attempt: i32,
        /// Why the step had this outcome, as a `domain::Reason`; null when no explanation is needed.
        reason: Option<Json>,
        /// The node that executed the step, or the actor who retried the run.
        node: String,
        /// When the step was committed.
        at: DateTimeUtc,
    }
}
