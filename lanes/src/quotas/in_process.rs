//! Quotas of callers within one process.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use tokio::time::{Duration, Instant};

use super::{Quota, Quotas, SpendOutcome};
use crate::Key;

/// Number of keys above which full buckets, which need not be stored, are removed.
const KEYS: usize = 4_096;

/// The in-process implementation of [`Quotas`].
#[derive(Debug, Default)]
pub struct InProcess {
    /// When each bucket is full again.
    full_at: Mutex<HashMap<Key, Instant>>,
}

impl InProcess {
    pub(super) fn spend_locally(&self, quotas: &[(Key, Quota)], units: u32) -> SpendOutcome {
        let now = Instant::now();
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= KEYS && full_at.len() == full_at.capacity() {
            full_at.retain(|_, full| *full > now);
        }
        let owed = |key: &Key| full_at.get(key).map_or(0, |full| micros(full.saturating_duration_since(now)));
        let mut owed: Vec<u64> = quotas.iter().map(|(key, _)| owed(key)).collect();
        let excess =
            |(quota, owed): (&Quota, &u64)| (owed + quota.price(units)).saturating_sub(quota.micros());
        let wait = quotas.iter().map(|(_, quota)| quota).zip(&owed).map(excess).max().unwrap_or(0);
        if wait == 0 {
            for ((key, quota), owed) in quotas.iter().zip(&mut owed) {
                *owed += quota.price(units);
                full_at.insert(key.clone(), now + Duration::from_micros(*owed));
            }
        }
        SpendOutcome::of(quotas, wait, &owed)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 4)
}

#[async_trait]
impl Quotas for InProcess {
    async fn spend(&self, quotas: &[(Key, Quota)], units: u32) -> SpendOutcome {
        self.spend_locally(quotas, units)
    }
}
