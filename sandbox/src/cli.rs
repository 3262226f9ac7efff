//! The `sandbox` command of the `muster` binary: serves a sandbox, and controls and inspects a running one.
//!
//! Every command but `serve` is a thin client of `/control`: it sends one request and prints a description of the
//! result. `docs/sandbox.md` contains examples.

mod client;
mod folder;
mod subcommands;
mod table;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::Subcommand;
use domain::{Ids, SharedClock, SystemClock};
use url::Url;

use self::{client::Client, subcommands::ControlCommand};
use crate::{Config, Error, Sandbox, Tls};

/// Runs the provider sandbox, or controls a running one.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// URL of the running sandbox to control.
    #[arg(long, global = true, env = "MUSTER_SANDBOX_URL")]
    url: Option<Url>,
    /// Prints the sandbox's response as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves a sandbox until interrupted; prints one line of JSON with its URL when it is ready.
    Serve {
        /// Address to listen on; port 0 selects a free port.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Folder for the state; without one, nothing is kept.
        #[arg(long)]
        data: Option<PathBuf>,
        /// File for the journal; without one, it is kept in memory.
        #[arg(long)]
        journal: Option<PathBuf>,
        /// Certificate file (PEM), to serve https as official clients require.
        #[arg(long, requires = "key")]
        certificate: Option<PathBuf>,
        /// File of the certificate's private key (PEM).
        #[arg(long, requires = "certificate")]
        key: Option<PathBuf>,
    },
    #[command(flatten)]
    Control(ControlCommand),
}

/// Executes the command; `serve` runs until interrupted.
pub async fn run(args: Args) -> Result<(), Error> {
    match args.command {
        Command::Serve { listen, data, journal, certificate, key } => {
            let tls = match certificate.zip(key) {
                None => None,
                Some((certificate, key)) => {
                    Some(Tls { certificate: std::fs::read(certificate)?, key: std::fs::read(key)? })
                }
            };
            let clock: SharedClock = Arc::new(SystemClock);
            let ids = Ids::random(Arc::clone(&clock));
            serve(Config { listen, data, journal, clock, ids }, tls).await
        }
        Command::Control(order) => {
            print!("{}", answer(order, args.url, args.json).await?);
            Ok(())
        }
    }
}

/// The output of a command that controls a sandbox.
async fn answer(order: ControlCommand, url: Option<Url>, json: bool) -> Result<String, Error> {
    let url = url.ok_or_else(|| {
        Error::Order("Say where the sandbox is, with --url or in MUSTER_SANDBOX_URL.".to_owned())
    })?;
    let client = Client::new(url)?;
    let request = order.request()?;
    let told = client.send(&request).await?;
    if json {
        return Ok(format!("{told}\n"));
    }
    Ok(order.describe_response(&told))
}

/// Executes a command line, such as `sandbox journal --after 3`, and returns its output.
///
/// # Errors
///
/// [`Error::Order`] for a malformed command line, or the error of a command that the sandbox refuses.
pub async fn run_line<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<String, Error> {
    #[derive(clap::Parser)]
    #[command(name = "muster sandbox")]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let line = <Line as clap::Parser>::try_parse_from(words);
    let args = line.map_err(|error| Error::Order(error.to_string()))?.args;
    match args.command {
        Command::Serve { .. } => Err(Error::Order("A sandbox is served by the program alone.".to_owned())),
        Command::Control(order) => answer(order, args.url, args.json).await,
    }
}

async fn serve(config: Config, tls: Option<Tls>) -> Result<(), Error> {
    let running = match tls {
        None => Sandbox::start(config).await?,
        Some(tls) => Sandbox::start_tls(config, &tls).await?,
    };
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
        let read = |line: &[&str]| Program::try_parse_from(line).unwrap().args.command;
        let Command::Serve { listen, data, journal, .. } = read(&line) else { panic!("it is serve") };
        assert_eq!((listen.port(), data, journal), (8, Some("d".into()), Some("d/j.jsonl".into())));
        let Command::Serve { listen, data, journal, .. } = read(&["muster", "serve"]) else {
            panic!("it is serve")
        };
        assert_eq!((listen.port(), data, journal), (0, None, None));
    }

    #[tokio::test]
    async fn without_an_address_nothing_is_asked_and_the_cure_is_said() {
        let error = answer(ControlCommand::Organisations, None, false).await.unwrap_err();
        assert_eq!(error.code(), "SANDBOX_ORDER");
        assert!(error.to_string().contains("MUSTER_SANDBOX_URL"), "{error}");
    }
}
