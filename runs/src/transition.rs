//! The data of a run that a commit writes after one step.

use domain::{
    Id, Reason, Timestamp, ids,
    state::{Lane, RunStatus, StepOutcome},
};
use serde_json::Value as Json;

/// The new state of a run after a step, its history row, and the claim under which the step was executed.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The id of the run to update.
    pub run: Id<ids::Run>,
    /// The tenant that owns the run.
    pub tenant: Id<ids::Tenant>,
    /// The actor who started the run.
    pub asked_by: String,
    /// The priority of the run's next job.
    pub lane: Lane,
    /// The fencing token of the claim.
    pub epoch: i64,
    /// The run's revision when the step began; the commit increments it.
    pub revision: i64,
    /// Number of signals received before the step began; if more have arrived by the commit, the run is due
    /// immediately.
    pub wakes: i64,
    /// The version of the workflow's table that the run uses.
    pub version: i32,
    /// The new state.
    pub state: String,
    /// The new status.
    pub status: RunStatus,
    /// Whether the run is undoing its steps, or was undoing them when it was quarantined.
    pub undoing: bool,
    /// The new memory.
    pub memory: Json,
    /// The states entered so far, oldest first.
    pub trail: Vec<String>,
    /// The name of the signal that wakes the run; `None` when it is not waiting for a signal.
    pub wait_signal: Option<&'static str>,
    /// Why the run is in its status; `None` when no explanation is needed.
    pub reason: Option<Reason>,
    /// When the transition was decided, by the clock that determines which jobs are due.
    pub at: Timestamp,
    /// When the run is due again, by the same clock.
    pub due: Timestamp,
    /// Whether the worker continues with the next state immediately, under the same claim.
    pub keep: bool,
    /// Number of failed attempts at the new state so far.
    pub attempt: i32,
    /// The row for the run's history.
    pub line: HistoryEntry,
    /// The ids of the signals that the step consumed.
    pub consumed: Vec<Id<ids::Row>>,
}

/// A row of a run's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The state whose step ran.
    pub state: String,
    /// The result in one word, such as `DONE`.
    pub outcome: StepOutcome,
    /// The state after the step; `None` when the run ended or kept its state.
    pub next: Option<String>,
    /// Number of the attempt, starting at 1.
    pub attempt: i32,
    /// Why the step did not succeed; `None` on success.
    pub reason: Option<Reason>,
}

/// Everything that one step writes.
#[derive(Debug, Clone, PartialEq)]
pub struct StepResult<Change> {
    /// The new state of the run.
    pub transition: Transition,
    /// The step's other changes, written in the same transaction; empty after a failed step.
    pub changes: Vec<Change>,
}

/// Identifies a step result: run, epoch and revision. The epoch alone is not sufficient, because a worker from before a
/// retry may have the same epoch as the revived run.
pub(crate) type Key = (Id<ids::Run>, i64, i64);

impl Transition {
    /// Whether the run is due again immediately.
    pub fn is_due(&self) -> bool {
        !self.status.is_over() && self.due <= self.at
    }

    /// Whether the transition has no side effects. False if the run is quarantined, because a person must be notified.
    pub fn has_no_side_effects(&self) -> bool {
        self.status != RunStatus::Quarantined
    }

    /// Whether subscribers are notified of the transition. They are not notified for background runs, which are
    /// numerous and for which no person is waiting.
    pub(crate) fn notifies_subscribers(&self) -> bool {
        self.lane != Lane::Background
    }

    pub(crate) fn key(&self) -> Key {
        (self.run, self.epoch, self.revision)
    }
}

impl<Change> StepResult<Change> {
    /// Whether the result writes only the run, its job, its history and its change event.
    pub fn has_no_changes(&self) -> bool {
        self.changes.is_empty() && self.transition.has_no_side_effects()
    }

    /// Identifies the result within its batch: the run, and the epoch and revision of its claim.
    pub fn key(&self) -> (Id<ids::Run>, i64, i64) {
        self.transition.key()
    }
}
