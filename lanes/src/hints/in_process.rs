//! The queue of hints within one process.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{Hints, JobHint, fair_queue::FairQueue};
use crate::Error;

/// Maximum number of runs in the queue; the sweep offers any further runs again.
const CAPACITY: usize = 200_000;

/// The in-process implementation of [`Hints`]. A run that is already waiting is not added again.
#[derive(Debug)]
pub struct InProcess {
    waiting: Mutex<FairQueue>,
    capacity: usize,
    arrived: Notify,
    token: CancellationToken,
}

impl InProcess {
    /// Creates an empty queue; when `token` is cancelled, waiting readers return.
    pub fn new(token: CancellationToken) -> Self {
        Self::with_capacity(CAPACITY, token)
    }

    pub(super) fn with_capacity(capacity: usize, token: CancellationToken) -> Self {
        Self { waiting: Mutex::default(), capacity, arrived: Notify::new(), token }
    }

    fn line(&self) -> MutexGuard<'_, FairQueue> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the next hints, and wakes another reader if hints are left.
    fn take(&self, max: usize) -> Vec<JobHint> {
        let mut waiting = self.line();
        let taken = waiting.take(max);
        if waiting.len() > 0 {
            self.arrived.notify_one();
        }
        taken
    }
}

#[async_trait]
impl Hints for InProcess {
    async fn push(&self, hints: &[JobHint]) -> Result<(), Error> {
        let mut left_out = 0;
        {
            let mut waiting = self.line();
            for hint in hints {
                if waiting.len() < self.capacity || waiting.contains_run(hint.run) {
                    waiting.push(*hint);
                } else {
                    left_out += 1;
                }
            }
        }
        self.arrived.notify_one();
        if left_out > 0 { Err(Error::Full { left_out }) } else { Ok(()) }
    }

    async fn next(&self, max: usize, wait: Duration) -> Result<Vec<JobHint>, Error> {
        let until = Instant::now() + wait;
        loop {
            let taken = self.take(max);
            if !taken.is_empty() || max == 0 {
                return Ok(taken);
            }
            tokio::select! {
                arrived = timeout_at(until, self.arrived.notified()) => if arrived.is_err() {
                    return Ok(self.take(max));
                },
                () = self.token.cancelled() => return Ok(Vec::new()),
            }
        }
    }

    async fn waiting(&self) -> Result<usize, Error> {
        Ok(self.line().len())
    }

    async fn acknowledge(&self, _: &[JobHint]) -> Result<(), Error> {
        Ok(())
    }
}
