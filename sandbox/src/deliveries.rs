//! Records change notifications: their receivers, the receivers' responses, and which notifications a fault
//! suppressed.
//!
//! Tests of a receiver use the record to wait until all expected notifications have been sent.

use std::sync::Mutex;

use domain::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

/// A notification and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Sequence number, from 1.
    pub n: u64,
    /// Time of the notification, by the sandbox's clock.
    pub at: Timestamp,
    /// Email address of the changed mailbox.
    pub mailbox: String,
    /// `created`, `updated`, `deleted`, or `sync` for the first notification of a Google channel.
    pub change: &'static str,
    /// Whether the notification was forged, with a wrong secret.
    pub forged: bool,
    /// HTTP status of the receiver's response; `None` if the notification was not sent or not received.
    pub status: Option<u16>,
}

/// The record of notifications, in memory.
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
    /// Assigns a sequence number to a notification and records it.
    pub fn append(&self, mut delivery: Delivery) {
        let mut made = self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        delivery.n = made.len() as u64 + 1;
        let last = delivery.n;
        made.push(delivery);
        self.last.send_replace(last);
    }

    /// Notifications with a sequence number greater than `n`.
    pub fn deliveries_after(&self, n: u64) -> Vec<Delivery> {
        let made = self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        made.get(usize::try_from(n).unwrap_or(usize::MAX)..).unwrap_or_default().to_vec()
    }

    /// Waits until a notification with a sequence number greater than `n` is recorded.
    pub async fn wait_after(&self, n: u64) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.last.subscribe().wait_for(|last| *last > n).await;
    }
}
