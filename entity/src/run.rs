//! Executions of workflows.

use domain::state::{Lane, RunStatus};

use crate::{StateName, Stored};

crate::table::tenant_table! {
    /// One execution of a workflow.
    "run": ids::Run {
        /// The name of the workflow, as declared in its table.
        workflow: String,
        /// The version of the workflow's table with which the run began; null before its first step.
        version: Option<i32>,
        /// The run's current state in the workflow; null before its first step.
        state: Option<StateName>,
        /// The data that the workflow saves between steps, as JSON; initially its input.
        memory: Json,
        /// The states entered so far, in order of first entry; they are undone in reverse order.
        trail: Json,
        /// Incremented with every committed step; commits with an outdated revision are rejected.
        revision: i64,
        /// Whether the run is active, waiting or ended.
        status: Stored<RunStatus>,
        /// The priority of the run's work.
        lane: Stored<Lane>,
        /// Identifies the run's task: there is at most one unfinished run per tenant, workflow and key.
        business_key: String,
        /// The id of the object that the run is about, such as a booking or an integration.
        subject: domain::AnyId,
        /// The actor who started the run: the id of a user, key or link, or a part of the engine.
        asked_by: String,
        /// The name of the signal that wakes the run; null when it is not waiting for a signal.
        wait_signal: Option<String>,
        /// Whether cancellation of the run was requested.
        cancel_requested: bool,
        /// Whether the run is undoing its steps, or was undoing them when it was quarantined.
        undoing: bool,
        /// Why the run is in its status, as a `domain::Reason`; null when no explanation is needed.
        reason: Option<Json>,
        /// When the run was enqueued.
        created_at: DateTimeUtc,
        /// When the last step was committed.
        updated_at: DateTimeUtc,
        /// When the run ended; null while it is unfinished.
        finished_at: Option<DateTimeUtc>,
    }
}
