//! The `muster` binary: command-line parsing and wiring, no rules.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand};
use domain::{Ids, SharedClock, SystemClock};
use muster::{
    app, audit,
    config::{self, Config},
    database, dev, doctor, keys, runs,
};

/// Connects the calendars of an organisation, and books meetings in them.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    /// TOML file with the configuration; overridden by environment variables `MUSTER_...`.
    #[arg(long, global = true, env = "MUSTER_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts everything in one process on loopback, with a provider sandbox and two example tenants.
    Dev(dev::Args),
    /// Runs a node with the roles in the configuration: the API, a worker, or both.
    Serve,
    /// Runs a worker, whatever the roles in the configuration. Needs Redis.
    Worker,
    /// Migrates the database, as its owner, and creates the login roles of nodes.
    Migrate,
    /// Prints the GraphQL schema.
    Schema,
    /// Prints the effective configuration and the source of each value.
    Config(config::report::Args),
    /// Checks the configuration and everything it refers to.
    Doctor,
    /// Creates a vendor key, or an access token for a user.
    Token(doctor::TokenArgs),
    /// Manages the installation's own keys.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Performs the main use cases over HTTP, against its own or a running server.
    Demo(Box<demo::Args>),
    /// Verifies, exports and prunes the audit log, as the owner of the database.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Shows workflows and manages their runs.
    #[command(subcommand)]
    Workflows(runs::Command),
    /// Runs the provider sandbox, or controls a running one.
    Sandbox(sandbox::cli::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    log(matches!(
        cli.command,
        Command::Demo(_) | Command::Dev(_) | Command::Workflows(_) | Command::Audit(_) | Command::Keys(_)
    ));
    match run(cli).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode, app::Error> {
    let read = || Config::read(cli.config.as_deref());
    match cli.command {
        Command::Dev(args) => dev::run(args).await?,
        Command::Serve => serve(read()?).await?,
        Command::Worker => serve(Config { roles: vec![config::Role::Worker], ..read()? }).await?,
        Command::Migrate => {
            database::migrate(&read()?, &Ids::random(Arc::new(SystemClock))).await?;
        }
        Command::Schema => print!("{}", api::graphql::sdl()),
        Command::Config(args) => print!("{}", config::report::format_report(&args, cli.config.as_deref())?),
        Command::Doctor => return doctor::run(&read()?).await,
        Command::Token(args) => doctor::create_token(&read()?, &args).await?,
        Command::Keys(command) => return keys::run(&read()?, &command).await,
        Command::Demo(args) => return Ok(Box::pin(demo::run(*args, &dev::DevLauncher)).await),
        Command::Audit(command) => {
            let ids = Ids::random(Arc::new(SystemClock));
            return Box::pin(audit::run(command, &read()?, &ids, &SystemClock)).await;
        }
        Command::Workflows(command) => return runs::run(command, read).await,
        Command::Sandbox(args) => sandbox::cli::run(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: Config) -> Result<(), app::Error> {
    config.check()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let listener = match config.roles.contains(&config::Role::Api) {
        true => Some(std::net::TcpListener::bind(config.listen)?),
        false => None,
    };
    let node = app::start(&config, clock, listener, None).await?;
    tracing::info!(listen = %config.listen, roles = ?config.roles, "serving");
    app::wait_for_interrupt().await?;
    tracing::info!("stopping");
    node.stop().await;
    Ok(())
}

/// Logs to standard error: readable lines in development, JSON in production.
fn log(people: bool) {
    let fallback = if people { "warn" } else { "info" };
    let filter = tracing_subscriber::EnvFilter::try_from_env("MUSTER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(fallback));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if people {
        lines.compact().init();
    } else {
        lines.json().init();
    }
}
