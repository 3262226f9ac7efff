//! What every request handler shares, and the settings of the front door.

use std::{net::IpAddr, sync::Arc, time::Duration};

use actix_web::HttpRequest;
use domain::{Caller, Ids, Permission};
use ipnet::IpNet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    admission::{Admission, AdmissionConfig, Holder},
    authenticate::Authenticate,
    client,
    documents::Documents,
    engine::Engine,
    error::{Error, RETRY_SECONDS},
    graphiql::GraphiQl,
    health::Readiness,
    request::{TENANT, header},
    tally::{Held, Tally},
    transport::{
        params::Params,
        validate::{Limits, Validator},
        websocket::{Seats, SocketConfig},
    },
};

/// Who may look at the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Introspection {
    /// Everybody, also without a token: for development.
    Everyone,
    /// The vendor's staff and administrators of a tenant.
    #[default]
    Administrators,
    /// Nobody.
    Nobody,
}

impl Introspection {
    /// Whether this caller may.
    pub fn allows(self, caller: &Caller) -> bool {
        match self {
            Self::Everyone => true,
            Self::Administrators => [Permission::Staff, Permission::RoleEdit]
                .iter()
                .any(|permission| caller.permissions.contains(permission)),
            Self::Nobody => false,
        }
    }
}

/// The settings of the front door.
#[derive(Debug, Clone)]
pub struct Config {
    /// The limits of a document.
    pub limits: Limits,
    /// Documents that are known by their ids.
    pub documents: Documents,
    /// Who may look at the schema.
    pub introspection: Introspection,
    /// How long a client may take to send the head of a request.
    pub head_timeout: Duration,
    /// How long a connection is kept between two requests.
    pub keep_alive: Duration,
    /// How long a client may take nothing, or next to nothing, of an answer, on a socket too.
    pub unread_timeout: Duration,
    /// How many bytes of an answer that waits are more than next to nothing.
    pub unread_least: usize,
    /// How many connections an address may have on a node, sockets not counted. Proxies may have any number.
    pub connections_each: usize,
    /// How many bytes a body may have.
    pub body_limit: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long a request may take once its body has arrived, who calls included; on a socket, how long an answer or
    /// an event may take. A mutation that has begun is carried out to its end all the same.
    pub execution_timeout: Duration,
    /// How many bytes the answer to one request, or one event of a subscription, may have.
    pub answer_limit: usize,
    /// Origins, besides the server's own, whose pages may open a socket (`https://app.example.com`).
    pub allowed_origins: Vec<String>,
    /// The names, besides those of loopback, under which alone this server answers, and whose pages may call it;
    /// any if empty.
    pub hosts: Vec<String>,
    /// Whether browsers are told to come back over https only.
    pub hsts: bool,
    /// How much is worked on at a time.
    pub admission: AdmissionConfig,
    /// How many requests a node may have open, their bodies and answers included.
    pub requests: usize,
    /// How many of them a tenant may have, or an address from which strangers come. All strangers together may have half
    /// of all.
    pub requests_each: usize,
    /// The networks of our own proxies, whose word about where a request comes from is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The settings of a socket.
    pub socket: SocketConfig,
    /// GraphiQL, where it is served.
    pub graphiql: Option<GraphiQl>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            documents: Documents::default(),
            introspection: Introspection::default(),
            head_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(15),
            unread_timeout: Duration::from_secs(20),
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

/// A schema text that cannot be used. It comes from our own code, so this stops the start.
#[derive(Debug, thiserror::Error)]
#[error("the schema is not valid: {0}")]
pub struct SchemaInvalid(pub String);

impl SchemaInvalid {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        "SCHEMA_INVALID"
    }
}

/// What open requests are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Opened {
    All,
    ByStrangers,
    By(Holder),
}

/// An address has as many connections as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// What every request handler shares. One per process.
pub struct State {
    pub(crate) config: Config,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) authenticate: Arc<dyn Authenticate>,
    pub(crate) readiness: Arc<dyn Readiness>,
    pub(crate) ids: Ids,
    pub(crate) validator: Validator,
    pub(crate) seats: Seats,
    pub(crate) admission: Admission,
    pub(crate) requests: Tally<Opened>,
    pub(crate) connections: Tally<IpAddr>,
    pub(crate) tasks: TaskTracker,
    pub(crate) closing: CancellationToken,
    graphiql_headers: std::sync::RwLock<serde_json::Map<String, serde_json::Value>>,
}

impl State {
    /// Reads the engine's schema and gets ready to serve it.
    pub fn new(
        config: Config,
        engine: Arc<dyn Engine>,
        authenticate: Arc<dyn Authenticate>,
        readiness: Arc<dyn Readiness>,
        ids: Ids,
    ) -> Result<Self, SchemaInvalid> {
        let validator = Validator::new(&engine.sdl(), config.limits)?;
        for (id, text) in config.documents.iter() {
            let params = Params { query: text.to_owned(), ..Params::default() };
            if let Err(error) = validator.document(&params, false) {
                tracing::warn!(id, code = error.code(), "a known document does not fit the schema");
            }
        }
        let (seats, admission) = (Seats::new(config.socket), Admission::new(config.admission));
        Ok(Self {
            config,
            engine,
            authenticate,
            readiness,
            ids,
            validator,
            seats,
            admission,
            requests: Tally::default(),
            connections: Tally::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            graphiql_headers: std::sync::RwLock::default(),
        })
    }

    /// Fills headers into GraphiQL that became known after the start, such as a token for a tenant that was just made.
    /// For development: whoever opens the page sees them.
    pub fn fill_graphiql(&self, headers: serde_json::Map<String, serde_json::Value>) {
        *self.graphiql_headers.write().unwrap_or_else(std::sync::PoisonError::into_inner) = headers;
    }

    pub(crate) fn graphiql_headers(&self) -> serde_json::Map<String, serde_json::Value> {
        self.graphiql_headers.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// From which address a request comes.
    pub(crate) fn address_of(&self, request: &HttpRequest) -> Option<IpAddr> {
        client::address(request, &self.config.trusted_proxies)
    }

    /// Counts one more connection of an address, unless it has as many as it may have. A proxy's own are not counted: it is
    /// one address for all its clients, and bounds theirs itself.
    pub(crate) fn connect(&self, peer: Option<IpAddr>) -> Result<Option<Held<IpAddr>>, TooMany> {
        let Some(address) = peer.and_then(|peer| client::connected(peer, &self.config.trusted_proxies))
        else {
            return Ok(None);
        };
        let place = self.connections.take(vec![address], |_| self.config.connections_each);
        place.map(Some).ok_or(TooMany)
    }

    /// Whose a request seems to be, by what is known without asking anybody.
    pub(crate) fn holder_of(&self, request: &HttpRequest, address: Option<IpAddr>) -> Holder {
        let (authorization, tenant) = (header(request, "authorization"), header(request, TENANT));
        let familiar = self.authenticate.familiar(authorization, tenant);
        familiar.map_or(Holder::Address(address), |caller| Holder::of(&caller, address))
    }

    /// Counts one more open request, unless there are as many as there may be.
    pub(crate) fn open_request(&self, holder: Holder) -> Result<Held<Opened>, Error> {
        let mut counts = vec![Opened::All, Opened::By(holder)];
        if matches!(holder, Holder::Address(_)) {
            counts.push(Opened::ByStrangers);
        }
        let limit = |count: &Opened| match count {
            Opened::All => self.config.requests,
            // However many strangers there are, the other half is for those who are known.
            Opened::ByStrangers => self.config.requests / 2,
            Opened::By(_) => self.config.requests_each,
        };
        self.requests.take(counts, limit).ok_or_else(|| self.overloaded())
    }

    /// There is more to do than can be done in time. Clients come back at different moments.
    pub(crate) fn overloaded(&self) -> Error {
        Error::Overloaded { after: 1 + self.ids.below(RETRY_SECONDS) }
    }

    /// Closes every socket with 1012 and waits for sockets and begun mutations to end.
    ///
    /// Call it before the HTTP server is stopped; a client that gets 1012 comes back by itself.
    pub async fn shut_down(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
