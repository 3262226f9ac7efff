//! The read-only transaction of a request: all reads of the request share one database connection.

use domain::{Id, ids};
use entity::{DatabaseError, ReadTransaction, Store};
use tokio::sync::Mutex;

/// The reading transaction of one request.
#[derive(Debug, Default)]
pub(crate) struct RequestReader(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    /// No transaction is open.
    #[default]
    Idle,
    /// The open transaction, shared by all reads.
    Open(Id<ids::Tenant>, ReadTransaction),
    /// Sharing has ended, because the request is waiting for another server; a shared transaction would occupy its
    /// connection until that server responds.
    Left,
}

impl RequestReader {
    /// Returns the request's transaction, beginning one if there is none. A transaction for another tenant is replaced.
    pub(crate) async fn read(
        &self,
        store: &Store,
        tenant: Id<ids::Tenant>,
    ) -> Result<ReadTransaction, DatabaseError> {
        let mut state = self.0.lock().await;
        match &*state {
            State::Open(of, transaction) if *of == tenant => return Ok(transaction.clone()),
            State::Left => {
                drop(state);
                return Ok(store.read(tenant).await?);
            }
            State::Idle | State::Open(..) => {}
        }
        // Not two connections at a time, or requests could wait for each other's.
        *state = State::Idle;
        let transaction = store.read(tenant).await?;
        *state = State::Open(tenant, transaction.clone());
        Ok(transaction)
    }

    /// Ends the transaction, so that the next read sees newer data, on SQLite too.
    pub(crate) async fn end(&self) {
        let mut state = self.0.lock().await;
        if let State::Open(..) = *state {
            *state = State::Idle;
        }
    }

    /// Ends the transaction, and stops sharing for the rest of the request.
    pub(crate) async fn release(&self) {
        *self.0.lock().await = State::Left;
    }
}
