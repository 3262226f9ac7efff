//! Emulates the providers' HTTP endpoints: the Microsoft identity platform and Microsoft Graph, Google's sign-in,
//! Directory API and Calendar API, and Exchange on-premises.
//!
//! A [`Sandbox`] is a separate server on a separate port, so that it has a different origin from Muster's. It is
//! written from the providers' documents and shares no code with the connectors, so that a mistake in one is not
//! repeated in the other. Requests and their results are recorded in an append-only [`journal`]; the state survives a
//! crash at any moment ([`store`]); faults are injected, and organisations created, through `/control` ([`control`]).

pub mod app;
pub mod cli;
pub mod control;
pub mod deliveries;
pub mod emulated_provider;
pub mod exchange;
pub mod fault;
pub mod fixture;
pub mod generate;
pub mod google;
pub mod history;
pub mod journal;
pub mod mailbox_concurrency;
pub mod microsoft;
pub mod model;
mod notifications;
mod server;
pub mod store;
mod tls;
pub mod wire;

use std::{net::SocketAddr, path::PathBuf};

use domain::{Ids, SharedClock};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

pub use tls::Tls;

/// Configuration of a sandbox.
#[derive(Debug)]
pub struct Config {
    /// Address to listen on; port 0 selects a free port.
    pub listen: SocketAddr,
    /// Folder for the state; without one, nothing is kept.
    pub data: Option<PathBuf>,
    /// File for the journal; without one, it is kept in memory.
    pub journal: Option<PathBuf>,
    /// Source of the current time.
    pub clock: SharedClock,
    /// Generator of ids and secrets.
    pub ids: Ids,
}

/// A sandbox server that emulates the providers.
#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Starts a sandbox and returns when it accepts connections. Needs a tokio runtime.
    pub async fn start(config: Config) -> Result<RunningSandbox, Error> {
        server::start(config, None)
    }

    /// Like [`Self::start`], over https.
    pub async fn start_tls(config: Config, tls: &Tls) -> Result<RunningSandbox, Error> {
        server::start(config, Some(tls))
    }
}

/// Handle to a running sandbox.
#[derive(Debug)]
pub struct RunningSandbox {
    url: Url,
    server: actix_web::dev::ServerHandle,
    stopping: CancellationToken,
    work: TaskTracker,
}

impl RunningSandbox {
    /// Base URL of the sandbox, with a trailing slash.
    pub fn url(&self) -> Url {
        self.url.clone()
    }

    /// Stops the sandbox at once; open connections are cut.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.server.stop(false).await;
        self.work.close();
        self.work.wait().await;
    }
}

/// Why a sandbox could not start or continue.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or socket operation failed.
    #[error("a file or socket of the sandbox failed: {0}")]
    Io(#[from] std::io::Error),
    /// A line of a log is not valid.
    #[error("line {line} of a log of the sandbox cannot be read: {cause}")]
    CorruptLog {
        /// Line number, from 1.
        line: usize,
        /// The parser's error.
        #[source]
        cause: serde_json::Error,
    },
    /// The signing key could not be generated or read.
    #[error("the signing key of the sandbox cannot be used")]
    SigningKey,
    /// The certificate or its key cannot be used.
    #[error("the certificate or its key cannot be used: {0}")]
    Certificate(String),
    /// The HTTP client could not be built.
    #[error("the HTTP client of the sandbox cannot be made: {0}")]
    Client(#[source] reqwest::Error),
    /// A command for a running sandbox failed.
    #[error("{0}")]
    Order(String),
}

impl Error {
    /// Stable, machine-readable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "SANDBOX_IO",
            Self::CorruptLog { .. } => "SANDBOX_LOG_CORRUPT",
            Self::SigningKey => "SANDBOX_KEY_INVALID",
            Self::Certificate(_) => "SANDBOX_CERTIFICATE_INVALID",
            Self::Client(_) => "SANDBOX_CLIENT_FAILED",
            Self::Order(_) => "SANDBOX_ORDER",
        }
    }
}
