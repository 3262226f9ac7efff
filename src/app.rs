//! Builds a node from its parts; the only module that depends on every crate. Contains no rules.

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::web;
use api::admission::AdmissionConfig;
use domain::{Ids, SharedClock};
use entity::Store;
use messages::Language;
use providers::{caldav::CalDav, exchange, google, microsoft, openid::OpenIdClient};
use secrecy::ExposeSecret;
use services::{Services, System, grants::Connectors};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::config::{self, Config, KeylessSigning, Microsoft, Role};

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The database cannot be used.
    #[error("{code}: {0}", code = .0.code())]
    Store(#[from] entity::StoreError),
    /// A later version of Muster has changed the database; contains the newest of these changes.
    #[error(
        "The database was changed by a later version of Muster ({0}). Use that version or a newer one, or another database."
    )]
    NewerDatabase(String),
    /// A database statement failed while the node was starting.
    #[error("The database cannot be used: {0}")]
    Database(#[from] entity::DatabaseError),
    /// The queue cannot be used.
    #[error("The queue cannot be used: {0}")]
    Queue(#[from] lanes::Error),
    /// The HTTP client cannot be built.
    #[error("The HTTP client cannot be made: {0}")]
    Client(String),
    /// A use case refused.
    #[error("{code}: {}", error_sentence(.0), code = .0.code())]
    Service(#[from] services::Error),
    /// The socket address cannot be bound, or a file cannot be used.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The schema is not valid.
    #[error(transparent)]
    Schema(#[from] api::state::InvalidSchema),
    /// The sandbox did not start, or refused a command.
    #[error(transparent)]
    Sandbox(#[from] sandbox::Error),
    /// The development server is not in the expected state.
    #[error("{0}")]
    Dev(String),
}

/// The sentence of a use case's error.
pub(crate) fn error_sentence(error: &services::Error) -> String {
    messages::render_message(&error.message(), Language::default(), None)
}

impl From<demo::Error> for Error {
    fn from(error: demo::Error) -> Self {
        Self::Client(error.to_string())
    }
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Database(error.into())
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    /// The use cases, with the access of the engine and the commands.
    pub services: System,
    /// The engine with the workflows; tests step it manually.
    pub engine: workflows::Engine,
    /// Tasks that execute runs; they end before the services they use.
    workers: TaskTracker,
    tracker: TaskTracker,
    /// Cancelled to stop claiming runs.
    work: CancellationToken,
    /// Cancelled to stop everything.
    stop: CancellationToken,
    front: Option<HttpFrontend>,
    stop_within: Duration,
}

struct HttpFrontend {
    state: web::Data<api::State>,
    server: actix_web::dev::ServerHandle,
}

impl std::fmt::Debug for HttpFrontend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Front")
    }
}

/// Starts a node. `graphiql` sets the initial content of GraphiQL, if it is served.
pub async fn start(
    config: &Config,
    clock: SharedClock,
    listener: Option<TcpListener>,
    graphiql: Option<api::graphiql::GraphiQl>,
) -> Result<Node, Error> {
    let (workers, tracker, stop) = (TaskTracker::new(), TaskTracker::new(), CancellationToken::new());
    let ids = Ids::random(Arc::clone(&clock));
    let services = services(config, clock, ids.clone(), &tracker, &stop).await?;
    if let Some(key) = &config.vendor_key {
        services.keys().ensure_first_key(&services, Some(key.expose_secret()), "first key").await?;
    }
    let node = format!("{}-{}", std::process::id(), &ids.random_secret()[..8]);
    let engine = workflows::engine(&services, &node);
    let work = stop.child_token();
    if config.roles.contains(&Role::Worker) {
        engine.start(&workers, &work, config.steps_at_once);
        workflows::reconcile::start(&services, &node, &workers, &work);
    }
    let front = match listener.filter(|_| config.roles.contains(&Role::Api)) {
        Some(listener) => Some(open_front(config, services.services(), ids, listener, graphiql, &tracker)?),
        None => None,
    };
    let stop_within = Duration::from_secs(config.stop_within_seconds);
    Ok(Node { services, engine, workers, tracker, work, stop, front, stop_within })
}

async fn services(
    config: &Config,
    clock: SharedClock,
    ids: Ids,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) -> Result<System, Error> {
    let store = Store::connect(&config.logins(), config.connections).await?;
    let (clock_for_queue, prefix) = (Arc::clone(&clock), &config.queue_prefix);
    let queue = lanes::connect(&config.queue_url, prefix, clock_for_queue, ids.clone(), tracker, stop)?;
    let vault = config.vault(ids.clone())?;
    let connectors = connectors(config, &clock, &ids)?;
    let services = System::new(store, clock, ids, queue, vault, connectors, config.settings());
    services.secrets().ensure_ready(&services).await?;
    Ok(services)
}

fn connectors(config: &Config, clock: &SharedClock, ids: &Ids) -> Result<Connectors, Error> {
    let limits = http::Config {
        allowance: http::AllowedHosts::from_hosts(config.allowed_hosts.iter().cloned()),
        ..http::Config::default()
    };
    let client = http::Client::new(limits).map_err(|error| Error::Client(error.to_string()))?;
    let mut connectors = Connectors::default().with_openid(openid(config, clock)?);
    if let Some(microsoft) = &config.microsoft {
        let registration = registration(microsoft)?;
        let connector =
            microsoft::Microsoft::new(registration, client.clone(), Arc::clone(clock), ids.clone());
        connectors = connectors.with_provider(Arc::new(connector));
    }
    if config.exchange {
        let mut places = exchange::Config::default();
        if !config.exchange_autodiscover.is_empty() {
            places.autodiscover.clone_from(&config.exchange_autodiscover);
        }
        let connector = exchange::Exchange::new(places, client.clone(), ids.clone());
        connectors = connectors.with_provider(Arc::new(connector));
    }
    if let Some(places) = &config.google {
        let keyless = match &places.keyless {
            Some(source) => Some(keyless(source, &config.allowed_hosts)?),
            None => None,
        };
        let config = google::Config {
            keyless,
            token: places.token_url.clone(),
            accounts: places.accounts_url.clone(),
            calendar: places.calendar_url.clone(),
            directory: places.directory_url.clone(),
            application: places
                .client_id
                .clone()
                .zip(places.client_secret.clone())
                .map(|(client_id, secret)| google::OAuthApplication { client_id, secret }),
        };
        let connector = google::Google::new(config, client.clone(), Arc::clone(clock), ids.clone());
        connectors = connectors.with_provider(Arc::new(connector));
    }
    if config.caldav {
        let connector =
            CalDav::new(providers::caldav::Config::default(), client, Arc::clone(clock), ids.clone());
        connectors = connectors.with_provider(Arc::new(connector));
    }
    Ok(connectors)
}

/// Builds the client for tenants' OpenID issuers. Its time and size limits are low, because callers wait for it and
/// issuers' documents are short.
fn openid(config: &Config, clock: &SharedClock) -> Result<OpenIdClient, Error> {
    let limits = http::Config {
        connect_timeout: Duration::from_secs(3),
        timeout: Duration::from_secs(5),
        max_body: 256 * 1024,
        allowance: http::AllowedHosts::from_hosts(config.allowed_hosts.iter().cloned()),
    };
    let client = http::Client::new(limits).map_err(|error| Error::Client(error.to_string()))?;
    Ok(OpenIdClient::new(client, Arc::clone(clock)))
}

/// Builds the signer for service accounts without keys. It has an HTTP client of its own, because the metadata server
/// must not become reachable through URLs from customers.
fn keyless(places: &KeylessSigning, allowed_hosts: &[String]) -> Result<google::KeylessSigner, Error> {
    let named = places.token_url.iter().chain([&places.iam_url]).filter_map(|url| url.host_str());
    let hosts = allowed_hosts.iter().cloned().chain(named.map(str::to_owned));
    let limits = http::Config {
        timeout: Duration::from_secs(10),
        max_body: 64 * 1024,
        allowance: http::AllowedHosts::from_hosts(hosts),
        ..http::Config::default()
    };
    let client = http::Client::new(limits).map_err(|error| Error::Client(error.to_string()))?;
    let source = match (&places.token_url, &places.token_file) {
        (Some(url), _) => google::TokenSource::Url { url: url.clone(), header: places.token_header() },
        (None, Some(file)) => google::TokenSource::File(file.clone()),
        (None, None) => return Err(config::Error::Impossible("google.keyless names no source.").into()),
    };
    Ok(google::KeylessSigner::new(source, places.iam_url.clone(), client))
}

fn registration(microsoft: &Microsoft) -> Result<microsoft::Config, Error> {
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).map_err(|source| config::Error::File { path: path.clone(), source })
    };
    let credential =
        match (&microsoft.certificate_file, &microsoft.private_key_file, &microsoft.client_secret) {
            (Some(certificate), Some(key), _) => microsoft::ClientCredential::Certificate {
                certificate_der: read(certificate)?,
                private_key_pem: String::from_utf8_lossy(&read(key)?).into_owned().into(),
            },
            (_, _, Some(secret)) => microsoft::ClientCredential::Secret(secret.clone()),
            _ => return Err(config::Error::Impossible("Microsoft needs a credential.").into()),
        };
    Ok(microsoft.registration(credential))
}

fn open_front(
    config: &Config,
    services: &Services,
    ids: Ids,
    listener: TcpListener,
    graphiql: Option<api::graphiql::GraphiQl>,
    tracker: &TaskTracker,
) -> Result<HttpFrontend, Error> {
    let settings = api::Config {
        introspection: match config.open_introspection {
            true => api::Introspection::Everyone,
            false => api::Introspection::Administrators,
        },
        allowed_origins: config.allowed_origins.clone(),
        documents: config.load_documents()?,
        hosts: config.hosts.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        admission: admission(config.requests_at_once),
        connections_each: config.connections_per_address,
        hsts: config.public_url.scheme() == "https",
        graphiql: config.graphiql.then(|| graphiql.unwrap_or_default()),
        ..api::Config::default()
    };
    let callers = Arc::new(api::service_adapter::ServiceAdapter(services.clone()));
    let schema = Arc::new(api::graphql::build_schema(services.clone()));
    let state = web::Data::new(api::State::new(settings, schema, callers.clone(), callers, ids)?);
    let pages = services.clone();
    let more = move |routes: &mut web::ServiceConfig| api::pages::configure(routes, &pages);
    let server = api::serve(listener, state.clone(), 2, more)?;
    let handle = server.handle();
    tracker.spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the server stopped");
        }
    });
    Ok(HttpFrontend { state, server: handle })
}

/// Builds the limits on concurrent requests: one tenant may use at most a quarter of the permits.
fn admission(at_once: usize) -> AdmissionConfig {
    AdmissionConfig { at_once, each: at_once.div_ceil(4), ..AdmissionConfig::default() }
}

impl Node {
    /// Sets the HTTP headers that GraphiQL sends, for development.
    pub fn set_graphiql_headers(&self, headers: serde_json::Map<String, serde_json::Value>) {
        if let Some(front) = &self.front {
            front.state.set_graphiql_headers(headers);
        }
    }

    /// Stops the node: it claims no new runs, asks WebSocket clients to reconnect to another node, and finishes or
    /// releases work in progress.
    pub async fn stop(self) {
        // First: requests may take as long as they are given, and nothing is begun meanwhile.
        self.work.cancel();
        let ended = tokio::time::timeout(self.stop_within, async {
            if let Some(front) = &self.front {
                front.state.shut_down().await;
                front.server.stop(true).await;
            }
            self.workers.close();
            self.workers.wait().await;
            self.stop.cancel();
            self.tracker.close();
            self.tracker.wait().await;
        });
        if ended.await.is_err() {
            tracing::warn!("not everything was finished in time; it is left to other nodes");
        }
        self.engine.release_leases().await;
    }
}

/// Waits until the process is asked to terminate.
pub async fn wait_for_interrupt() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}
