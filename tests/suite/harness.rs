//! The real thing, started for one test: server, stores, sandbox, a clock that moves only when it is told to.
//!
//! Nothing runs by itself: [`TestApp::run_jobs`] works off what is due, [`TestApp::advance`] moves the clock. A test
//! ends with [`TestApp::finish`], which asserts that no job is left but named waits.

mod asker;
pub mod chromium;
pub mod proxy;
pub mod steps;

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
};

pub use self::asker::Asker;
use chrono::{Duration, TimeZone, Utc};
use demo::browser::{self, Browser};
use domain::{Ids, SharedClock, TestClock, Timestamp};
use muster::{
    app::{self, Node},
    config::{Cloud, Config, Microsoft, RateLimit, RateLimits, Role},
    seed,
};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use testing::Database;
use url::Url;

/// What a test stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// SQLite and the in-process lane.
    Embedded,
    /// PostgreSQL and Redis, the real ones.
    Servers,
}

/// Declares tests once and runs them on both stacks: `both! { name, other_name }`.
macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(crate::harness::TestApp::new(crate::harness::Stack::Embedded).await).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(crate::harness::TestApp::new(crate::harness::Stack::Servers).await).await; })*
        }
    };
}

/// A started Muster with its sandbox.
pub struct TestApp {
    pub node: Node,
    pub config: Config,
    pub clock: TestClock,
    pub base: Url,
    pub sandbox: Url,
    pub vendor_key: String,
    /// The id and the secret of our application at the sandbox.
    pub application: (String, String),
    client: http::Client,
    running: Option<sandbox::RunningSandbox>,
    finished: bool,
    database: Database,
}

/// What is different from other tests.
pub struct Setting<'a> {
    /// Puts something between server and sandbox, which answers under another address.
    pub sandbox: Box<dyn FnOnce(Url) -> Url + 'a>,
    /// Changes the configuration.
    pub config: Box<dyn FnOnce(Config) -> Config + 'a>,
}

impl Default for Setting<'_> {
    fn default() -> Self {
        Self { sandbox: Box::new(|sandbox| sandbox), config: Box::new(|config| config) }
    }
}

/// An organisation at the sandbox and its tenant here.
#[derive(Debug, Clone)]
pub struct Org {
    /// `ten_...`
    pub tenant: String,
    /// What the sandbox says of it: `id`, `admin`, `users`, `shared`, `rooms`.
    pub sandbox: Value,
}

/// What was answered to all that was asked in this process.
pub static ANSWERS: Mutex<String> = Mutex::new(String::new());

impl TestApp {
    pub async fn new(stack: Stack) -> Self {
        Self::through(stack, |sandbox| sandbox).await
    }

    /// The same with something between server and sandbox, which answers under another address.
    pub async fn through(stack: Stack, between: impl FnOnce(Url) -> Url) -> Self {
        Self::set(stack, Setting { sandbox: Box::new(between), ..Setting::default() }).await
    }

    pub async fn set(stack: Stack, setting: Setting<'_>) -> Self {
        let start = Utc.with_ymd_and_hms(2026, 12, 1, 7, 0, 0).single().unwrap();
        let clock = TestClock::at(start);
        let shared: SharedClock = Arc::new(clock.clone());
        let ids = Ids::random(Arc::clone(&shared));
        let running = sandbox::Sandbox::start(sandbox::Config {
            listen: ([127, 0, 0, 1], 0).into(),
            data: None,
            journal: None,
            clock: Arc::clone(&shared),
            ids: ids.clone(),
        });
        let running = running.await.unwrap();
        let sandbox = (setting.sandbox)(running.url());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let database = Database::create(stack == Stack::Servers).await;
        let owner = database.url().to_owned();
        let (database_url, migration_url, queue_url) = match stack {
            Stack::Embedded => (owner, None, "memory:".to_owned()),
            Stack::Servers => (entity::Logins::from_url(&owner).app, Some(owner), testing::shared_redis()),
        };
        let client_id = ids.uuid().to_string();
        let client_secret = ids.random_secret();
        seed::register_application(&sandbox, &client_id, &client_secret, &base).await.unwrap();
        let vendor_key = format!("muster_{}", ids.random_secret());
        let application = (client_id.clone(), client_secret.clone());
        let google = muster::dev::google_config(&sandbox, &client_id, &client_secret).unwrap();
        let config = Config {
            migration_url,
            queue_url,
            queue_prefix: format!("t{}", &ids.random_secret()[..12]),
            listen: listener.local_addr().unwrap(),
            // No worker: tests step the engine by hand.
            roles: vec![Role::Api],
            vendor_key: Some(vendor_key.clone().into()),
            microsoft: Some(Microsoft {
                client_id,
                client_secret: Some(client_secret.into()),
                certificate_file: None,
                private_key_file: None,
                cloud: Cloud::Global,
                login_url: Some(sandbox.clone()),
                graph_url: Some(sandbox.join("/v1.0").unwrap()),
            }),
            google: Some(google),
            allowed_hosts: vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
            connections: 8,
            steps_at_once: 8,
            // Channels are made only when a test lets the reconciler have a round.
            push: true,
            // Tests ask faster than anybody should.
            rate_limits: RateLimits {
                caller: RateLimit::UNLIMITED,
                tenant: RateLimit::UNLIMITED,
                address: RateLimit::UNLIMITED,
                refused: RateLimit::UNLIMITED,
            },
            open_introspection: true,
            ..Config::new(&database_url, &base, &ids.random_secret()).unwrap()
        };
        let config = (setting.config)(config);
        muster::database::migrate(&config, &ids).await.unwrap();
        let node = app::start(&config, shared, Some(listener), None).await.unwrap();
        let client = browser::local_client().unwrap();
        Self {
            node,
            config,
            clock,
            base,
            sandbox,
            vendor_key,
            application,
            client,
            running: Some(running),
            finished: false,
            database,
        }
    }

    pub fn now(&self) -> Timestamp {
        domain::Clock::now(&self.clock)
    }

    /// Works off everything that is due now.
    pub async fn run_jobs(&self) -> usize {
        self.node.engine.run_until_idle().await.unwrap()
    }

    /// Does one round of a reconciler, and works off the runs that it enqueued.
    pub async fn reconcile(&self, reconciler: workflows::reconcile::Reconciler) {
        reconciler.run_round(&self.node.services).await.unwrap();
        self.run_jobs().await;
    }

    /// Moves the clock, then works off what is due.
    pub async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.run_jobs().await;
    }

    /// Does something while jobs are worked off beside it, as they are in production.
    pub async fn beside_jobs<T>(&self, work: impl Future<Output = T>) -> T {
        // A round that has begun is ended: one that is dropped would leave its jobs leased, and no time passes here.
        let stop = tokio_util::sync::CancellationToken::new();
        let jobs = async {
            while !stop.is_cancelled() {
                self.run_jobs().await;
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let work = async {
            let done = work.await;
            stop.cancel();
            done
        };
        tokio::join!(work, jobs).0
    }

    /// The vendor's back end, acting for no tenant.
    pub fn vendor(&self) -> Asker {
        self.asker(Some(format!("Bearer {}", self.vendor_key)), None)
    }

    /// The vendor's back end, acting for a tenant.
    pub fn vendor_for(&self, tenant: &str) -> Asker {
        self.asker(Some(format!("Bearer {}", self.vendor_key)), Some(tenant.to_owned()))
    }

    /// Somebody without any credential.
    pub fn anonymous(&self) -> Asker {
        self.asker(None, None)
    }

    /// A user with an access token.
    pub async fn user(&self, tenant: &str, user: &str) -> Asker {
        let input = json!({ "tenantId": tenant, "userId": user });
        let token = self.vendor().mutate("createAccessToken", "accessToken { token }", input).await;
        let token = token["accessToken"]["token"].as_str().unwrap_or_else(|| panic!("no token: {token}"));
        self.asker(Some(format!("Bearer {token}")), None)
    }

    /// Somebody with a token, who names a tenant or none.
    pub fn bearer(&self, token: &str, tenant: Option<&str>) -> Asker {
        self.asker(Some(format!("Bearer {token}")), tenant.map(str::to_owned))
    }

    fn asker(&self, authorization: Option<String>, tenant: Option<String>) -> Asker {
        Asker { base: self.base.clone(), client: self.client.clone(), authorization, tenant }
    }

    /// Posts to the sandbox's control API.
    pub async fn control(&self, path: &str, body: Value) -> Value {
        let request = http::Request::new(http::Method::POST, self.sandbox.join(path).unwrap());
        let answer = self.client.send(request.body("application/json", body.to_string())).await.unwrap();
        assert!(answer.status.is_success(), "{path}: {}", answer.text());
        answer.json().unwrap()
    }

    /// Reads from the sandbox's control API.
    pub async fn observe(&self, path: &str) -> Value {
        let request = http::Request::new(http::Method::GET, self.sandbox.join(path).unwrap());
        let answer = self.client.send(request).await.unwrap();
        assert!(answer.status.is_success(), "{path}: {}", answer.text());
        answer.json().unwrap()
    }

    /// A tenant that may have a service account, and its organisation at the sandbox, not connected yet.
    pub async fn with_tenant(&self, name: &str, users: usize, rooms: usize) -> Org {
        let order = json!({ "name": name, "users": users, "rooms": rooms, "weeks": 1, "seed": 3, "out_of_scope": 1,
            "from": self.now().date_naive() });
        let sandbox = self.control("/control/organisations/generate", order).await;
        let input = json!({ "name": name, "plan": "PLUS", "returnUrls": [steps::LANDING] });
        let made = self.vendor().mutate("createTenant", "tenant { id }", input).await;
        let tenant = made["tenant"]["id"].as_str().unwrap_or_else(|| panic!("no tenant: {made}")).to_owned();
        let input = json!({ "tenantId": tenant, "feature": "SERVICE_ACCOUNT", "on": true });
        self.vendor().mutate("setFeature", "tenant { id }", input).await;
        Org { tenant, sandbox }
    }

    /// Makes users of the people of the organisation, in its order; returns their ids.
    pub async fn with_users(&self, org: &Org, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for person in org.sandbox["users"].as_array().unwrap().iter().take(count) {
            let input = json!({ "email": person["address"], "name": person["name"],
                "calendarAddress": person["address"], "timeZone": "Europe/Berlin" });
            let made = self.vendor_for(&org.tenant).mutate("createUser", "user { id }", input).await;
            ids.push(made["user"]["id"].as_str().unwrap_or_else(|| panic!("no user: {made}")).to_owned());
        }
        ids
    }

    /// A link for the organisation's administrator.
    pub async fn invite(&self, org: &Org) -> String {
        let input = json!({ "email": org.sandbox["admin"]["address"], "returnUrl": steps::LANDING });
        let made = self.vendor_for(&org.tenant).mutate("inviteAdministrator", "url", input).await;
        made["url"].as_str().unwrap_or_else(|| panic!("no link: {made}")).to_owned()
    }

    /// The browser of the organisation's administrator, with what it types into forms.
    pub fn browser(&self, org: &Org) -> Browser {
        let mailbox = org.sandbox["shared"][0]["address"].as_str().unwrap_or_default().to_owned();
        let answers = vec![
            ("provider".to_owned(), "MICROSOFT_365".to_owned()),
            ("service_mailbox".to_owned(), mailbox),
        ];
        Browser::new(self.client.clone(), answers).with_landing(steps::LANDING.parse().unwrap())
    }

    /// Connects the organisation as its administrator does, and activates every mailbox. Returns the integration's id.
    pub async fn connect(&self, org: &Org) -> String {
        let link = self.invite(org).await;
        let mut browser = self.browser(org);
        self.beside_jobs(browser.complete_pages(&link)).await.unwrap();
        self.run_jobs().await;
        let rows = self
            .vendor_for(&org.tenant)
            .query(
                "{ integrations(first: 1) { edges { node { id state reason { code message } } } } }",
                json!({}),
            )
            .await;
        let node = &rows["integrations"]["edges"][0]["node"];
        assert_eq!(node["state"], "ACTIVE", "the integration is not connected: {rows}");
        node["id"].as_str().unwrap().to_owned()
    }

    /// Where the owner reaches the database.
    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    /// Asserts that nothing is left but named waits, and stops everything.
    pub async fn finish(self) {
        self.run_jobs().await;
        let engine = self.node.services.store.engine_connection();
        let sql = "SELECT r.workflow, r.status, r.wait_signal, j.lease_until FROM job j JOIN run r ON r.id = j.run_id";
        let rows =
            engine.query_all_raw(Statement::from_string(engine.get_database_backend(), sql)).await.unwrap();
        for row in rows {
            let workflow: String = row.try_get("", "workflow").unwrap();
            let status: String = row.try_get("", "status").unwrap();
            let signal: Option<String> = row.try_get("", "wait_signal").unwrap();
            assert!(
                status == "WAITING" && signal.is_some(),
                "{workflow} is left {status}, waiting for {signal:?}"
            );
        }
        self.abandon().await;
    }

    /// Stops everything, whatever is left.
    pub async fn abandon(mut self) {
        self.finished = true;
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        assert!(self.finished || std::thread::panicking(), "a test must end with finish()");
    }
}
