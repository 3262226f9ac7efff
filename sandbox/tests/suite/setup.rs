//! A sandbox with one organisation and one application, and a person with a browser.

use std::{path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use domain::{Ids, SharedClock, TestClock};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, redirect::Policy};
use sandbox::{Config, RunningSandbox, Sandbox, microsoft::identity::keys::sha256};
use serde_json::{Value, json};
use url::Url;

pub const CLIENT: &str = "0f1e2d3c-aaaa-4bbb-8ccc-0123456789ab";
pub const SECRET: &str = "made-up/on+the spot&=1";
pub const RETURN: &str = "http://127.0.0.1:9/return";
pub const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0";
pub const PROPERTY: &str = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name key";

/// When every test begins: a Monday.
pub fn start() -> DateTime<Utc> {
    "2026-11-16T08:00:00Z".parse().unwrap()
}

pub struct Setup {
    pub running: RunningSandbox,
    pub client: Client,
    pub base: String,
    pub tenant: String,
    pub organisation: Value,
}

impl Setup {
    /// Three people, an administrator, a shared mailbox and two rooms, with the consent given.
    pub async fn consented() -> Self {
        let setup = Self::new().await;
        setup.consent().await;
        setup
    }

    pub async fn new() -> Self {
        let running = launch(None, None).await;
        Self::furnish(running).await
    }

    pub async fn furnish(running: RunningSandbox) -> Self {
        Self::furnish_over(running, Client::builder()).await
    }

    pub async fn furnish_over(running: RunningSandbox, client: ClientBuilder) -> Self {
        let client = client.redirect(Policy::none()).build().unwrap();
        let base = running.url().as_str().trim_end_matches('/').to_owned();
        let mut setup = Self { running, client, base, tenant: String::new(), organisation: Value::Null };
        setup
            .control(
                "apps",
                json!({
                    "client_id": CLIENT, "name": "Muster", "secret": SECRET, "redirect_uris": [RETURN]
                }),
            )
            .await;
        setup.organisation = setup.control("organisations", fixture("Acme", "acme.test")).await;
        setup.tenant = text(&setup.organisation["id"]);
        setup
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    pub async fn control(&self, path: &str, body: Value) -> Value {
        let answer = self.client.post(self.url(&format!("control/{path}"))).json(&body).send().await.unwrap();
        let status = answer.status();
        let value: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{status} {value}");
        value
    }

    pub async fn ask(&self, path: &str) -> Value {
        self.client.get(self.url(&format!("control/{path}"))).send().await.unwrap().json().await.unwrap()
    }

    /// An administrator opens the consent page and goes on to the end. Returns the query of the redirect.
    pub async fn consent(&self) -> Url {
        let path = format!(
            "{}/v2.0/adminconsent?client_id={CLIENT}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default&redirect_uri={RETURN}&state=s1",
            self.tenant
        );
        self.follow(self.client.get(self.url(&path))).await
    }

    /// Opens a page and submits the marked form of every page until it is sent elsewhere.
    pub async fn follow(&self, request: RequestBuilder) -> Url {
        let mut answer = request.send().await.unwrap();
        for _ in 0..5 {
            if answer.status() == 302 {
                return answer.headers()["location"].to_str().unwrap().parse().unwrap();
            }
            let page = answer.text().await.unwrap();
            assert!(page.contains("Sandbox"), "{page}");
            answer = self.submit(&page, "data-muster-next", &[]).await;
        }
        panic!("the pages do not end");
    }

    /// Submits the form with this mark, with some members replaced.
    pub async fn submit(&self, page: &str, mark: &str, with: &[(&str, &str)]) -> Response {
        let (action, mut members) = form(page, mark);
        for (name, value) in with {
            members.retain(|(known, _)| known != name);
            members.push(((*name).to_owned(), (*value).to_owned()));
        }
        self.client.post(format!("{}{action}", self.base)).form(&members).send().await.unwrap()
    }

    /// The authorisation code that a person's sign-in ends with.
    pub async fn code(&self, hint: &str, scope: &str) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes()));
        let request = self.client.get(self.url(&with(
            "organizations/oauth2/v2.0/authorize",
            &[
                ("client_id", CLIENT),
                ("response_type", "code"),
                ("redirect_uri", RETURN),
                ("scope", scope),
                ("state", "s2"),
                ("nonce", "n2"),
                ("login_hint", hint),
                ("code_challenge", challenge.as_str()),
                ("code_challenge_method", "S256"),
            ],
        )));
        let back = self.follow(request).await;
        assert_eq!(member(&back, "state"), "s2");
        member(&back, "code")
    }

    pub async fn token(&self, members: &[(&str, &str)]) -> (u16, Value) {
        self.token_of(&self.tenant, members).await
    }

    pub async fn token_of(&self, tenant: &str, members: &[(&str, &str)]) -> (u16, Value) {
        let url = self.url(&format!("{tenant}/oauth2/v2.0/token"));
        let answer = self.client.post(url).form(members).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub async fn redeem(&self, code: &str, verifier: &str) -> (u16, Value) {
        self.token_of(
            "organizations",
            &[
                ("client_id", CLIENT),
                ("client_secret", SECRET),
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", RETURN),
                ("code_verifier", verifier),
            ],
        )
        .await
    }

    /// An access token of a person.
    pub async fn personal(&self, who: &str, scope: &str) -> String {
        let code = self.code(who, scope).await;
        let (status, answer) = self.redeem(&code, VERIFIER).await;
        assert_eq!(status, 200, "{answer}");
        text(&answer["access_token"])
    }

    /// An access token without a person.
    pub async fn application(&self) -> String {
        let (status, answer) = self.token(&credentials()).await;
        assert_eq!(status, 200, "{answer}");
        text(&answer["access_token"])
    }

    pub fn graph(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { self.url(&format!("v1.0/{path}")) };
        self.client.request(method, url).bearer_auth(token)
    }

    pub async fn get(&self, token: &str, path: &str) -> (u16, Value) {
        answer(self.graph(token, Method::GET, path)).await
    }

    pub async fn post(&self, token: &str, path: &str, body: Value) -> (u16, Value) {
        answer(self.graph(token, Method::POST, path).json(&body)).await
    }

    /// Makes an event and returns it.
    pub async fn book(&self, token: &str, who: &str, body: Value) -> Value {
        let (status, event) = self.post(token, &format!("users/{who}/calendar/events"), body).await;
        assert_eq!(status, 201, "{event}");
        event
    }

    /// The live events of a mailbox, behind the provider's back.
    pub async fn calendar(&self, who: &str) -> Vec<Value> {
        let events = self.ask(&format!("organisations/{}/events?mailbox={who}", self.tenant)).await;
        events.as_array().unwrap().clone()
    }
}

pub async fn launch(data: Option<&Path>, journal: Option<&Path>) -> RunningSandbox {
    let clock: SharedClock = Arc::new(TestClock::at(start()));
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data: data.map(Path::to_owned),
        journal: journal.map(Path::to_owned),
        ids: Ids::random(Arc::clone(&clock)),
        clock,
    };
    Sandbox::start(config).await.unwrap()
}

pub fn fixture(name: &str, domain: &str) -> Value {
    json!({
        "name": name, "domain": domain,
        "users": [
            {"address": format!("ada@{domain}"), "name": "Ada Albers"},
            {"address": format!("bob@{domain}"), "name": "Bob Becker"},
            {"address": format!("eve@{domain}"), "name": "Eve Ebert", "in_scope": false},
            {"address": format!("nil@{domain}"), "name": "Nil Novak", "licensed": false},
            {"address": format!("bookings@{domain}"), "name": "Bookings", "purpose": "shared"}
        ],
        "rooms": [
            {"address": format!("room-1@{domain}"), "name": "Room 1", "capacity": 8, "building": "North", "floor": 2,
             "equipment": ["Video conference"]},
            {"address": format!("room-2@{domain}"), "name": "Room 2", "auto_accept": false}
        ]
    })
}

pub fn credentials() -> [(&'static str, &'static str); 4] {
    [
        ("client_id", CLIENT),
        ("client_secret", SECRET),
        ("grant_type", "client_credentials"),
        ("scope", "https://graph.microsoft.com/.default"),
    ]
}

/// A meeting on the first Tuesday, by hours in UTC.
pub fn meeting(key: &str, from: u32, to: u32, attendees: &[(&str, &str)]) -> Value {
    let at = |hour: u32| json!({"dateTime": format!("2026-11-17T{hour:02}:00:00"), "timeZone": "UTC"});
    let attendees: Vec<Value> = attendees
        .iter()
        .map(|(kind, address)| json!({"type": kind, "emailAddress": {"address": address, "name": address}}))
        .collect();
    json!({
        "subject": "Interview", "body": {"contentType": "HTML", "content": "<p>Agenda</p>"},
        "start": at(from), "end": at(to), "attendees": attendees, "transactionId": key,
        "singleValueExtendedProperties": [{"id": PROPERTY, "value": key}]
    })
}

pub async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap();
    (status, if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() })
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}

/// A path with a query.
pub fn with(path: &str, members: &[(&str, &str)]) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish();
    format!("{path}{separator}{query}")
}

/// A member of a URL's query; empty when it is not there.
pub fn member(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// An id as one segment of a path.
pub fn segment(id: &Value) -> String {
    text(id).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

/// The claims of a token, without looking at its signature.
pub fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Action and members of the one form with this mark.
fn form(page: &str, mark: &str) -> (String, Vec<(String, String)>) {
    let forms: Vec<&str> = page
        .split("<form ")
        .skip(1)
        .filter(|form| form.split('>').next().is_some_and(|tag| tag.contains(mark)))
        .collect();
    assert_eq!(forms.len(), 1, "exactly one form is marked {mark}: {page}");
    let form = forms[0].split("</form>").next().unwrap();
    let members = form
        .split("<input ")
        .skip(1)
        .map(|input| input.split('>').next().unwrap())
        .filter(|input| !input.contains("type=\"radio\"") || input.contains("checked"))
        .map(|input| (attribute(input, "name"), attribute(input, "value")))
        .collect();
    (attribute(form, "action"), members)
}

fn attribute(tag: &str, name: &str) -> String {
    let rest = tag.split(&format!("{name}=\"")).nth(1).unwrap_or_else(|| panic!("{tag} has no {name}"));
    rest.split('"').next().unwrap().to_owned()
}
