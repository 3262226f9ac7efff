//! The read-only transaction of a request: all reads of the request share one database connection.

use domain::{Id, ids};
use entity::{DatabaseError, ReadTransaction, Store};
use tokio::sync::Mutex;

use crate::keyed_semaphores::{KeyedPermit, KeyedSemaphores};

/// The reading transaction of one request.
#[derive(Debug, Default)]
pub(crate) struct RequestReader(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    /// No transaction is open.
    #[default]
    Idle,
    /// The open transaction, shared by all reads.
    Open {
        tenant: Id<ids::Tenant>,
        transaction: ReadTransaction,
        /// The transaction's part of the tenant's share of the connections.
        _share: KeyedPermit<Id<ids::Tenant>>,
    },
    /// Sharing has ended, because the request waits for another server; a shared transaction would occupy its
    /// connection until that server responds.
    Left,
}

impl RequestReader {
    /// Returns the request's transaction, begun if there is none, when the tenant's requests leave room in its share of the
    /// connections. A transaction for another tenant is replaced.
    pub(crate) async fn read(
        &self,
        store: &Store,
        shares: &KeyedSemaphores<Id<ids::Tenant>>,
        tenant: Id<ids::Tenant>,
    ) -> Result<ReadTransaction, DatabaseError> {
        let mut state = self.0.lock().await;
        match &*state {
            State::Open { tenant: of, transaction, .. } if *of == tenant => return Ok(transaction.clone()),
            State::Left => {
                drop(state);
                return Ok(store.read(tenant).await?);
            }
            State::Idle | State::Open { .. } => {}
        }
        // Not two connections at a time, or requests could wait for each other's.
        *state = State::Idle;
        let share = shares.acquire(tenant).await;
        let transaction = store.read(tenant).await?;
        *state = State::Open { tenant, transaction: transaction.clone(), _share: share };
        Ok(transaction)
    }

    /// Ends the transaction, so that the next read sees newer data, on SQLite too.
    pub(crate) async fn end(&self) {
        let mut state = self.0.lock().await;
        if let State::Open { .. } = *state {
            *state = State::Idle;
        }
    }

    /// Ends the transaction, and stops sharing for the rest of the request.
    pub(crate) async fn release(&self) {
        *self.0.lock().await = State::Left;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{Ids, SystemClock};
    use entity::Logins;
    use futures::FutureExt;
    use testing::Database;

    use super::*;

    #[tokio::test]
    async fn the_requests_of_one_tenant_leave_connections_to_others() {
        let database = Database::sqlite();
        let store = Store::connect(&Logins::from_url(database.url()), 4).await.unwrap();
        let (shares, ids) = (KeyedSemaphores::with_permits(2), Ids::random(Arc::new(SystemClock)));
        let (busy, other) = (ids.make(), ids.make());
        let requests: [RequestReader; 4] = Default::default();
        for request in &requests[..2] {
            request.read(&store, &shares, busy).await.unwrap();
        }
        let mut third = Box::pin(requests[2].read(&store, &shares, busy));
        assert!(third.as_mut().now_or_never().is_none(), "its share is used up");
        requests[3].read(&store, &shares, other).await.unwrap();
        requests[0].end().await;
        third.await.unwrap();
    }
}
