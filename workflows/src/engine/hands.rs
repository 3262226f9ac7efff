//! What a node works with: places, the claims that it holds, and the way to the committers.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{commit::Fate, decide::Settled, shares::Shares, suspects::Suspects};

/// What steps are done with: places to work in, and where their results go.
#[derive(Debug, Clone)]
pub(super) struct Hands {
    pub(super) results: mpsc::Sender<Handed>,
    pub(super) held: Held,
    pub(super) places: Arc<Semaphore>,
    pub(super) shares: Shares,
    pub(super) suspects: Suspects,
    pub(super) tracker: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// A result on its way to the committers, and where its fate is told.
pub(super) type Handed = (Settled, oneshot::Sender<(Settled, Fate)>);

impl Hands {
    /// How many places are free, as soon as one is.
    pub(super) async fn free(&self) -> usize {
        let place = self.places.acquire().await;
        self.places.available_permits() + usize::from(place.is_ok())
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
