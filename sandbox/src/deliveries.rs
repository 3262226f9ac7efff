//! The record of change notifications: which were sent, where, and what was answered, and which were lost on purpose.
//!
//! Whoever tests a receiver waits here until everything that was to come has come.

use std::sync::Mutex;

use domain::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

/// One notification and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Counts from 1.
    pub n: u64,
    /// When, by the sandbox's clock.
    pub at: Timestamp,
    /// The address of the mailbox.
    pub mailbox: String,
    /// `created`, `updated`, `deleted`, or `sync` for the first one of a channel of Google's.
    pub change: &'static str,
    /// Whether it bore a wrong word.
    pub forged: bool,
    /// The status that the receiver answered; absent when it was not sent or not taken.
    pub status: Option<u16>,
}

/// The record; it lives in memory.
#[derive(Debug)]
pub struct Deliveries {
    made: Mutex<Vec<Delivery>>,
    last: watch::Sender<u64>,
}

impl Default for Deliveries {
    fn default() -> Self {
        Self { made: Mutex::default(), last: watch::Sender::new(0) }
    }
}

impl Deliveries {
    /// Numbers the delivery and keeps it.
    pub fn append(&self, mut delivery: Delivery) {
        let mut made = self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        delivery.n = made.len() as u64 + 1;
        let last = delivery.n;
        made.push(delivery);
        self.last.send_replace(last);
    }

    /// Those after the `n`-th.
    pub fn after(&self, n: u64) -> Vec<Delivery> {
        let made = self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        made.get(usize::try_from(n).unwrap_or(usize::MAX)..).unwrap_or_default().to_vec()
    }

    /// Waits until there is one after the `n`-th.
    pub async fn wait_after(&self, n: u64) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.last.subscribe().wait_for(|last| *last > n).await;
    }
}
