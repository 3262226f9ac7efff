//! The state shared by all parts of a sandbox.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use chrono::Duration;
use domain::{Ids, SharedClock, Timestamp};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    Error,
    deliveries::Deliveries,
    fault::Faults,
    journal::Journal,
    mailbox_concurrency::MailboxConcurrency,
    microsoft::identity::keys::Signer,
    store::{Change, ChangeNotification, Store},
};

/// State shared by every request handler and background task of a sandbox.
#[derive(Debug)]
pub struct App {
    /// The journal of provider requests.
    pub journal: Journal,
    /// The record of change notifications.
    pub deliveries: Deliveries,
    /// The injected faults.
    pub faults: Faults,
    /// Limits the concurrent requests of each application to each mailbox.
    pub gates: MailboxConcurrency,
    /// Signs tokens.
    pub signer: Signer,
    /// Generates ids and secrets.
    pub ids: Ids,
    /// HTTP client for the sandbox's own requests: handshakes and notifications.
    pub client: reqwest::Client,
    clock: SharedClock,
    offset_ms: AtomicI64,
    store: Mutex<Store>,
    notices: mpsc::UnboundedSender<ChangeNotification>,
}

impl App {
    /// Creates the state; generates the signing key if the store has none.
    pub fn new(
        mut store: Store,
        journal: Journal,
        clock: SharedClock,
        ids: Ids,
        notices: mpsc::UnboundedSender<ChangeNotification>,
    ) -> Result<Arc<Self>, Error> {
        let signer = match &store.state().signing_key {
            Some(key) => Signer::from_text(key)?,
            None => {
                let (signer, key) = Signer::generate()?;
                store.commit(vec![Change::SigningKey(key)])?;
                signer
            }
        };
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_secs(10))
            .build()
            .map_err(Error::Client)?;
        Ok(Arc::new(Self {
            journal,
            deliveries: Deliveries::default(),
            faults: Faults::default(),
            gates: MailboxConcurrency::default(),
            signer,
            ids,
            client,
            clock,
            offset_ms: AtomicI64::new(store.state().offset_ms),
            store: Mutex::new(store),
            notices,
        }))
    }

    /// The sandbox's time: that of its clock source plus the time by which it was advanced.
    pub fn now(&self) -> Timestamp {
        self.clock.now() + Duration::milliseconds(self.offset_ms.load(Ordering::SeqCst))
    }

    /// Moves the sandbox's clock forward.
    pub fn advance_clock(&self, by_ms: i64) -> Result<(), Error> {
        self.commit(&mut self.store(), vec![Change::Advanced(by_ms)])?;
        self.offset_ms.fetch_add(by_ms, Ordering::SeqCst);
        Ok(())
    }

    /// Locks and returns the stored state. The lock is never held across an await.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the changes durable, applies them and notifies subscribers.
    pub fn commit(&self, store: &mut Store, changes: Vec<Change>) -> Result<(), Error> {
        for notice in store.commit(changes)? {
            // Nobody listens any more only while the sandbox stops.
            let _ = self.notices.send(notice);
        }
        Ok(())
    }

    /// A random GUID.
    pub fn new_guid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.ids.random_bytes::<16>()).into_uuid()
    }
}
