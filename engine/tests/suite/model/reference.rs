//! The reference: what the engine promises, without a database, without concurrency, one rule after the other.

#[path = "reference/operations.rs"]
mod operations;
#[path = "reference/stored.rs"]
mod stored;

use std::collections::BTreeSet;

use domain::Timestamp;
use engine::CommitOutcome;

use self::stored::new_job;
pub use self::stored::{Job, Line, Stored};
use super::{
    op::Op,
    tally::Tally,
    toy::{Memory, Plan},
    work::{Claim, Worked},
};

/// How many engines work on the database.
pub const WORKERS: usize = 3;
/// How long a claim lasts.
const LEASE_S: i64 = 15;

/// What the engine has to answer to the last operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Nothing,
    /// Whether it was done.
    Done(bool),
    /// These runs are offered.
    Offered(Vec<usize>),
    /// Of these runs, in the order of the hints, those are claimed.
    Claimed {
        hints: Vec<usize>,
        runs: Vec<(usize, i64)>,
    },
    /// These results, by their places in the worker's hands, are written or refused.
    Written {
        picked: Vec<usize>,
        fates: Vec<(usize, CommitOutcome)>,
    },
    /// These claims are still the worker's.
    Kept(Vec<usize>),
    /// The clock moved.
    Moved(i64),
}

#[derive(Debug, Clone)]
pub struct Run {
    pub key: u8,
    pub stored: Stored,
    /// The ids of the signals in `stored`, in their order.
    signals: Vec<u64>,
    pub history: Vec<Line>,
}

#[derive(Debug, Clone, Default)]
pub struct WorkerState {
    pub claims: Vec<Claim>,
    pub results: Vec<Worked>,
}

impl WorkerState {
    pub fn runs(&self) -> Vec<usize> {
        let claims = self.claims.iter().map(|claim| claim.run);
        claims.chain(self.results.iter().map(|result| result.run)).collect()
    }
}

/// Everything there is.
#[derive(Debug, Clone)]
pub struct Model {
    pub now: Timestamp,
    pub runs: Vec<Run>,
    pub lane: Vec<usize>,
    pub worker_states: [WorkerState; WORKERS],
    /// What the last operation came to, thing by thing.
    pub did: Vec<(Op, Answer)>,
    pub met: Tally,
    next_signal: u64,
}

/// How long a wait for a signal alone is.
pub const FOR_EVER_S: i64 = 3650 * 24 * 3600;
/// Number of deaths after which a run is quarantined.
pub const CRASHES: i32 = 3;

/// Deaths further apart than this are no pattern.
const PATTERN_S: i64 = 72 * 3600;

/// When every case begins.
pub fn origin() -> Timestamp {
    // PostgreSQL never lets a job be due later than its own clock says at the order: the model's years stay behind.
    Timestamp::UNIX_EPOCH + chrono::Duration::days(365)
}

pub fn seconds(s: i64) -> chrono::Duration {
    chrono::Duration::seconds(s)
}

impl Model {
    fn run_at(&self, n: usize) -> Option<usize> {
        (!self.runs.is_empty()).then(|| n % self.runs.len())
    }

    /// How long it takes until no lease and no offer stands in the way.
    pub fn patience_s(&self) -> i64 {
        let jobs = self.runs.iter().filter_map(|run| run.stored.job.as_ref());
        let until = jobs.flat_map(|job| [job.lease, job.offered.map(|at| at + seconds(5))]).flatten().max();
        until.map_or(0, |until| (until - self.now).num_seconds().max(0))
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.runs.iter().filter_map(|run| run.stored.job.as_ref()).map(|job| job.due).min()
    }

    fn is_live(&self, key: u8) -> bool {
        self.runs.iter().any(|run| run.key == key && !run.stored.is_over())
    }

    fn enqueue(&mut self, key: u8, plan: &Plan) -> Answer {
        if self.is_live(key) {
            self.met.count("an order whose key is live");
            return Answer::Done(false);
        }
        let memory = Memory { plan: plan.clone(), count: 0, laps: 0, until: None };
        let stored = Stored {
            status: "ORDERED".to_owned(),
            state: None,
            revision: 0,
            memory,
            trail: Vec::new(),
            wait_signal: None,
            cancel: false,
            undoing: false,
            is_explained: false,
            signals: Vec::new(),
            job: Some(new_job(self.now)),
        };
        self.lane.push(self.runs.len());
        self.runs.push(Run { key, stored, signals: Vec::new(), history: Vec::new() });
        Answer::Done(true)
    }

    fn sweep(&mut self, again_s: Option<u8>) -> Answer {
        let now = self.now;
        let mut offered = Vec::new();
        for (index, run) in self.runs.iter_mut().enumerate() {
            let is_due = run.stored.is_claimable(now);
            let Some(job) = run.stored.job.as_mut().filter(|_| is_due) else { continue };
            let again = |at| again_s.is_some_and(|again_s| at <= now - seconds(again_s.into()));
            if job.offered.is_none_or(again) {
                job.offered = Some(now);
                offered.push(index);
            }
        }
        self.lane.extend(&offered);
        Answer::Offered(offered)
    }

    fn claim(&mut self, worker: Option<usize>, hints: Vec<usize>) -> Answer {
        let mut runs = Vec::new();
        let mut wanted = hints.clone();
        wanted.sort_unstable();
        wanted.dedup();
        for index in wanted {
            let now = self.now;
            let run = &mut self.runs[index];
            let is_claimable = run.stored.is_claimable(now);
            let Some(job) = run.stored.job.as_mut().filter(|_| is_claimable) else {
                self.met.count("a hint with nothing to claim");
                continue;
            };
            if job.lease.is_some() {
                self.met.count("a claim over a lease that ran out");
                let is_recent = job.first_crash.is_some_and(|at| at > now - seconds(PATTERN_S));
                job.crashes = if is_recent { job.crashes + 1 } else { 1 };
                job.first_crash = job.first_crash.filter(|_| is_recent).or(Some(now));
            }
            job.epoch += 1;
            job.lease = Some(now + seconds(LEASE_S));
            let epoch = job.epoch;
            match worker {
                Some(worker) => {
                    let claim = Claim {
                        run: index,
                        epoch,
                        at: now,
                        seen: run.stored.clone(),
                        ids: run.signals.clone(),
                    };
                    self.worker_states[worker].claims.push(claim);
                    runs.push((index, epoch));
                }
                None => job.lease = None,
            }
        }
        Answer::Claimed { hints, runs }
    }

    fn commit(&mut self, worker: usize, many: usize, turned: bool, keep: bool) -> Answer {
        let worker_states = &mut self.worker_states[worker];
        let mut picked: Vec<usize> = (0..worker_states.results.len()).collect();
        if turned {
            picked.reverse();
        }
        // A result goes again after its first commit, never beside it.
        let mut seen = Vec::new();
        picked.retain(|index| {
            let result = &worker_states.results[*index];
            let is_new = !seen.contains(&(result.run, result.epoch, result.then.revision));
            seen.push((result.run, result.epoch, result.then.revision));
            is_new
        });
        picked.truncate(many);
        let batch: Vec<Worked> = picked.iter().map(|index| worker_states.results[*index].clone()).collect();
        let mut index = 0;
        worker_states.results.retain(|_| {
            index += 1;
            !picked.contains(&(index - 1))
        });
        if batch.iter().any(|one| batch.iter().any(|two| one.run == two.run && one.epoch < two.epoch)) {
            self.met.count("a zombie beside its successor in a batch");
        }
        let lives = |one: &Worked, two: &Worked| one.run == two.run && one.epoch == two.epoch;
        if batch.iter().any(|one| batch.iter().filter(|two| lives(one, two)).count() > 1) {
            self.met.count("a zombie of another life beside its successor");
        }
        let mut fates = Vec::new();
        for result in batch {
            let claim = result.claim.clone();
            let fate = self.write(&result, keep);
            fates.push((result.run, fate));
            if fate == CommitOutcome::Kept {
                self.met.count("a claim that is kept");
                self.worker_states[worker].claims.push(claim.go_on(&result));
            }
        }
        Answer::Written { picked, fates }
    }

    /// A result is written if nobody else has claimed or moved the run meanwhile, and otherwise nothing of it is.
    fn write(&mut self, result: &Worked, keep: bool) -> CommitOutcome {
        let now = self.now;
        let run = &mut self.runs[result.run];
        let Some(job) = run.stored.job.clone() else {
            self.met.count("a result for a run that is over");
            return CommitOutcome::TooLate;
        };
        if job.epoch != result.epoch {
            self.met.count("a zombie with an old epoch");
            return CommitOutcome::TooLate;
        }
        if run.stored.revision + 1 != result.then.revision {
            self.met.count("a zombie with the epoch of another life or of a commit before");
            return CommitOutcome::TooLate;
        }
        if job.lease.is_none_or(|until| until <= now) {
            self.met.count("a result that comes late and is still awaited");
        }
        if job.wakes != result.wakes {
            self.met.count("a wake while the step was in hand");
        }
        self.met.count(result.line.2);
        let mut then = result.then.clone();
        // What others wrote meanwhile stays.
        then.cancel = run.stored.cancel;
        let is_due = result.due <= result.at;
        let is_kept = keep && is_due && !then.is_over() && job.wakes == result.wakes;
        let (due, offered) = match (is_kept, is_due || job.wakes != result.wakes) {
            (true, _) => (job.due, job.offered),
            // Whoever makes it due at once gives its hint away.
            (false, true) => (result.due.min(now), Some(now)),
            (false, false) => (result.due, None),
        };
        // A claim that is kept is made longer when half of its lease is gone.
        let half = now + chrono::Duration::milliseconds(LEASE_S * 500);
        let is_untouched = job.attempt == result.attempt && job.crashes == 0;
        let lease = job.lease.filter(|until| is_untouched && *until > half);
        if is_kept {
            let longer = "a kept claim that is made longer";
            self.met.count(if lease.is_some() { "a kept claim that stays as it is" } else { longer });
        }
        let armed = Job {
            due,
            offered,
            lease: is_kept.then(|| lease.unwrap_or(now + seconds(LEASE_S))),
            attempt: result.attempt,
            crashes: 0,
            first_crash: None,
            ..job
        };
        then.job = (!then.is_over()).then_some(armed);
        let kept = |id: &u64| !result.consumed.contains(id);
        let signals = run.signals.iter().zip(&run.stored.signals).filter(|(id, _)| kept(id));
        let (ids, names) = signals.map(|(id, name)| (*id, name.clone())).unzip();
        (run.signals, then.signals) = (ids, names);
        run.stored = then;
        run.history.push(result.line.clone());
        if is_kept { CommitOutcome::Kept } else { CommitOutcome::Written }
    }

    fn retry(&mut self, run: usize) -> Answer {
        let (key, status) = (self.runs[run].key, self.runs[run].stored.status.clone());
        if !self.runs[run].stored.is_retryable() || self.is_live(key) {
            return Answer::Done(false);
        }
        self.met.count(if status == "FAILED" { "a failed run retried" } else { "a parked run retried" });
        let (now, run) = (self.now, &mut self.runs[run]);
        let stored = &mut run.stored;
        stored.revision += 1;
        stored.job = Some(new_job(now));
        let state = stored.state.clone().unwrap_or_default();
        run.history.push((stored.revision, state, "REVIVED", None, 0));
        if status == "QUARANTINED" && stored.undoing {
            "UNDOING".clone_into(&mut stored.status);
            return Answer::Done(true);
        }
        (stored.cancel, stored.is_explained) = (false, false);
        if status == "QUARANTINED" {
            "RUNNING".clone_into(&mut stored.status);
            return Answer::Done(true);
        }
        "ORDERED".clone_into(&mut stored.status);
        (stored.state, stored.trail, stored.undoing) = (None, Vec::new(), false);
        stored.signals.clear();
        run.signals.clear();
        Answer::Done(true)
    }

    fn signal(&mut self, run: usize, name: &str) -> Answer {
        let (now, id) = (self.now, self.next_signal);
        let run = &mut self.runs[run];
        let is_early = run.stored.wait_signal.as_deref() != Some(name);
        let reached = run.stored.wake(now);
        self.met.count(match (reached, is_early) {
            (false, _) => "a signal to a run that is over",
            (true, true) => "a signal that nobody waits for yet",
            (true, false) => "a signal that is waited for",
        });
        if reached {
            self.next_signal += 1;
            run.signals.push(id);
            run.stored.signals.push(name.to_owned());
        }
        Answer::Done(reached)
    }

    fn beat(&mut self, worker: usize) -> Answer {
        let until = self.now + seconds(LEASE_S);
        let worker_states = &self.worker_states[worker];
        let held = worker_states.claims.iter().map(|c| (c.run, c.epoch));
        let held: BTreeSet<_> = held.chain(worker_states.results.iter().map(|r| (r.run, r.epoch))).collect();
        let mut kept = Vec::new();
        for (run, epoch) in held {
            let job = self.runs[run].stored.job.as_mut();
            if let Some(job) = job.filter(|job| job.epoch == epoch && job.lease.is_some()) {
                job.lease = Some(until);
                kept.push(run);
            }
        }
        Answer::Kept(kept)
    }
}
