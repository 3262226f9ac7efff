//! Quotas of callers: units that are refilled at a constant rate, shared by all nodes.
//!
//! A quota is a bucket (GCRA): a full bucket contains [`Quota::units`], and an empty one is full again after
//! [`Quota::per`]. In contrast to the gates of [`crate::limits`], callers do not wait: a request for more units than
//! are left is refused, with the time after which to retry.

mod in_process;
mod redis;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use async_trait::async_trait;

pub use self::{in_process::InProcess, redis::Redis};
use crate::Key;

/// The quota of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Units in a full bucket.
    pub units: u32,
    /// The time in which an empty bucket is refilled.
    pub per: Duration,
}

/// The balance of a quota after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Units that may be spent immediately.
    pub remaining: u32,
    /// When the bucket is full again.
    pub full_after: Duration,
}

/// The outcome of spending units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendOutcome {
    /// The wait until the units are available; `None` if they were spent. A refused request spends nothing of any
    /// quota.
    pub refused_for: Option<Duration>,
    /// The remaining units of each quota, in the order in which the quotas were passed.
    pub balances: Vec<Balance>,
}

/// Enforces quotas of callers. Without Redis each node enforces an equal fraction of each quota.
#[async_trait]
pub trait Quotas: Send + Sync + fmt::Debug {
    /// Spends units of all of these quotas, or of none if one of them has too few.
    ///
    /// A request for more units than a quota contains is treated as a request for the whole quota: it is refused until
    /// the bucket is full, but not permanently.
    async fn spend(&self, quotas: &[(Key, Quota)], units: u32) -> SpendOutcome;
}

impl Quota {
    /// The fraction of the quota that each of `nodes` nodes enforces on its own.
    fn share(self, nodes: u32) -> Self {
        Self { units: (self.units / nodes.max(1)).max(1), per: self.per }
    }

    /// Time in which these units are refilled, in microseconds, limited to that of a full bucket.
    fn price(self, units: u32) -> u64 {
        let whole = self.micros();
        let price = u128::from(whole) * u128::from(units.min(self.units)) / u128::from(self.units.max(1));
        u64::try_from(price).unwrap_or(whole)
    }

    /// [`Quota::per`] in microseconds.
    fn micros(self) -> u64 {
        u64::try_from(self.per.as_micros()).unwrap_or(u64::MAX / 4)
    }

    /// The balance of a quota that is full again after `owed` microseconds.
    fn balance(self, owed: u64) -> Balance {
        let (whole, left) = (self.micros(), self.micros().saturating_sub(owed));
        let remaining = u128::from(left) * u128::from(self.units) / u128::from(whole.max(1));
        Balance {
            remaining: u32::try_from(remaining).unwrap_or(self.units),
            full_after: Duration::from_micros(owed),
        }
    }
}

impl SpendOutcome {
    /// The outcome for quotas that are full again after `owed` microseconds each. `wait` is the longest wait if the
    /// request was refused, else 0.
    fn of(quotas: &[(Key, Quota)], wait: u64, owed: &[u64]) -> Self {
        let balances = quotas.iter().zip(owed).map(|((_, quota), owed)| quota.balance(*owed)).collect();
        Self { refused_for: (wait > 0).then(|| Duration::from_micros(wait)), balances }
    }
}
