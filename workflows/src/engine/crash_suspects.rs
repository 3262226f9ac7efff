//! Runs during which a worker died: each may be the cause, or only have run beside the cause.
//!
//! A node works on one such run at a time and holds no lease on those that wait here. If the node dies again, the
//! crash is counted only for the run it was working on. A run whose next crash would quarantine it is executed when
//! all other work of the node has ended, so that no crash is counted for runs that merely ran beside it.

use domain::{Id, ids};
use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::Hint;

/// Maximum number of waiting runs; the sweep offers the others again.
const CAPACITY: usize = 10_000;

/// The queue of suspect runs; see the module documentation. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct CrashSuspects(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    is_at_work: bool,
    waiting: VecDeque<Hint>,
    runs: HashSet<Id<ids::Run>>,
}

impl CrashSuspects {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the run may be worked on now. Otherwise it waits here, and its lease must be released.
    pub(super) fn admit(&self, hint: Hint) -> bool {
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

    /// Releases the admitted run and returns the next one to claim, if one waits.
    pub(super) fn next(&self) -> Option<Hint> {
        let mut inner = self.inner();
        let next = inner.waiting.pop_front();
        match &next {
            Some(hint) => drop(inner.runs.remove(&hint.run)),
            None => inner.is_at_work = false,
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use domain::state::Lane;

    use super::*;

    #[test]
    fn one_is_worked_on_at_a_time_and_each_waits_once() {
        let hint = |run| Hint {
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
        assert_eq!([crash_suspects.next(), crash_suspects.next()], [Some(hint(2)), Some(hint(3))]);
        assert!(!crash_suspects.admit(hint(2)), "the third is still at work");
        assert_eq!([crash_suspects.next(), crash_suspects.next()], [Some(hint(2)), None]);
        assert!(crash_suspects.admit(hint(4)));
    }
}
