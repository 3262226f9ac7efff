//! What is attacked: a Muster with two tenants, whose users sign in by issuers of their own.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::harness::{Asker, TestApp, steps};

/// A tenant whose users have addresses below a domain.
pub struct Tenant {
    pub id: String,
    /// By the part of the address before the sign.
    pub users: BTreeMap<String, String>,
}

/// An issuer as it was registered.
#[derive(Debug, Clone)]
pub struct Registered {
    pub id: String,
    pub redirect_uri: url::Url,
    pub sign_in_url: url::Url,
    pub audience: String,
}

const ISSUER: &str = "openIdIssuer { id redirectUri signInUrl audience version }";

pub async fn tenant(app: &TestApp, domain: &str, people: &[&str]) -> Tenant {
    let input = json!({ "name": domain, "plan": "PLUS", "returnUrls": [steps::LANDING] });
    let made = app.vendor().mutate("createTenant", "tenant { id }", input).await;
    let id = made["tenant"]["id"].as_str().unwrap_or_else(|| panic!("no tenant: {made}")).to_owned();
    let mut users = BTreeMap::new();
    for name in people {
        let input = json!({ "email": format!("{name}@{domain}"), "name": name });
        let made = app.vendor_for(&id).mutate("createUser", "user { id }", input).await;
        let user = made["user"]["id"].as_str().unwrap_or_else(|| panic!("no user: {made}"));
        users.insert((*name).to_owned(), user.to_owned());
    }
    Tenant { id, users }
}

/// Registers an issuer as a client called `muster`, with more members of the input.
pub async fn register(app: &TestApp, tenant: &Tenant, issuer: &str, more: Value) -> Registered {
    let made = try_to_register(app, tenant, issuer, more).await;
    let issuer = &made["openIdIssuer"];
    let text = |name: &str| issuer[name].as_str().unwrap_or_else(|| panic!("no issuer: {made}")).to_owned();
    Registered {
        id: text("id"),
        redirect_uri: text("redirectUri").parse().unwrap(),
        sign_in_url: text("signInUrl").parse().unwrap(),
        audience: text("audience"),
    }
}

/// The same, whatever comes of it.
pub async fn try_to_register(app: &TestApp, tenant: &Tenant, issuer: &str, more: Value) -> Value {
    let mut input = json!({ "name": "Sign-in", "issuer": issuer, "clientId": "muster" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.vendor_for(&tenant.id).mutate("createOpenIdIssuer", ISSUER, input).await
}

/// Whose the answer is to a request with a token: the user's address, or the code of the refusal.
pub async fn who(asker: &Asker) -> Result<String, String> {
    let body = asker.ask("{ viewer { user { email } } }", json!({})).await;
    match body["data"]["viewer"]["user"]["email"].as_str() {
        Some(email) => Ok(email.to_owned()),
        None => Err(body["errors"][0]["extensions"]["code"].as_str().unwrap_or("NONE").to_owned()),
    }
}

/// How many rows there are of everything that a sign-in could leave behind, in all tenants.
pub async fn left_behind(app: &TestApp, tenants: &[&Tenant]) -> Vec<i64> {
    let mut counts = Vec::new();
    for tenant in tenants {
        let id = tenant.id.parse::<domain::Id<domain::ids::Tenant>>().unwrap();
        let txn = app.node.services.store.read(id).await.unwrap();
        for table in ["openid_issuer", "openid_identity", "sign_in", "access_token"] {
            let sql = format!("SELECT count(*) AS n FROM {table} WHERE tenant_id = $1");
            let backend = app.node.services.store.backend();
            let counted = Statement::from_sql_and_values(backend, sql, [id.into()]);
            let row = txn.query_one_raw(counted).await.unwrap().unwrap();
            counts.push(row.try_get("", "n").unwrap());
        }
    }
    counts
}

/// What became of the attacks.
#[derive(Debug, Default)]
pub struct Tally {
    pub tried: Vec<String>,
    pub accepted: Vec<String>,
    pub uncoded: Vec<String>,
}

impl Tally {
    /// Takes in what was answered to an attack: the code of a refusal, or what it opened. What is refused for its number
    /// or its time alone was not tried.
    pub fn note(&mut self, name: &str, answer: Result<String, String>) {
        self.tried.push(name.to_owned());
        match answer {
            Ok(opened) => self.accepted.push(format!("{name} opened {opened}")),
            Err(code) if ["", "NONE", "INTERNAL", "TIMEOUT", "RATE_LIMITED"].contains(&code.as_str()) => {
                self.uncoded.push(format!("{name}: {code:?}"));
            }
            Err(_) => {}
        }
    }

    pub fn passes(&self, at_least: usize) {
        let distinct: std::collections::BTreeSet<_> = self.tried.iter().collect();
        assert_eq!(distinct.len(), self.tried.len(), "every attack has a name of its own");
        assert!(self.accepted.is_empty(), "accepted: {:#?}", self.accepted);
        assert!(self.uncoded.is_empty(), "refused without a code: {:#?}", self.uncoded);
        assert!(self.tried.len() >= at_least, "{} attacks were tried", self.tried.len());
    }
}
