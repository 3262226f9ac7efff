//! What a worker makes of a claim: the rules from a step's answer to what is to be stored.

use domain::Timestamp;
use engine::{Next, Outcome, StepError};

use super::{
    reference::{CRASHES, FOR_EVER_S, Line, Stored, seconds},
    toy::{AFTER, Memory, State, Walk, act, state, take_back},
};

/// What a worker has in its hands: the run as it was when it was claimed.
#[derive(Debug, Clone)]
pub struct Claim {
    pub run: usize,
    pub epoch: i64,
    /// When it was claimed.
    pub at: Timestamp,
    pub seen: Stored,
    /// The ids of its signals.
    pub ids: Vec<u64>,
}

/// A result that waits for its committer.
#[derive(Debug, Clone)]
pub struct Worked {
    pub run: usize,
    pub epoch: i64,
    /// What is to be stored, apart from the job.
    pub then: Stored,
    /// When it was done.
    pub at: Timestamp,
    pub due: Timestamp,
    pub attempt: i32,
    pub line: Line,
    /// The signals that it took.
    pub consumed: Vec<u64>,
    pub wakes: i64,
    /// What it was made of.
    pub claim: Claim,
}

impl Claim {
    /// Does the step. Its time never goes back behind its claim.
    pub fn work(self, now: Timestamp) -> Worked {
        let now = now.max(self.at);
        let seen = self.seen.clone();
        let job = seen.job.as_ref().unwrap();
        let undoing = seen.status == "UNDOING";
        if job.crashes >= CRASHES {
            return self.over("QUARANTINED", "QUARANTINED", now);
        }
        if seen.cancel && !undoing {
            return self.turn_round("CANCELLED", now);
        }
        let name = seen.state.clone().unwrap_or_else(|| "Begin".to_owned());
        let attempt = u32::try_from(job.attempt + job.crashes).unwrap();
        let mut memory = seen.memory.clone();
        if undoing {
            return match take_back(&mut memory, attempt) {
                Ok(()) => self.undone(memory, now),
                Err(StepError::Retry { .. } | StepError::Later { .. }) => self.again("UNDOING", now),
                Err(StepError::Fail(_)) => self.over("QUARANTINED", "QUARANTINED", now),
            };
        }
        let mut left: Vec<(u64, String)> = self.ids.iter().copied().zip(seen.signals.clone()).collect();
        let mut consumed = Vec::new();
        let mut take = |name: &'static str| {
            let found = left.iter().position(|(_, signal)| signal == name);
            consumed.extend(found.map(|index| left.remove(index).0));
            found.is_some()
        };
        let outcome = act(state(&name), &mut memory, attempt, now, &mut take);
        self.forward(&name, outcome, memory, consumed, now)
    }

    fn forward(
        self,
        name: &str,
        outcome: Outcome<State>,
        memory: Memory,
        consumed: Vec<u64>,
        now: Timestamp,
    ) -> Worked {
        let row = Walk::TABLE.row(name).unwrap();
        let attempts = self.seen.job.as_ref().map_or(0, |job| job.attempt) + 1;
        let mut worked = match outcome {
            Ok(Next::Done) => self.over("DONE", "DONE", now),
            Ok(Next::Go(to)) if row.then.contains(&to.name()) => {
                let mut worked = self.keep("RUNNING", "WENT_ON", now);
                worked.then.state = Some(to.name().to_owned());
                worked.line.3 = Some(to.name().to_owned());
                worked
            }
            Ok(Next::Wait { until: None, or: None } | Next::Go(_)) => {
                let mut worked = self.turn_round("FAILED", now);
                // The step itself succeeded: what it remembers and did is kept, to be undone.
                worked.then.memory = memory;
                worked.consumed = consumed;
                return worked;
            }
            Ok(Next::Wait { until, or }) => {
                let mut worked = self.keep("WAITING", "WAITED", now);
                worked.then.wait_signal = or.map(str::to_owned);
                worked.due = until.unwrap_or(now + seconds(FOR_EVER_S));
                worked
            }
            Err(StepError::Retry { .. }) if (attempts as u32) < row.retry.attempts => {
                return self.again("WAITING", now);
            }
            Err(_) => return self.turn_round("FAILED", now),
        };
        worked.then.memory = memory;
        worked.consumed = consumed;
        worked
    }

    /// The run as it is after a commit, apart from what the outcome changes.
    fn keep(self, status: &str, outcome: &'static str, now: Timestamp) -> Worked {
        let claim = self.clone();
        let mut then = self.seen;
        let job = then.job.take().unwrap();
        let name = then.state.clone().unwrap_or_else(|| "Begin".to_owned());
        then.undoing = then.status == "UNDOING";
        if !then.undoing && !then.trail.contains(&name) {
            then.trail.push(name.clone());
        }
        status.clone_into(&mut then.status);
        then.state = Some(name.clone());
        then.wait_signal = None;
        then.revision += 1;
        then.is_explained = false;
        let line = (then.revision, name, outcome, None, job.attempt + 1);
        Worked {
            run: self.run,
            epoch: self.epoch,
            at: now,
            due: now,
            attempt: 0,
            claim,
            line,
            consumed: Vec::new(),
            wakes: job.wakes,
            then,
        }
    }

    /// The same claim with what its result made of the run.
    pub fn go_on(mut self, result: &Worked) -> Self {
        let mut job = self.seen.job.take().unwrap();
        (job.attempt, job.crashes) = (result.attempt, 0);
        let signals = std::mem::take(&mut self.ids).into_iter().zip(self.seen.signals);
        let left = signals.filter(|(id, _)| !result.consumed.contains(id));
        self.seen = Stored { job: Some(job), signals: Vec::new(), ..result.then.clone() };
        for (id, name) in left {
            self.ids.push(id);
            self.seen.signals.push(name);
        }
        self
    }

    fn over(self, status: &str, outcome: &'static str, now: Timestamp) -> Worked {
        let mut worked = self.keep(status, outcome, now);
        worked.then.is_explained = status != "DONE";
        worked
    }

    /// The state that was entered last for the first time is undone first.
    fn turn_round(self, outcome: &'static str, now: Timestamp) -> Worked {
        let mut worked = self.keep("UNDOING", outcome, now);
        worked.then.undoing = true;
        let last = worked.then.trail.last().cloned();
        if last != worked.then.state {
            worked.line.3.clone_from(&last);
            worked.then.state = last;
        }
        worked.then.is_explained = true;
        worked
    }

    fn undone(self, memory: Memory, now: Timestamp) -> Worked {
        let mut worked = self.keep("UNDOING", "UNDONE", now);
        let (then, line) = (&mut worked.then, &mut worked.line);
        then.memory = memory;
        then.is_explained = true;
        then.trail.retain(|state| *state != line.1);
        match then.trail.last() {
            Some(before) => {
                line.3 = Some(before.clone());
                then.state = Some(before.clone());
            }
            None if then.cancel => "CANCELLED".clone_into(&mut then.status),
            None => "FAILED".clone_into(&mut then.status),
        }
        worked
    }

    fn again(self, status: &str, now: Timestamp) -> Worked {
        let mut worked = self.keep(status, "RETRIED", now);
        worked.due = now + AFTER;
        worked.attempt = worked.line.4;
        worked.then.is_explained = true;
        worked
    }
}
