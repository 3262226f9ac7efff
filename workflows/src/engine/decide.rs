//! From what a step answered to what is written: the engine's rules, as one pure function.

use std::time::Duration;

use domain::{
    Clock, Reason, Timestamp,
    state::{Lane, RunStatus},
};
use entity::run::Model as Run;
use queue::jobs::Claimed;
use sea_orm::prelude::Json;
use services::Change;
use uuid::Uuid;

use super::{Next, Retry, Row, Signal, Table, Taken, Trouble};

/// How many workers may die over one state before the run is parked.
pub const MAX_CRASHES: i32 = 3;

/// No run waits longer than this because a step said so, whatever a provider asked for.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// A wait for a signal alone is a wait until then: long enough for every person, and still a time.
const FOR_EVER: chrono::Duration = chrono::Duration::days(3650);

/// Everything that one commit writes about one run.
#[derive(Debug)]
pub struct Settled {
    /// The run.
    pub run: Uuid,
    /// Its tenant.
    pub tenant: Uuid,
    /// Who asked for it.
    pub asked_by: String,
    /// Its lane.
    pub lane: Lane,
    /// The fence.
    pub epoch: i64,
    /// The revision that the step saw.
    pub revision: i64,
    /// The signals that had arrived when the step began.
    pub wakes: i64,
    /// The version it runs on.
    pub version: i32,
    /// The state from now on.
    pub state: String,
    /// The status from now on.
    pub status: RunStatus,
    /// Whether it goes backwards, or did when it was parked.
    pub undoing: bool,
    /// What it remembers.
    pub memory: Json,
    /// The states it went through, oldest first.
    pub trail: Vec<String>,
    /// The signal it waits for.
    pub wait_signal: Option<&'static str>,
    /// Why it stands as it stands.
    pub reason: Option<Reason>,
    /// When this was decided, by the clock that decides what is due.
    pub at: Timestamp,
    /// When it is due again, by the same clock.
    pub due: Timestamp,
    /// Whether its worker would go on with the next state at once, under the same claim.
    pub keep: bool,
    /// Failed attempts of the state from now on.
    pub attempt: i32,
    /// The line for its history.
    pub line: Line,
    /// The signals that are gone.
    pub eaten: Vec<Uuid>,
    /// What else is written.
    pub changes: Vec<Change>,
}

/// A line of a run's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The state that was worked on.
    pub state: String,
    /// What came out.
    pub outcome: &'static str,
    /// Where it went.
    pub next: Option<String>,
    /// Which attempt it was, from 1.
    pub attempt: i32,
    /// Why, where it was not as wished.
    pub reason: Option<Reason>,
}

/// A claimed run, ready for its step.
#[derive(Debug)]
pub struct Work {
    /// The claim.
    pub claimed: Claimed,
    /// The run.
    pub row: Run,
    /// Its table, in its version.
    pub table: &'static Table,
    /// The signals that had arrived when it was claimed, oldest first.
    pub signals: Vec<Signal>,
    /// What [`Clock::steady`] said at the claim.
    pub since: Duration,
}

impl Work {
    /// The present time by the clock that decides what is due: the database's at the claim, and what has passed since.
    /// A node whose own clock is wrong, or jumps, would set timers wrongly.
    pub fn now(&self, clock: &dyn Clock) -> Timestamp {
        self.claimed.at + clock.steady().saturating_sub(self.since)
    }

    /// The same claim with the next state, after a commit that kept it.
    pub fn go_on(&mut self, settled: Settled) {
        self.row.version = Some(settled.version);
        self.row.state = Some(settled.state);
        self.row.status = settled.status.to_string();
        self.row.undoing = settled.undoing;
        self.row.memory = settled.memory;
        self.row.trail = serde_json::json!(settled.trail);
        self.row.reason = settled.reason.and_then(|reason| serde_json::to_value(reason).ok());
        self.row.revision = settled.revision + 1;
        self.claimed.attempt = settled.attempt;
        self.claimed.crashes = 0;
        self.signals.retain(|signal| !settled.eaten.contains(&signal.id));
    }

    /// The state to work on.
    pub fn state(&self) -> &str {
        self.row.state.as_deref().unwrap_or_else(|| self.table.rows.first().map_or("", |row| row.state))
    }

    /// Whether the run is being undone.
    pub fn is_undoing(&self) -> bool {
        self.row.status == RunStatus::Undoing.as_str()
    }

    /// What is written without any step: a run that kills its workers is parked, one that was asked to stop turns
    /// round.
    pub fn before_any_step(&self, now: Timestamp) -> Option<Settled> {
        if self.claimed.crashes >= MAX_CRASHES {
            let reason = Reason::new(
                "RUN_QUARANTINED",
                "This run crashed the server several times and is quarantined.",
            )
            .act("Read the run's history, then retry the run.");
            return Some(self.park(reason, now));
        }
        if self.row.cancel_requested && !self.is_undoing() {
            let reason = Reason::new("RUN_CANCELLED", "Somebody cancelled this run.");
            return Some(self.turn_round(reason, "CANCELLED", now));
        }
        None
    }

    /// What is written after a step or an undo. `jitter` is a number from 0 to 99.
    pub fn after(&self, taken: Taken, now: Timestamp, jitter: u32) -> Settled {
        let Taken { memory, eaten, changes, outcome } = taken;
        let mut settled = match (self.is_undoing(), outcome) {
            (false, Ok(next)) => self.forward(next, now),
            (true, Ok(_)) => self.backward(now),
            (undoing, Err(trouble)) => {
                let mut settled = self.troubled(trouble, undoing, now, jitter);
                settled.changes.clear();
                return settled;
            }
        };
        settled.memory = memory.unwrap_or(settled.memory);
        settled.eaten = eaten;
        settled.changes = changes;
        settled
    }

    fn base(&self, outcome: &'static str, now: Timestamp) -> Settled {
        let state = self.state().to_owned();
        let mut trail: Vec<String> = serde_json::from_value(self.row.trail.clone()).unwrap_or_default();
        if !self.is_undoing() && !trail.contains(&state) {
            trail.push(state.clone());
        }
        let attempt = self.claimed.attempt + 1;
        Settled {
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
            line: Line { state, outcome, next: None, attempt, reason: None },
            eaten: Vec::new(),
            changes: Vec::new(),
        }
    }

    fn forward(&self, next: Next<&'static str>, now: Timestamp) -> Settled {
        match next {
            Next::Done => Settled { status: RunStatus::Done, ..self.base("DONE", now) },
            Next::Wait { until: None, or: None } => {
                let reason = Reason::new("WAIT_UNNAMED", "A step waits for neither a time nor a signal.");
                self.turn_round(reason, "FAILED", now)
            }
            Next::Wait { until, or } => {
                let due = until.unwrap_or(now + FOR_EVER);
                Settled { status: RunStatus::Waiting, wait_signal: or, due, ..self.base("WAITED", now) }
            }
            Next::Go(to) if self.row_of_state().is_some_and(|row| row.then.contains(&to)) => {
                let mut settled = self.base("WENT_ON", now);
                settled.line.next = Some(to.to_owned());
                to.clone_into(&mut settled.state);
                settled
            }
            Next::Go(_) => {
                let reason =
                    Reason::new("SUCCESSOR_UNKNOWN", "A step went to a state that its table does not allow.");
                self.turn_round(reason, "FAILED", now)
            }
        }
    }

    /// One undo is done: on to the state before, or to the end.
    fn backward(&self, now: Timestamp) -> Settled {
        let mut settled = self.base("UNDONE", now);
        settled.reason = self.stored_reason();
        settled.trail.retain(|state| *state != settled.line.state);
        match settled.trail.last().cloned() {
            Some(before) => {
                settled.line.next = Some(before.clone());
                settled.state = before;
                settled.status = RunStatus::Undoing;
            }
            None if self.row.cancel_requested => settled.status = RunStatus::Cancelled,
            None => settled.status = RunStatus::Failed,
        }
        settled
    }

    fn troubled(&self, trouble: Trouble, undoing: bool, now: Timestamp, jitter: u32) -> Settled {
        let failed = u32::try_from(self.claimed.attempt + 1).unwrap_or(u32::MAX);
        let policy = match undoing {
            true => Retry::PATIENT,
            false => self.row_of_state().map_or(Retry::NEVER, |row| row.retry),
        };
        let (reason, wait) = match trouble {
            Trouble::Retry { reason, after } => {
                let wait = policy.wait(failed, jitter).map(|wait| wait.max(after.unwrap_or(Duration::ZERO)));
                (reason, wait)
            }
            Trouble::Later { reason, after } => (reason, Some(after)),
            Trouble::Fail(reason) => (reason, None),
        };
        match (wait, undoing) {
            (Some(wait), _) => {
                let mut settled = self.base("RETRIED", now);
                settled.status = if undoing { RunStatus::Undoing } else { RunStatus::Waiting };
                settled.reason = if undoing { self.stored_reason() } else { Some(reason.clone()) };
                settled.due = domain::time::after(now, wait.min(LONGEST_WAIT));
                settled.attempt = self.claimed.attempt + 1;
                settled.line.reason = Some(reason);
                settled
            }
            (None, true) => {
                self.park(reason.act("Check what is left at the provider, then retry the run."), now)
            }
            (None, false) => self.turn_round(reason, "FAILED", now),
        }
    }

    /// The run goes back: the state that it entered last for the first time is undone first. That is another than
    /// the present one where the table leads back to an earlier state.
    fn turn_round(&self, reason: Reason, outcome: &'static str, now: Timestamp) -> Settled {
        let mut settled = self.base(outcome, now);
        if let Some(last) = settled.trail.last().filter(|last| **last != settled.state).cloned() {
            settled.line.next = Some(last.clone());
            settled.state = last;
        }
        settled.status = RunStatus::Undoing;
        settled.undoing = true;
        settled.line.reason = Some(reason.clone());
        settled.reason = Some(reason);
        settled
    }

    /// The run stands until a person looks at it.
    fn park(&self, reason: Reason, now: Timestamp) -> Settled {
        let mut settled = self.base("QUARANTINED", now);
        settled.status = RunStatus::Quarantined;
        settled.line.reason = Some(reason.clone());
        settled.reason = Some(reason);
        settled
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
