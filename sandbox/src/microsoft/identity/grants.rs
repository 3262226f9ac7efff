//! Consents of applications, and the tokens based on them.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{failure::Failure, keys::sha256, permissions};
use crate::{
    Error,
    app::App,
    model::{Consent, Mailbox, Organisation},
    store::State,
};

/// The consent with which an application exists and has access in an organisation.
pub fn effective_consent<'a>(
    organisation: &'a Organisation,
    client_id: &str,
) -> Result<&'a Consent, Failure> {
    match organisation.consents.get(client_id) {
        Some(consent) if consent.disabled => Err(Failure::disabled_application(client_id)),
        Some(consent) if consent.present => Ok(consent),
        _ => Err(Failure::unknown_application(client_id, &organisation.name)),
    }
}

/// Issues tokens for one client in one organisation.
#[derive(Debug)]
pub struct TokenIssuer<'a> {
    /// The sandbox's state, with the signing key and the clock.
    pub app: &'a App,
    /// The scheme, host and port to which the caller sent the request.
    pub origin: &'a str,
    /// The organisation whose consents determine the permissions in the tokens.
    pub organisation: &'a Organisation,
    /// The id of the application that the tokens are for.
    pub client_id: &'a str,
    /// Tokens issued before this epoch are invalid.
    pub token_epoch: u64,
    /// Seconds by which the clock of the tokens is ahead.
    pub skew_s: i64,
}

impl TokenIssuer<'_> {
    /// Issues an application's own access token, without `roles` as long as no permission is granted.
    pub fn issue_app_token(&self, consent: &Consent, lifetime_s: i64) -> Result<String, Error> {
        let now = self.app.now();
        let mut claims = self.claims(now, lifetime_s, consent);
        let principal = principal(self.organisation.id, self.client_id);
        claims["idtyp"] = "app".into();
        claims["oid"] = principal.clone().into();
        claims["sub"] = principal.into();
        if !consent.roles.is_empty() && consent.effective_at.is_none_or(|from| from <= now) {
            claims["roles"] = json!(consent.roles);
        }
        self.app.signer.sign(&claims)
    }

    /// Issues an access token of a person.
    pub fn issue_delegated_token(
        &self,
        consent: &Consent,
        account: &Mailbox,
        scopes: &BTreeSet<String>,
        lifetime_s: i64,
    ) -> Result<String, Error> {
        let mut claims = self.claims(self.app.now(), lifetime_s, consent);
        claims["idtyp"] = "user".into();
        claims["oid"] = account.id.clone().into();
        claims["sub"] = pairwise(self.client_id, &account.id).into();
        claims["upn"] = account.upn.clone().into();
        claims["name"] = account.name.clone().into();
        claims["scp"] = format_scopes(scopes).into();
        self.app.signer.sign(&claims)
    }

    /// Issues an ID token (OpenID Connect) for a person.
    pub fn issue_id_token(
        &self,
        account: &Mailbox,
        scopes: &BTreeSet<String>,
        nonce: Option<&str>,
    ) -> Result<String, Error> {
        let now = self.app.now().timestamp() + self.skew_s;
        let mut claims = json!({
            "ver": "2.0",
            "iss": format!("{}/{}/v2.0", self.origin, self.organisation.id),
            "aud": self.client_id,
            "tid": self.organisation.id,
            "sub": pairwise(self.client_id, &account.id),
            "iat": now, "nbf": now, "exp": now + 3600,
        });
        if scopes.contains("profile") {
            claims["oid"] = account.id.clone().into();
            claims["name"] = account.name.clone().into();
            claims["preferred_username"] = account.upn.clone().into();
        }
        if scopes.contains("email") {
            claims["email"] = account.address.clone().into();
        }
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        self.app.signer.sign(&claims)
    }

    fn claims(&self, now: Timestamp, lifetime_s: i64, consent: &Consent) -> Value {
        let now = now.timestamp() + self.skew_s;
        json!({
            "aud": permissions::GRAPH_RESOURCE,
            "iss": format!("{}/{}/", self.origin, self.organisation.id),
            "iat": now, "nbf": now, "exp": now + lifetime_s,
            "appid": self.client_id,
            "tid": self.organisation.id,
            "uti": URL_SAFE_NO_PAD.encode(self.app.ids.random_bytes::<16>()),
            "ver": "1.0",
            "rh": format!("1.{}.{}", self.token_epoch, consent.epoch),
        })
    }
}

/// The identity and permissions in an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The id of the organisation.
    pub tenant: Uuid,
    /// The id of the application to which the token was issued.
    pub client_id: String,
    /// The account's or service principal's directory id.
    pub object: String,
    /// Whether the token was issued to a person.
    pub delegated: bool,
    /// The application or delegated permissions.
    pub permissions: BTreeSet<String>,
}

impl Bearer {
    /// Verifies a token that the sandbox issued; `None` if it is no longer valid.
    pub fn from_token(app: &App, state: &State, token: &str) -> Option<Self> {
        let claims = app.signer.verify(token)?;
        let text = |name: &str| claims[name].as_str().map(str::to_owned);
        let tenant = Uuid::try_parse(claims["tid"].as_str()?).ok()?;
        let client_id = text("appid")?;
        let organisation = state.organisations.get(&tenant)?;
        let consent = effective_consent(organisation, &client_id).ok()?;
        let alive = claims["aud"] == permissions::GRAPH_RESOURCE
            && claims["exp"].as_i64()? > app.now().timestamp()
            && text("rh")? == format!("1.{}.{}", state.token_epoch, consent.epoch);
        alive.then_some(())?;
        let delegated = claims["idtyp"] == "user";
        let permissions = if delegated {
            text("scp")?.split(' ').map(str::to_owned).collect()
        } else {
            serde_json::from_value(claims["roles"].clone()).unwrap_or_default()
        };
        Some(Self { tenant, client_id, object: text("oid")?, delegated, permissions })
    }

    /// Whether the bearer has one of these permissions.
    pub fn has_any_permission(&self, any: &[&str]) -> bool {
        any.iter().any(|name| self.permissions.contains(*name))
    }
}

/// The `scope` of a response: permissions first, then the scopes of OpenID Connect.
pub fn format_scopes(scopes: &BTreeSet<String>) -> String {
    let (openid, real): (Vec<_>, Vec<_>) = scopes
        .iter()
        .map(String::as_str)
        .filter(|scope| *scope != "offline_access")
        .partition(|scope| permissions::is_openid(scope));
    [real, openid].concat().join(" ")
}

/// The directory id of a client's service principal, always the same.
fn principal(tenant: Uuid, client_id: &str) -> String {
    let hash = sha256(format!("{tenant}|{client_id}").as_bytes());
    Uuid::from_slice(&hash[..16]).unwrap_or_default().to_string()
}

/// The `sub` claim, different for every client.
fn pairwise(client_id: &str, account: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(format!("{client_id}|{account}").as_bytes()))
}
