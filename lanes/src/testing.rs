//! Nodes and Redis servers for this crate's tests.

use std::{env, net::TcpListener, process::Stdio, sync::Arc};

use domain::{Id, Ids, SharedClock, SystemClock, ids};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Hint, Lanes, connect,
    link::{Link, Timeouts},
};

/// Generates a test of each suite for both implementations.
macro_rules! on_both {
    ($($suite:ident),* $(,)?) => {
        mod in_process {
            $(#[tokio::test] async fn $suite() { super::$suite($crate::testing::Node::in_process()).await; })*
        }
        mod over_redis {
            $(#[tokio::test] async fn $suite() { super::$suite($crate::testing::Node::over_redis()).await; })*
        }
    };
}
pub(crate) use on_both;

/// The lanes of one node in tests. Dropping it stops its tasks.
pub(crate) struct Node {
    pub(crate) lanes: Lanes,
    pub(crate) ids: Ids,
    pub(crate) tracker: TaskTracker,
    pub(crate) token: CancellationToken,
    pub(crate) prefix: String,
    pub(crate) url: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

impl Node {
    pub(crate) fn in_process() -> Self {
        Self::at("memory:", "muster")
    }

    /// Creates a node on the shared Redis server, with a key prefix of its own.
    pub(crate) fn over_redis() -> Self {
        Self::at(&shared_server(), &format!("test-{}", ids().uuid().simple()))
    }

    pub(crate) fn at(url: &str, prefix: &str) -> Self {
        let (ids, tracker, token) = (ids(), TaskTracker::new(), CancellationToken::new());
        let lanes = connect(url, prefix, clock(), ids.clone(), &tracker, &token).unwrap();
        Self { lanes, ids, tracker, token, prefix: prefix.to_owned(), url: url.to_owned() }
    }

    /// Creates another node in the same installation.
    pub(crate) fn neighbour(&self) -> Self {
        Self::at(&self.url, &self.prefix)
    }

    pub(crate) fn client(&self) -> redis::Client {
        redis::Client::open(self.url.as_str()).unwrap()
    }

    /// Opens a connection for commands, separate from the node's own.
    pub(crate) fn link(&self) -> Arc<Link> {
        Arc::new(Link::new(self.client(), Timeouts::Short, clock(), self.ids.clone()))
    }

    pub(crate) fn hints(
        &self,
        count: usize,
        tenant: Id<ids::Tenant>,
        lane: domain::state::Lane,
    ) -> Vec<Hint> {
        (0..count).map(|_| Hint { run: self.ids.make(), tenant, lane }).collect()
    }
}

/// A Redis server for a single test, which may flush, stop and restart it.
pub(crate) struct Server {
    port: u16,
    folder: TempDir,
    process: Child,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let process = run(port, &folder).await;
        Self { port, folder, process }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Kills the server, as a crash would.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Restarts the server with an empty database.
    pub(crate) async fn restart(&mut self) {
        self.process = run(self.port, &self.folder).await;
    }

    /// Executes one command on a new connection.
    pub(crate) async fn run(&self, words: &[&str]) {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let (command, arguments) = words.split_first().unwrap();
        redis::cmd(command).arg(arguments).query_async::<redis::Value>(&mut connection).await.unwrap();
    }
}

async fn run(port: u16, folder: &TempDir) -> Child {
    let mut process = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("redis-server must be installed for the tests of the lanes");
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("Ready to accept connections") {
            return process;
        }
    }
    panic!("redis-server did not start on port {port}");
}

fn shared_server() -> String {
    env::var("MUSTER_TEST_REDIS")
        .expect("MUSTER_TEST_REDIS must name a Redis server for tests, such as redis://127.0.0.1:6400/")
}

pub(crate) fn clock() -> SharedClock {
    Arc::new(SystemClock)
}

pub(crate) fn ids() -> Ids {
    Ids::random(clock())
}

/// A key for a limit in tests.
pub(crate) fn key(name: &str) -> crate::Key {
    crate::Key::of_integration(domain::Id::nil(), domain::Id::nil()).part("test", name)
}
