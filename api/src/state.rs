//! State shared by all request handlers, and the configuration of the HTTP server.

use std::{net::IpAddr, sync::Arc, time::Duration};

use actix_web::HttpRequest;
use domain::{Ids, Permission};
use ipnet::IpNet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    admission::{Admission, AdmissionConfig, PermitHolder},
    authenticate::Authenticate,
    client,
    engine::Engine,
    error::{Error, RETRY_AFTER_SECONDS},
    graphiql::GraphiQl,
    health::Readiness,
    holder_counts::{CountGuard, HolderCounts},
    open_requests::{OpenRequest, OpenRequestLimits, OpenRequests},
    persisted_documents::PersistedDocuments,
    request::read_credentials,
    transport::{
        params::RequestParams,
        validate::{Limits, Validator},
        websocket::{SocketConfig, SocketLimits},
    },
};
use services::Caller;

/// Who may introspect the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Introspection {
    /// All callers, even without a token; for development.
    Everyone,
    /// The vendor's staff and administrators of a tenant.
    #[default]
    Administrators,
    /// Introspection is disabled for every caller.
    Nobody,
}

impl Introspection {
    /// Whether this caller may introspect the schema.
    pub fn allows(self, caller: &Caller) -> bool {
        match self {
            Self::Everyone => true,
            Self::Administrators => [Permission::Staff, Permission::RoleEdit]
                .iter()
                .any(|permission| caller.permissions().contains(permission)),
            Self::Nobody => false,
        }
    }
}

/// Configuration of the HTTP server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Limits of a document.
    pub limits: Limits,
    /// Persisted documents.
    pub documents: PersistedDocuments,
    /// Who may introspect the schema.
    pub introspection: Introspection,
    /// How long a client may take to send the head of a request.
    pub head_timeout: Duration,
    /// How long a connection is kept open between two requests.
    pub keep_alive: Duration,
    /// How long a client may leave a response or socket message unread.
    pub unread_timeout: Duration,
    /// Number of bytes that a client must read within `unread_timeout`.
    pub unread_least: usize,
    /// Maximum number of connections of one IP address on a node, not counting WebSockets. Trusted proxies are not
    /// limited.
    pub connections_each: usize,
    /// Maximum size of a request body in bytes.
    pub body_limit: usize,
    /// How long a request body may take to arrive.
    pub body_timeout: Duration,
    /// How long a request may take once its body has arrived, authentication included; on a socket, how long a
    /// response or event may take. A mutation that has started still runs to its end.
    pub execution_timeout: Duration,
    /// Maximum size of the response to one request, or of one subscription event, in bytes.
    pub answer_limit: usize,
    /// Origins, besides the server's own, whose pages may call the API and open a socket (`https://app.example.com`).
    pub allowed_origins: Vec<String>,
    /// Host names, besides those of loopback, that this server serves and whose pages may call it; any if empty.
    pub hosts: Vec<String>,
    /// Whether to send `Strict-Transport-Security`, which makes browsers use https only.
    pub hsts: bool,
    /// Limits on concurrent work.
    pub admission: AdmissionConfig,
    /// Maximum number of open requests on a node, including bodies and responses in transfer.
    pub requests: usize,
    /// Maximum number of open requests of a tenant, or of one IP address with unidentified clients. All unidentified
    /// clients together may have half of `requests`; at that limit, new requests replace slow ones.
    pub requests_each: usize,
    /// Networks of our own proxies, whose headers are trusted to report the IP addresses of clients.
    pub trusted_proxies: Vec<IpNet>,
    /// Configuration of WebSockets.
    pub socket: SocketConfig,
    /// Settings of GraphiQL; `None` if it is not served.
    pub graphiql: Option<GraphiQl>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            documents: PersistedDocuments::default(),
            introspection: Introspection::default(),
            head_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(15),
            unread_timeout: Duration::from_secs(12),
            unread_least: 20 * 1024,
            connections_each: 1_000,
            body_limit: 256 * 1024,
            body_timeout: Duration::from_secs(10),
            execution_timeout: Duration::from_secs(30),
            answer_limit: 4 * 1024 * 1024,
            allowed_origins: Vec::new(),
            hosts: Vec::new(),
            hsts: false,
            admission: AdmissionConfig::default(),
            requests: 2_000,
            requests_each: 500,
            trusted_proxies: Vec::new(),
            socket: SocketConfig::default(),
            graphiql: None,
        }
    }
}

/// The schema definition is invalid. Because it is generated from our own code, this error aborts the start.
#[derive(Debug, thiserror::Error)]
#[error("the schema is not valid: {0}")]
pub struct InvalidSchema(pub String);

impl InvalidSchema {
    /// Stable, machine-readable code.
    pub const fn code(&self) -> &'static str {
        "SCHEMA_INVALID"
    }
}

/// The IP address of a client has reached its limit of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyConnections;

/// State shared by all request handlers. One per process.
pub struct State {
    pub(crate) config: Config,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) authenticate: Arc<dyn Authenticate>,
    pub(crate) readiness: Arc<dyn Readiness>,
    pub(crate) ids: Ids,
    pub(crate) validator: Validator,
    pub(crate) seats: SocketLimits,
    pub(crate) admission: Admission,
    pub(crate) requests: OpenRequests,
    pub(crate) connections: HolderCounts<IpAddr>,
    pub(crate) tasks: TaskTracker,
    pub(crate) closing: CancellationToken,
    graphiql_headers: std::sync::RwLock<serde_json::Map<String, serde_json::Value>>,
}

impl State {
    /// Parses the engine's schema and prepares to serve it.
    pub fn new(
        config: Config,
        engine: Arc<dyn Engine>,
        authenticate: Arc<dyn Authenticate>,
        readiness: Arc<dyn Readiness>,
        ids: Ids,
    ) -> Result<Self, InvalidSchema> {
        let validator = Validator::new(&engine.sdl(), config.limits)?;
        for (id, text) in config.documents.iter() {
            let params = RequestParams { query: text.to_owned(), ..RequestParams::default() };
            if let Err(error) = validator.check_document(&params, false) {
                tracing::warn!(id, code = error.code(), "a known document does not fit the schema");
            }
        }
        let (seats, admission) = (SocketLimits::new(config.socket), Admission::new(config.admission));
        Ok(Self {
            config,
            engine,
            authenticate,
            readiness,
            ids,
            validator,
            seats,
            admission,
            requests: OpenRequests::default(),
            connections: HolderCounts::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            graphiql_headers: std::sync::RwLock::default(),
        })
    }

    /// Sets headers in GraphiQL that became known after the start, such as a token for a tenant that was just created.
    /// Only for development, because every visitor of the page can see them.
    pub fn set_graphiql_headers(&self, headers: serde_json::Map<String, serde_json::Value>) {
        *self.graphiql_headers.write().unwrap_or_else(std::sync::PoisonError::into_inner) = headers;
    }

    pub(crate) fn graphiql_headers(&self) -> serde_json::Map<String, serde_json::Value> {
        self.graphiql_headers.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// IP address of the client that sent a request.
    pub(crate) fn client_address(&self, request: &HttpRequest) -> Option<IpAddr> {
        client::client_address(request, &self.config.trusted_proxies)
    }

    /// Counts a connection of a client's IP address, unless the address has reached its limit. Connections of trusted
    /// proxies are not counted: a proxy limits its own clients.
    pub(crate) fn count_connection(
        &self,
        peer: Option<IpAddr>,
    ) -> Result<Option<CountGuard<IpAddr>>, TooManyConnections> {
        let Some(address) = peer.and_then(|peer| client::direct_client(peer, &self.config.trusted_proxies))
        else {
            return Ok(None);
        };
        let place = self.connections.try_acquire(vec![address], |_| self.config.connections_each);
        place.map(Some).ok_or(TooManyConnections)
    }

    /// The permit holder of a request, as far as it can be determined without I/O.
    pub(crate) fn permit_holder(&self, request: &HttpRequest, address: Option<IpAddr>) -> PermitHolder {
        let presented = read_credentials(request).ok();
        let recent = presented.and_then(|(authorization, tenant)| {
            self.authenticate.recently_authenticated(authorization, tenant)
        });
        recent.map_or(PermitHolder::Address(address), |caller| PermitHolder::from_caller(&caller, address))
    }

    /// Counts a request as open, unless the limit has been reached.
    pub(crate) fn open_request(&self, holder: PermitHolder) -> Result<OpenRequest, Error> {
        let limits = OpenRequestLimits { all: self.config.requests, each: self.config.requests_each };
        self.requests.open(holder, limits).ok_or_else(|| self.overload_error())
    }

    /// The overload error, with a randomised delay so that clients retry at different times.
    pub(crate) fn overload_error(&self) -> Error {
        Error::Overloaded { after: 1 + self.ids.random_below(RETRY_AFTER_SECONDS) }
    }

    /// Closes every socket with 1012 and waits until sockets and running mutations have ended.
    ///
    /// Call it before stopping the HTTP server; a client that receives 1012 reconnects by itself.
    pub async fn shut_down(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
