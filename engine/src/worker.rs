//! The tasks of a node: a dispatcher, a sweeper, committers, a heartbeat, and one task for each run being executed.

use std::time::Duration;

use futures::future::join_all;
use runs::DatabaseError;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Context, Engine,
    committers::Committers,
    crash_suspects::CrashSuspects,
    resources::{HeldLeases, Permits, Resources},
    tenant_quota::TenantQuota,
};

/// Lifetime of a run's lease without a heartbeat.
pub const RUN_LEASE: Duration = Duration::from_secs(15);
/// Interval at which the leases of runs are renewed.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Interval at which a stopping node checks whether it still has claims.
const LAST_BEATS: Duration = Duration::from_millis(100);
/// Number of runs that [`Engine::run_until_idle`] executes in one round.
const DRAINED_AT_ONCE: u32 = 256;

impl<C: Context> Engine<C> {
    /// Starts the worker tasks, with up to `max_concurrent_steps` concurrent steps. After `stop` is cancelled,
    /// they finish or release their work and end.
    pub fn start(&self, tracker: &TaskTracker, stop: &CancellationToken, max_concurrent_steps: usize) {
        let resources = Resources {
            committers: Committers::start(self, tracker),
            held_leases: HeldLeases::default(),
            permits: Permits::new(max_concurrent_steps),
            tenant_quota: TenantQuota::default(),
            crash_suspects: CrashSuspects::default(),
            tracker: tracker.clone(),
            stop: stop.clone(),
        };
        tracker.spawn(self.clone().run_heartbeat(resources.held_leases.clone(), stop.clone()));
        tracker.spawn(self.clone().run_sweeper(resources.clone()));
        tracker.spawn(self.clone().run_dispatcher(resources));
    }

    /// Releases the leases that this node still has, because their steps took too long or could not be committed.
    /// Called at shutdown.
    pub async fn release_leases(&self) {
        if let Err(error) = self.storage().end_node_leases(self.node()).await {
            tracing::warn!(%error, "leases were not ended; they will run out");
        }
    }

    /// Executes all due runs until none is left; used by tests. Returns the number of committed steps.
    pub async fn run_until_idle(&self) -> Result<usize, DatabaseError> {
        let mut steps = 0;
        loop {
            let hints = self.storage().sweep(Some(Duration::ZERO), DRAINED_AT_ONCE).await?;
            let works = self.claim(&hints).await?;
            if works.is_empty() {
                return Ok(steps);
            }
            let results = join_all(works.iter().map(|work| self.execute_step(work))).await;
            let written = self.commit(results).await;
            steps += written.iter().filter(|(_, written)| *written).count();
        }
    }

    async fn run_heartbeat(self, held_leases: HeldLeases, stop: CancellationToken) {
        let mut beat = tokio::time::interval(HEARTBEAT);
        loop {
            tokio::select! {
                _ = beat.tick() => {}
                // Shutting down: what is left is looked at more often, to end as soon as nothing is.
                () = stop.cancelled() => tokio::time::sleep(LAST_BEATS).await,
            }
            let claims = held_leases.all();
            if stop.is_cancelled() && claims.is_empty() {
                return;
            }
            if let Err(error) = self.storage().renew(&claims, RUN_LEASE).await {
                tracing::warn!(%error, "leases were not renewed");
            }
        }
    }

    /// Ends all leases when the only process that uses the database starts, because no other process can have one.
    pub(crate) async fn end_stale_leases(&self) {
        if self.storage().is_sole_process()
            && let Err(error) = self.storage().end_all_leases().await
        {
            tracing::warn!(%error, "old leases were not ended; they will run out");
        }
    }
}
