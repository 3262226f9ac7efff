//! What a node works with: places, the claims that it holds, and the way to the committers.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{committers::Committers, shares::Shares, suspects::Suspects};

/// What steps are done with: places to work in, and where their results go.
#[derive(Debug, Clone)]
pub(super) struct Hands {
    pub(super) committers: Committers,
    pub(super) held: Held,
    pub(super) places: Arc<Semaphore>,
    /// How many places there are.
    pub(super) all_places: usize,
    pub(super) shares: Shares,
    pub(super) suspects: Suspects,
    pub(super) tracker: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl Hands {
    /// How many places are free, as soon as one is.
    pub(super) async fn free(&self) -> usize {
        let place = self.places.acquire().await;
        self.places.available_permits() + usize::from(place.is_ok())
    }

    /// Takes this number of permits as soon as they are free.
    pub(super) async fn take(&self, many: usize) -> Option<OwnedSemaphorePermit> {
        let many = u32::try_from(many).unwrap_or(u32::MAX);
        Arc::clone(&self.places).acquire_many_owned(many).await.ok()
    }
}

/// The claims that this node works on. A run may be held twice: by a worker that lost its lease, and by the one that
/// has it now.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Arc<Mutex<HashSet<(Uuid, i64)>>>);

impl Held {
    fn lock(&self) -> MutexGuard<'_, HashSet<(Uuid, i64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, claims: &[(Uuid, i64)]) {
        self.lock().extend(claims);
    }

    pub(super) fn remove(&self, claims: &[(Uuid, i64)]) {
        self.lock().retain(|claim| !claims.contains(claim));
    }

    pub(super) fn all(&self) -> Vec<(Uuid, i64)> {
        self.lock().iter().copied().collect()
    }
}
