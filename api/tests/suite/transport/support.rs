//! A server on a free port, and an HTTP client that says exactly what it is told to.

use std::{
    collections::{BTreeSet, HashMap},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Output,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use actix_web::{dev::ServerHandle, web};
use api::{
    AuthError, Authenticate, AuthenticatedCaller, Config, Introspection, State,
    health::{DependencyCheck, Readiness},
};
use async_trait::async_trait;
use domain::{CallerKind, Clock as _, Ids, Permission, StandardRole, SystemClock, Timestamp};
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use lanes::{Quota, quotas::Balance};
use services::{
    Caller,
    access::AccessChange,
    quotas::{ChargeResult, QuotaBalance, QuotaSubject},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Notify, broadcast, watch},
};

use crate::transport::schema::{Probe, small};
use entity::TrustedCode;

/// Longer than anything here takes: only a hang reaches it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    pub state: web::Data<State>,
    pub probe: Arc<Probe>,
    pub authenticator: Arc<TestAuthenticator>,
    handle: ServerHandle,
}

/// Knows a few tokens by heart.
pub struct TestAuthenticator {
    ids: Ids,
    tenant: domain::Id<domain::ids::Tenant>,
    user: domain::Id<domain::ids::User>,
    key: domain::Id<domain::ids::ApiKey>,
    /// When the token `short` ends: soon after it was first shown.
    short: OnceLock<Timestamp>,
    demoted: AtomicBool,
    revoked: AtomicBool,
    changes: broadcast::Sender<AccessChange>,
    /// Whether authentication of the token `mortal` waits, as for a database connection.
    held: watch::Sender<bool>,
    /// Notified when an authentication begins to be held.
    pub waits: Notify,
    pub remaining_units: RemainingUnits,
}

/// How many units may still be spent, by what is charged.
pub struct RemainingUnits {
    pub caller: AtomicU32,
    pub address: AtomicU32,
    pub refused: AtomicU32,
}

impl Default for RemainingUnits {
    fn default() -> Self {
        let plenty = || AtomicU32::new(u32::MAX);
        Self { caller: plenty(), address: plenty(), refused: plenty() }
    }
}

impl TestAuthenticator {
    fn new(ids: Ids) -> Self {
        let (tenant, user, key) = (ids.make(), ids.make(), ids.make());
        let (short, demoted, revoked) = (OnceLock::new(), AtomicBool::new(false), AtomicBool::new(false));
        let changes = broadcast::Sender::new(16);
        let (held, waits, remaining_units) =
            (watch::Sender::new(false), Notify::new(), RemainingUnits::default());
        Self { ids, tenant, user, key, short, demoted, revoked, changes, held, waits, remaining_units }
    }

    /// From now on authentication of the token `mortal` waits, or no longer does.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// From now on the token `mortal` opens nothing. Nobody is told.
    pub fn revoke(&self) {
        self.revoked.store(true, Ordering::SeqCst);
    }

    /// From now on the bearer of the token `mortal` has no permissions. Nobody is told.
    pub fn demote(&self) {
        self.demoted.store(true, Ordering::SeqCst);
    }

    /// Tells that something has changed in the one tenant, or in another one.
    pub fn tell(&self, own: bool) {
        let tenant = if own { self.tenant } else { self.ids.make() };
        self.changes.send(AccessChange::Tenant(tenant)).unwrap();
    }
}

#[async_trait]
impl Authenticate for TestAuthenticator {
    async fn authenticate(
        &self,
        token: Option<&str>,
        tenant: Option<&str>,
    ) -> Result<AuthenticatedCaller, AuthError> {
        let user = |permissions: BTreeSet<Permission>| {
            Caller::new(TrustedCode, CallerKind::User(self.user), Some(self.tenant), permissions)
        };
        if token == Some("Bearer mortal") && *self.held.borrow() {
            self.waits.notify_one();
            self.held.subscribe().wait_for(|held| !held).await.unwrap();
        }
        let for_ever = |caller| Ok(AuthenticatedCaller { caller, expires_at: None });
        match token {
            None => for_ever(Caller::anonymous()),
            Some("Bearer user") => for_ever(user(StandardRole::HumanResources.permissions())),
            Some("Bearer mortal") if self.revoked.load(Ordering::SeqCst) => Err(AuthError::Invalid),
            Some("Bearer mortal") if self.demoted.load(Ordering::SeqCst) => for_ever(user(BTreeSet::new())),
            Some("Bearer admin" | "Bearer mortal") => {
                for_ever(user(StandardRole::Administrator.permissions()))
            }
            Some("Bearer vendor") => match tenant {
                Some("nowhere") => Err(AuthError::TenantNotFound),
                _ => for_ever(Caller::new(TrustedCode, CallerKind::Vendor(self.key), None, BTreeSet::new())),
            },
            Some("Bearer short") => {
                let soon = || SystemClock.now() + chrono::Duration::milliseconds(400);
                let expires_at = Some(*self.short.get_or_init(soon));
                Ok(AuthenticatedCaller { caller: user(BTreeSet::new()), expires_at })
            }
            Some("Bearer slow") => std::future::pending().await,
            Some("Bearer expired") => Err(AuthError::Expired),
            Some("Bearer unlucky") => Err(AuthError::Unavailable),
            Some(_) => Err(AuthError::Invalid),
        }
    }

    fn remembered(&self, token: Option<&str>, _tenant: Option<&str>) -> Option<AuthenticatedCaller> {
        token.is_none().then(|| AuthenticatedCaller { caller: Caller::anonymous(), expires_at: None })
    }

    fn recently_authenticated(&self, token: Option<&str>, _tenant: Option<&str>) -> Option<Caller> {
        let user = CallerKind::User(self.user);
        (token == Some("Bearer user"))
            .then(|| Caller::new(TrustedCode, user, Some(self.tenant), BTreeSet::new()))
    }

    /// Refuses who has spent what the test allows.
    async fn charge(&self, whose: QuotaSubject<'_>, units: u32) -> ChargeResult {
        let (name, units_allowed) = match whose {
            QuotaSubject::Caller(_) => ("caller", &self.remaining_units.caller),
            QuotaSubject::Address(_) | QuotaSubject::Page(_) => ("address", &self.remaining_units.address),
            QuotaSubject::Refused(_) => ("refused", &self.remaining_units.refused),
        };
        let spent = |left: u32| left.checked_sub(units);
        let left = units_allowed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spent);
        let quota = Quota { units: u32::MAX, per: Duration::from_secs(30) };
        let balance = Balance {
            remaining: left.map_or(0, |before| before - units),
            full_after: Duration::from_millis(1_500),
        };
        ChargeResult {
            refused_for: left.is_err().then_some(Duration::from_millis(6_100)),
            accounts: vec![QuotaBalance { name, quota, balance }],
        }
    }

    fn changes(&self) -> BoxStream<'static, AccessChange> {
        let heard = self.changes.subscribe();
        stream::unfold(
            heard,
            |mut heard| async move { heard.recv().await.ok().map(|change| (change, heard)) },
        )
        .boxed()
    }
}

struct Always(bool);

#[async_trait]
impl Readiness for Always {
    async fn check(&self) -> Vec<DependencyCheck> {
        vec![DependencyCheck { name: "store", ok: self.0 }]
    }
}

/// The settings of most tests.
pub fn open() -> Config {
    Config { introspection: Introspection::Everyone, ..Config::default() }
}

impl Server {
    /// Starts with everybody allowed to introspect.
    pub fn start() -> Self {
        Self::with(open())
    }

    /// Starts with these settings.
    pub fn with(config: Config) -> Self {
        Self::which_is_ready(config, true)
    }

    /// Starts with these settings and this readiness.
    pub fn which_is_ready(config: Config, ready: bool) -> Self {
        let ids = Ids::random(Arc::new(SystemClock));
        let probe = Arc::new(Probe::default());
        let authenticator = Arc::new(TestAuthenticator::new(ids.clone()));
        let engine = Arc::new(small(probe.clone()));
        let state = web::Data::new(
            State::new(config, engine, authenticator.clone(), Arc::new(Always(ready)), ids).unwrap(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let shared = state.clone();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let more = |routes: &mut web::ServiceConfig| {
                    routes
                        .service(
                            web::resource("/form")
                                .to(async |body: web::Bytes| format!("{} bytes", body.len())),
                        )
                        .service(web::resource("/never").to(std::future::pending::<String>));
                };
                let server = api::serve(listener, shared, 1, more).unwrap();
                tell.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        Self { address, state, probe, authenticator, handle: told.recv().unwrap() }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends bytes and reads the answer to its end.
    pub async fn send(&self, bytes: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A server that refuses a body may reset the connection after its answer.
        let _ =
            tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer in time");
        Reply::parse(&answer)
    }

    /// Sends a request with these lines of header.
    pub async fn request(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Reply {
        let lines: String = headers.iter().map(|line| (*line).to_owned() + "\r\n").collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n{lines}\r\n",
            self.address,
            body.len()
        );
        self.send((head + body).as_bytes()).await
    }

    /// Posts a body as a modern client would.
    pub async fn post(&self, body: &str) -> Reply {
        self.post_as(&[], body).await
    }

    /// Posts a body as a modern client would, with further headers.
    pub async fn post_as(&self, headers: &[&str], body: &str) -> Reply {
        let mut all = vec!["content-type: application/json", "accept: application/graphql-response+json"];
        all.extend(headers);
        self.request("POST", "/graphql", &all, body).await
    }

    /// Posts a document without variables.
    pub async fn query(&self, query: &str) -> Reply {
        self.post(&serde_json::json!({ "query": query }).to_string()).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Reply {
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self {
            status: status.unwrap_or_else(|| panic!("no answer: {text:?}")),
            headers,
            body: body.to_owned(),
        }
    }

    /// The value of a header, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The code of the first error, after what must be true of every error was checked.
    pub fn code(&self) -> String {
        let json = self.json();
        let errors = json["errors"].as_array().unwrap_or_else(|| panic!("no errors: {json}"));
        for error in errors {
            assert_eq!(error["extensions"]["requestId"], self.header("x-request-id"), "{error}");
            assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        }
        errors[0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no code: {json}")).to_owned()
    }
}

/// Runs one of the scripts of `tests/node`.
pub async fn node(script: &str, arguments: &[&str]) -> Output {
    let Some(folder) = std::env::var_os("MUSTER_NODE_DIR").map(PathBuf::from) else {
        panic!(
            "MUSTER_NODE_DIR is not set: run `npm ci` in tests/node and set it to that folder, or run scripts/test"
        );
    };
    assert!(
        folder.join("node_modules/graphql-http").is_dir(),
        "{} has no packages: run `npm ci` there, or run scripts/test",
        folder.display()
    );
    let run = tokio::process::Command::new("node")
        .arg(folder.join(script))
        .args(arguments)
        .kill_on_drop(true)
        .output();
    tokio::time::timeout(PATIENCE * 3, run).await.expect("the script ends in time").expect("node starts")
}
