//! Begins transactions safely even if the caller's future is dropped.
//!
//! sqlx 0.9 does not roll back a transaction whose `BEGIN` was interrupted: its connection would return to the pool
//! with the transaction open, and the next statement on it would run in that transaction, with access to its tenant's
//! rows. So a transaction is begun in a task of its own, which its caller does not interrupt.
//!
//! Such a task outlives a caller whose future is dropped, and waits for a connection that is no longer needed. The
//! number of these tasks is limited: further callers wait outside the pool, where dropping the future has no effect.

use std::sync::Arc;

use sea_orm::{ConnAcquireErr, DbErr};
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use super::ACQUIRE_TIMEOUT;

/// Starts the transactions of a pool. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct TransactionStarter(Arc<Semaphore>);

impl TransactionStarter {
    /// Creates a starter for a pool with this number of connections; the same number of transactions may wait for a
    /// connection.
    pub(super) fn new(connections: u32) -> Self {
        let at_once = usize::try_from(connections).unwrap_or_default().max(1) * 2;
        Self(Arc::new(Semaphore::new(at_once)))
    }

    /// Begins a transaction. Once sent, `BEGIN` is completed even if the caller's future is dropped.
    #[expect(clippy::disallowed_methods, reason = "it ends with the round trip")]
    pub(super) async fn begin_uninterrupted<T: Send + 'static>(
        &self,
        begin: impl Future<Output = Result<T, DbErr>> + Send + 'static,
    ) -> Result<T, DbErr> {
        // Boxed, because every use case holds it while it waits.
        let begin = Box::pin(begin);
        let place = tokio::time::timeout(ACQUIRE_TIMEOUT, Arc::clone(&self.0).acquire_owned()).await;
        let place = place.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?;
        let all = async move {
            let result = begin.await;
            drop(place);
            result
        };
        let task = tokio::spawn(all.in_current_span());
        task.await.unwrap_or_else(|error| Err(DbErr::Custom(error.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, poll_fn},
        sync::atomic::{AtomicUsize, Ordering},
        task::Poll,
    };

    use super::*;

    #[tokio::test]
    async fn callers_who_gave_up_leave_no_more_than_two_for_each_connection() {
        let (beginnings, started) = (TransactionStarter::new(2), Arc::new(AtomicUsize::new(0)));
        for _ in 0..20 {
            let count = Arc::clone(&started);
            let begin = async move {
                count.fetch_add(1, Ordering::SeqCst);
                pending::<Result<(), DbErr>>().await
            };
            let mut caller = Box::pin(beginnings.begin_uninterrupted(begin));
            let waits = poll_fn(|cx| Poll::Ready(caller.as_mut().poll(cx).is_pending())).await;
            assert!(waits, "nobody gets a connection");
            tokio::task::yield_now().await;
        }
        assert_eq!(started.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_its_transaction_has_begun_or_failed() {
        let beginnings = TransactionStarter::new(1);
        for _ in 0..10 {
            assert_eq!(beginnings.begin_uninterrupted(async { Ok(7) }).await, Ok(7));
            let failed = beginnings.begin_uninterrupted(async { Err::<(), _>(DbErr::RecordNotInserted) });
            assert_eq!(failed.await, Err(DbErr::RecordNotInserted));
        }
    }
}
