//! Limits how many requests wait for servers that customers name, such as OpenID issuers.
//!
//! Such a server may be slow, by accident or on purpose, and a request that waits for it keeps one of the node's
//! permits. A few of them may wait at a time; the others are refused at once, so that permits are left for requests
//! that wait for nobody. Results that are available without waiting, such as cached keys, count for nothing.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use domain::{Id, ids};
use providers::{ErrorKind, Remedy};

use crate::{Error, Result, Services};

/// Longest time that a request waits for such a server.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Number of waiting requests of this node, by tenant.
#[derive(Debug, Default)]
pub(crate) struct ForeignCalls(Mutex<HashMap<Id<ids::Tenant>, usize>>);

impl ForeignCalls {
    fn counts(&self) -> MutexGuard<'_, HashMap<Id<ids::Tenant>, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One waiting request; no longer counted when dropped.
struct Waiting<'a>(&'a ForeignCalls, Id<ids::Tenant>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut counts = self.0.counts();
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

impl Services {
    /// Calls a server that this tenant named. Fails with [`Error::Overloaded`] if too many requests are waiting for
    /// such servers; the inner result is the call's.
    pub(crate) async fn foreign_call<T>(
        &self,
        tenant: Id<ids::Tenant>,
        call: impl Future<Output = providers::Result<T>>,
    ) -> Result<providers::Result<T>> {
        let mut call = pin!(call);
        if let Poll::Ready(result) = futures::poll!(call.as_mut()) {
            return Ok(result);
        }
        let _waiting = self.wait_for_foreign_call(tenant)?;
        self.leave_reading().await;
        Ok(tokio::time::timeout(TIMEOUT, call).await.unwrap_or_else(|_| {
            let message = "Your organisation's server did not answer in time.";
            Err(providers::Error::new(
                ErrorKind::Unavailable,
                Remedy::RetryAfter(TIMEOUT),
                "foreign_timeout",
                message,
            ))
        }))
    }

    fn wait_for_foreign_call(&self, tenant: Id<ids::Tenant>) -> Result<Waiting<'_>> {
        let limit = self.settings.foreign_calls;
        let mut counts = self.foreign_calls.counts();
        let of_tenant = counts.get(&tenant).copied().unwrap_or_default();
        if counts.values().sum::<usize>() >= limit || of_tenant >= limit.div_ceil(4) {
            return Err(Error::Overloaded);
        }
        *counts.entry(tenant).or_default() += 1;
        Ok(Waiting(&self.foreign_calls, tenant))
    }
}
