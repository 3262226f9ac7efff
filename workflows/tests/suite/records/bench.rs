//! What these tests stand on: a database of their own, the use cases, an engine, a clock.

use std::{sync::Arc, time::Duration};

use domain::{CallerKind, Id, Ids, SharedClock, StandardRole, TestClock, Timestamp, ids, state::Lane};
use engine::Workflow;
use entity::{Logins, Store, TrustedCode};
use runs::NewRun;
use services::{Anyone, Caller, Settings, System, Vault, grants::Connectors};
use testing::Database;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use workflows::{Engine, StepContext, engine_with};

pub struct Bench {
    pub services: System,
    pub engine: Engine,
    pub clock: TestClock,
    pub tenant: Id<ids::Tenant>,
    pub url: String,
    _database: Database,
}

/// With a clock that moves only when it is told to.
pub async fn still(postgres: bool, flows: Vec<Box<dyn Workflow<StepContext>>>) -> Bench {
    let clock = TestClock::at(Timestamp::UNIX_EPOCH + chrono::Duration::days(20_000));
    let shared: SharedClock = Arc::new(clock.clone());
    let database = Database::create(postgres).await;
    let url = database.url().to_owned();
    let owner = Store::connect_as_owner(&url).await.unwrap();
    migration::up(&owner).await.unwrap();
    owner.close().await.unwrap();
    let store = Store::connect(&Logins::from_url(&url), 4).await.unwrap();
    let services = services(store, shared);
    let engine = engine_with(&services, "here", flows);
    let tenant = new_tenant(&services).await;
    Bench { services, engine, clock, tenant, url, _database: database }
}

/// The use cases of one node.
pub fn services(store: Store, clock: SharedClock) -> System {
    let ids = Ids::random(Arc::clone(&clock));
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let queue = lanes::connect("memory:", "t", Arc::clone(&clock), ids.clone(), &tracker, &stop).unwrap();
    // The same for every node of a database, as the operator gives it.
    let vault = Vault::new([7; 32], ids.clone());
    let settings = Settings::for_url("http://127.0.0.1:1".parse().unwrap());
    System::new(store, clock, ids, queue, vault, Connectors::default(), settings)
}

pub async fn new_tenant(services: &System) -> Id<ids::Tenant> {
    let key = format!("muster_{}", services.ids.random_secret());
    services.keys().ensure_first_key(services, Some(&key), "test").await.unwrap();
    let caller =
        services.access().authenticate(Anyone, Some(&format!("Bearer {key}")), None).await.unwrap().caller;
    let staff = caller.allow_staff().unwrap();
    let name = services.ids.random_secret();
    let new = services::tenants::NewTenant {
        name,
        plan: domain::state::Plan::Plus,
        return_urls: Vec::new(),
        time_zone: None,
        language: None,
    };
    services.tenants().create(&staff, new).await.unwrap().id
}

/// An administrator of a tenant.
pub fn admin(tenant: Id<ids::Tenant>) -> Caller {
    let kind = CallerKind::User(tenant.any().with_kind());
    let permissions = StandardRole::Administrator.permissions();
    Caller::new(TrustedCode, kind, Some(tenant), permissions)
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
        entity::run::by_id(self.tenant, id).one(&txn).await.unwrap().unwrap()
    }

    pub fn admin(&self) -> Caller {
        admin(self.tenant)
    }

    /// Claims what is due.
    pub async fn claim(&self) -> Vec<engine::ClaimedRun> {
        let (store, clock) = (self.services.store.clone(), self.services.clock.clone());
        let storage = runs::Storage::new(store, clock, self.services.ids.clone());
        let hints = storage.sweep(Some(Duration::ZERO), 1000).await.unwrap();
        self.engine.claim(&hints).await.unwrap()
    }
}
