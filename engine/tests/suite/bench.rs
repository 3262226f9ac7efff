//! What the tests stand on: a database of their own, the storage of runs, lanes, an engine, a clock, and steps that
//! write notes.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    Clock, Id, Ids, JobHint, SharedClock, TestClock, Timestamp, Topic, ids,
    state::{Lane, RunStatus},
};
use engine::{Context, Contexts, Settings, Transition, Workflow};
use entity::{Logins, Store, store::APP_ROLE};
use lanes::{Lanes, Message};
use runs::{ChangeWriter, CommittedRuns, NewRun, ReviveOutcome, Run, Storage, WriteError};
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, EntityTrait, Statement,
};
use testing::Database;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub type Engine = engine::Engine<TestContext>;
pub type Step<M> = engine::Step<M, Note>;
pub type StepResult = engine::StepResult<Note>;

/// The only change of the steps of these tests: a row with a number. A negative one cannot be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Note(pub i32);

/// The number of the note that the writer adds by itself when a run is quarantined.
pub const PARKED: i32 = 1_000;

/// What steps get: the database, to ask it for the time.
#[derive(Debug)]
pub struct TestContext {
    pub store: Store,
}

impl Context for TestContext {
    type Writer = Notes;
    type Committing = ();
}

/// Writes notes, and tells of commits over the lanes.
#[derive(Debug)]
pub struct Notes(Lanes);

#[async_trait]
impl ChangeWriter for Notes {
    type Change = Note;
    /// The notes of the transaction, which are stored at its end.
    type AfterCommit = Vec<(Id<ids::Run>, i32)>;

    async fn write(
        &self,
        _txn: &DatabaseTransaction,
        transition: &Transition,
        changes: &[Note],
        after: &mut Self::AfterCommit,
    ) -> Result<(), WriteError> {
        after.extend(changes.iter().map(|note| (transition.run, note.0)));
        if transition.status == RunStatus::Quarantined {
            after.push((transition.run, PARKED));
        }
        Ok(())
    }

    async fn store(
        &self,
        txn: &DatabaseTransaction,
        after: &mut Self::AfterCommit,
    ) -> Result<(), WriteError> {
        for (run, number) in after.drain(..) {
            let sql = "INSERT INTO note (run_id, number) VALUES ($1, $2)";
            let values = [run.into(), number.into()];
            txn.execute_raw(Statement::from_sql_and_values(txn.get_database_backend(), sql, values)).await?;
        }
        Ok(())
    }

    async fn publish(&self, _after: Vec<Self::AfterCommit>, runs: CommittedRuns) {
        let message = |event: &entity::event_log::Model| {
            let (topic, payload) = (event.topic.to_string(), serde_json::Value::Null);
            Message { tenant: event.tenant_id, topic, id: event.id, payload }
        };
        self.0.fanout.publish(runs.events.iter().map(message).collect()).await;
        tell(&self.0, &runs.hints).await;
    }
}

/// Pushes hints. Where nobody listens they are left out in the end: the sweep finds their jobs.
async fn tell(lanes: &Lanes, hints: &[JobHint]) {
    if let Err(error) = lanes.hints.push(hints).await {
        assert!(matches!(error, lanes::Error::Full { .. }), "{error}");
    }
}

/// One node on a database.
pub struct Node {
    pub engine: Engine,
    pub store: Store,
    pub storage: Storage,
    pub lanes: Lanes,
    pub ids: Ids,
}

impl Node {
    /// A node of a database. `clock` is what the product reads.
    pub fn new(
        name: &str,
        store: Store,
        clock: SharedClock,
        flows: Vec<Box<dyn Workflow<TestContext>>>,
    ) -> Self {
        Self::with_limit(name, store, clock, flows, usize::MAX)
    }

    /// The same with a limit of the runs of one tenant that are executed at a time.
    pub fn with_limit(
        name: &str,
        store: Store,
        clock: SharedClock,
        flows: Vec<Box<dyn Workflow<TestContext>>>,
        tenant_runs_at_once: usize,
    ) -> Self {
        let ids = Ids::random(Arc::clone(&clock));
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let lanes = lanes::connect("memory:", "t", Arc::clone(&clock), ids.clone(), &tracker, &stop).unwrap();
        let storage = Storage::new(store.clone(), clock, ids.clone());
        let settings = Settings { node: name.to_owned(), tenant_runs_at_once };
        let (contexts, writer) =
            (Contexts::new(TestContext { store: store.clone() }, ()), Notes(lanes.clone()));
        let engine = Engine::new(contexts, writer, storage.clone(), lanes.clone(), settings, flows);
        Self { engine, store, storage, lanes, ids }
    }

    /// The current time, as the product reads it.
    pub fn now(&self) -> Timestamp {
        self.storage.clock().now()
    }

    /// Another node beside this one, on the same connections.
    pub fn beside(&self, name: &str, clock: SharedClock, flows: Vec<Box<dyn Workflow<TestContext>>>) -> Self {
        Self::new(name, self.store.clone(), clock, flows)
    }

    /// Enqueues runs in a transaction of their tenant; returns the hints of those that were inserted.
    pub async fn enqueue_runs(&self, tenant: Id<ids::Tenant>, runs: &[NewRun]) -> Vec<JobHint> {
        let txn = self.store.write(tenant).await.unwrap();
        let hints = runs::enqueue(&txn, runs, self.now()).await.unwrap();
        txn.commit().await.unwrap();
        hints
    }

    /// Sends a signal; `false` if the run has ended.
    pub async fn signal_to(&self, tenant: Id<ids::Tenant>, run: Id<ids::Run>, name: &str) -> bool {
        let txn = self.store.write(tenant).await.unwrap();
        let signal =
            runs::signal(&txn, self.ids.make(), (tenant, run), name, serde_json::Value::Null, self.now());
        let hint = signal.await.unwrap();
        txn.commit().await.unwrap();
        tell(&self.lanes, hint.as_slice()).await;
        hint.is_some()
    }

    /// Asks a run to stop; `false` if it has ended.
    pub async fn cancel(&self, tenant: Id<ids::Tenant>, run: Id<ids::Run>) -> bool {
        let txn = self.store.write(tenant).await.unwrap();
        let hint = runs::request_cancel(&txn, tenant, run, self.now()).await.unwrap();
        txn.commit().await.unwrap();
        hint.is_some()
    }

    /// Gives a run another life; `false` if it cannot have one.
    pub async fn revive(&self, tenant: Id<ids::Tenant>, run: Id<ids::Run>) -> bool {
        let row = self.read(tenant, run).await;
        let txn = self.store.write(tenant).await.unwrap();
        let revival = runs::revive(&txn, &row, (self.ids.make(), "test"), self.now()).await.unwrap();
        match revival {
            ReviveOutcome::Revived(_) => txn.commit().await.unwrap(),
            ReviveOutcome::NotRetryable | ReviveOutcome::AlreadyLive => txn.rollback().await.unwrap(),
        }
        matches!(revival, ReviveOutcome::Revived(_))
    }

    /// The row of a run.
    pub async fn read(&self, tenant: Id<ids::Tenant>, run: Id<ids::Run>) -> Run {
        let txn = self.store.read(tenant).await.unwrap();
        entity::run::by_id(tenant, run).one(&txn).await.unwrap().unwrap()
    }
}

/// A node with its own database and a tenant.
pub struct Bench {
    pub node: Node,
    pub engine: Engine,
    pub clock: TestClock,
    pub tenant: Id<ids::Tenant>,
    pub url: String,
    pub statements: Arc<AtomicU64>,
    _database: Database,
}

/// A machine whose clock is some hours ahead of the database's, or behind it.
#[derive(Debug)]
pub struct Wrong(pub i64);

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        domain::SystemClock.now() + chrono::Duration::hours(self.0)
    }

    fn sql(&self) -> Option<Timestamp> {
        None
    }
}

/// With a clock that moves only when it is told to.
pub async fn still(postgres: bool, flows: Vec<Box<dyn Workflow<TestContext>>>) -> Bench {
    let clock = TestClock::at(Timestamp::UNIX_EPOCH + chrono::Duration::days(20_000));
    at(postgres, clock.clone(), Arc::new(clock), flows).await
}

/// With any clock: `shared` is what the product reads, `clock` what the test moves.
pub async fn at(
    postgres: bool,
    clock: TestClock,
    shared: SharedClock,
    flows: Vec<Box<dyn Workflow<TestContext>>>,
) -> Bench {
    let database = Database::create(postgres).await;
    let url = database.url().to_owned();
    let owner = Store::connect_as_owner(&url).await.unwrap();
    migration::up(&owner).await.unwrap();
    owner.execute_unprepared(&table(owner.get_database_backend())).await.unwrap();
    owner.close().await.unwrap();
    let statements = Arc::default();
    let store = Store::connect(&Logins::from_url(&url), 4).await.unwrap().count_statements(&statements);
    let node = Node::new("here", store, shared, flows);
    let tenant = new_tenant(&node).await;
    Bench { engine: node.engine.clone(), node, clock, tenant, url, statements, _database: database }
}

/// The table of notes.
fn table(backend: DatabaseBackend) -> String {
    let (key, grant) = match backend {
        DatabaseBackend::Postgres => ("uuid", format!("GRANT SELECT, INSERT ON note TO {APP_ROLE};")),
        _ => ("blob", String::new()),
    };
    format!("CREATE TABLE note (run_id {key} NOT NULL, number integer NOT NULL CHECK (number >= 0)); {grant}")
}

/// A tenant that owns runs and nothing else.
pub async fn new_tenant(node: &Node) -> Id<ids::Tenant> {
    let id = node.ids.make();
    let tenant = entity::tenant::Model {
        id,
        name: node.ids.random_secret(),
        plan: domain::state::Plan::Plus.into(),
        return_urls: serde_json::json!([]),
        time_zone: None,
        language: None,
        providers: None,
        data_key: Vec::new(),
        data_key_rotation: None,
        erasing_since: None,
        version: 0,
        created_at: node.now(),
    };
    let txn = node.store.write(id).await.unwrap();
    let row = entity::tenant::ActiveModel::from(tenant);
    entity::tenant::Entity::insert(row).exec_without_returning(&txn).await.unwrap();
    txn.commit().await.unwrap();
    id
}

/// The notes of a run, sorted.
pub async fn notes(owner: &DatabaseConnection, run: Id<ids::Run>) -> Vec<i32> {
    let sql = "SELECT number FROM note WHERE run_id = $1 ORDER BY number";
    let statement = Statement::from_sql_and_values(owner.get_database_backend(), sql, [run.into()]);
    let rows = owner.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "number").unwrap()).collect()
}

/// A run that somebody wants.
pub fn wanted(
    id: Id<ids::Run>,
    tenant: Id<ids::Tenant>,
    workflow: &'static str,
    key: String,
    memory: serde_json::Value,
) -> NewRun {
    NewRun {
        id,
        tenant,
        workflow,
        business_key: key,
        subject: id.any(),
        asked_by: "test".to_owned(),
        lane: Lane::Bulk,
        memory,
    }
}

impl Bench {
    /// Enqueues a run of the workflow `toy`, which does what `mode` says, and tells the lane of it.
    pub async fn enqueue(&self, tenant: Id<ids::Tenant>, mode: &str) -> Id<ids::Run> {
        self.enqueue_in(Lane::Bulk, tenant, mode).await
    }

    pub async fn enqueue_in(&self, lane: Lane, tenant: Id<ids::Tenant>, mode: &str) -> Id<ids::Run> {
        let id = self.node.ids.make();
        let run = wanted(id, tenant, "toy", id.to_string(), serde_json::json!({ "mode": mode }));
        let run = NewRun { lane, ..run };
        let hints = self.node.enqueue_runs(tenant, &[run]).await;
        assert_eq!(hints.len(), 1);
        self.node.lanes.hints.push(&hints).await.unwrap();
        id
    }

    pub async fn signal(&self, run: Id<ids::Run>) -> bool {
        self.node.signal_to(self.tenant, run, "bell").await
    }

    pub async fn run(&self, id: Id<ids::Run>) -> Run {
        self.node.read(self.tenant, id).await
    }

    pub async fn sweep(&self) -> Vec<JobHint> {
        self.node.storage.sweep(Some(Duration::ZERO), 1000).await.unwrap()
    }

    /// Executes one step of each claimed run.
    pub async fn work(&self, works: &[engine::ClaimedRun]) -> Vec<StepResult> {
        let mut results = Vec::with_capacity(works.len());
        for work in works {
            results.push(self.engine.execute_step(work).await);
        }
        results
    }

    /// Changes what is stored about runs behind the engine's back.
    pub async fn tamper(&self, sql: &str) {
        self.node.store.engine_connection().execute_unprepared(sql).await.unwrap();
    }

    /// What a statement over the engine's tables counts as `n`.
    pub async fn count(&self, sql: &str) -> i64 {
        let engine = self.node.store.engine_connection();
        let row = engine.query_one_raw(Statement::from_string(engine.get_database_backend(), sql)).await;
        row.unwrap().unwrap().try_get("", "n").unwrap()
    }

    /// The notes of a run, sorted.
    pub async fn notes(&self, run: Id<ids::Run>) -> Vec<i32> {
        let owner = Store::connect_as_owner(&self.url).await.unwrap();
        let notes = notes(&owner, run).await;
        owner.close().await.unwrap();
        notes
    }

    /// Events of the tenant's runs, as they are published.
    pub fn subscribe(&self, node: &Node) -> lanes::Subscription {
        node.lanes.fanout.subscribe(self.tenant, Topic::Run.as_str())
    }
}
