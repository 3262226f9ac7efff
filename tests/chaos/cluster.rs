//! A whole installation as separate processes: stores, the sandbox with its journal, nodes, one connected organisation.

mod api;
mod sandbox;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use demo::browser::{self, Browser};
use domain::{Ids, SharedClock, SystemClock};
use muster::seed;
use serde_json::{Value, json};
use testing::{
    Postgres, Redis,
    process::{Process, child_command, free_port, read_log_end},
};
use url::Url;

pub use self::{
    api::Api,
    sandbox::{Entry, Sandbox},
};
use super::database::Database;

/// The program under test: this build's, unless the environment names another one.
fn program() -> PathBuf {
    std::env::var_os("MUSTER_TEST_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_muster").into(), PathBuf::from)
}

/// How long the API may be unreachable, and how long connecting the organisation may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// The role of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Serves the API and executes runs.
    Serve,
    /// Executes runs only, without an API.
    Worker,
}

/// A running node.
pub struct Node {
    pub process: Process,
    pub role: Role,
    pub log: PathBuf,
}

impl Node {
    /// How the names of this node's lease holders begin.
    pub fn mark(&self) -> String {
        format!("{}-", self.process.id())
    }
}

/// The installation under test.
pub struct Cluster {
    pub nodes: Vec<Node>,
    pub postgres: Postgres,
    pub redis: Redis,
    pub database: Arc<Database>,
    pub api: Api,
    pub sandbox: Sandbox,
    pub organisation: Organisation,
    environment: BTreeMap<String, String>,
    serial: u32,
    // Last: the processes have ended before it goes.
    pub folder: tempfile::TempDir,
}

/// The size of the installation.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub users: usize,
    pub rooms: usize,
    /// Number of nodes besides the one with the API.
    pub workers: usize,
    /// Steps that a node executes concurrently.
    pub steps_at_once: usize,
}

/// The size for a test of a few seconds.
pub const SMALL: Size = Size { users: 6, rooms: 2, workers: 1, steps_at_once: 8 };

/// The connected organisation.
#[derive(Debug, Clone)]
pub struct Organisation {
    /// The organisation's id at the sandbox.
    pub id: String,
    /// The ids (`usr_...`) of people whose mailboxes are active.
    pub users: Vec<String>,
    /// The ids of the rooms.
    pub rooms: Vec<String>,
}

impl Cluster {
    pub async fn set(size: Size) -> Self {
        let folder = tempfile::tempdir().unwrap();
        open_to_servers(folder.path());
        let (postgres, redis) = (Postgres::start(folder.path()), Redis::start(folder.path()));
        let clock: SharedClock = Arc::new(SystemClock);
        let ids = Ids::random(clock);
        let client = browser::local_client().unwrap();
        let sandbox = Sandbox::start(folder.path(), client.clone()).await;
        let port = free_port();
        let base: Url = format!("http://127.0.0.1:{port}").parse().unwrap();
        let (client_id, secret) = (ids.uuid().to_string(), ids.random_secret());
        seed::register_application(&sandbox.url, &client_id, &secret, &base).await.unwrap();
        let key = format!("muster_{}", ids.random_secret());
        let graph = sandbox.url.join("/v1.0").unwrap();
        let environment = [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("MUSTER_DATABASE_URL", entity::Logins::from_url(&postgres.url()).app),
            ("MUSTER_MIGRATION_URL", postgres.url()),
            ("MUSTER_QUEUE_URL", redis.url()),
            ("MUSTER_LISTEN", format!("127.0.0.1:{port}")),
            ("MUSTER_PUBLIC_URL", base.to_string()),
            ("MUSTER_MASTER_KEY", ids.random_secret()),
            ("MUSTER_VENDOR_KEY", key.clone()),
            ("MUSTER_MICROSOFT__CLIENT_ID", client_id),
            ("MUSTER_MICROSOFT__CLIENT_SECRET", secret),
            ("MUSTER_MICROSOFT__LOGIN_URL", sandbox.url.to_string()),
            ("MUSTER_MICROSOFT__GRAPH_URL", graph.to_string()),
            ("MUSTER_ALLOWED_HOSTS", "127.0.0.1".to_owned()),
            ("MUSTER_STEPS_AT_ONCE", size.steps_at_once.to_string()),
        ];
        let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let database = Arc::new(Database::new(&postgres.url()));
        let api = Api { client: client.clone(), base, key, tenant: None };
        let organisation = Organisation { id: String::new(), users: Vec::new(), rooms: Vec::new() };
        let mut cluster = Self {
            nodes: Vec::new(),
            postgres,
            redis,
            database,
            api,
            sandbox,
            organisation,
            environment,
            serial: 0,
            folder,
        };
        let migrated = cluster.muster("migrate").output().unwrap();
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        cluster.add(Role::Serve);
        for _ in 0..size.workers {
            cluster.add(Role::Worker);
        }
        cluster.connect(size).await;
        cluster
    }

    /// Sets a variable for nodes that are started from now on.
    pub fn configure(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// A process of the program under test, with this environment and no other.
    fn muster(&self, command: &str) -> Command {
        let mut process = child_command(program());
        process.arg(command).env_clear().envs(&self.environment);
        process
    }

    fn node(&mut self, role: Role) -> Node {
        self.serial += 1;
        let log = self.folder.path().join(format!("node-{}.log", self.serial));
        let process = Process::start(self.muster(if role == Role::Serve { "serve" } else { "worker" }), &log);
        Node { process, role, log }
    }

    /// Starts one more node.
    pub fn add(&mut self, role: Role) {
        let node = self.node(role);
        self.nodes.push(node);
    }

    /// Kills a node with `SIGKILL`; returns its mark, see [`Node::mark`].
    pub fn kill(&mut self, index: usize) -> String {
        let mark = self.nodes[index].mark();
        self.nodes[index].process.kill();
        mark
    }

    /// Starts a node in place of one that has ended.
    pub fn replace(&mut self, index: usize) {
        let role = self.nodes[index].role;
        self.nodes[index] = self.node(role);
    }

    /// Nodes that ended on their own. One that found no database at its start is started again, as a supervisor would
    /// do.
    pub fn fallen(&mut self) -> Vec<String> {
        let mut fallen = Vec::new();
        for index in 0..self.nodes.len() {
            let Some(status) = self.nodes[index].process.exit_status() else { continue };
            let said = std::fs::read_to_string(&self.nodes[index].log).unwrap_or_default();
            if self.postgres.crashed_recently() && !said.contains("\"serving\"") {
                self.replace(index);
            } else {
                fallen.push(format!(
                    "a node ended by itself ({status}): {}",
                    read_log_end(&self.nodes[index].log)
                ));
            }
        }
        fallen
    }

    /// The messages of nodes that panicked.
    pub fn panics(&self) -> Vec<String> {
        let logs = (1..=self.serial).map(|serial| self.folder.path().join(format!("node-{serial}.log")));
        let text: String = logs.map(|log| std::fs::read_to_string(log).unwrap_or_default()).collect();
        text.lines().filter(|line| line.contains("panicked")).map(str::to_owned).collect()
    }

    /// Creates a tenant and has its administrator connect it.
    async fn connect(&mut self, size: Size) {
        let today = domain::Clock::now(&SystemClock).date_naive();
        let order = json!({ "name": "Chaos", "users": size.users, "rooms": size.rooms, "weeks": 1, "seed": 3, "from": today });
        let sandbox = self.sandbox.post("/control/organisations/generate", &order).await;
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text in {value}")).to_owned();
        let input = json!({ "name": "Chaos", "plan": "PLUS", "returnUrls": [self.api.base] });
        let tenant = text(&self.api.change("createTenant", "tenant { id }", input).await["tenant"]["id"]);
        let input = json!({ "tenantId": tenant, "feature": "SERVICE_ACCOUNT", "on": true });
        self.api.change("setFeature", "tenant { id }", input).await;
        self.api.tenant = Some(tenant);
        let mut users = Vec::new();
        for person in sandbox["users"].as_array().unwrap() {
            let input = json!({ "email": person["address"], "name": person["name"],
                "calendarAddress": person["address"], "timeZone": "Europe/Berlin" });
            users.push(text(&self.api.change("createUser", "user { id }", input).await["user"]["id"]));
        }
        let input = json!({ "email": sandbox["admin"]["address"] });
        let link = text(&self.api.change("inviteAdministrator", "url", input).await["url"]);
        let answers = vec![
            ("provider".to_owned(), "MICROSOFT_365".to_owned()),
            ("service_mailbox".to_owned(), text(&sandbox["shared"][0]["address"])),
        ];
        let mut browser = Browser::new(self.api.client.clone(), answers);
        browser
            .complete_pages(&link)
            .await
            .unwrap_or_else(|error| panic!("{error}: {}", read_log_end(&self.nodes[0].log)));
        self.until("the organisation is connected", async |cluster| {
            let active = "SELECT count(*) AS n FROM connection WHERE state = 'ACTIVE'";
            cluster.database.count(active).await == (size.users + size.rooms) as u64
                && cluster.database.open_jobs().await == 0
        })
        .await;
        let query = "{ rooms(first: 50) { edges { node { id } } } }";
        let listed = self.api.ask(query, json!({})).await;
        let edges = listed["rooms"]["edges"].as_array().unwrap();
        let rooms = edges.iter().map(|edge| text(&edge["node"]["id"])).collect();
        self.organisation = Organisation { id: text(&sandbox["id"]), users, rooms };
    }

    /// Waits until a condition holds.
    pub async fn until(&mut self, what: &str, is_so: impl AsyncFn(&Self) -> bool) {
        self.until_within(what, PATIENCE, is_so).await;
    }

    pub async fn until_within(&mut self, what: &str, most: Duration, is_so: impl AsyncFn(&Self) -> bool) {
        let until = Instant::now() + most;
        while !is_so(self).await {
            let fallen = self.fallen();
            assert!(fallen.is_empty(), "{fallen:?}");
            if Instant::now() >= until {
                let left = self.database.what_is_open().await;
                let logs: Vec<String> = self.nodes.iter().map(|node| read_log_end(&node.log)).collect();
                panic!("{what}: not within {most:?}.\nOpen: {left:#?}\nLogs: {}", logs.join("\n---\n"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// PostgreSQL runs as a user of its own, who needs access to its folder.
fn open_to_servers(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711)).unwrap();
}
