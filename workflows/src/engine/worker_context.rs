//! Resources of a node's workers: permits, held leases, and channels to the committers.

use domain::{Id, ids};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{committers::Committers, crash_suspects::CrashSuspects, tenant_quota::TenantQuota};

/// Resources for executing steps.
#[derive(Debug, Clone)]
pub(super) struct WorkerContext {
    pub(super) committers: Committers,
    pub(super) held_leases: HeldLeases,
    pub(super) permits: Arc<Semaphore>,
    /// Total number of permits.
    pub(super) permit_count: usize,
    pub(super) tenant_quota: TenantQuota,
    pub(super) crash_suspects: CrashSuspects,
    pub(super) tracker: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl WorkerContext {
    /// The number of free permits; waits until it is at least one.
    pub(super) async fn free_permits(&self) -> usize {
        let permit = self.permits.acquire().await;
        self.permits.available_permits() + usize::from(permit.is_ok())
    }

    /// Takes this number of permits as soon as they are free.
    pub(super) async fn acquire(&self, many: usize) -> Option<OwnedSemaphorePermit> {
        let many = u32::try_from(many).unwrap_or(u32::MAX);
        Arc::clone(&self.permits).acquire_many_owned(many).await.ok()
    }
}

/// A run, and the epoch of the claim on its job.
type Claim = (Id<ids::Run>, i64);

/// The claims that this node works on. A run may be held twice: by a worker that lost its lease, and by the one that
/// has it now.
#[derive(Debug, Clone, Default)]
pub(super) struct HeldLeases(Arc<Mutex<HashSet<Claim>>>);

impl HeldLeases {
    fn lock(&self) -> MutexGuard<'_, HashSet<Claim>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, claims: &[Claim]) {
        self.lock().extend(claims);
    }

    pub(super) fn remove(&self, claims: &[Claim]) {
        self.lock().retain(|claim| !claims.contains(claim));
    }

    pub(super) fn all(&self) -> Vec<Claim> {
        self.lock().iter().copied().collect()
    }
}
