//! Derives the transition of a run from a step's result; a pure function that contains the engine's rules.

use std::time::Duration;

use domain::{
    Clock, Reason, Timestamp,
    state::{RunStatus, StepOutcome},
};
use runs::{HistoryEntry, JobClaim, JobHint, Run, Signal, StepResult, Transition};

use crate::{Next, Retry, Row, StepError, StepOutput, Table, messages};

/// Number of crashes in one state after which a run is quarantined.
pub const MAX_CRASHES: i32 = 3;

/// Maximum wait that a step may request, even if a provider requests a longer one.
const MAX_WAIT: Duration = Duration::from_hours(24);

/// Maximum time for which a run waits for a signal without a deadline.
const FOR_EVER: chrono::Duration = chrono::Duration::days(3650);

/// A claimed run with the data that its step needs.
#[derive(Debug)]
pub struct ClaimedRun {
    /// The claim on the job, with its lease and fencing token.
    pub claimed: JobClaim,
    /// The row of the run as read after the claim.
    pub row: Run,
    /// The workflow's table in the version of the run.
    pub table: &'static Table,
    /// The signals received before the claim, oldest first.
    pub signals: Vec<Signal>,
    /// The value of [`Clock::steady`] when the job was claimed.
    pub since: Duration,
}

impl ClaimedRun {
    /// The current time, computed as the database's time at the claim plus the elapsed time, because the node's own
    /// clock may be wrong.
    pub fn now(&self, clock: &dyn Clock) -> Timestamp {
        self.claimed.at + clock.steady().saturating_sub(self.since)
    }

    /// The hint for the claimed job.
    pub(crate) fn hint(&self) -> JobHint {
        JobHint { run: self.claimed.run, tenant: self.claimed.tenant, lane: self.claimed.lane }
    }

    /// Advances to the next state after a commit that kept the claim.
    pub fn advance(&mut self, transition: Transition) {
        self.row.version = Some(transition.version);
        self.row.state = Some(transition.state.into());
        self.row.status = transition.status.into();
        self.row.undoing = transition.undoing;
        self.row.memory = transition.memory;
        self.row.trail = serde_json::json!(transition.trail);
        self.row.reason = transition.reason.and_then(|reason| serde_json::to_value(reason).ok());
        self.row.revision = transition.revision + 1;
        self.claimed.attempt = transition.attempt;
        self.claimed.crashes = 0;
        self.signals.retain(|signal| !transition.consumed.contains(&signal.id));
    }

    /// The state whose step or undo is executed next.
    pub fn state(&self) -> &str {
        let first = || self.table.rows.first().map_or("", |row| row.state);
        self.row.state.as_ref().map_or_else(first, |state| state.as_str())
    }

    /// Whether the run is being undone.
    pub fn is_undoing(&self) -> bool {
        self.row.status == RunStatus::Undoing
    }

    /// The transition that replaces the next step, if one is due: a run that repeatedly crashes its worker is
    /// quarantined, and a run whose cancellation was requested is undone.
    pub fn decide_before_step(&self, now: Timestamp) -> Option<Transition> {
        if self.claimed.crashes >= MAX_CRASHES {
            let reason = Reason::new("RUN_QUARANTINED", messages::run_quarantined())
                .with_next_action(messages::read_history_then_retry());
            return Some(self.park(reason, now));
        }
        if self.row.cancel_requested && !self.is_undoing() {
            let reason = Reason::new("RUN_CANCELLED", messages::run_cancelled());
            return Some(self.start_undoing(reason, StepOutcome::Cancelled, now));
        }
        None
    }

    /// Converts the output of a step or an undo to the result to be committed. `jitter` is a number from 0 to 99. For a
    /// failed step only the reason is written: its memory and changes are discarded, and the signals it consumed
    /// remain.
    pub fn build_result<C>(&self, output: StepOutput<C>, now: Timestamp, jitter: u32) -> StepResult<C> {
        let StepOutput { memory, consumed, changes, outcome } = output;
        let mut transition = match (self.is_undoing(), outcome) {
            (false, Ok(next)) => self.forward(next, now),
            (true, Ok(_)) => self.backward(now),
            (undoing, Err(error)) => {
                let transition = self.after_error(error, undoing, now, jitter);
                return StepResult { transition, changes: Vec::new() };
            }
        };
        if let Some(memory) = memory {
            transition.memory = memory;
        }
        transition.consumed = consumed;
        StepResult { transition, changes }
    }

    fn base(&self, outcome: StepOutcome, now: Timestamp) -> Transition {
        let state = self.state().to_owned();
        let mut trail: Vec<String> = serde_json::from_value(self.row.trail.clone()).unwrap_or_default();
        if !self.is_undoing() && !trail.contains(&state) {
            trail.push(state.clone());
        }
        let attempt = self.claimed.attempt + 1;
        Transition {
            run: self.row.id,
            tenant: self.row.tenant_id,
            asked_by: self.row.asked_by.clone(),
            lane: self.claimed.lane,
            epoch: self.claimed.epoch,
            revision: self.row.revision,
            wakes: self.claimed.wakes,
            version: self.table.version,
            state: state.clone(),
            status: RunStatus::Running,
            undoing: self.is_undoing(),
            memory: self.row.memory.clone(),
            trail,
            wait_signal: None,
            reason: None,
            at: now,
            due: now,
            keep: false,
            attempt: 0,
            line: HistoryEntry { state, outcome, next: None, attempt, reason: None },
            consumed: Vec::new(),
        }
    }

    fn forward(&self, next: Next<&'static str>, now: Timestamp) -> Transition {
        match next {
            Next::Done => Transition { status: RunStatus::Done, ..self.base(StepOutcome::Done, now) },
            Next::Wait { until: None, or: None } => {
                let reason = Reason::new("WAIT_UNNAMED", messages::wait_unnamed());
                self.start_undoing(reason, StepOutcome::Failed, now)
            }
            Next::Wait { until, or } => {
                let due = until.unwrap_or(now + FOR_EVER);
                Transition {
                    status: RunStatus::Waiting,
                    wait_signal: or,
                    due,
                    ..self.base(StepOutcome::Waited, now)
                }
            }
            Next::Go(to) if self.row_of_state().is_some_and(|row| row.then.contains(&to)) => {
                let mut transition = self.base(StepOutcome::WentOn, now);
                transition.line.next = Some(to.to_owned());
                to.clone_into(&mut transition.state);
                transition
            }
            Next::Go(_) => {
                let reason = Reason::new("SUCCESSOR_UNKNOWN", messages::successor_unknown());
                self.start_undoing(reason, StepOutcome::Failed, now)
            }
        }
    }

    /// The transition after an undo: the run continues with the undo of the previous state, or ends.
    fn backward(&self, now: Timestamp) -> Transition {
        let mut transition = self.base(StepOutcome::Undone, now);
        transition.reason = self.stored_reason();
        transition.trail.retain(|state| *state != transition.line.state);
        match transition.trail.last().cloned() {
            Some(before) => {
                transition.line.next = Some(before.clone());
                transition.state = before;
                transition.status = RunStatus::Undoing;
            }
            None if self.row.cancel_requested => transition.status = RunStatus::Cancelled,
            None => transition.status = RunStatus::Failed,
        }
        transition
    }

    fn after_error(&self, error: StepError, undoing: bool, now: Timestamp, jitter: u32) -> Transition {
        let failed = u32::try_from(self.claimed.attempt + 1).unwrap_or(u32::MAX);
        let policy = match undoing {
            true => Retry::PATIENT,
            false => self.row_of_state().map_or(Retry::NEVER, |row| row.retry),
        };
        let (reason, wait) = match error {
            StepError::Retry { reason, after } => {
                let wait =
                    policy.next_wait(failed, jitter).map(|wait| wait.max(after.unwrap_or(Duration::ZERO)));
                (reason, wait)
            }
            StepError::Later { reason, after } => (reason, Some(after)),
            StepError::Fail(reason) => (reason, None),
        };
        match (wait, undoing) {
            (Some(wait), _) => {
                let mut transition = self.base(StepOutcome::Retried, now);
                transition.status = if undoing { RunStatus::Undoing } else { RunStatus::Waiting };
                transition.reason = if undoing { self.stored_reason() } else { Some(reason.clone()) };
                transition.due = domain::time::add_wait(now, wait.min(MAX_WAIT));
                transition.attempt = self.claimed.attempt + 1;
                transition.line.reason = Some(reason);
                transition
            }
            (None, true) => {
                self.park(reason.with_next_action(messages::check_the_provider_then_retry()), now)
            }
            (None, false) => self.start_undoing(reason, StepOutcome::Failed, now),
        }
    }

    /// Starts undoing the run, beginning with the state that was last to be entered for the first time. This is not the
    /// current state if the run returned to an earlier state.
    fn start_undoing(&self, reason: Reason, outcome: StepOutcome, now: Timestamp) -> Transition {
        let mut transition = self.base(outcome, now);
        if let Some(last) = transition.trail.last().filter(|last| **last != transition.state).cloned() {
            transition.line.next = Some(last.clone());
            transition.state = last;
        }
        transition.status = RunStatus::Undoing;
        transition.undoing = true;
        transition.line.reason = Some(reason.clone());
        transition.reason = Some(reason);
        transition
    }

    /// Quarantines the run until a person intervenes.
    fn park(&self, reason: Reason, now: Timestamp) -> Transition {
        let mut transition = self.base(StepOutcome::Quarantined, now);
        transition.status = RunStatus::Quarantined;
        transition.line.reason = Some(reason.clone());
        transition.reason = Some(reason);
        transition
    }

    fn row_of_state(&self) -> Option<&'static Row> {
        self.table.row(self.state())
    }

    fn stored_reason(&self) -> Option<Reason> {
        self.row.reason.clone().and_then(|json| serde_json::from_value(json).ok())
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
