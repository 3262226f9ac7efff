//! Resources shared by the tasks of a node: permits, held leases, and channels to the committers.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{Id, ids};
use runs::ChangeWriter;
use tokio::sync::{OwnedRwLockReadGuard, OwnedSemaphorePermit, RwLock, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Context, committers::Committers, crash_suspects::CrashSuspects, tenant_quota::TenantQuota};

/// Resources for executing steps. Cheap to clone.
pub(crate) struct Resources<C: Context> {
    pub(crate) committers: Committers<<C::Writer as ChangeWriter>::Change>,
    pub(crate) held_leases: HeldLeases,
    pub(crate) permits: Permits,
    pub(crate) tenant_quota: TenantQuota,
    pub(crate) crash_suspects: CrashSuspects,
    pub(crate) tracker: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl<C: Context> Clone for Resources<C> {
    fn clone(&self) -> Self {
        Self {
            committers: self.committers.clone(),
            held_leases: self.held_leases.clone(),
            permits: self.permits.clone(),
            tenant_quota: self.tenant_quota.clone(),
            crash_suspects: self.crash_suspects.clone(),
            tracker: self.tracker.clone(),
            stop: self.stop.clone(),
        }
    }
}

/// Permits to execute steps, one for each concurrent run, except runs waiting for external servers. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Permits {
    free: Arc<Semaphore>,
    total: usize,
    /// Read-locked by runs that released their permit while waiting for external servers; write-locked by the task that
    /// acquires all permits.
    aside: Arc<RwLock<()>>,
}

impl Permits {
    pub(crate) fn new(total: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(total)), total, aside: Arc::default() }
    }

    /// Waits until at least one permit is free, and returns the number of free permits.
    pub(crate) async fn wait_for_free(&self) -> usize {
        let permit = self.free.acquire().await;
        self.free.available_permits() + usize::from(permit.is_ok())
    }

    /// Acquires this number of permits as soon as they are free.
    pub(crate) async fn acquire(&self, many: usize) -> Option<OwnedSemaphorePermit> {
        let many = u32::try_from(many).unwrap_or(u32::MAX);
        Arc::clone(&self.free).acquire_many_owned(many).await.ok()
    }

    /// The number of all permits, whether free or in use.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// Releases the permit of a run that is waiting for external servers. [`Self::acquire_all`] still waits for the
    /// run.
    pub(crate) async fn release_while_waiting(
        &self,
        permit: Option<OwnedSemaphorePermit>,
    ) -> WaitingRunGuard {
        let aside = Arc::clone(&self.aside).read_owned().await;
        drop(permit);
        aside
    }

    /// Acquires all permits: until they are released, the node executes no other run.
    pub(crate) async fn acquire_all(&self) -> Option<(OwnedSemaphorePermit, impl Sized)> {
        let all = self.acquire(self.total).await?;
        Some((all, Arc::clone(&self.aside).write_owned().await))
    }
}

/// Guard of a run that released its permit while waiting for external servers.
pub(crate) type WaitingRunGuard = OwnedRwLockReadGuard<()>;

/// A run, and the epoch of the claim on its job.
pub(crate) type Claim = (Id<ids::Run>, i64);

/// The claims that this node is working on. The same run may occur twice: claimed by a worker that lost its lease, and
/// by the current one.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeldLeases(Arc<Mutex<HashSet<Claim>>>);

impl HeldLeases {
    fn lock(&self) -> MutexGuard<'_, HashSet<Claim>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, claims: impl IntoIterator<Item = Claim>) {
        self.lock().extend(claims);
    }

    pub(crate) fn remove(&self, claim: Claim) {
        self.lock().remove(&claim);
    }

    pub(crate) fn all(&self) -> Vec<Claim> {
        self.lock().iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn whoever_wants_all_permits_waits_for_runs_that_stepped_aside() {
        let permits = Permits::new(2);
        let aside = permits.release_while_waiting(permits.acquire(1).await).await;
        assert_eq!(permits.wait_for_free().await, 2, "its permit is free for another run");
        assert!(permits.acquire_all().now_or_never().is_none());
        drop(aside);
        assert!(permits.acquire_all().now_or_never().flatten().is_some());
    }
}
