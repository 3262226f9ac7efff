//! Limits the concurrent requests of one application to one mailbox.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::store::CalendarKey;

type Key = (String, CalendarKey);

/// Counts running requests by application and mailbox.
#[derive(Debug, Clone, Default)]
pub struct MailboxConcurrency(Arc<Mutex<HashMap<Key, u32>>>);

/// Permission for one concurrent request; released on drop.
#[derive(Debug)]
pub struct Permit {
    gates: MailboxConcurrency,
    key: Key,
}

impl MailboxConcurrency {
    /// Acquires a permit; `None` if `limit` requests are already running.
    pub fn try_acquire(&self, application: &str, owner: &CalendarKey, limit: u32) -> Option<Permit> {
        let key = (application.to_owned(), owner.clone());
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = running.entry(key.clone()).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        drop(running);
        Some(Permit { gates: self.clone(), key })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut running = self.gates.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = running.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.key);
            }
        }
    }
}
