//! Semaphores within a node, by key: callers that need the same resource wait here before they acquire anything else.
//! With one permit for each key they are locks.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The semaphores of a node, by key, all with the same number of permits. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct KeyedSemaphores<K> {
    permits: usize,
    all: Arc<Mutex<HashMap<K, Arc<Semaphore>>>>,
}

/// Holds a permit of one key until dropped.
#[derive(Debug)]
pub(crate) struct KeyedPermit<K: Eq + Hash> {
    semaphores: KeyedSemaphores<K>,
    of: K,
    /// `None` while the caller is still waiting.
    held: Option<OwnedSemaphorePermit>,
}

/// With one permit for each key, as locks.
impl<K> Default for KeyedSemaphores<K> {
    fn default() -> Self {
        Self::with_permits(1)
    }
}

impl<K: Eq + Hash + Copy> KeyedSemaphores<K> {
    /// Acquires a permit of a key. Waiting callers acquire theirs in the order of arrival.
    pub(crate) async fn acquire(&self, of: K) -> KeyedPermit<K> {
        let semaphore = {
            let mut all = self.all();
            Arc::clone(all.entry(of).or_insert_with(|| Arc::new(Semaphore::new(self.permits))))
        };
        // Made before waiting, so that whoever gives up leaves nothing behind.
        let mut taken = KeyedPermit {
            semaphores: Self { permits: self.permits, all: Arc::clone(&self.all) },
            of,
            held: None,
        };
        // It is never closed.
        taken.held = semaphore.acquire_owned().await.ok();
        taken
    }
}

impl<K: Eq + Hash + Copy> KeyedSemaphores<K> {
    /// Acquires a permit of a key; `None` if there is none left.
    pub(crate) fn try_acquire(&self, of: K) -> Option<KeyedPermit<K>> {
        let semaphore = {
            let mut all = self.all();
            Arc::clone(all.entry(of).or_insert_with(|| Arc::new(Semaphore::new(self.permits))))
        };
        let semaphores = Self { permits: self.permits, all: Arc::clone(&self.all) };
        let held = Some(semaphore.try_acquire_owned().ok()?);
        Some(KeyedPermit { semaphores, of, held })
    }
}

impl<K> KeyedSemaphores<K> {
    /// Creates semaphores with this number of permits for each key, at least one.
    pub(crate) fn with_permits(permits: usize) -> Self {
        Self { permits: permits.max(1), all: Arc::default() }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<K, Arc<Semaphore>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for KeyedPermit<K> {
    fn drop(&mut self) {
        drop(self.held.take());
        let mut all = self.semaphores.all();
        // Whoever holds or awaits a permit has a reference to it.
        if all.get(&self.of).is_some_and(|semaphore| Arc::strong_count(semaphore) == 1) {
            all.remove(&self.of);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_wants_the_same_takes_turns_and_nobody_else_waits() {
        let turns = KeyedSemaphores::default();
        let first = turns.acquire(1).await;
        let mut second = Box::pin(turns.acquire(1));
        assert!(second.as_mut().now_or_never().is_none(), "it waits for the first");
        drop(turns.acquire(2).await);
        drop(first);
        drop(second.now_or_never().expect("its turn has come"));
        assert!(turns.all().is_empty(), "nothing is left of turns that have ended");
    }

    #[tokio::test]
    async fn a_share_is_for_several_at_once_and_for_each_key() {
        let shares = KeyedSemaphores::with_permits(2);
        let (first, _second) = (shares.acquire(1).await, shares.acquire(1).await);
        let mut third = Box::pin(shares.acquire(1));
        assert!(third.as_mut().now_or_never().is_none(), "the share is used up");
        assert!(shares.try_acquire(1).is_none() && shares.try_acquire(2).is_some());
        drop(shares.acquire(2).await);
        drop(first);
        assert!(third.now_or_never().is_some());
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_takes_no_turn_and_leaves_nothing() {
        let turns = KeyedSemaphores::default();
        for gives_up_first in [true, false] {
            let first = turns.acquire(1).await;
            let mut gives_up = Box::pin(turns.acquire(1));
            assert!(gives_up.as_mut().now_or_never().is_none());
            if gives_up_first {
                drop(gives_up);
                drop(first);
            } else {
                drop(first);
                drop(gives_up);
            }
            assert!(turns.all().is_empty());
            drop(turns.acquire(1).now_or_never().expect("nobody is waiting"));
        }
    }
}
