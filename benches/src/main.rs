//! Benchmarks of the engine and the queue, compared with their limits and with similar systems. Started by
//! `scripts/bench`.

mod aged;
mod bench_workflows;
mod counts;
mod engine;
mod entry;
mod jobs;
mod lane;
mod load;
mod node;
mod peers;
mod rounds;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use entity::Store;
use sea_orm::ConnectionTrait;

/// Error type of the benchmarks; any failure ends the benchmark.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// The result of most functions here.
pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, Parser)]
#[command(about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures the engine, compared with Restate, DBOS and PostgreSQL's own limit.
    Engine {
        #[command(flatten)]
        setup: Setup,
        #[command(flatten)]
        size: BenchArgs,
    },
    /// Measures the queue, compared with BullMQ and Redis' own limit.
    Queue {
        #[command(flatten)]
        setup: Setup,
        #[command(flatten)]
        size: BenchArgs,
    },
    /// Sends requests to a server that is already running; for profiles.
    Press {
        /// Address of the server.
        address: std::net::SocketAddr,
        /// Number of concurrent requests.
        #[arg(long, default_value_t = 32)]
        clients: usize,
        /// Seconds to send requests for.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
    /// Runs a node with an HTTP interface.
    Serve {
        #[command(flatten)]
        servers: Servers,
        /// Name of the node's database.
        #[arg(long)]
        database: String,
        /// Port to listen on.
        #[arg(long)]
        port: u16,
        /// Connections per pool.
        #[arg(long, default_value_t = 10)]
        connections: u32,
        /// Number of steps executed concurrently.
        #[arg(long, default_value_t = 128)]
        steps: usize,
    },
}

/// The number and duration of measurements.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Number of rounds.
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Measures briefly, with small numbers.
    #[arg(long)]
    pub short: bool,
    /// Uses the full run counts where the default ones are smaller.
    #[arg(long)]
    pub full: bool,
    /// Leaves out the contenders whose names begin with one of these prefixes.
    #[arg(long, value_delimiter = ',')]
    pub without: Vec<String>,
}

impl BenchArgs {
    /// The duration of each measurement.
    pub fn time(&self) -> Duration {
        Duration::from_millis(if self.short { 1_000 } else { 3_000 })
    }

    /// Whether a contender takes part.
    pub fn includes(&self, name: &str) -> bool {
        !self.without.iter().any(|without| name.starts_with(without))
    }
}

/// The database servers of a benchmark; nothing else uses them.
#[derive(Debug, Clone, Args)]
pub struct Servers {
    /// URL of PostgreSQL, as its owner.
    #[arg(long, env = "BENCH_POSTGRES")]
    pub postgres: String,
    /// URL of the server that holds queues and hints.
    #[arg(long, env = "BENCH_REDIS")]
    pub redis: String,
}

impl Servers {
    /// The URL of a database.
    pub fn database(&self, name: &str) -> String {
        match self.postgres.rsplit_once('/') {
            Some((server, _)) => format!("{server}/{name}"),
            None => self.postgres.clone(),
        }
    }

    /// Creates a database, dropping an existing one.
    pub async fn create(&self, name: &str) -> Result<()> {
        let owner = Store::connect_as_owner(&self.postgres).await?;
        owner.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        owner.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
        owner.close().await?;
        Ok(())
    }

    /// Makes the servers flush the writes of earlier measurements, so that no measurement waits for another's writes.
    pub async fn flush_writes(&self) -> Result<()> {
        self.execute("postgres", "CHECKPOINT").await?;
        tokio::process::Command::new("sync").status().await?;
        Ok(())
    }

    /// Executes statements as the owner.
    pub async fn execute(&self, database: &str, sql: &str) -> Result<()> {
        let owner = Store::connect_as_owner(&self.database(database)).await?;
        owner.execute_unprepared(sql).await?;
        owner.close().await?;
        Ok(())
    }
}

/// Paths and processes that `scripts/bench` has prepared.
#[derive(Debug, Clone, Args)]
pub struct Setup {
    #[command(flatten)]
    servers: Servers,
    /// Folder of PostgreSQL's programs.
    #[arg(long, env = "BENCH_PROGRAMS")]
    pub programs: PathBuf,
    /// Folder of the installed peers.
    #[arg(long, env = "BENCH_PEERS")]
    pub peers: PathBuf,
    /// Restate's service with three steps.
    #[arg(long, env = "BENCH_RESTATE_SERVICE")]
    pub restate_service: PathBuf,
    /// Program that adds and drains jobs with apalis.
    #[arg(long, env = "BENCH_APALIS")]
    pub apalis: PathBuf,
    /// Process id of PostgreSQL.
    #[arg(long, env = "BENCH_POSTGRES_PID")]
    pub postgres_pid: u32,
    /// Process id of Redis.
    #[arg(long, env = "BENCH_REDIS_PID")]
    pub redis_pid: u32,
    /// Folder for logs and for Restate's data.
    #[arg(long, env = "BENCH_SCRATCH")]
    pub scratch: PathBuf,
}

impl std::ops::Deref for Setup {
    type Target = Servers;

    fn deref(&self) -> &Servers {
        &self.servers
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match Cli::parse().command {
        Command::Engine { setup, size } => engine::bench(&setup, &size).await,
        Command::Queue { setup, size } => jobs::bench(&setup, &size).await,
        Command::Press { address, clients, seconds } => {
            let load =
                load::measure_throughput(address, "/three", clients, Duration::from_secs(seconds)).await?;
            println!("{:.0} runs/s, p50 {:.2} ms", load.per_second, load.percentile(50));
            Ok(())
        }
        Command::Serve { servers, database, port, connections, steps } => {
            let url = servers.database(&database);
            let node = node::Node::new(&url, &servers.redis, &database, connections).await?;
            entry::serve(node, port, steps).await
        }
    }
}
