//! A node of Muster without its API: the engine with the benchmark workflows, enqueuing in shared commits, and
//! notification of tasks that wait for a run to end.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{CallerKind, Id, Ids, SharedClock, StandardRole, SystemClock, ids, state::Lane};
use entity::{Logins, Store, TrustedCode};
use futures::{
    StreamExt,
    stream::{BoxStream, select_all},
};
use runs::NewRun;
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};
use services::{Anyone, Caller, Member, Settings, System, Vault, events::WatchEvent, grants::Connectors};
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use workflows::{Engine, StepContext, engine_with};

use crate::{
    Result,
    bench_workflows::{self, await_signal::Bell, single_step::Single, three_steps::Three, timed_step::Timed},
};

/// Maximum number of runs enqueued by one transaction.
const ORDERS: usize = 128;
/// Number of tenants to which the runs are assigned in turn.
const TENANTS: usize = 4;

/// A node; see the module documentation. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    /// The use cases.
    pub services: System,
    /// The engine; executes nothing until the node is started.
    pub engine: Engine,
    /// Whose runs they are.
    pub tenants: Arc<Vec<Id<ids::Tenant>>>,
    orders: mpsc::Sender<NewRunRequest>,
    waiting: Waiting,
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// A run to be enqueued, and a channel that is notified after its commit.
struct NewRunRequest {
    run: NewRun,
    ordered: oneshot::Sender<bool>,
}

/// Channels to notify when a run ends.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<HashMap<Id<ids::Run>, oneshot::Sender<()>>>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<Id<ids::Run>, oneshot::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// Connects to a new or existing database, and to Redis with a separate key prefix.
    pub async fn new(postgres: &str, redis: &str, prefix: &str, connections: u32) -> Result<Self> {
        let clock: SharedClock = Arc::new(SystemClock);
        let ids = Ids::random(Arc::clone(&clock));
        let owner = Store::connect_as_owner(postgres).await?;
        migration::up(&owner).await?;
        owner.close().await?;
        let store = Store::connect(&Logins::from_url(postgres), connections).await?;
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let queue = lanes::connect(redis, prefix, Arc::clone(&clock), ids.clone(), &tracker, &stop)?;
        // The same for every node of a database, as the operator gives it.
        let vault = Vault::new([7; 32], ids.clone());
        let settings = Settings::for_url("http://127.0.0.1:1".parse()?);
        let services = System::new(store, clock, ids, queue, vault, Connectors::default(), settings);
        let name = format!("bench-{}", std::process::id());
        let flows = vec![
            Box::new(Three) as Box<dyn engine::Workflow<StepContext>>,
            Box::new(Single),
            Box::new(Timed),
            Box::new(Bell),
        ];
        let engine = engine_with(&services, &name, flows);
        let mut tenants = Vec::new();
        for _ in 0..TENANTS {
            tenants.push(new_tenant(&services).await?);
        }
        let (orders, inbox) = mpsc::channel(ORDERS * 4);
        let waiting = Waiting::default();
        let node = Self { services, engine, tenants: Arc::new(tenants), orders, waiting, tracker, stop };
        node.tracker.spawn(node.clone().order_for_ever(inbox));
        let mut heard = Vec::new();
        for tenant in node.tenants.iter() {
            heard.push(node.services.events().watch_runs(&member(*tenant)?).boxed());
        }
        node.tracker.spawn(node.clone().tell_for_ever(select_all(heard).ready_chunks(1024).boxed()));
        Ok(node)
    }

    /// Starts the workers, which execute up to this number of steps concurrently.
    pub fn start(&self, max_concurrent_steps: usize) {
        self.engine.start(&self.tracker, &self.stop, max_concurrent_steps);
    }

    /// Stops everything that was started.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// A new run of a benchmark workflow.
    pub fn new_run(&self, workflow: &'static str) -> NewRun {
        let id = self.services.ids.make();
        let tenant = self.tenants[self.services.ids.random_below(self.tenants.len() as u64) as usize];
        NewRun {
            id,
            tenant,
            workflow,
            business_key: id.uuid().to_string(),
            subject: id.any(),
            asked_by: "bench".to_owned(),
            lane: Lane::Bulk,
            memory: serde_json::json!({}),
        }
    }

    /// Enqueues a run in the next shared transaction; returns after its commit.
    pub async fn enqueue(&self, run: NewRun) -> Result<()> {
        let (ordered, answer) = oneshot::channel();
        self.orders.send(NewRunRequest { run, ordered }).await.map_err(|_| "the node has stopped")?;
        if answer.await? { Ok(()) } else { Err("an order was not written".into()) }
    }

    /// Enqueues a run and waits until it has ended.
    pub async fn run(&self, workflow: &'static str) -> Result<()> {
        let run = self.new_run(workflow);
        let (told, over) = oneshot::channel();
        let id = run.id;
        self.waiting.lock().insert(id, told);
        self.enqueue(run).await?;
        over.await?;
        bench_workflows::take_last_step_time(id);
        Ok(())
    }

    /// Enqueues runs in one transaction, then publishes their hints.
    pub async fn enqueue_runs(&self, runs: &[NewRun]) -> Result<()> {
        let txn = self.services.store.write_many(&self.tenants).await?;
        let hints = runs::enqueue(&txn, runs, self.services.now()).await?;
        txn.commit().await?;
        if hints.len() != runs.len() {
            return Err("an order was left out".into());
        }
        self.services.queue.hints.push(&hints).await?;
        Ok(())
    }

    async fn order_for_ever(self, mut inbox: mpsc::Receiver<NewRunRequest>) {
        loop {
            let mut batch = Vec::new();
            tokio::select! {
                count = inbox.recv_many(&mut batch, ORDERS) => if count == 0 { return },
                () = self.stop.cancelled() => return,
            }
            let (runs, told): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|order| (order.run, order.ordered)).unzip();
            let written = self.enqueue_runs(&runs).await;
            if let Err(error) = &written {
                tracing::error!(%error, "orders were not written");
            }
            for ordered in told {
                // Nobody waits any more: nobody has to be told.
                let _gone = ordered.send(written.is_ok());
            }
        }
    }

    /// Watches all steps, finds runs that have ended, and notifies the tasks that wait for them.
    async fn tell_for_ever(self, mut heard: BoxStream<'static, Vec<WatchEvent>>) {
        loop {
            let chunk = tokio::select! {
                chunk = heard.next() => chunk,
                () = self.stop.cancelled() => return,
            };
            let Some(chunk) = chunk else { return };
            let mut runs = HashSet::new();
            for heard in chunk {
                match heard {
                    WatchEvent::Changed { subject, .. } => {
                        runs.insert(subject.with_kind());
                    }
                    WatchEvent::Lagged => runs.extend(self.waiting.lock().keys().copied()),
                }
            }
            runs.retain(|run| bench_workflows::has_begun_last_step(*run));
            match self.over(runs.into_iter().collect()).await {
                Ok(over) => {
                    let mut waiting = self.waiting.lock();
                    for told in over.iter().filter_map(|run| waiting.remove(run)) {
                        let _gone = told.send(());
                    }
                }
                Err(error) => tracing::error!(%error, "runs could not be read"),
            }
        }
    }

    /// Which of these runs are over.
    async fn over(&self, runs: Vec<Id<ids::Run>>) -> Result<Vec<Id<ids::Run>>> {
        if runs.is_empty() {
            return Ok(runs);
        }
        let sql = "SELECT id FROM run WHERE id = ANY($1) AND status = 'DONE'";
        let statement = Statement::from_sql_and_values(DatabaseBackend::Postgres, sql, [runs.into()]);
        let rows = self.services.store.engine_key_connection().query_all_raw(statement).await?;
        Ok(rows.iter().map(|row| row.try_get("", "id")).collect::<std::result::Result<_, _>>()?)
    }
}

fn member(tenant: Id<ids::Tenant>) -> Result<Member> {
    let kind = CallerKind::User(tenant.any().with_kind());
    let permissions = StandardRole::Administrator.permissions();
    let caller = Caller::new(TrustedCode, kind, Some(tenant), permissions);
    Ok(caller.allow_member().map_err(|_| "an administrator may")?)
}

async fn new_tenant(services: &System) -> Result<Id<ids::Tenant>> {
    let key = format!("muster_{}", services.ids.random_secret());
    services.keys().ensure_first_key(services, Some(&key), "bench").await?;
    let caller = services.access().authenticate(Anyone, Some(&format!("Bearer {key}")), None).await?.caller;
    let staff = caller.allow_staff().map_err(|_| "the vendor's key may")?;
    let name = services.ids.random_secret();
    let new = services::tenants::NewTenant {
        name,
        plan: domain::state::Plan::Plus,
        return_urls: Vec::new(),
        time_zone: None,
        language: None,
    };
    Ok(services.tenants().create(&staff, new).await?.id)
}
