//! `kill -9` in the middle of the main job: nothing is lost, and no event is written twice.
//!
//! The sandbox is a process of its own; its append-only journal is the judge. The server is killed when the n-th
//! entry stands in the journal and started again on the same port; the demo goes on, as a vendor's back end would.
//! `n` is drawn from a seed that is printed. `scripts/kill --times N` runs the same with more kills.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use demo::browser;
use domain::{Ids, SharedClock, SystemClock};
use muster::seed;
use serde_json::Value;
use url::Url;

const MUSTER: &str = env!("CARGO_BIN_EXE_muster");

/// Kills in one walk through the main job: fewer than park a run that is met by each of them.
const KILLS_A_WALK: usize = 2;
/// A walk writes about this many entries. Kills are drawn within the shortest walk so far.
const ENTRIES: u64 = 150;

/// A child process that does not outlive its test.
struct Process(Child);

impl Process {
    fn kill(&mut self) {
        // Already gone is as good.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

struct Walk {
    folder: tempfile::TempDir,
    sandbox: Url,
    base: Url,
    environment: BTreeMap<String, String>,
    vendor_key: String,
    client: http::Client,
    _sandbox: Process,
}

impl Walk {
    async fn begin(ids: &Ids) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (sandbox_process, sandbox) = start_sandbox(folder.path());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let base: Url = format!("http://127.0.0.1:{port}").parse().unwrap();
        let (client_id, secret) = (ids.uuid().to_string(), ids.random_secret());
        seed::register_application(&sandbox, &client_id, &secret, &base).await.unwrap();
        let vendor_key = format!("muster_{}", ids.random_secret());
        let graph = sandbox.join("/v1.0").unwrap();
        let environment = [
            ("MUSTER_DATABASE_URL", format!("sqlite://{}?mode=rwc", folder.path().join("m.db").display())),
            ("MUSTER_QUEUE_URL", "memory:".to_owned()),
            ("MUSTER_LISTEN", format!("127.0.0.1:{port}")),
            ("MUSTER_PUBLIC_URL", base.to_string()),
            ("MUSTER_MASTER_KEY", ids.random_secret()),
            ("MUSTER_VENDOR_KEY", vendor_key.clone()),
            ("MUSTER_MICROSOFT__CLIENT_ID", client_id),
            ("MUSTER_MICROSOFT__CLIENT_SECRET", secret),
            ("MUSTER_MICROSOFT__LOGIN_URL", sandbox.to_string()),
            ("MUSTER_MICROSOFT__GRAPH_URL", graph.to_string()),
            ("MUSTER_ALLOWED_HOSTS", "127.0.0.1".to_owned()),
            ("MUSTER_HEALTH_EVERY_SECONDS", "2".to_owned()),
        ];
        let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let client = browser::local_client().unwrap();
        let walk = Self { folder, sandbox, base, environment, vendor_key, client, _sandbox: sandbox_process };
        let migrated = walk.muster(&["migrate"]).status().unwrap();
        assert!(migrated.success(), "the migration failed");
        walk
    }

    fn muster(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(MUSTER);
        command.args(arguments).envs(&self.environment).stdin(Stdio::null());
        command
    }

    fn log(&self, name: &str) -> std::fs::File {
        let path = self.folder.path().join(name);
        std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap()
    }

    fn serve(&self) -> Process {
        let mut command = self.muster(&["serve"]);
        Process(command.stdout(self.log("serve.log")).stderr(self.log("serve.log")).spawn().unwrap())
    }

    fn demo(&self) -> Process {
        let state = self.folder.path().join("state.json");
        let arguments =
            ["demo", "--provider", "microsoft-365", "--users", "4", "--keep", "--url", self.base.as_str()];
        let mut command = self.muster(&arguments);
        command.args(["--key", &self.vendor_key, "--sandbox", self.sandbox.as_str()]);
        command.arg("--state").arg(state);
        Process(command.stdout(self.log("demo.log")).stderr(self.log("demo.log")).spawn().unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let request = http::Request::new(http::Method::GET, self.sandbox.join(path).unwrap());
        self.client.send(request).await.unwrap().json().unwrap()
    }

    /// How many entries stand in the journal.
    async fn written(&self) -> u64 {
        self.get("/control/journal").await.as_array().map_or(0, Vec::len) as u64
    }

    /// Whether the n-th entry stands in the journal; waits for it a moment.
    async fn reached(&self, n: u64) -> bool {
        let path = format!("/control/journal?after={}&wait_ms=200", n - 1);
        self.get(&path).await.as_array().is_some_and(|entries| !entries.is_empty())
    }

    /// Walks through the main job and kills the server at these entries. Returns how many kills there were.
    async fn with_kills(&self, at: &[u64]) -> usize {
        let (mut server, mut demo) = (self.serve(), self.demo());
        let mut killed = 0;
        let ended = loop {
            if let Some(status) = demo.0.try_wait().unwrap() {
                break status;
            }
            match at.get(killed) {
                Some(n) if self.reached(*n).await => {
                    server.kill();
                    server = self.serve();
                    killed += 1;
                }
                Some(_) => {}
                None => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        };
        let log = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        assert!(
            ended.success(),
            "the demo failed:\n{}\n--- server\n{}",
            log("demo.log"),
            tail(&log("serve.log"))
        );
        killed
    }

    /// What the journal says: nothing was created twice, and what lives is what the bookings say.
    async fn judge(&self) {
        let entries = self.get("/control/journal?after=0").await;
        let mut created: BTreeMap<String, usize> = BTreeMap::new();
        for entry in entries.as_array().unwrap() {
            if entry["outcome"] == "created"
                && let Some(key) = entry["key"].as_str()
            {
                *created.entry(key.to_owned()).or_default() += 1;
            }
        }
        assert!(created.len() >= 4, "two probes and two bookings at least: {created:?}");
        let doubled: Vec<_> = created.iter().filter(|(_, times)| **times > 1).collect();
        assert!(doubled.is_empty(), "written twice: {doubled:?}");
        let organisations = self.get("/control/organisations").await;
        let id = organisations[0]["id"].as_str().unwrap();
        let events = self.get(&format!("/control/organisations/{id}/events")).await;
        let mut live: BTreeMap<String, usize> = BTreeMap::new();
        for event in events.as_array().unwrap() {
            if event["is_organizer"] == true
                && let Some(key) = event["key"].as_str()
            {
                *live.entry(key.to_owned()).or_default() += 1;
            }
        }
        assert!(live.values().all(|times| *times == 1), "two live events of one booking: {live:?}");
        assert!(live.keys().all(|key| !key.contains("probe")), "a probe is left: {live:?}");
        assert_eq!(live.len(), self.bookings_that_stand().await, "events and bookings differ: {live:?}");
    }

    /// How many bookings stand, by the database that survived the kills.
    async fn bookings_that_stand(&self) -> usize {
        use sea_orm::{ConnectionTrait, Statement};
        let store =
            entity::Store::connect(&entity::Logins::from_url(&self.environment["MUSTER_DATABASE_URL"]), 2)
                .await
                .unwrap();
        let conn = store.installation_connection();
        let sql = "SELECT count(*) AS n FROM booking WHERE state NOT IN ('CANCELLED', 'FAILED')";
        let row = conn.query_one_raw(Statement::from_string(conn.get_database_backend(), sql)).await.unwrap();
        usize::try_from(row.unwrap().try_get::<i64>("", "n").unwrap()).unwrap()
    }
}

fn start_sandbox(folder: &Path) -> (Process, Url) {
    let (data, journal): (PathBuf, PathBuf) = (folder.join("sandbox"), folder.join("journal.jsonl"));
    std::fs::create_dir_all(&data).unwrap();
    let mut command = Command::new(MUSTER);
    command.args(["sandbox", "serve", "--data"]).arg(data).arg("--journal").arg(journal);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    (Process(child), said["url"].as_str().unwrap().parse().unwrap())
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_server_at_any_moment_loses_nothing_and_writes_no_event_twice() {
    let clock: SharedClock = std::sync::Arc::new(SystemClock);
    let fresh = Ids::random(clock.clone());
    let seed =
        testing::number_from_env("MUSTER_TEST_KILL_SEED").unwrap_or_else(|| fresh.random_below(1_000_000));
    let wanted = usize::try_from(testing::number_from_env("MUSTER_TEST_KILLS").unwrap_or(10)).unwrap();
    let draw = Ids::seeded(clock, seed);
    let (mut killed, mut walks, mut entries) = (0, 0, ENTRIES);
    while killed < wanted {
        walks += 1;
        assert!(walks <= 2 * wanted, "the walks are over before they can be killed");
        let mut at: Vec<u64> =
            (0..KILLS_A_WALK.min(wanted - killed)).map(|_| 1 + draw.random_below(entries)).collect();
        at.sort_unstable();
        at.dedup();
        println!("seed {seed}, walk {walks}: killing after entries {at:?}");
        let walk = Walk::begin(&fresh).await;
        killed += walk.with_kills(&at).await;
        walk.judge().await;
        entries = entries.min(walk.written().await);
    }
    println!("seed {seed}: {killed} kills in {walks} walks, nothing lost, nothing doubled");
}
