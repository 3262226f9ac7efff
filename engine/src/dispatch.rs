//! Receives hints, admits them within the tenants' quotas, and claims and executes their runs.

use std::{collections::HashSet, pin::pin, sync::Arc, time::Duration};

use domain::{Id, ids};
use lanes::ExternalTime;
use runs::{DatabaseError, JobClaim, JobHint, Run};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{ClaimedRun, Context, Engine, RUN_LEASE, crash_suspects::Admission, resources::Resources};

/// Number of concurrent claim statements per node: while one is waiting for the database, the next hints are read.
const CLAIMS: usize = 2;
/// Pause after a claim statement that failed.
const PAUSE: Duration = Duration::from_millis(200);
/// Time for which a run may wait for external servers before it releases its permit.
const PATIENCE: Duration = Duration::from_secs(1);
/// Interval at which a run's waiting time for external servers is checked.
const LOOK: Duration = Duration::from_millis(250);

impl<C: Context> Engine<C> {
    pub(crate) async fn run_dispatcher(self, resources: Resources<C>) {
        // Here, because nothing is claimed before it.
        self.end_stale_leases().await;
        let claims = Arc::new(Semaphore::new(CLAIMS));
        while !resources.stop.is_cancelled() {
            let Ok(turn) = Arc::clone(&claims).acquire_owned().await else { return };
            let Some((heard, admitted)) = self.next_hints(&resources).await else { return };
            let Some(permits) = resources.permits.acquire(admitted.len()).await else { return };
            let (engine, resources) = (self.clone(), resources.clone());
            resources.tracker.clone().spawn(async move {
                engine.dispatch(&heard, &admitted, permits, &resources).await;
                drop(turn);
            });
        }
    }

    /// The next hints received from the lane, and the hints whose runs can be claimed now; `None` when the node stops.
    async fn next_hints(&self, resources: &Resources<C>) -> Option<(Vec<JobHint>, Vec<JobHint>)> {
        let quota = &resources.tenant_quota;
        let free = resources.permits.wait_for_free().await;
        let limits = self.limits(resources.permits.total());
        let heard = tokio::select! {
            () = resources.stop.cancelled() => return None,
            heard = self.hints().next(free, quota.max_wait(limits)) => heard,
        };
        let heard = heard.unwrap_or_else(|error| {
            tracing::debug!(%error, "no hints; the sweep goes on");
            Vec::new()
        });
        let mut admitted = quota.admit(&heard, limits);
        admitted.extend(quota.next_ready_hints(free.saturating_sub(admitted.len()), limits));
        Some((heard, admitted))
    }

    /// Claims the runs of the admitted hints, then acknowledges the hints received from the lane.
    async fn dispatch(
        &self,
        heard: &[JobHint],
        admitted: &[JobHint],
        permits: OwnedSemaphorePermit,
        resources: &Resources<C>,
    ) {
        let dispatched = self.claim_and_dispatch(admitted, permits, resources).await;
        if let (false, Err(error)) = (heard.is_empty(), self.hints().acknowledge(heard).await) {
            tracing::debug!(%error, "hints were not settled; a doubled hint finds nothing to claim");
        }
        if let Err(error) = dispatched {
            tracing::warn!(%error, "jobs could not be claimed; the sweep will offer them again");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Claims the admitted runs and executes each in a task of its own, with the permits acquired for them.
    pub(crate) async fn claim_and_dispatch(
        &self,
        admitted: &[JobHint],
        mut permits: OwnedSemaphorePermit,
        resources: &Resources<C>,
    ) -> Result<(), DatabaseError> {
        let quota = &resources.tenant_quota;
        let works = self.claim(admitted).await;
        let works = works.inspect_err(|_| admitted.iter().for_each(|hint| quota.release(hint)))?;
        let mut claimed: HashSet<Id<ids::Run>> = works.iter().map(|work| work.claimed.run).collect();
        // Whoever was told twice of a run has it once.
        let unclaimed = admitted.iter().filter(|hint| !claimed.remove(&hint.run));
        unclaimed.for_each(|hint| quota.release(hint));
        let mut fit = Vec::with_capacity(works.len());
        for work in works {
            match resources.crash_suspects.decide_admission(&work) {
                Admission::Now => fit.push(work),
                refused => self.postpone(&work, refused, resources).await,
            }
        }
        resources.held_leases.add(fit.iter().map(|work| (work.claimed.run, work.claimed.epoch)));
        for work in fit {
            self.spawn(work, permits.split(1), resources);
        }
        Ok(())
    }

    /// Executes a claimed run in a task of its own.
    fn spawn(&self, work: ClaimedRun, permit: Option<OwnedSemaphorePermit>, resources: &Resources<C>) {
        let (engine, resources) = (self.clone(), resources.clone());
        resources.tracker.clone().spawn(async move {
            let is_suspect = work.claimed.crashes > 0;
            engine.work_with(permit, work, &resources).await;
            if is_suspect {
                engine.execute_suspects(None, &resources).await;
            }
        });
    }

    /// Executes a claimed run with a permit, which is released early if the run waits for external servers for too
    /// long.
    async fn work_with(
        &self,
        mut permit: Option<OwnedSemaphorePermit>,
        work: ClaimedRun,
        resources: &Resources<C>,
    ) {
        let (hint, outside) = (work.hint(), ExternalTime::new(Arc::clone(self.clock())));
        let mut work = pin!(outside.measure(self.execute_run(work, resources)));
        let quota = &resources.tenant_quota;
        while tokio::time::timeout(LOOK, work.as_mut()).await.is_err() {
            if outside.total() < PATIENCE
                || !quota.try_step_aside(&hint, self.limits(resources.permits.total()))
            {
                continue;
            }
            let aside = resources.permits.release_while_waiting(permit.take()).await;
            work.await;
            quota.release_waiting_run(&hint);
            return drop(aside);
        }
        quota.release(&hint);
    }

    /// Releases the claim on a suspect run, which is executed later or alone.
    async fn postpone(&self, work: &ClaimedRun, admission: Admission, resources: &Resources<C>) {
        let hint = work.hint();
        self.release_claim(&work.claimed).await;
        resources.tenant_quota.release(&hint);
        if admission == Admission::Alone {
            let (engine, resources) = (self.clone(), resources.clone());
            let tracker = resources.tracker.clone();
            tracker.spawn(async move { engine.execute_suspects(Some(hint), &resources).await });
        }
    }

    /// Claims the runs to which the hints refer, and reads their rows.
    pub async fn claim(&self, hints: &[JobHint]) -> Result<Vec<ClaimedRun>, DatabaseError> {
        let ids: Vec<Id<ids::Run>> = hints.iter().map(|hint| hint.run).collect();
        // Before the claim: what passes meanwhile counts as passed.
        let since = self.clock().steady();
        let claimed = self.storage().claim(self.node(), &ids, RUN_LEASE).await?;
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Id<ids::Run>> = claimed.iter().map(|claimed| claimed.run).collect();
        let mut rows = self.storage().read_runs(&ids).await?;
        let mut works = Vec::with_capacity(claimed.len());
        for claimed in claimed {
            let Some((row, signals)) = rows.remove(&claimed.run) else { continue };
            match self.table(&row.workflow, row.version).filter(|_| row.status.known().is_some()) {
                Some(table) => works.push(ClaimedRun { claimed, row, table, signals, since }),
                None => self.release_unknown(&row, &claimed).await,
            }
        }
        Ok(works)
    }

    /// Releases a run whose workflow, version or status this binary does not support, so that a newer or older node can
    /// claim it.
    async fn release_unknown(&self, row: &Run, claimed: &JobClaim) {
        let (workflow, version) = (&row.workflow, row.version);
        tracing::warn!(run = %row.id, workflow, version, status = %row.status, "no such workflow or status here");
        self.release_claim(claimed).await;
    }

    pub(crate) async fn release_claim(&self, claimed: &JobClaim) {
        if let Err(error) = self.storage().release(claimed).await {
            tracing::warn!(%error, run = %claimed.run, "a claim could not be given back; its lease will run out");
        }
    }
}
