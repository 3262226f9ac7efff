//! A sandboxed Microsoft 365 with one organisation, and our application registered there.

mod hooks;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::{Ids, TestClock};
use http::{Client, Method, Request};
use providers::{
    Credential, Credentials, Result, Session, UnlimitedGate,
    microsoft::{ClientCredential, Config, Microsoft, identity::IdentityClient},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

pub use hooks::Hooks;

use crate::microsoft_browser::{Will, visit};

/// Where our application takes browsers back.
pub const BACK: &str = "https://muster.test/connect/back";
const CLIENT_ID: &str = "11111111-2222-4333-8444-555555555555";
const SECRET: &str = "made for this test only";

/// The sandbox and the connector of one test.
pub struct Setup {
    /// What stands still unless a test moves it.
    pub clock: TestClock,
    /// For the browser and for `/control`.
    pub client: Client,
    /// The connector.
    pub microsoft: Microsoft,
    /// The identity platform.
    pub identity: IdentityClient,
    /// Where the sandbox is.
    pub url: Url,
    _running: sandbox::RunningSandbox,
}

impl Setup {
    /// A sandbox with our application, which proves itself by its secret.
    pub async fn start() -> Self {
        Self::start_with(ClientCredential::Secret(SecretString::from(SECRET)), Vec::new()).await
    }

    /// A sandbox with our application and its registered certificates (PEM or base64 of DER).
    pub async fn start_with(credential: ClientCredential, certificates: Vec<String>) -> Self {
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
        let config = Config::new(url.clone(), url.join("v1.0").unwrap(), CLIENT_ID, credential);
        let ids = Ids::seeded(shared.clone(), 2);
        let setup = Self {
            microsoft: Microsoft::new(config.clone(), client.clone(), shared.clone(), ids.clone()),
            identity: IdentityClient::new(config, client.clone(), shared, ids),
            clock,
            client,
            url,
            _running: running,
        };
        let application = json!({
            "client_id": CLIENT_ID, "secret": SECRET, "redirect_uris": [BACK], "certificates": certificates,
        });
        setup.control("apps", &application).await;
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

    /// A new organisation without any meetings; as `/control` shows it.
    pub async fn organisation(&self, name: &str, users: usize, rooms: usize) -> Value {
        let order = json!({ "name": name, "users": users, "rooms": rooms, "weeks": 0, "out_of_scope": 1 });
        self.control("organisations/generate", &order).await
    }

    /// Lets the administrator of an organisation consent for all of it; returns the redirect.
    pub async fn consent(&self, organisation: &Value) -> Url {
        let url = self.identity.admin_consent_url(text(&organisation["id"]), BACK, "state").unwrap();
        visit(&self.client, url, BACK, Will::Agree(text(&organisation["admin"]["address"]))).await
    }

    /// Access as the application, through the consent of an organisation.
    pub fn session(&self, organisation: &Value) -> Session {
        let tenant = text(&organisation["id"]).to_owned();
        Session {
            credentials: Arc::new(AppOnly {
                identity: self.identity.clone(),
                tenant,
                token: Mutex::default(),
            }),
            gate: Arc::new(UnlimitedGate),
            server: None,
            account: text(&organisation["shared"][0]["address"]).to_owned(),
            own: false,
            zone: None,
            scope: "test".into(),
            rooms: None,
        }
    }
}

/// Credentials of the application itself, fetched when they are needed.
#[derive(Debug)]
struct AppOnly {
    identity: IdentityClient,
    tenant: String,
    token: Mutex<Option<SecretString>>,
}

#[async_trait]
impl Credentials for AppOnly {
    async fn current(&self) -> Result<Credential> {
        let kept = self.token.lock().unwrap().clone();
        let token = match kept {
            Some(token) => token,
            None => self.identity.app_token(&self.tenant, None).await?.access_token,
        };
        *self.token.lock().unwrap() = Some(token.clone());
        Ok(Credential::Bearer(token))
    }

    async fn renewed(&self, _refused: &Credential, claims: Option<&str>) -> Result<Credential> {
        let token = self.identity.app_token(&self.tenant, claims).await?.access_token;
        *self.token.lock().unwrap() = Some(token.clone());
        Ok(Credential::Bearer(token))
    }
}

/// A member of a JSON answer that is a text.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
