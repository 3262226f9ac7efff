//! The server processes that are compared with each other. Each ends when its handle is dropped.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{Result, Setup, load::Client};

/// A process with an HTTP server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// The socket address for HTTP requests.
    pub address: SocketAddr,
}

impl Server {
    /// Process id of the server.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().ok_or_else(|| "the process has ended".into())
    }

    /// The resident memory in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        let pid = self.pid()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no resident memory")?;
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes * 1024)
    }

    /// Stops the process and waits for its end.
    pub async fn stop(mut self) -> Result<()> {
        self.child.kill().await?;
        Ok(())
    }
}

/// A port that is free at this moment.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn log(setup: &Setup, name: &str) -> Result<Stdio> {
    let path = setup.scratch.join(format!("{name}.log"));
    Ok(std::fs::OpenOptions::new().create(true).append(true).open(path)?.into())
}

/// Starts a command and waits until its first line of output contains `ready`.
async fn ready(setup: &Setup, name: &str, mut command: Command) -> Result<Child> {
    command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log(setup, name)?);
    let mut child = command.spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let mut lines = BufReader::new(output).lines();
    let said = tokio::time::timeout(Duration::from_mins(1), lines.next_line()).await??;
    if said.as_deref() != Some("ready") {
        return Err(format!("{name} did not start: {said:?}; see {}", setup.scratch.display()).into());
    }
    Ok(child)
}

/// A node of Muster with a database of its own.
pub async fn start_muster(setup: &Setup, database: &str, options: &[&str]) -> Result<Server> {
    let port = free_port()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", "--database", database, "--port", &port.to_string()]).args(options);
    command.env("BENCH_POSTGRES", &setup.postgres).env("BENCH_REDIS", &setup.redis);
    Ok(Server { child: ready(setup, "muster", command).await?, address: local(port) })
}

/// DBOS Transact with a database of its own.
pub async fn start_dbos(setup: &Setup, database: &str) -> Result<Server> {
    let port = free_port()?;
    let mut command = Command::new("node");
    command.current_dir(&setup.peers);
    command.args(["dbos.mjs", &setup.database(database), &port.to_string()]);
    Ok(Server { child: ready(setup, "dbos", command).await?, address: local(port) })
}

/// Restate with the service of three steps.
#[derive(Debug)]
pub struct Restate {
    _server: Child,
    _service: Child,
    /// Address for requests.
    pub address: SocketAddr,
}

/// Starts Restate and registers the service.
pub async fn start_restate(setup: &Setup, partitions: u16) -> Result<Restate> {
    let name = format!("restate-{partitions}");
    let (ingress, admin, fabric, service_at) = (free_port()?, free_port()?, free_port()?, free_port()?);
    let mut command = Command::new(restate_server(&setup.peers)?);
    command
        .args(["--no-logo", "--listen-mode", "tcp"])
        .env("RESTATE_BASE_DIR", setup.scratch.join(&name))
        .env("RESTATE_DEFAULT_NUM_PARTITIONS", partitions.to_string())
        .env("RESTATE_BIND_ADDRESS", format!("127.0.0.1:{fabric}"))
        .env("RESTATE_ADVERTISED_ADDRESS", format!("http://127.0.0.1:{fabric}/"))
        .env("RESTATE_INGRESS__BIND_ADDRESS", format!("127.0.0.1:{ingress}"))
        .env("RESTATE_ADMIN__BIND_ADDRESS", format!("127.0.0.1:{admin}"))
        .env("RESTATE_NODE_NAME", &name)
        .env("RESTATE_CLUSTER_NAME", &name)
        .env("RESTATE_DISABLE_TELEMETRY", "true")
        .env("DO_NOT_TRACK", "1")
        .env("RUST_LOG", "warn")
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(log(setup, &name)?)
        .stderr(log(setup, &name)?);
    let server = command.spawn()?;
    let mut command = Command::new(&setup.restate_service);
    command.arg(format!("127.0.0.1:{service_at}"));
    command.kill_on_drop(true).stdin(Stdio::null()).stdout(log(setup, &name)?).stderr(log(setup, &name)?);
    let service = command.spawn()?;
    let body = format!(r#"{{"uri":"http://127.0.0.1:{service_at}/"}}"#);
    eventually(&name, async || Client::connect(local(admin)).await?.post("/deployments", &body).await)
        .await?;
    eventually(&name, async || Client::connect(local(ingress)).await?.post("/Three/go", "").await).await?;
    Ok(Restate { _server: server, _service: service, address: local(ingress) })
}

fn restate_server(peers: &Path) -> Result<PathBuf> {
    let folder = peers.join("node_modules/@restatedev");
    for entry in std::fs::read_dir(folder)? {
        let program = entry?.path().join("bin/restate-server");
        if program.parent().is_some_and(|bin| bin.ends_with("bin")) && is_native(&program) {
            return Ok(program);
        }
    }
    Err("no restate-server for this machine".into())
}

/// Whether a program is a native binary: one npm package contains the binary, another a script of the same name.
fn is_native(program: &Path) -> bool {
    std::fs::read(program).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"))
}

/// Repeats an attempt for up to half a minute, until it succeeds.
async fn eventually<T>(name: &str, attempt: impl AsyncFn() -> Result<T>) -> Result<T> {
    let mut last = None;
    for _ in 0..300 {
        match tokio::time::timeout(Duration::from_secs(5), attempt()).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => last = Some(error.to_string()),
            Err(_) => last = Some("no answer".to_owned()),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(format!("{name} did not start: {}", last.unwrap_or_default()).into())
}

/// Runs a command of a peer to its end and returns its output.
pub async fn run_command(setup: &Setup, name: &str, mut command: Command) -> Result<String> {
    command.kill_on_drop(true).stdin(Stdio::null()).stderr(log(setup, name)?);
    let done = tokio::time::timeout(Duration::from_mins(5), command.output()).await??;
    if !done.status.success() {
        return Err(format!("{name} ended with {}; see {}", done.status, setup.scratch.display()).into());
    }
    Ok(String::from_utf8(done.stdout)?)
}

/// The best possible performance of PostgreSQL.
#[derive(Debug, Clone, Copy)]
pub enum DatabaseLimit {
    /// One transition per commit.
    One,
    /// A hundred transitions per commit.
    Hundred,
}

const LIMIT_TABLES: &str = "
CREATE TABLE limit_run (id int PRIMARY KEY, state text NOT NULL, revision bigint NOT NULL);
CREATE TABLE limit_history (id bigserial PRIMARY KEY, run_id int NOT NULL, revision bigint NOT NULL, state text NOT NULL);
INSERT INTO limit_run SELECT n, 'One', 0 FROM generate_series(0, 319999) n;
ANALYZE limit_run;";

/// Creates the tables for measuring the limits.
pub async fn prepare_limits(setup: &Setup) -> Result<()> {
    setup.execute("limits", LIMIT_TABLES).await
}

/// Transitions per second, with 32 clients.
pub async fn measure_limit(setup: &Setup, limit: DatabaseLimit, time: Duration) -> Result<f64> {
    let (many, clients, name) = match limit {
        DatabaseLimit::One => (1, 32, "one"),
        DatabaseLimit::Hundred => (100, 8, "hundred"),
    };
    // Each client has rows of its own, as each run has one worker.
    let script = format!(
        "\\set first 10000 * :client_id + random(0, 99) * 100\n\
         WITH moved AS (UPDATE limit_run SET state = 'Two', revision = revision + 1 \
         WHERE id = ANY (ARRAY(SELECT generate_series(:first, :first + {last}))) AND revision >= 0 RETURNING id, revision) \
         INSERT INTO limit_history (run_id, revision, state) SELECT id, revision, 'Two' FROM moved;\n",
        last = many - 1
    );
    let path = setup.scratch.join(format!("{name}.sql"));
    std::fs::write(&path, script)?;
    let mut command = Command::new(setup.programs.join("pgbench"));
    command.args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--file"]).arg(&path);
    command.arg(format!("--client={clients}")).arg(format!("--time={}", time.as_secs().max(1)));
    command.arg(setup.database("limits"));
    let printed = run_command(setup, "pgbench", command).await?;
    let tps = printed.lines().find_map(|line| line.strip_prefix("tps = ")).ok_or("pgbench says no tps")?;
    let tps: f64 = tps.split(' ').next().unwrap_or_default().parse()?;
    Ok(tps * f64::from(many))
}
