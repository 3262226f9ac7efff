//! Counts how many units of a limited resource each holder, such as a tenant or IP address, uses.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Usage by holder. Cheap to clone.
#[derive(Debug)]
pub(crate) struct HolderCounts<H>(Arc<Mutex<HashMap<H, usize>>>);

/// One unit, counted for each of its holders until it is dropped.
#[derive(Debug)]
pub(crate) struct CountGuard<H: Hash + Eq> {
    tally: HolderCounts<H>,
    holders: Vec<H>,
}

impl<H> Clone for HolderCounts<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<H> Default for HolderCounts<H> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<H: Hash + Eq + Clone> HolderCounts<H> {
    /// Counts one unit for each holder, or none if one of them has reached its limit.
    pub(crate) fn try_acquire(&self, holders: Vec<H>, limit: impl Fn(&H) -> usize) -> Option<CountGuard<H>> {
        let mut taken = self.lock();
        if holders.iter().any(|holder| taken.get(holder).is_some_and(|count| *count >= limit(holder))) {
            return None;
        }
        for holder in &holders {
            *taken.entry(holder.clone()).or_default() += 1;
        }
        drop(taken);
        Some(CountGuard { tally: self.clone(), holders })
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

impl<H> HolderCounts<H> {
    fn lock(&self) -> MutexGuard<'_, HashMap<H, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H: Hash + Eq> Drop for CountGuard<H> {
    fn drop(&mut self) {
        let mut taken = self.tally.lock();
        for holder in &self.holders {
            if let Some(count) = taken.get_mut(holder) {
                *count -= 1;
                if *count == 0 {
                    taken.remove(holder);
                }
            }
        }
    }
}
