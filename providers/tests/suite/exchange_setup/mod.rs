//! A sandboxed Exchange server with one organisation, and its service account.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use domain::{Ids, TestClock};
use http::{Client, Method, Request};
use providers::{
    Credential, Gate, Permit, Result, Session, StaticCredentials,
    exchange::{Config, Exchange},
};
use serde_json::{Value, json};
use url::Url;

const PASSWORD: &str = "made for this test only";

/// The sandbox and the connector of one test.
pub struct Setup {
    /// What stands still unless a test moves it.
    pub clock: TestClock,
    /// The connector.
    pub exchange: Exchange,
    /// What the connector told the gate.
    pub gate: Arc<Watched>,
    client: Client,
    url: Url,
    _running: sandbox::RunningSandbox,
}

/// A gate that is always open and remembers who asked for a pause.
#[derive(Debug, Default)]
pub struct Watched(Mutex<Vec<(Option<String>, Duration)>>);

impl Watched {
    /// The pauses that were asked for: of which mailbox, and for how long.
    pub fn pauses(&self) -> Vec<(Option<String>, Duration)> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Gate for Watched {
    async fn enter(&self, _mailbox: Option<&str>) -> Result<Permit> {
        Ok(Permit::default())
    }

    async fn throttled(&self, mailbox: Option<&str>, wait: Duration) {
        self.0.lock().unwrap().push((mailbox.map(str::to_owned), wait));
    }
}

impl Setup {
    pub async fn start() -> Self {
        let clock = TestClock::at("2026-11-30T08:00:00Z".parse().unwrap());
        let shared = Arc::new(clock.clone());
        let running = sandbox::Sandbox::start(sandbox::Config {
            listen: ([127, 0, 0, 1], 0).into(),
            data: None,
            journal: None,
            clock: shared.clone(),
            ids: Ids::seeded(shared.clone(), 1),
        })
        .await
        .unwrap();
        let url = running.url();
        let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
        let client = Client::new(http::Config { allowance, ..http::Config::default() }).unwrap();
        let places = ["nowhere", "autodiscover/autodiscover.xml"];
        let autodiscover = places.map(|place| url.join(place).unwrap().to_string()).into();
        let exchange = Exchange::new(Config { autodiscover }, client.clone(), Ids::seeded(shared, 2));
        Self { clock, exchange, gate: Arc::default(), client, url, _running: running }
    }

    /// A new organisation without any meetings and with a service account; as `/control` shows it. The last of its
    /// people is out of scope.
    pub async fn organisation(&self, users: usize, rooms: usize) -> Value {
        let order = json!({ "name": "Acme", "users": users, "rooms": rooms, "weeks": 0, "out_of_scope": 1 });
        let organisation = self.control("organisations/generate", &order).await;
        self.account(&organisation, &json!({ "user": "svc@acme.test", "password": PASSWORD })).await;
        organisation
    }

    /// Makes or changes the service account.
    pub async fn account(&self, organisation: &Value, change: &Value) {
        let path = format!("organisations/{}/technical-account", text(&organisation["id"]));
        self.control(&path, change).await;
    }

    /// Access as the service account, at an address that was typed.
    pub fn session(&self) -> Session {
        let user = "svc@acme.test".to_owned();
        Session {
            credentials: Arc::new(StaticCredentials(Credential::Basic {
                user: user.clone(),
                password: PASSWORD.to_owned().into(),
            })),
            gate: self.gate.clone(),
            server: Some(self.url.clone()),
            account: user,
            own: false,
            zone: None,
            scope: "test".into(),
            rooms: None,
        }
    }

    /// Plants a fault that hits operations of this name.
    pub async fn fault(&self, operation: &str, mut fault: Value) {
        fault["match"] = json!({ "path_contains": "EWS", "body_contains": format!("<m:{operation}") });
        self.control("faults", &fault).await;
    }

    /// Asks something of the sandbox behind the provider's back.
    pub async fn control(&self, path: &str, body: &Value) -> Value {
        let url = self.url.join(&format!("control/{path}")).unwrap();
        let request = Request::new(Method::POST, url).body("application/json", body.to_string());
        let answer = self.client.send(request).await.unwrap();
        assert!(answer.status.is_success(), "{path}: {}", answer.text());
        answer.json().unwrap()
    }

    /// What the sandbox was asked so far, by outcome.
    pub async fn outcomes(&self) -> Vec<String> {
        let request = Request::new(Method::GET, self.url.join("control/journal").unwrap());
        let journal: Value = self.client.send(request).await.unwrap().json().unwrap();
        journal.as_array().unwrap().iter().map(|entry| text(&entry["outcome"]).to_owned()).collect()
    }

    /// A new runtime-independent way to move the clock and to forget sync states, for the suite's hooks.
    pub fn url(&self) -> Url {
        self.url.clone()
    }
}

/// A member of a JSON answer that is a text.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
