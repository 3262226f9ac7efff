//! How much callers may ask for: quotas of units that come back evenly, kept by all nodes together.
//!
//! A quota is a bucket (GCRA): it holds [`Quota::units`] when it is full, and an empty one is full again after
//! [`Quota::per`]. Unlike the gates of [`crate::limits`], nobody waits: what is not there is refused, with the time after
//! which it is worth asking again.

mod in_process;
mod redis;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use async_trait::async_trait;

pub use self::{in_process::InProcess, redis::Redis};
use crate::Key;

/// What a key may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Units in a full bucket.
    pub units: u32,
    /// How long an empty bucket takes to fill.
    pub per: Duration,
}

/// What is left of a quota after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Units that may be spent at once.
    pub remaining: u32,
    /// When the bucket is full again.
    pub full_after: Duration,
}

/// What became of a request to spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spending {
    /// How long to wait before the units are there; `None` if they were spent. Nothing was taken from any quota then.
    pub refused_for: Option<Duration>,
    /// What is left of each quota, in the order in which they were named.
    pub balances: Vec<Balance>,
}

/// Keeps quotas. Without Redis each node keeps its share of them.
#[async_trait]
pub trait Quotas: Send + Sync + fmt::Debug {
    /// Takes units from all of these quotas, or from none if one of them has too few.
    ///
    /// More units than a quota holds count as all that it holds: they are refused until the bucket is full, not for ever.
    async fn spend(&self, quotas: &[(Key, Quota)], units: u32) -> Spending;
}

impl Quota {
    /// What one of `nodes` keeps by itself.
    fn share(self, nodes: u32) -> Self {
        Self { units: (self.units / nodes.max(1)).max(1), per: self.per }
    }

    /// How long these units take to come back, in microseconds; a full bucket's worth at most.
    fn price(self, units: u32) -> u64 {
        let whole = self.micros();
        let price = u128::from(whole) * u128::from(units.min(self.units)) / u128::from(self.units.max(1));
        u64::try_from(price).unwrap_or(whole)
    }

    /// [`Quota::per`] in microseconds.
    fn micros(self) -> u64 {
        u64::try_from(self.per.as_micros()).unwrap_or(u64::MAX / 4)
    }

    /// What is left when the bucket is full again after `owed` microseconds.
    fn balance(self, owed: u64) -> Balance {
        let (whole, left) = (self.micros(), self.micros().saturating_sub(owed));
        let remaining = u128::from(left) * u128::from(self.units) / u128::from(whole.max(1));
        Balance {
            remaining: u32::try_from(remaining).unwrap_or(self.units),
            full_after: Duration::from_micros(owed),
        }
    }
}

impl Spending {
    /// Of `owed` microseconds for each quota, as they stand after the request, and of the longest wait if it was refused.
    fn of(quotas: &[(Key, Quota)], wait: u64, owed: &[u64]) -> Self {
        let balances = quotas.iter().zip(owed).map(|((_, quota), owed)| quota.balance(*owed)).collect();
        Self { refused_for: (wait > 0).then(|| Duration::from_micros(wait)), balances }
    }
}
