//! Locks within a node, by key: callers that need the same resource wait for its lock before they acquire anything
//! else.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

/// The lock of one key.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// The locks of a node, by key. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct KeyedLocks<K>(Arc<Mutex<HashMap<K, Turn>>>);

/// The lock of one key, released when this value is dropped.
#[derive(Debug)]
pub(crate) struct KeyedLockGuard<K: Eq + Hash> {
    turns: KeyedLocks<K>,
    of: K,
    /// `None` while the caller is still waiting for the lock.
    held: Option<OwnedMutexGuard<()>>,
}

impl<K> Default for KeyedLocks<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash + Copy> KeyedLocks<K> {
    /// Acquires the lock of a key. Waiting callers acquire it in the order of arrival.
    pub(crate) async fn acquire(&self, of: K) -> KeyedLockGuard<K> {
        let turn = Arc::clone(self.all().entry(of).or_default());
        // Made before waiting, so that whoever gives up leaves nothing behind.
        let mut taken = KeyedLockGuard { turns: Self(Arc::clone(&self.0)), of, held: None };
        taken.held = Some(turn.lock_owned().await);
        taken
    }
}

impl<K> KeyedLocks<K> {
    fn all(&self) -> MutexGuard<'_, HashMap<K, Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for KeyedLockGuard<K> {
    fn drop(&mut self) {
        drop(self.held.take());
        let mut all = self.turns.all();
        // Whoever waits for the turn holds a reference to it.
        if all.get(&self.of).is_some_and(|turn| Arc::strong_count(turn) == 1) {
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
        let turns = KeyedLocks::default();
        let first = turns.acquire(1).await;
        let mut second = Box::pin(turns.acquire(1));
        assert!(second.as_mut().now_or_never().is_none(), "it waits for the first");
        drop(turns.acquire(2).await);
        drop(first);
        drop(second.now_or_never().expect("its turn has come"));
        assert!(turns.all().is_empty(), "nothing is left of turns that have ended");
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_takes_no_turn_and_leaves_nothing() {
        let turns = KeyedLocks::default();
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
