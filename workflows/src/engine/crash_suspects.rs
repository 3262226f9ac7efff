//! Runs over which a worker has died: each may be the one that killed it, or a neighbour that died with it.
//!
//! A node works on one of them at a time and holds no claim on those that wait here. So when it dies again, that is
//! counted for the one it was at and not for its neighbours once more, and work that kills its workers is parked
//! without anything beside it: whoever would be parked at its next death is worked on when everything else on the node
//! has ended, so that what dies beside it, over which no worker had died before, is not counted for it.

use domain::{Id, ids};
use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use queue::Hint;

/// How many wait here at most; of the others the sweep tells again.
const CAPACITY: usize = 10_000;

/// See the module. Cheap to clone.
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

    /// Whether this one may be worked on now. Otherwise it waits, and its claim has to be given back.
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

    /// The one that was admitted was put down: the next to be claimed and worked on, if one waits.
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
