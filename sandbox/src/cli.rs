//! The `sandbox` command of the `muster` binary.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::Subcommand;
use domain::{Ids, SharedClock, SystemClock};

use crate::{Config, Error, Sandbox};

/// Runs an imitation of the providers.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves until it is interrupted; prints one line of JSON with its URL once it listens.
    Serve {
        /// Where to listen; port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// The folder that keeps its state; nothing lasts without one.
        #[arg(long)]
        data: Option<PathBuf>,
        /// The file of its journal; in memory without one.
        #[arg(long)]
        journal: Option<PathBuf>,
    },
}

/// Runs the command until it is interrupted.
pub async fn run(args: Args) -> Result<(), Error> {
    let Command::Serve { listen, data, journal } = args.command;
    let clock: SharedClock = Arc::new(SystemClock);
    let ids = Ids::random(Arc::clone(&clock));
    let running = Sandbox::start(Config { listen, data, journal, clock, ids }).await?;
    println!("{}", serde_json::json!({ "url": running.url() }));
    interrupted().await?;
    running.stop().await;
    Ok(())
}

#[cfg(unix)]
async fn interrupted() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn interrupted() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn serve_takes_an_address_a_folder_and_a_journal() {
        let line = ["muster", "serve", "--listen", "127.0.0.1:8", "--data", "d", "--journal", "d/j.jsonl"];
        let Command::Serve { listen, data, journal } = Program::try_parse_from(line).unwrap().args.command;
        assert_eq!((listen.port(), data, journal), (8, Some("d".into()), Some("d/j.jsonl".into())));
        let Command::Serve { listen, data, journal } =
            Program::try_parse_from(["muster", "serve"]).unwrap().args.command;
        assert_eq!((listen.port(), data, journal), (0, None, None));
    }
}
