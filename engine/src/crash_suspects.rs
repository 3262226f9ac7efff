//! Runs during which a worker died. Such a run may have caused the crash or may only have been executed at the same
//! time.
//!
//! A node executes one such run at a time and has no lease on those in this queue. If the node dies again, the crash is
//! counted only for the run that it was executing. A run whose next crash would quarantine it is executed when all
//! other work of the node has ended, so that no crash is counted for concurrent runs.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{Id, JobHint, ids};
use runs::DatabaseError;

use crate::{ClaimedRun, Context, Engine, MAX_CRASHES, resources::Resources};

/// Maximum number of runs in the queue; the sweep offers any further runs again.
const CAPACITY: usize = 10_000;

/// The queue of runs that may have crashed a worker; see the module documentation. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct CrashSuspects(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    is_at_work: bool,
    waiting: VecDeque<JobHint>,
    runs: HashSet<Id<ids::Run>>,
}

/// Whether a claimed run may be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The run may be executed now.
    Now,
    /// The run is queued; its lease must be released.
    Later,
    /// The run is next, and is executed when all other work of the node has ended; its lease must be released.
    Alone,
}

/// Whether the next crash would quarantine the run. Such a run is executed alone, so that no crash is counted for other
/// runs.
fn is_last_chance(work: &ClaimedRun) -> bool {
    work.claimed.crashes + 1 >= MAX_CRASHES && work.claimed.crashes < MAX_CRASHES
}

impl CrashSuspects {
    /// Decides whether a claimed run may be executed now. A run without crashes always may.
    pub(crate) fn decide_admission(&self, work: &ClaimedRun) -> Admission {
        match work.claimed.crashes > 0 && !self.admit(work.hint()) {
            true => Admission::Later,
            false if is_last_chance(work) => Admission::Alone,
            false => Admission::Now,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the run may be executed now; otherwise it is queued.
    fn admit(&self, hint: JobHint) -> bool {
        let mut inner = self.inner();
        if inner.is_at_work {
            if inner.runs.len() < CAPACITY && inner.runs.insert(hint.run) {
                inner.waiting.push_back(hint);
            }
            return false;
        }
        inner.is_at_work = true;
        true
    }

    /// Releases the admitted run and returns the next queued run to claim.
    pub(crate) fn next_suspect(&self) -> Option<JobHint> {
        let mut inner = self.inner();
        let next = inner.waiting.pop_front();
        match &next {
            Some(hint) => drop(inner.runs.remove(&hint.run)),
            None => inner.is_at_work = false,
        }
        next
    }
}

impl<C: Context> Engine<C> {
    /// Executes suspect runs one after the other: `first`, if it was admitted, then those in the queue.
    pub(crate) async fn execute_suspects(&self, first: Option<JobHint>, resources: &Resources<C>) {
        let mut next = first.or_else(|| resources.crash_suspects.next_suspect());
        while let Some(hint) = next {
            if !resources.stop.is_cancelled()
                && let Err(error) = self.execute_suspect(hint, resources).await
            {
                tracing::warn!(%error, "a job could not be claimed; the sweep will offer it again");
            }
            next = resources.crash_suspects.next_suspect();
        }
    }

    async fn execute_suspect(&self, hint: JobHint, resources: &Resources<C>) -> Result<(), DatabaseError> {
        let Some(permit) = resources.permits.acquire(1).await else { return Ok(()) };
        let (mut permit, mut alone) = (Some(permit), None);
        let mut works = self.claim(&[hint]).await?;
        if works.iter().any(is_last_chance) {
            // Not held while it waits: what dies meanwhile is not this one's doing.
            for work in works.drain(..) {
                self.release_claim(&work.claimed).await;
            }
            drop(permit.take());
            let Some(all) = resources.permits.acquire_all().await else { return Ok(()) };
            alone = Some(all);
            works = self.claim(&[hint]).await?;
        }
        for work in works {
            resources.held_leases.add([(work.claimed.run, work.claimed.epoch)]);
            self.execute_run(work, resources).await;
        }
        drop((permit, alone));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use domain::state::Lane;

    use super::*;

    #[test]
    fn one_is_worked_on_at_a_time_and_each_waits_once() {
        let hint = |run| JobHint {
            run: Id::from_uuid(uuid::Uuid::from_u128(run)),
            tenant: Id::nil(),
            lane: Lane::Bulk,
        };
        let crash_suspects = CrashSuspects::default();
        assert!(crash_suspects.admit(hint(1)));
        assert!(
            !crash_suspects.admit(hint(2))
                && !crash_suspects.admit(hint(3))
                && !crash_suspects.admit(hint(2))
        );
        assert_eq!(
            [crash_suspects.next_suspect(), crash_suspects.next_suspect()],
            [Some(hint(2)), Some(hint(3))]
        );
        assert!(!crash_suspects.admit(hint(2)), "the third is still at work");
        assert_eq!([crash_suspects.next_suspect(), crash_suspects.next_suspect()], [Some(hint(2)), None]);
        assert!(crash_suspects.admit(hint(4)));
    }
}
