//! An imitation of the providers' HTTP endpoints: the Microsoft identity platform and Microsoft Graph, Google's sign-in,
//! Directory and Calendar, and Exchange on-premises.
//!
//! A [`Sandbox`] is a server of its own, on a port of its own, so that browsers and clients meet it as another
//! origin. It is written from the providers' documents and shares no code with the connectors, so that a
//! mistake made twice does not cancel itself out. What was asked of it, and what came of that, stands in an
//! append-only [`journal`]; what it knows survives a crash at any moment ([`store`]); faults are planted, and
//! organisations made, through `/control` ([`control`]).

pub mod app;
pub mod cli;
pub mod control;
pub mod deliveries;
pub mod exchange;
pub mod fault;
pub mod fixture;
pub mod gate;
pub mod generate;
pub mod google;
pub mod history;
pub mod imitated_provider;
pub mod journal;
pub mod microsoft;
pub mod model;
mod notices;
mod server;
pub mod store;
mod tls;
pub mod wire;

use std::{net::SocketAddr, path::PathBuf};

use domain::{Ids, SharedClock};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

pub use tls::Tls;

/// Where a sandbox listens and what it remembers.
#[derive(Debug)]
pub struct Config {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The folder of its state; nothing lasts without one.
    pub data: Option<PathBuf>,
    /// The file of its journal; in memory without one.
    pub journal: Option<PathBuf>,
    /// The time.
    pub clock: SharedClock,
    /// Ids and secrets.
    pub ids: Ids,
}

/// Starts sandboxes.
#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Starts one and returns when it listens. Needs a tokio runtime around it.
    pub async fn start(config: Config) -> Result<Running, Error> {
        server::start(config, None)
    }

    /// The same over https.
    pub async fn start_tls(config: Config, tls: &Tls) -> Result<Running, Error> {
        server::start(config, Some(tls))
    }
}

/// A sandbox that listens.
#[derive(Debug)]
pub struct Running {
    url: Url,
    server: actix_web::dev::ServerHandle,
    stopping: CancellationToken,
    work: TaskTracker,
}

impl Running {
    /// Where it listens, with a slash at the end.
    pub fn url(&self) -> Url {
        self.url.clone()
    }

    /// Ends it at once: open connections are cut.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.server.stop(false).await;
        self.work.close();
        self.work.wait().await;
    }
}

/// Why a sandbox could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or a socket failed.
    #[error("a file or socket of the sandbox failed: {0}")]
    Io(#[from] std::io::Error),
    /// A log holds something else than it should.
    #[error("line {line} of a log of the sandbox cannot be read: {cause}")]
    CorruptLog {
        /// Counts from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        cause: serde_json::Error,
    },
    /// The signing key could not be made or read.
    #[error("the signing key of the sandbox cannot be used")]
    SigningKey,
    /// The certificate or its key cannot be used.
    #[error("the certificate or its key cannot be used: {0}")]
    Certificate(String),
    /// The HTTP client could not be made.
    #[error("the HTTP client of the sandbox cannot be made: {0}")]
    Client(#[source] reqwest::Error),
    /// A command for a running sandbox was not carried out.
    #[error("{0}")]
    Order(String),
}

impl Error {
    /// The stable code of this error.
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
