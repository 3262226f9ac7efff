//! Executions of workflows.

use domain::state::{Lane, RunStatus};

use crate::{StateName, Stored};

crate::table::tenant_table! {
    /// One execution of a workflow.
    "run": ids::Run {
        /// The name of the workflow, as in its table.
        workflow: String,
        /// The version of the workflow's table with which the run began; null before its first step.
        version: Option<i32>,
        /// The state of the workflow's table that the run is in; null before its first step.
        state: Option<StateName>,
        /// What the workflow remembers between steps, as JSON of its own type; at first, its input.
        memory: Json,
        /// The states entered so far, a list in the order of first entry; undoing follows it backwards.
        trail: Json,
        /// Incremented with every committed step; a commit at a stale revision is refused.
        revision: i64,
        /// Whether the run has work, waits or has ended.
        status: Stored<RunStatus>,
        /// The priority of the run's work.
        lane: Stored<Lane>,
        /// What the run works on: at most one unfinished run per tenant, workflow and key.
        business_key: String,
        /// The id of what the run is about, such as a booking or an integration.
        subject: domain::AnyId,
        /// The actor who started the run: the id of a user, key or link, or a part of the engine.
        asked_by: String,
        /// The name of the signal that wakes the run; null when it waits for none.
        wait_signal: Option<String>,
        /// Whether cancellation of the run was requested.
        cancel_requested: bool,
        /// Whether the run is undoing its steps, or was when it was quarantined.
        undoing: bool,
        /// Why the run is in its status, as a `domain::Reason`; null when there is nothing to explain.
        reason: Option<Json>,
        /// When the run was enqueued.
        created_at: DateTimeUtc,
        /// When the last step was committed.
        updated_at: DateTimeUtc,
        /// When the run ended; null while it is unfinished.
        finished_at: Option<DateTimeUtc>,
    }
}
