//! Engines with workflows of their own, as processes: what a test plants into a workflow, no product workflow does.
//!
//! A test runs itself again as a node: the child's test function begins with [`EngineCluster::join`] and works until it is
//! ended. So a step may abort its whole process, and two "binaries" with different tables share a database.

use std::{path::PathBuf, process::Command, sync::Arc};

use domain::{Id, Ids, SharedClock, SystemClock, ids, state::Lane};
use engine::Workflow;
use entity::{Logins, Store};
use runs::NewRun;
use services::{Anyone, Settings, System, Vault, grants::Connectors};
use testing::{
    Postgres, Redis,
    process::{Process, child_command},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use workflows::{StepContext, engine_with};

use super::database::Database;

/// What tells a child what it is, and where its stores are.
const KIND: &str = "MUSTER_TEST_CHAOS_NODE";
const STORES: [&str; 2] = ["MUSTER_TEST_CHAOS_POSTGRES", "MUSTER_TEST_CHAOS_REDIS"];

/// How much there is of something: little in the suite, as much as the requirement says in `scripts/soak --full`.
pub fn size(short: u64, full: u64) -> u64 {
    if std::env::var_os("MUSTER_TEST_CHAOS_FULL").is_some() { full } else { short }
}

/// The stores, a tenant, and whoever orders runs. It does not work on any.
pub struct EngineCluster {
    pub database: Database,
    pub services: System,
    pub tenant: Id<ids::Tenant>,
    postgres: Postgres,
    redis: Redis,
    serial: u32,
    folder: tempfile::TempDir,
}

/// A child that works.
pub struct Child {
    pub process: Process,
    pub log: PathBuf,
}

impl Child {
    /// How the leases of this node begin.
    pub fn mark(&self) -> String {
        format!("{}-", self.process.id())
    }

    /// How often its log says something.
    pub fn said(&self, text: &str) -> usize {
        std::fs::read_to_string(&self.log).unwrap_or_default().matches(text).count()
    }
}

async fn services(postgres: &str, redis: &str, tracker: &TaskTracker, stop: &CancellationToken) -> System {
    let clock: SharedClock = Arc::new(SystemClock);
    let ids = Ids::random(Arc::clone(&clock));
    let store = Store::connect(&Logins::from_url(postgres), 6).await.unwrap();
    let queue = lanes::connect(redis, "chaos", Arc::clone(&clock), ids.clone(), tracker, stop).unwrap();
    // The same for every node of a database, as the operator gives it.
    let vault = Vault::new([7; 32], ids.clone());
    let settings = Settings::for_url("http://127.0.0.1:1".parse().unwrap());
    System::new(store, clock, ids, queue, vault, Connectors::default(), settings)
}

impl EngineCluster {
    pub async fn lay() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        // PostgreSQL runs as a user of its own and has to get at its folder.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        let (postgres, redis) = (Postgres::start(folder.path()), Redis::start(folder.path()));
        let owner = Store::connect_as_owner(&postgres.url()).await.unwrap();
        migration::up(&owner).await.unwrap();
        owner.close().await.unwrap();
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let services = services(&postgres.url(), &redis.url(), &tracker, &stop).await;
        let key = format!("muster_{}", services.ids.random_secret());
        services.keys().ensure_first_key(&services, Some(&key), "test").await.unwrap();
        let caller = services
            .access()
            .authenticate(Anyone, Some(&format!("Bearer {key}")), None)
            .await
            .unwrap()
            .caller;
        let new = services::tenants::NewTenant {
            name: "Chaos".to_owned(),
            plan: domain::state::Plan::Plus,
            return_urls: Vec::new(),
            time_zone: None,
            language: None,
        };
        let tenant = services.tenants().create(&caller.allow_staff().unwrap(), new).await.unwrap().id;
        let database = Database::new(&postgres.url());
        Self { database, services, tenant, postgres, redis, serial: 0, folder }
    }

    /// Orders one run.
    pub async fn enqueue(&self, workflow: &'static str, memory: serde_json::Value) -> Id<ids::Run> {
        let id: Id<ids::Run> = self.services.ids.make();
        let run = NewRun {
            id,
            tenant: self.tenant,
            workflow,
            business_key: id.uuid().to_string(),
            subject: id.any(),
            asked_by: "test".to_owned(),
            lane: Lane::Bulk,
            memory,
        };
        let txn = self.services.store.write(self.tenant).await.unwrap();
        let hints = runs::enqueue(&txn, &[run], self.services.now()).await.unwrap();
        txn.commit().await.unwrap();
        self.services.queue.hints.push(&hints).await.unwrap();
        id
    }

    pub async fn signal(&self, run: Id<ids::Run>, name: &'static str) {
        let mut tx = self.services.begin(self.tenant).await.unwrap();
        assert!(tx.signal(run, name, ()).await.unwrap(), "the run is over");
        tx.commit().await.unwrap();
    }

    /// Starts a node of some kind: the named test, run as a child.
    pub fn node(&mut self, test: &str, kind: &str) -> Child {
        self.serial += 1;
        let log = self.folder.path().join(format!("{kind}-{}.log", self.serial));
        let mut command: Command = child_command(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).env(KIND, kind).env("RUST_BACKTRACE", "0");
        command.env(STORES[0], self.postgres.url()).env(STORES[1], self.redis.url());
        Child { process: Process::start(command, &log), log }
    }

    /// In a child: works with the workflows of its kind until it is asked to end, and returns `true`. In a test:
    /// answers `false`.
    pub async fn join(flows: impl Fn(&str) -> Vec<Box<dyn Workflow<StepContext>>>) -> bool {
        let Ok(kind) = std::env::var(KIND) else { return false };
        tracing_subscriber::fmt().with_writer(std::io::stderr).init();
        let [postgres, redis] = STORES.map(|name| std::env::var(name).unwrap());
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let services = services(&postgres, &redis, &tracker, &stop).await;
        let node = format!("{}-{}", std::process::id(), &services.ids.random_secret()[..8]);
        engine_with(&services, &node, flows(&kind)).start(&tracker, &stop, 8);
        muster::app::wait_for_interrupt().await.unwrap();
        stop.cancel();
        tracker.close();
        tracker.wait().await;
        true
    }
}
