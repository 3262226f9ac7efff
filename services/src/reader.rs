//! The reading transaction of a request: all its reads share one connection of the pool.

use domain::{Id, ids};
use entity::{DatabaseError, ReadTransaction, Store};
use tokio::sync::Mutex;

/// The reading transaction of one request.
#[derive(Debug, Default)]
pub(crate) struct RequestReader(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    /// Nothing is read at present.
    #[default]
    Idle,
    /// The transaction that everybody who reads shares.
    Open(Id<ids::Tenant>, ReadTransaction),
    /// The request waits for another server. Nothing is shared any more: a transaction begun by a concurrent read would
    /// keep its connection until that server answers.
    Left,
}

impl RequestReader {
    /// The transaction of the request, begun if there is none. One for another tenant takes its place.
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

    /// Ends the transaction, so that the next read sees what was written meanwhile, on SQLite too.
    pub(crate) async fn end(&self) {
        let mut state = self.0.lock().await;
        if let State::Open(..) = *state {
            *state = State::Idle;
        }
    }

    /// Ends the transaction, and shares none for the rest of the request.
    pub(crate) async fn leave(&self) {
        *self.0.lock().await = State::Left;
    }
}
