//! A whole installation as separate processes: stores, the sandbox with its journal, nodes, one connected organisation.

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom},
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
    process::{Process, bound, free_port, tail},
};
use url::Url;

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
        let client = browser::client().unwrap();
        let sandbox = Sandbox::start(folder.path(), client.clone()).await;
        let port = free_port();
        let base: Url = format!("http://127.0.0.1:{port}").parse().unwrap();
        let (client_id, secret) = (ids.uuid().to_string(), ids.random_secret());
        seed::register_app(&sandbox.url, &client_id, &secret, &base).await.unwrap();
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
        let mut process = bound(program());
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
            let Some(status) = self.nodes[index].process.ended() else { continue };
            let said = std::fs::read_to_string(&self.nodes[index].log).unwrap_or_default();
            if self.postgres.crashed_lately() && !said.contains("\"serving\"") {
                self.replace(index);
            } else {
                fallen.push(format!("a node ended by itself ({status}): {}", tail(&self.nodes[index].log)));
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
            .unwrap_or_else(|error| panic!("{error}: {}", tail(&self.nodes[0].log)));
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
                let logs: Vec<String> = self.nodes.iter().map(|node| tail(&node.log)).collect();
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

/// The GraphQL API, called as a vendor's back end calls it: an unanswered request is sent again with the same key.
#[derive(Debug, Clone)]
pub struct Api {
    client: http::Client,
    pub base: Url,
    key: String,
    tenant: Option<String>,
}

impl Api {
    /// Asks until there is a well-formed response.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let why = match self.once(query, &variables).await {
                Ok(data) => return data,
                Err(why) => why,
            };
            assert!(Instant::now() < until, "the API does not answer: {why}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The back end's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The same back end, acting for another tenant.
    pub fn acting_for(&self, tenant: &str) -> Self {
        Self { tenant: Some(tenant.to_owned()), ..self.clone() }
    }

    async fn once(&self, query: &str, variables: &Value) -> Result<Value, String> {
        let answer = self.answer(query, variables).await?;
        let mut body: Value = answer.json().map_err(|_| answer.text())?;
        match body["errors"].get(0) {
            None => Ok(body["data"].take()),
            Some(error) => Err(error.to_string()),
        }
    }

    /// Asks once, whatever the response is.
    pub async fn answer(&self, query: &str, variables: &Value) -> Result<http::Response, String> {
        let mut request = http::Request::new(http::Method::POST, self.base.join("/graphql").unwrap())
            .header(http::header::ACCEPT, "application/json")
            .authorization(&format!("Bearer {}", self.key))
            .body("application/json", json!({ "query": query, "variables": variables }).to_string());
        if let Some(tenant) = &self.tenant {
            request = request.header(http::HeaderName::from_static("muster-tenant"), tenant);
        }
        self.client.send(request).await.map_err(|error| error.to_string())
    }

    /// Calls a mutation until there is a response; returns its payload, refusals included.
    pub async fn mutate(&self, field: &str, selection: &str, input: Value) -> Value {
        let ty = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
        let query = format!(
            "mutation($input: {ty}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code message }} }} }}"
        );
        self.ask(&query, json!({ "input": input })).await[field].take()
    }

    /// Calls a mutation that must not be refused.
    pub async fn change(&self, field: &str, selection: &str, input: Value) -> Value {
        let payload = self.mutate(field, selection, input).await;
        assert_eq!(payload["userErrors"], json!([]), "{field}: {payload}");
        payload
    }
}

/// The imitation of the providers, with its append-only journal.
pub struct Sandbox {
    pub url: Url,
    process: Process,
    folder: PathBuf,
    client: http::Client,
    /// The position up to which the journal was read, and the entries read.
    read: std::sync::Mutex<(u64, Vec<Entry>)>,
}

impl Sandbox {
    async fn start(folder: &Path, client: http::Client) -> Self {
        let port = free_port();
        let url: Url = format!("http://127.0.0.1:{port}/").parse().unwrap();
        let (process, read) = (Self::run(folder, port), std::sync::Mutex::default());
        let sandbox = Self { url, process, folder: folder.to_owned(), client, read };
        sandbox.until_there().await;
        sandbox
    }

    fn run(folder: &Path, port: u16) -> Process {
        let mut command = bound(program());
        command.args(["sandbox", "serve", "--listen", &format!("127.0.0.1:{port}"), "--data"]);
        command.arg(folder.join("sandbox")).arg("--journal").arg(folder.join("journal.jsonl"));
        Process::start(command, &folder.join("sandbox.log"))
    }

    async fn until_there(&self) {
        let until = Instant::now() + PATIENCE;
        while self.try_get("/control/clock").await.is_none() {
            assert!(Instant::now() < until, "the sandbox does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills the sandbox and starts it again after `away`, from where it stopped.
    pub async fn crash(&mut self, away: Duration) {
        self.process.kill();
        tokio::time::sleep(away).await;
        self.process = Self::run(&self.folder, self.url.port().unwrap());
        self.until_there().await;
    }

    async fn try_get(&self, path: &str) -> Option<Value> {
        let request = http::Request::new(http::Method::GET, self.url.join(path).unwrap());
        self.client.send(request).await.ok()?.json().ok()
    }

    pub async fn get(&self, path: &str) -> Value {
        self.control(http::Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Value {
        self.control(http::Method::POST, path, Some(body)).await
    }

    /// Plants a fault.
    pub async fn fault(&self, fault: Value) {
        self.post("/control/faults", &fault).await;
    }

    /// Removes all planted faults.
    pub async fn clear_faults(&self) {
        self.control(http::Method::DELETE, "/control/faults", None).await;
    }

    /// Asks until there is a response: a kept-alive connection may have ended with an earlier process.
    async fn control(&self, method: http::Method, path: &str, body: Option<&Value>) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut request = http::Request::new(method.clone(), self.url.join(path).unwrap());
            if let Some(body) = body {
                request = request.body("application/json", body.to_string());
            }
            match self.client.send(request).await {
                Ok(answer) => {
                    assert!(answer.status.is_success(), "{path}: {}", answer.text());
                    return answer.json().unwrap();
                }
                Err(error) => assert!(Instant::now() < until, "the sandbox does not answer {path}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The journal so far, read from its file.
    pub fn journal(&self) -> Vec<Entry> {
        let mut read = self.read.lock().unwrap();
        let mut file = std::fs::File::open(self.folder.join("journal.jsonl")).unwrap();
        file.seek(SeekFrom::Start(read.0)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        // The last line may be half written.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        read.0 += whole.len() as u64;
        read.1.extend(whole.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap()));
        read.1.clone()
    }
}

/// A line of the journal.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Entry {
    pub at: domain::Timestamp,
    pub key: Option<String>,
    pub outcome: String,
    pub status: u16,
}
