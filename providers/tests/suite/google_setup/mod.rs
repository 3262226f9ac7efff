//! A sandboxed Google Workspace with one organisation, and a service account that it authorised.

use std::sync::Arc;

use domain::{Ids, TestClock};
use http::{Client, Method, Request};
use providers::{
    Credential, Session, StaticCredentials, UnlimitedGate,
    google::{
        Config, DELEGATED_SCOPES, Google, KeylessSigner, OAuthApplication, ServiceAccountKey, TokenSource,
    },
};
use serde_json::{Value, json};
use url::Url;

/// Where our application takes browsers back.
pub const BACK: &str = "https://muster.test/connect/back";
const CLIENT_ID: &str = "calendar.apps.googleusercontent.com";
const SECRET: &str = "made for this test only";

/// The sandbox and the connector of one test.
pub struct Setup {
    /// What stands still unless a test moves it: Muster's and Google's clock.
    pub clock: TestClock,
    /// For the browser and for `/control`.
    pub client: Client,
    /// The connector.
    pub google: Google,
    /// The service account's key file.
    pub key: Value,
    /// Where the sandbox is.
    pub url: Url,
    _running: sandbox::RunningSandbox,
}

impl Setup {
    /// A sandbox with a service account and our application for personal consents.
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
        let config = config(&url.join("google/").unwrap());
        let google = Google::new(config, client.clone(), shared.clone(), Ids::seeded(shared, 2));
        let mut setup = Self { clock, client, google, key: Value::Null, url, _running: running };
        let application = json!({ "client_id": CLIENT_ID, "secret": SECRET, "redirect_uris": [BACK] });
        setup.control("apps", &application).await;
        setup.key = setup.control("google/service-accounts", &json!({})).await;
        setup
    }

    /// Asks something of the sandbox behind the provider's back.
    pub async fn control(&self, path: &str, body: &Value) -> Value {
        let url = self.url.join(&format!("control/{path}")).unwrap();
        let request = Request::new(Method::POST, url).body("application/json", body.to_string());
        let answer = self.client.send(request).await.unwrap();
        assert!(answer.status.is_success(), "{path}: {}", answer.text());
        answer.json().unwrap()
    }

    /// What was asked of the sandbox, and what came of it.
    pub async fn journal(&self) -> Vec<Value> {
        let url = self.url.join("control/journal").unwrap();
        let answer = self.client.send(Request::new(Method::GET, url)).await.unwrap();
        answer.json().unwrap()
    }

    /// A new organisation without any meetings; as `/control` shows it.
    pub async fn organisation(&self, name: &str, users: usize, rooms: usize) -> Value {
        let order = json!({
            "name": name, "users": users, "rooms": rooms, "weeks": 0, "out_of_scope": 1, "resource_calendars": true,
        });
        self.control("organisations/generate", &order).await
    }

    /// Lets the administrator of an organisation authorise the service account.
    pub async fn authorise(&self, organisation: &Value, delay_s: i64) {
        self.authorise_for(organisation, &DELEGATED_SCOPES, delay_s).await;
    }

    /// The same for some scopes alone.
    pub async fn authorise_for(&self, organisation: &Value, scopes: &[&str], delay_s: i64) {
        let path = format!("organisations/{}/google/delegations", text(&organisation["id"]));
        let order = json!({ "client_id": self.key["client_id"], "scopes": scopes, "delay_s": delay_s });
        self.control(&path, &order).await;
    }

    /// Takes the authorisation away again.
    pub async fn revoke(&self, organisation: &Value) {
        let path = format!("organisations/{}/google/delegations/revoke", text(&organisation["id"]));
        self.control(&path, &json!({ "client_id": self.key["client_id"] })).await;
    }

    /// Access through the service account, on behalf of the organisation's administrator.
    pub fn session(&self, organisation: &Value) -> Session {
        Self::session_with(&self.key, organisation)
    }

    /// The same with another key file.
    pub fn session_with(key: &Value, organisation: &Value) -> Session {
        let key = ServiceAccountKey::parse(&key.to_string()).unwrap();
        Session {
            credentials: Arc::new(StaticCredentials(Credential::ServiceAccount(Arc::new(key)))),
            gate: Arc::new(UnlimitedGate),
            server: None,
            account: text(&organisation["admin"]["address"]).to_owned(),
            own: false,
            zone: None,
            scope: "test".into(),
            rooms: None,
        }
    }

    /// A planted fault.
    pub async fn fault(&self, method: &str, path: &str, action: Value) {
        let mut fault = action;
        fault["match"] = json!({ "method": method, "path_contains": path });
        self.control("faults", &fault).await;
    }
}

/// Google, where it lies below one address.
pub fn config(base: &Url) -> Config {
    Config {
        token: base.join("token").unwrap(),
        accounts: base.as_str().trim_end_matches('/').parse().unwrap(),
        calendar: base.join("calendar/v3").unwrap(),
        directory: base.join("admin/directory/v1").unwrap(),
        keyless: Some(keyless(base)),
        application: Some(OAuthApplication { client_id: CLIENT_ID.to_owned(), secret: SECRET.into() }),
    }
}

/// Where the machine's tokens are, below Google.
pub const METADATA: &str = "computeMetadata/v1/instance/service-accounts/default/token";

/// Signatures for service accounts that are named without a key.
pub fn keyless(base: &Url) -> KeylessSigner {
    let header = (http::HeaderName::from_static("metadata-flavor"), "Google".into());
    let source = TokenSource::Url { url: base.join(METADATA).unwrap(), header: Some(header) };
    keyless_from(source, base)
}

/// The same from another source.
pub fn keyless_from(source: TokenSource, base: &Url) -> KeylessSigner {
    let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
    let client = Client::new(http::Config { allowance, ..http::Config::default() }).unwrap();
    KeylessSigner::new(source, base.join("iam/v1").unwrap(), client)
}

/// A member of a JSON answer that is a text.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
