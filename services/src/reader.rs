//! What one request reads, it reads in one transaction: on one connection of the pool, begun by the first read.

use domain::{Id, ids};
use entity::{DatabaseError, ReadTransaction, Store};
use tokio::sync::Mutex;

/// The reading transaction of one request.
#[derive(Debug, Default)]
pub(crate) struct RequestReader(Mutex<Option<(Id<ids::Tenant>, ReadTransaction)>>);

impl RequestReader {
    /// The transaction of the request, begun if there is none. One for another tenant takes its place.
    pub(crate) async fn read(
        &self,
        store: &Store,
        tenant: Id<ids::Tenant>,
    ) -> Result<ReadTransaction, DatabaseError> {
        let mut open = self.0.lock().await;
        if let Some((of, transaction)) = &*open
            && *of == tenant
        {
            return Ok(transaction.clone());
        }
        // Not two connections at a time, or requests could wait for each other's.
        *open = None;
        let transaction = store.read(tenant).await?;
        *open = Some((tenant, transaction.clone()));
        Ok(transaction)
    }

    /// Ends the transaction, so that the next read sees what was written meanwhile, on SQLite too.
    pub(crate) async fn end(&self) {
        *self.0.lock().await = None;
    }
}
