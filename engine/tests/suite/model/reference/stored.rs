//! Stored state of a run and its job, which the database must hold exactly.

use domain::Timestamp;

use super::super::toy::Memory;

#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub due: Timestamp,
    pub lease: Option<Timestamp>,
    pub offered: Option<Timestamp>,
    pub epoch: i64,
    pub attempt: i32,
    pub crashes: i32,
    pub first_crash: Option<Timestamp>,
    pub wakes: i64,
}

/// A line of a run's history: revision, state, outcome, next state, attempt.
pub type Line = (i64, String, &'static str, Option<String>, i32);

/// What is stored about a run: the database must hold exactly this.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub status: String,
    pub state: Option<String>,
    pub revision: i64,
    pub memory: Memory,
    pub trail: Vec<String>,
    pub wait_signal: Option<String>,
    pub cancel: bool,
    /// Whether it goes backwards, or did when it was parked.
    pub undoing: bool,
    pub is_explained: bool,
    pub signals: Vec<String>,
    pub job: Option<Job>,
}

impl Stored {
    pub fn is_over(&self) -> bool {
        ["DONE", "FAILED", "CANCELLED", "QUARANTINED"].contains(&self.status.as_str())
    }

    pub fn is_retryable(&self) -> bool {
        ["FAILED", "QUARANTINED"].contains(&self.status.as_str())
    }

    /// The signal that would help.
    pub fn wait_signal(&self) -> &'static str {
        if self.wait_signal.as_deref() == Some("go") { "go" } else { "bell" }
    }

    pub fn is_claimable(&self, now: Timestamp) -> bool {
        let free = |job: &Job| job.lease.is_none_or(|until| until <= now);
        self.job.as_ref().is_some_and(|job| job.due <= now && free(job))
    }

    pub(super) fn wake(&mut self, now: Timestamp) -> bool {
        let Some(job) = &mut self.job else { return false };
        job.wakes += 1;
        job.due = job.due.min(now);
        job.offered = Some(now);
        true
    }
}

pub(super) fn new_job(now: Timestamp) -> Job {
    Job {
        due: now,
        lease: None,
        offered: Some(now),
        epoch: 0,
        attempt: 0,
        crashes: 0,
        first_crash: None,
        wakes: 0,
    }
}
