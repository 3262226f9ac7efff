//! What a provider allows, kept before it has to say so: calls at once and calls per time, per key.
//!
//! In any window of [`Limit::per`] no more than [`Limit::rate`] calls begin (GCRA with a burst of a twenty-fifth
//! of the rate, which is taken off the steady rate). Callers of one node and key enter in the order in which they
//! came.

mod gate;
mod in_process;
mod redis;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use async_trait::async_trait;

pub use self::{in_process::InProcess, redis::Redis};
use crate::Key;

/// How long a place is kept for a node that died: whoever is inside renews it.
pub const LEASE: Duration = Duration::from_secs(15);

/// No gate is closed for longer than this at a time, whatever whoever asked for it said.
pub const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// What is allowed for a key. Zero means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Calls at once.
    pub concurrency: u32,
    /// Calls that may begin in each [`Limit::per`].
    pub rate: u32,
    /// The time that `rate` is about.
    pub per: Duration,
}

/// The place is not free within the caller's patience; it is worth asking again after this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no place is free for another {0:?}")]
pub struct Wait(pub Duration);

/// Leave to make one call. Dropping it gives the place back.
#[must_use = "the place is given back when this is dropped"]
pub struct Place(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Place {
    fn new(give_back: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(give_back)))
    }

    /// Drops a place that was never taken.
    fn forget(mut self) {
        self.0 = None;
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(give_back) = self.0.take() {
            give_back();
        }
    }
}

/// Keeps limits. Without Redis each node keeps its share of them.
#[async_trait]
pub trait Limits: Send + Sync + fmt::Debug {
    /// Waits for a place, for `patience` at most. A wait known to be longer is answered at once.
    async fn enter(&self, key: &Key, limit: &Limit, patience: Duration) -> Result<Place, Wait>;

    /// Lets nobody enter for a while, as after a 429 with Retry-After. A longer pause stays.
    async fn pause(&self, key: &Key, for_: Duration);
}

impl Limit {
    /// From one call to the next at the steady rate, and how far ahead of it a burst may be.
    fn pace(&self) -> Option<(Duration, Duration)> {
        let burst = (self.rate / 25).max(1);
        let steady = if burst > 1 { self.rate - burst } else { self.rate };
        let interval = self.per.checked_div(steady)?;
        Some((interval, interval * (burst - 1)))
    }

    /// What one of `nodes` keeps by itself.
    fn share(&self, nodes: u32) -> Self {
        let share = |whole: u32| if whole == 0 { 0 } else { (whole / nodes.max(1)).max(1) };
        Self { concurrency: share(self.concurrency), rate: share(self.rate), per: self.per }
    }
}
