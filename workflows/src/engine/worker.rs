//! Claims runs, executes their steps, and passes the results to the committers, until it is told to stop.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use domain::{Id, ids};
use entity::DatabaseError;
use futures::{FutureExt, future::join_all};
use runs::{Claimed, Hint};
use sea_orm::{DatabaseBackend, QueryFilter, QueryOrder};
use services::audit::in_request;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Engine, Signal, StepInput, StepOutput,
    commit::{CommitOutcome, commit, give_back},
    committers::Committers,
    crash_suspects::CrashSuspects,
    decide::{ClaimedRun, MAX_CRASHES, Transition},
    tenant_quota::TenantQuota,
    worker_context::{HeldLeases, WorkerContext},
};

/// Lifetime of a lease without a heartbeat.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// Interval at which leases are renewed.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Number of concurrent claim statements per node: while one waits for the database, the next hints are read.
const CLAIMS: usize = 2;
/// Maximum number of steps that a worker executes under one lease before other runs have their turn.
const MAX_STEPS_PER_CLAIM: usize = 16;

/// Whether the run is quarantined if its worker dies once more. It is then executed alone, so that no crash is
/// counted for other runs.
fn is_last_chance(work: &ClaimedRun) -> bool {
    work.claimed.crashes + 1 >= MAX_CRASHES && work.claimed.crashes < MAX_CRASHES
}

impl Engine {
    /// Starts the worker tasks: a dispatcher, a heartbeat, committers and up to `at_once` concurrent steps. They
    /// end soon after `stop`, with their work finished or released.
    pub fn start(&self, tracker: &TaskTracker, stop: &CancellationToken, at_once: usize) {
        let held_leases = HeldLeases::default();
        let permits = Arc::new(Semaphore::new(at_once));
        let worker = WorkerContext {
            committers: Committers::start(self, tracker),
            held_leases: held_leases.clone(),
            permits,
            permit_count: at_once,
            tenant_quota: TenantQuota::default(),
            crash_suspects: CrashSuspects::default(),
            tracker: tracker.clone(),
            stop: stop.clone(),
        };
        tracker.spawn(self.clone().run_heartbeat(held_leases.clone(), stop.clone()));
        tracker.spawn(self.clone().run_sweeper(worker.clone(), stop.clone()));
        tracker.spawn(self.clone().run_dispatcher(worker, stop.clone()));
    }

    /// Releases the leases that this node still holds, because their steps took too long or could not be committed.
    /// Called at shutdown.
    pub async fn release_leases(&self) {
        let services = self.services();
        if let Err(error) = runs::release_node(services.store.engine(), &*services.clock, self.node()).await {
            tracing::warn!(%error, "leases were not ended; they will run out");
        }
    }

    /// Executes everything that is due, in rounds, until nothing is; used by tests. Returns the number of committed
    /// steps.
    pub async fn drain(&self) -> Result<usize, DatabaseError> {
        let mut steps = 0;
        loop {
            let store = &self.services().store;
            let hints =
                runs::sweep(store.engine(), &*self.services().clock, Some(Duration::ZERO), 256).await?;
            let works = self.claim(&hints).await?;
            if works.is_empty() {
                return Ok(steps);
            }
            let transition = join_all(works.iter().map(|work| self.work(work))).await;
            let written = commit(self.services(), self.node(), transition).await;
            steps += written.iter().filter(|(_, written)| *written).count();
        }
    }

    /// Claims the runs of these hints and reads their rows.
    pub async fn claim(&self, hints: &[Hint]) -> Result<Vec<ClaimedRun>, DatabaseError> {
        let ids: Vec<Id<ids::Run>> = hints.iter().map(|hint| hint.run).collect();
        let services = self.services();
        // Before the claim: what passes meanwhile counts as passed.
        let since = services.clock.steady();
        let claimed =
            runs::claim(services.store.by_key(), &*services.clock, self.node(), &ids, LEASE).await?;
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Id<ids::Run>> = claimed.iter().map(|claimed| claimed.run).collect();
        let select = entity::run::all_tenants().filter(services.store.id_in(entity::run::Column::Id, &ids));
        let (rows, signals) = tokio::join!(select.all(services.store.by_key()), self.signals(&ids));
        let mut rows: HashMap<Id<ids::Run>, entity::run::Model> =
            rows?.into_iter().map(|row| (row.id, row)).collect();
        let mut signals = signals?;
        let mut works = Vec::new();
        for claimed in claimed {
            let Some(row) = rows.remove(&claimed.run) else { continue };
            match self.table(&row.workflow, row.version).filter(|_| row.status.known().is_some()) {
                Some(table) => {
                    let signals = signals.remove(&claimed.run).unwrap_or_default();
                    works.push(ClaimedRun { claimed, row, table, signals, since });
                }
                None => self.release_unknown(&row, &claimed).await,
            }
        }
        Ok(works)
    }

    /// A run of a workflow or version, or with a status, that this binary does not know: a newer or older node has to
    /// take it.
    async fn release_unknown(&self, row: &entity::run::Model, claimed: &Claimed) {
        let (workflow, version) = (&row.workflow, row.version);
        tracing::warn!(run = %row.id, workflow, version, status = %row.status, "no such workflow or status here");
        give_back(self.services(), claimed).await;
    }

    /// Executes one step or undo.
    pub async fn work(&self, work: &ClaimedRun) -> Transition {
        let clock = &*self.services().clock;
        let now = work.now(clock);
        if let Some(transition) = work.decide_before_step(now) {
            return transition;
        }
        let flow = self.flow(work.table.name, work.table.version).expect("the table was found by its flow");
        // A worker that died over this state may have done its deed: to the step that is a failed attempt too.
        let attempt = u32::try_from(work.claimed.attempt + work.claimed.crashes).unwrap_or_default();
        let signals = work.signals.clone();
        let input = StepInput { row: &work.row, state: work.state(), attempt, signals, now };
        // What a step commits by itself is recorded as its run's.
        let doing = in_request(work.claimed.run.to_string(), async {
            match work.is_undoing() {
                false => flow.step(self.context(), input).await,
                true => flow.undo(self.context(), input).await,
            }
        });
        // A panic is a failure like any other: what was done is undone, and whoever looks sees why the run ended.
        let output = AssertUnwindSafe(doing).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(run = %work.claimed.run, state = work.state(), "a step panicked");
            StepOutput::panicked()
        });
        let jitter = self.services().ids.below(100) as u32;
        work.transition_after(output, work.now(clock), jitter)
    }

    /// The signals that wait for runs, read after their claim. A step never goes without: it would sleep through what
    /// it did not see.
    async fn signals(
        &self,
        runs: &[Id<ids::Run>],
    ) -> Result<HashMap<Id<ids::Run>, Vec<Signal>>, DatabaseError> {
        let store = &self.services().store;
        let select = entity::signal::all_tenants().filter(store.id_in(entity::signal::Column::RunId, runs));
        let rows = select.order_by_asc(entity::signal::Column::Id).all(store.by_key()).await?;
        let mut signals: HashMap<Id<ids::Run>, Vec<Signal>> = HashMap::new();
        for row in rows {
            let signal = Signal { id: row.id, name: row.name, payload: row.payload };
            signals.entry(row.run_id).or_default().push(signal);
        }
        Ok(signals)
    }

    async fn run_dispatcher(self, worker: WorkerContext, stop: CancellationToken) {
        // Here, because nothing is claimed before it.
        self.end_stale_leases().await;
        let hints = Arc::clone(&self.services().queue.hints);
        let claims = Arc::new(Semaphore::new(CLAIMS));
        while !stop.is_cancelled() {
            let Ok(turn) = Arc::clone(&claims).acquire_owned().await else { return };
            let free = worker.free_permits().await;
            let patience = worker.tenant_quota.max_wait(self.tenant_limit());
            let next = tokio::select! {
                () = stop.cancelled() => return,
                next = hints.next(free, patience) => next,
            };
            let next = next.unwrap_or_else(|error| {
                tracing::debug!(%error, "no hints; the sweep goes on");
                Vec::new()
            });
            let mut found = worker.tenant_quota.admit(&next, self.tenant_limit());
            found.extend(
                worker.tenant_quota.next_ready(free.saturating_sub(found.len()), self.tenant_limit()),
            );
            let Some(permits) = worker.acquire(found.len()).await else { return };
            let (engine, worker, hints) = (self.clone(), worker.clone(), Arc::clone(&hints));
            worker.tracker.clone().spawn(async move {
                let dispatched = engine.claim_and_dispatch(&found, permits, &worker).await;
                if let (false, Err(error)) = (next.is_empty(), hints.acknowledge(&next).await) {
                    tracing::debug!(%error, "hints were not settled; a doubled hint finds nothing to claim");
                }
                if let Err(error) = dispatched {
                    tracing::warn!(%error, "jobs could not be claimed; the sweep will offer them again");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                drop(turn);
            });
        }
    }

    /// Maximum number of runs of one tenant that this node executes at a time.
    pub(super) fn tenant_limit(&self) -> usize {
        let services = self.services();
        services.settings.tenant_runs_at_once.div_ceil(services.queue.nodes())
    }

    /// Claims the admitted runs and executes each in a task of its own, with the permits acquired for them.
    pub(super) async fn claim_and_dispatch(
        &self,
        admitted: &[Hint],
        mut permits: OwnedSemaphorePermit,
        worker: &WorkerContext,
    ) -> Result<(), DatabaseError> {
        let works = match self.claim(admitted).await {
            Ok(works) => works,
            Err(error) => {
                for hint in admitted {
                    worker.tenant_quota.release(hint);
                }
                return Err(error);
            }
        };
        let mut claimed: HashSet<Id<ids::Run>> = works.iter().map(|work| work.claimed.run).collect();
        // Whoever was told twice of a run has it once.
        admitted
            .iter()
            .filter(|hint| !claimed.remove(&hint.run))
            .for_each(|hint| worker.tenant_quota.release(hint));
        let (mut fit, mut claims) = (Vec::with_capacity(works.len()), Vec::with_capacity(works.len()));
        for work in works {
            let hint = Hint { run: work.claimed.run, tenant: work.claimed.tenant, lane: work.claimed.lane };
            if work.claimed.crashes > 0 && !worker.crash_suspects.admit(hint) {
                give_back(self.services(), &work.claimed).await;
                worker.tenant_quota.release(&hint);
                continue;
            }
            if is_last_chance(&work) {
                give_back(self.services(), &work.claimed).await;
                worker.tenant_quota.release(&hint);
                let (engine, worker) = (self.clone(), worker.clone());
                worker
                    .tracker
                    .clone()
                    .spawn(async move { engine.work_on_suspects(Some(hint), &worker).await });
                continue;
            }
            claims.push((work.claimed.run, work.claimed.epoch));
            fit.push((work, hint));
        }
        worker.held_leases.add(&claims);
        for (work, hint) in fit {
            let permit = permits.split(1);
            let (engine, worker) = (self.clone(), worker.clone());
            worker.tracker.clone().spawn(async move {
                let is_suspect = work.claimed.crashes > 0;
                engine.work_on(work, &worker).await;
                worker.tenant_quota.release(&hint);
                drop(permit);
                if is_suspect {
                    engine.work_on_suspects(None, &worker).await;
                }
            });
        }
        Ok(())
    }

    /// Executes a claimed run until it is released.
    async fn work_on(&self, work: ClaimedRun, worker: &WorkerContext) {
        let claim = (work.claimed.run, work.claimed.epoch);
        // Steps are guarded by themselves. Whatever else panics lets the lease run out, so that the next claim counts it
        // as a crash.
        if AssertUnwindSafe(self.run_steps(work, worker)).catch_unwind().await.is_err() {
            tracing::error!(run = %claim.0, "working on a run panicked; its lease will run out");
        }
        worker.held_leases.remove(&[claim]);
    }

    /// Executes suspect runs one after the other: the first, if one was admitted, then the waiting ones.
    async fn work_on_suspects(&self, first: Option<Hint>, worker: &WorkerContext) {
        let mut next = first.or_else(|| worker.crash_suspects.next());
        while let Some(hint) = next {
            if !worker.stop.is_cancelled()
                && let Err(error) = self.work_on_suspect(hint, worker).await
            {
                tracing::warn!(%error, "a job could not be claimed; the sweep will offer it again");
            }
            next = worker.crash_suspects.next();
        }
    }

    async fn work_on_suspect(&self, hint: Hint, worker: &WorkerContext) -> Result<(), DatabaseError> {
        let Some(mut permits) = worker.acquire(1).await else { return Ok(()) };
        let mut works = self.claim(&[hint]).await?;
        if works.iter().any(is_last_chance) {
            // Not held while it waits: what dies meanwhile is not this one's doing.
            for work in works.drain(..) {
                give_back(self.services(), &work.claimed).await;
            }
            drop(permits);
            let Some(all) = worker.acquire(worker.permit_count).await else { return Ok(()) };
            (permits, works) = (all, self.claim(&[hint]).await?);
        }
        for work in works {
            worker.held_leases.add(&[(work.claimed.run, work.claimed.epoch)]);
            self.work_on(work, worker).await;
        }
        drop(permits);
        Ok(())
    }

    /// Executes the steps of a run under one lease, for as long as the next step is due at once.
    async fn run_steps(&self, mut work: ClaimedRun, worker: &WorkerContext) {
        for turn in 1..=MAX_STEPS_PER_CLAIM {
            let mut transition = self.work(&work).await;
            let is_due = !transition.status.is_over() && transition.due <= transition.at;
            transition.keep = is_due && turn < MAX_STEPS_PER_CLAIM && !worker.stop.is_cancelled();
            match worker.committers.commit(transition).await {
                Some((transition, CommitOutcome::Kept)) => work.advance(transition),
                Some((transition, CommitOutcome::TooLate)) => {
                    return tracing::warn!(run = %transition.run, "a step came too late and was not written");
                }
                Some((_, CommitOutcome::Written)) | None => return,
            }
        }
    }

    async fn run_heartbeat(self, held_leases: HeldLeases, stop: CancellationToken) {
        let mut beat = tokio::time::interval(HEARTBEAT);
        loop {
            tokio::select! {
                _ = beat.tick() => {}
                // Shutting down: what is left is looked at more often, to end as soon as nothing is.
                () = stop.cancelled() => tokio::time::sleep(Duration::from_millis(100)).await,
            }
            let claims = held_leases.all();
            if stop.is_cancelled() && claims.is_empty() {
                return;
            }
            let services = self.services();
            if let Err(error) = runs::renew(services.store.by_key(), &*services.clock, &claims, LEASE).await {
                tracing::warn!(%error, "leases were not renewed");
            }
        }
    }

    /// Ends all leases of an SQLite database when its process starts: nobody alive can hold one.
    async fn end_stale_leases(&self) {
        let services = self.services();
        if services.store.backend() == DatabaseBackend::Sqlite
            && let Err(error) = runs::end_all_leases(services.store.engine(), &*services.clock).await
        {
            tracing::warn!(%error, "old leases were not ended; they will run out");
        }
    }
}
