//! What the engine's tests stand on: a database of their own, the use cases, an engine, a clock.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use domain::Hint;
use domain::{CallerKind, Clock, Id, Ids, SharedClock, StandardRole, TestClock, Timestamp, ids, state::Lane};
use entity::{Logins, Store, Trusted};
use runs::NewRun;
use sea_orm::{ConnectionTrait, Statement};
use services::{Anyone, Caller, Settings, System, Vault, grants::Connectors};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use workflows::engine::{Engine, Flow};

pub struct Bench {
    pub services: System,
    pub engine: Engine,
    pub clock: TestClock,
    pub tenant: Id<ids::Tenant>,
    pub url: String,
    pub statements: Arc<AtomicU64>,
    _folder: tempfile::TempDir,
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
pub async fn still(postgres: bool, flows: Vec<Box<dyn Flow>>) -> Bench {
    let clock = TestClock::at(Timestamp::UNIX_EPOCH + chrono::Duration::days(20_000));
    at(postgres, clock.clone(), Arc::new(clock), flows).await
}

/// With any clock: `shared` is what the product reads, `clock` what the test moves.
pub async fn at(postgres: bool, clock: TestClock, shared: SharedClock, flows: Vec<Box<dyn Flow>>) -> Bench {
    let ids = Ids::random(Arc::clone(&shared));
    let folder = tempfile::tempdir().unwrap();
    let url = match postgres {
        false => format!("sqlite://{}?mode=rwc", folder.path().join("t.db").display()),
        true => database(&ids).await,
    };
    let owner = Store::owner(&url).await.unwrap();
    migration::up(&owner).await.unwrap();
    owner.close().await.unwrap();
    let statements = Arc::default();
    let store = Store::connect(&Logins::at(&url), 4).await.unwrap().counted(&statements);
    let services = services(store, shared);
    let engine = Engine::new(services.clone(), "here", flows);
    let tenant = new_tenant(&services).await;
    Bench { services, engine, clock, tenant, url, statements, _folder: folder }
}

/// The use cases of one node.
pub fn services(store: Store, clock: SharedClock) -> System {
    services_with(store, clock, |_| ())
}

/// The same with other settings.
pub fn services_with(store: Store, clock: SharedClock, set: impl FnOnce(&mut Settings)) -> System {
    let ids = Ids::random(Arc::clone(&clock));
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let queue = lanes::connect("memory:", "t", Arc::clone(&clock), ids.clone(), &tracker, &stop).unwrap();
    // The same for every node of a database, as the operator gives it.
    let vault = Vault::new([7; 32], ids.clone());
    let mut settings = Settings::at("http://127.0.0.1:1".parse().unwrap());
    set(&mut settings);
    System::new(store, clock, ids, queue, vault, Connectors::default(), settings)
}

async fn database(ids: &Ids) -> String {
    let server = std::env::var("MUSTER_TEST_POSTGRES")
        .expect("MUSTER_TEST_POSTGRES is not set: run the tests through scripts/test");
    let name = format!("e_{}", &ids.secret()[..16]);
    let owner = Store::owner(&server).await.unwrap();
    owner.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

pub async fn new_tenant(services: &System) -> Id<ids::Tenant> {
    let key = format!("muster_{}", services.ids.secret());
    services.keys().ensure_first(services, Some(&key), "test").await.unwrap();
    let caller =
        services.access().authenticate(Anyone, Some(&format!("Bearer {key}")), None).await.unwrap().caller;
    let staff = caller.allow_staff().unwrap();
    let name = services.ids.secret();
    let new = services::tenants::NewTenant {
        name,
        plan: domain::state::Plan::Plus,
        return_urls: Vec::new(),
        time_zone: None,
        language: None,
    };
    services.tenants().create(&staff, new).await.unwrap().id
}

/// What a statement over the engine's tables counts as `n`.
pub async fn count(bench: &Bench, sql: &str) -> i64 {
    let engine = bench.services.store.engine();
    let row = engine.query_one_raw(Statement::from_string(engine.get_database_backend(), sql)).await;
    row.unwrap().unwrap().try_get("", "n").unwrap()
}

/// A number that whoever runs the tests has set.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The ids that a statement over the engine's tables answers.
pub async fn column(bench: &Bench, sql: &str) -> Vec<Id<ids::Run>> {
    let engine = bench.services.store.engine();
    let rows =
        engine.query_all_raw(Statement::from_string(engine.get_database_backend(), sql)).await.unwrap();
    rows.iter().map(|row| row.try_get("", "id").unwrap()).collect()
}

/// An administrator of a tenant.
pub fn admin(tenant: Id<ids::Tenant>) -> Caller {
    let kind = CallerKind::User(tenant.any().of());
    let permissions = StandardRole::Administrator.permissions();
    Caller::new(Trusted, kind, Some(tenant), permissions)
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
    pub async fn enqueue(&self, tenant: Id<ids::Tenant>, mode: &str) -> Id<ids::Run> {
        let id = self.services.ids.make();
        let run = wanted(id, tenant, "toy", id.to_string(), serde_json::json!({ "mode": mode }));
        let txn = self.services.store.write(tenant).await.unwrap();
        let hints = runs::enqueue(&txn, &[run], self.services.now()).await.unwrap();
        assert_eq!(hints.len(), 1);
        txn.commit().await.unwrap();
        self.services.queue.hints.push(&hints).await.unwrap();
        id
    }

    pub async fn signal(&self, run: Id<ids::Run>) -> bool {
        let mut tx = self.services.begin(self.tenant).await.unwrap();
        let reached = tx.signal(run, "bell", ()).await.unwrap();
        tx.commit().await.unwrap();
        reached
    }

    pub async fn run(&self, id: Id<ids::Run>) -> entity::run::Model {
        let txn = self.services.store.read(self.tenant).await.unwrap();
        entity::run::one(self.tenant, id).one(&txn).await.unwrap().unwrap()
    }

    pub fn admin(&self) -> Caller {
        admin(self.tenant)
    }

    pub async fn sweep(&self) -> Vec<Hint> {
        runs::sweep(self.services.store.engine(), &self.clock, Some(Duration::ZERO), 1000).await.unwrap()
    }
}
