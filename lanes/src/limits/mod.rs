//! Enforces providers' rate limits before calls are made: concurrent calls and calls per period, for each key.
//!
//! In any window of [`Limit::per`] at most [`Limit::rate`] calls begin (GCRA with a burst of one twenty-fifth of the
//! rate, which is subtracted from the steady rate). Callers with the same node and key enter in the order of arrival.

mod gate;
mod in_process;
mod redis;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use async_trait::async_trait;

pub use self::{in_process::InProcess, redis::Redis};
use crate::Key;

/// Lifetime of a permit whose node has died; running nodes renew their permits.
pub const PERMIT_LEASE: Duration = Duration::from_secs(15);

/// Maximum pause of a gate, even if the provider requests a longer one.
pub const MAX_PAUSE: Duration = Duration::from_hours(24);

/// The limit of a key. Zero means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Number of concurrent calls.
    pub concurrency: u32,
    /// Number of calls that may begin in each [`Limit::per`].
    pub rate: u32,
    /// The period in which `rate` calls may begin.
    pub per: Duration,
}

/// Error: no permit became free in time; the caller should retry after this duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no place is free for another {0:?}")]
pub struct Wait(pub Duration);

/// Permission for one call to a provider; released when dropped.
#[must_use = "the place is given back when this is dropped"]
pub struct Permit(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Permit {
    fn new(give_back: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(give_back)))
    }

    /// Drops a permit without releasing it, because it was never acquired.
    fn forget(mut self) {
        self.0 = None;
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(give_back) = self.0.take() {
            give_back();
        }
    }
}

/// Enforces providers' rate limits. Without Redis each node enforces an equal fraction of each limit.
#[async_trait]
pub trait Limits: Send + Sync + fmt::Debug {
    /// Waits for a permit for at most `patience`. Returns immediately if the wait is known to be longer.
    async fn enter(&self, key: &Key, limit: &Limit, patience: Duration) -> Result<Permit, Wait>;

    /// Pauses all calls for a key, for example after a 429 response with Retry-After. A longer existing pause is kept.
    async fn pause(&self, key: &Key, duration: Duration);
}

impl Limit {
    /// The interval between calls at the steady rate, and the maximum burst ahead of that rate.
    fn pace(&self) -> Option<(Duration, Duration)> {
        let burst = (self.rate / 25).max(1);
        let steady = if burst > 1 { self.rate - burst } else { self.rate };
        let interval = self.per.checked_div(steady)?;
        Some((interval, interval * (burst - 1)))
    }

    /// The fraction of the limit that each of `nodes` nodes enforces on its own.
    fn share(&self, nodes: u32) -> Self {
        let share = |whole: u32| if whole == 0 { 0 } else { (whole / nodes.max(1)).max(1) };
        Self { concurrency: share(self.concurrency), rate: share(self.rate), per: self.per }
    }
}
