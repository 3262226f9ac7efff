//! The system under test: a database with its nodes, on which each operation of the model is executed.

use std::{collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use domain::{Clock, Id, JobHint, ids};
use engine::{ClaimedRun, CommitOutcome};
use entity::Store;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, Statement, prelude::*,
};
use tokio::runtime::Runtime;

use super::{
    op::Op,
    reference::{Answer, Job, Stored, WORKERS, origin},
    toy::Walk,
};
use crate::bench::{self, Bench, Engine, Node, PARKED, StepResult};

/// The database and the nodes, kept from case to case: making them takes longer than a case.
pub(super) struct Servers {
    pub(super) runtime: Runtime,
    pub(super) bench: Bench,
    pub(super) owner: DatabaseConnection,
    pub(super) engines: Vec<Engine>,
    pub(super) stranger: Engine,
    pub(super) tenants: [Id<ids::Tenant>; 2],
}

impl Servers {
    pub(super) fn new(postgres: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (bench, owner, other, engines) = runtime.block_on(async {
            let bench = bench::still(postgres, Vec::new()).await;
            let owner = Store::connect_as_owner(&bench.url).await.unwrap();
            let other = bench::new_tenant(&bench.node).await;
            let node = |n: usize| {
                let (name, clock) = (format!("node {n}"), Arc::new(bench.clock.clone()));
                bench.node.beside(&name, clock, vec![Box::new(Walk)]).engine
            };
            let engines = (0..WORKERS).map(node).collect();
            (bench, owner, other, engines)
        });
        let (stranger, tenants) = (bench.engine.clone(), [bench.tenant, other]);
        Self { runtime, bench, owner, engines, stranger, tenants }
    }

    pub(super) fn begin_anew(&self) {
        self.bench.clock.advance(origin() - self.bench.clock.now());
        self.runtime.block_on(async {
            for table in ["run", "note", "event_log"] {
                self.owner.execute_unprepared(&format!("DELETE FROM {table}")).await.unwrap();
            }
        });
    }

    fn node(&self) -> &Node {
        &self.bench.node
    }

    fn engine(&self) -> &DatabaseConnection {
        self.node().store.engine_connection()
    }
}

/// What the product has: the ids of the model's runs, and what each worker holds.
pub(super) struct Real<const POSTGRES: bool> {
    pub(super) servers: Rc<Servers>,
    pub(super) runs: Vec<(Id<ids::Run>, Id<ids::Tenant>)>,
    pub(super) worker_states: Vec<(Vec<ClaimedRun>, Results)>,
}

pub(super) type Results = Vec<(ClaimedRun, StepResult)>;

impl<const POSTGRES: bool> Real<POSTGRES> {
    fn index(&self, run: Id<ids::Run>) -> usize {
        self.runs.iter().position(|(id, _)| *id == run).unwrap()
    }

    fn hint(&self, run: usize) -> JobHint {
        let (run, tenant) = self.runs[run];
        JobHint { run, tenant, lane: domain::state::Lane::Bulk }
    }

    async fn enqueue(&mut self, key: u8, memory: serde_json::Value) -> bool {
        let (node, tenant) = (self.servers.node(), self.servers.tenants[usize::from(key) % 2]);
        let id = node.ids.make();
        let run = bench::wanted(id, tenant, "walk", key.to_string(), memory);
        let ordered = !node.enqueue_runs(tenant, &[run]).await.is_empty();
        if ordered {
            self.runs.push((id, tenant));
        }
        ordered
    }

    async fn claim(&mut self, worker: Option<usize>, hints: &[usize]) -> Vec<(usize, i64)> {
        let hints: Vec<JobHint> = hints.iter().map(|run| self.hint(*run)).collect();
        let engine = worker.map_or(&self.servers.stranger, |worker| &self.servers.engines[worker]);
        let mut works = engine.claim(&hints).await.unwrap();
        works.sort_by_key(|work| self.index(work.claimed.run));
        let claimed = works.iter().map(|work| (self.index(work.claimed.run), work.claimed.epoch)).collect();
        if let Some(worker) = worker {
            self.worker_states[worker].0.extend(works);
        }
        claimed
    }

    async fn commit(&mut self, worker: usize, picked: &[usize], keep: bool) -> Vec<(usize, CommitOutcome)> {
        let mut results: Vec<Option<(ClaimedRun, StepResult)>> =
            self.worker_states[worker].1.drain(..).map(Some).collect();
        let batch: Vec<_> = picked.iter().map(|index| results[*index].take().unwrap()).collect();
        self.worker_states[worker].1.extend(results.into_iter().flatten());
        let (works, mut batch): (Vec<ClaimedRun>, Vec<StepResult>) = batch.into_iter().unzip();
        for result in &mut batch {
            result.transition.keep = keep && result.transition.is_due();
        }
        let mut committed = self.servers.engines[worker].commit_and_keep_claims(batch).await;
        let mut fates = Vec::new();
        for mut work in works {
            let key = (work.claimed.run, work.claimed.epoch, work.row.revision);
            let is_its = |(result, _): &(StepResult, CommitOutcome)| result.key() == key;
            let (result, fate) = committed.remove(committed.iter().position(is_its).unwrap());
            fates.push((self.index(work.claimed.run), fate));
            if fate == CommitOutcome::Kept {
                work.advance(result.transition);
                self.worker_states[worker].0.push(work);
            }
        }
        fates
    }

    async fn beat(&self, worker: usize) -> Vec<usize> {
        let (works, results) = &self.worker_states[worker];
        let claims = works.iter().map(|work| (work.claimed.run, work.claimed.epoch));
        let claims =
            claims.chain(results.iter().map(|(_, result)| (result.transition.run, result.transition.epoch)));
        let claims: Vec<_> = claims.collect();
        let kept = self.servers.node().storage.renew(&claims, engine::RUN_LEASE).await.unwrap();
        let mut kept: Vec<usize> = kept.into_iter().map(|run| self.index(run)).collect();
        kept.sort_unstable();
        kept
    }

    async fn signal(&self, (run, tenant): (Id<ids::Run>, Id<ids::Tenant>), name: &str) -> bool {
        self.servers.node().signal_to(tenant, run, name).await
    }

    /// Does one operation and compares what comes out with the model's answer.
    pub(super) async fn happen(&mut self, op: &Op, answer: &Answer) {
        let servers = Rc::clone(&self.servers);
        match (op, answer) {
            (Op::Order { key, plan }, Answer::Done(ordered)) => {
                let memory = serde_json::json!({ "plan": plan, "count": 0, "laps": 0, "until": null });
                assert_eq!(self.enqueue(*key, memory).await, *ordered, "one live run per key");
            }
            (Op::Sweep { again_s }, Answer::Offered(expected)) => {
                let again = again_s.map(|again_s| Duration::from_secs(again_s.into()));
                let hints = servers.node().storage.sweep(again, 1000).await.unwrap();
                let mut offered: Vec<usize> = hints.iter().map(|hint| self.index(hint.run)).collect();
                offered.sort_unstable();
                assert_eq!(&offered, expected, "what the sweep offers");
            }
            (Op::Take { worker, .. } | Op::Guess { worker, .. }, Answer::Claimed { hints, runs }) => {
                assert_eq!(&self.claim(Some(*worker), hints).await, runs, "what can be claimed");
            }
            (Op::Stranger { .. }, Answer::Claimed { hints, .. }) => {
                assert_eq!(self.claim(None, hints).await, [], "a stranger has no work");
            }
            (Op::Work { worker, which, twice }, _) => {
                let (works, results) = &mut self.worker_states[*worker];
                if !works.is_empty() {
                    let work = works.remove(which % works.len());
                    for _ in 0..=u8::from(*twice) {
                        results.push((copy(&work), servers.engines[*worker].execute_step(&work).await));
                    }
                }
            }
            (Op::Commit { worker, keep, .. }, Answer::Written { picked, fates }) => {
                assert_eq!(&self.commit(*worker, picked, *keep).await, fates, "what is written");
            }
            (Op::Crash { worker, which }, _) => {
                let (works, results) = &mut self.worker_states[*worker];
                match works.len() {
                    0 if results.is_empty() => {}
                    0 => drop(results.remove(which % results.len())),
                    n => drop(works.remove(which % n)),
                }
            }
            (Op::Die { worker }, _) => self.worker_states[*worker] = (Vec::new(), Vec::new()),
            (Op::Beat { worker }, Answer::Kept(kept)) => {
                assert_eq!(&self.beat(*worker).await, kept, "whose claims are kept");
            }
            (_, Answer::Moved(by_s)) => servers.bench.clock.advance(chrono::Duration::seconds(*by_s)),
            (Op::Signal { run, name }, Answer::Done(reached)) => {
                let run = self.runs[run % self.runs.len()];
                assert_eq!(self.signal(run, name).await, *reached, "a signal reaches live runs");
            }
            (Op::Cancel { run } | Op::Retry { run }, Answer::Done(done)) => {
                let (run, tenant) = self.runs[run % self.runs.len()];
                let answered = match op {
                    Op::Cancel { .. } => servers.node().cancel(tenant, run).await,
                    _ => servers.node().revive(tenant, run).await,
                };
                assert_eq!(answered, *done, "{op:?}");
            }
            (_, Answer::Nothing) => {}
            unexpected => unreachable!("{unexpected:?}"),
        }
    }

    /// Everything that is stored about the runs, in the model's order.
    pub(super) async fn stored(&self) -> Vec<Stored> {
        let engine = self.servers.engine();
        let mut jobs = self.jobs().await;
        #[expect(clippy::disallowed_methods, reason = "the test reads the runs of all tenants")]
        let (runs, signals) = (entity::run::Entity::find(), entity::signal::Entity::find());
        let mut signals: Vec<_> = signals.order_by_asc(entity::signal::Column::Id).all(engine).await.unwrap();
        signals.sort_by_key(|signal| signal.name.clone());
        let mut runs: Vec<_> = runs.all(engine).await.unwrap();
        assert_eq!(runs.len(), self.runs.len(), "no run comes or goes by itself");
        runs.sort_by_key(|run| self.index(run.id));
        let stored = runs.into_iter().map(|run| Stored {
            status: run.status.to_string(),
            state: run.state.as_ref().map(ToString::to_string),
            revision: run.revision,
            memory: serde_json::from_value(run.memory.clone()).unwrap(),
            trail: serde_json::from_value(run.trail.clone()).unwrap(),
            wait_signal: run.wait_signal.clone(),
            cancel: run.cancel_requested,
            undoing: run.undoing,
            is_explained: run.reason.is_some(),
            signals: signals.iter().filter(|s| s.run_id == run.id).map(|s| s.name.clone()).collect(),
            job: jobs.remove(&run.id),
        });
        let stored = stored.collect();
        assert_eq!(jobs, BTreeMap::new(), "no job without its run");
        stored
    }

    async fn jobs(&self) -> BTreeMap<Id<ids::Run>, Job> {
        let engine = self.servers.engine();
        let sql = "SELECT run_id, due_at, lease_until, offered_at, epoch, attempt, crashes, first_crash_at, wakes FROM job";
        let rows =
            engine.query_all_raw(Statement::from_string(engine.get_database_backend(), sql)).await.unwrap();
        let read = |row: &sea_orm::QueryResult| {
            let job = Job {
                due: row.try_get("", "due_at")?,
                lease: row.try_get("", "lease_until")?,
                offered: row.try_get("", "offered_at")?,
                epoch: row.try_get("", "epoch")?,
                attempt: row.try_get("", "attempt")?,
                crashes: row.try_get("", "crashes")?,
                first_crash: row.try_get("", "first_crash_at")?,
                wakes: row.try_get("", "wakes")?,
            };
            Ok::<_, sea_orm::DbErr>((row.try_get("", "run_id")?, job))
        };
        rows.iter().map(|row| read(row).unwrap()).collect()
    }

    /// The history of one run and the numbers that its steps wrote.
    pub(super) async fn told(
        &self,
        (run, tenant): (Id<ids::Run>, Id<ids::Tenant>),
    ) -> (Vec<(i64, String, String, Option<String>, i32)>, Vec<u64>) {
        let txn = self.servers.bench.node.store.read(tenant).await.unwrap();
        let lines = entity::run_history::of(tenant).filter(entity::run_history::Column::RunId.eq(run));
        let lines = lines.order_by_asc(entity::run_history::Column::Revision).all(&txn).await.unwrap();
        let counts = bench::notes(&self.servers.owner, run).await;
        // A run that was quarantined has a note more for each time.
        let counts = counts.into_iter().filter(|number| *number != PARKED);
        let counts = counts.map(|number| number.unsigned_abs().into()).collect();
        let lines = lines.into_iter().map(|l| {
            let next = l.next_state.map(|state| state.to_string());
            (l.revision, l.state.to_string(), l.outcome.to_string(), next, l.attempt)
        });
        (lines.collect(), counts)
    }
}

fn copy(work: &ClaimedRun) -> ClaimedRun {
    let (claimed, row, signals) = (work.claimed.clone(), work.row.clone(), work.signals.clone());
    ClaimedRun { claimed, row, table: work.table, signals, since: work.since }
}
