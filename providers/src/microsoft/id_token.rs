//! Validates ID tokens to determine which account signed in.
//!
//! The token library checks the signature and the algorithm; every claim is checked here, because the library
//! accepts absent claims and uses the machine's clock. Signing keys come from the metadata of the configured
//! authority and are cached; an unknown key id causes a new download at most once a minute, so that forged tokens
//! cannot make Muster call Microsoft.

use std::sync::Arc;

use chrono::Duration;
use domain::{SharedClock, Timestamp};
use http::{Client, Method, Request};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::Mutex;
use url::Url;
use uuid::{Uuid, uuid};

use crate::{Error, ErrorKind, Remedy, Result, messages, rest::url_below, sanitize};

/// The tenant of all personal accounts, which belong to no organisation.
const PERSONAL: Uuid = uuid!("9188040d-6c67-4c5b-b112-36a304b66dad");
/// Tolerated difference between two clocks.
const LEEWAY_SECONDS: i64 = 60;
/// Minimum interval between downloads for unknown key ids.
const LOOK_AGAIN: Duration = Duration::minutes(1);
/// Age at which the keys are downloaded again even if no unknown key id was met.
const KEEP: Duration = Duration::hours(24);

/// The account that signed in at Microsoft, identified by tenant and object id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInAccount {
    /// Id of the organisation, proven by the token's signature.
    pub tenant_id: String,
    /// Permanent id of the account within the organisation.
    pub object_id: String,
    /// Display name of the account.
    pub name: String,
    /// Sign-in name: for display, never for decisions.
    pub username: String,
}

#[derive(Debug, Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    exp: i64,
    nbf: i64,
    ver: String,
    tid: String,
    oid: String,
    nonce: String,
    name: Option<String>,
    preferred_username: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Url,
}

#[derive(Debug, Deserialize)]
struct KeyList {
    keys: Vec<Key>,
}

#[derive(Debug, Clone, Deserialize)]
struct Key {
    kid: Option<String>,
    kty: String,
    n: Option<String>,
    e: Option<String>,
    /// The issuer whose tokens the key signs; `None` if the authority does not restrict it.
    issuer: Option<String>,
}

#[derive(Debug)]
struct KeySet {
    /// Issuer of the tokens, with `{tenantid}` in place of the tenant.
    issuer: String,
    keys: Vec<Key>,
}

impl KeySet {
    fn find(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid.as_deref() == Some(kid) && key.kty == "RSA")
    }
}

#[derive(Debug, Default)]
struct CachedKeys {
    set: Option<Arc<KeySet>>,
    looked_at: Option<Timestamp>,
}

/// The signing keys published by one authority.
#[derive(Debug)]
pub(super) struct SigningKeys {
    login: Url,
    client: Client,
    clock: SharedClock,
    kept: Mutex<CachedKeys>,
}

impl SigningKeys {
    pub(super) fn new(login: Url, client: Client, clock: SharedClock) -> Self {
        Self { login, client, clock, kept: Mutex::default() }
    }

    /// The published keys, including `kid` if the authority publishes it. One caller downloads the keys, and
    /// concurrent callers wait.
    async fn with(&self, kid: &str) -> Result<Arc<KeySet>> {
        let mut kept = self.kept.lock().await;
        let age = kept.looked_at.map_or(Duration::MAX, |at| self.clock.now() - at);
        if let Some(set) = &kept.set
            && (age < LOOK_AGAIN || (age < KEEP && set.find(kid).is_some()))
        {
            return Ok(Arc::clone(set));
        }
        kept.looked_at = Some(self.clock.now());
        let found = self.look().await;
        match (found, &kept.set) {
            (Ok(set), _) => {
                let set = Arc::new(set);
                kept.set = Some(Arc::clone(&set));
                Ok(set)
            }
            // Cached keys stay in use while the authority does not respond.
            (Err(_), Some(old)) => Ok(Arc::clone(old)),
            (Err(error), None) => Err(error),
        }
    }

    async fn look(&self) -> Result<KeySet> {
        let url = url_below(&self.login, &["organizations", "v2.0", ".well-known", "openid-configuration"])?;
        let metadata: Metadata = self.get(url).await?;
        if metadata.jwks_uri.origin() != self.login.origin() {
            return Err(refused("KEYS_ELSEWHERE"));
        }
        let list: KeyList = self.get(metadata.jwks_uri).await?;
        Ok(KeySet { issuer: metadata.issuer, keys: list.keys })
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T> {
        let answer = self.client.send(Request::new(Method::GET, url)).await?;
        let unavailable = || {
            Error::new(
                ErrorKind::Unavailable,
                Remedy::RetryAfter(std::time::Duration::from_secs(5)),
                "SIGNING_KEYS",
                messages::microsoft_sign_in_try_soon(),
            )
        };
        if !answer.status.is_success() {
            return Err(unavailable());
        }
        crate::json::parse_short(&answer).map_err(|_| unavailable())
    }

    /// Validates an ID token issued for `client_id` and for the sign-in that began with `nonce`.
    pub(super) async fn verify(&self, token: &str, client_id: &str, nonce: &str) -> Result<SignedInAccount> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused("ID_TOKEN_MALFORMED"))?;
        let kid = header.kid.ok_or_else(|| refused("ID_TOKEN_KEY"))?;
        let set = self.with(&kid).await?;
        let key = set.find(&kid).ok_or_else(|| refused("ID_TOKEN_KEY"))?;
        let claims = claims(token, key, client_id)?;
        check(&claims, key, &set.issuer, client_id, nonce, self.clock.now())?;
        let username = sanitize::clean_identifier(claims.preferred_username.unwrap_or_default());
        Ok(SignedInAccount {
            name: claims.name.map_or_else(|| username.clone(), sanitize::clean_name),
            tenant_id: sanitize::clean_identifier(claims.tid),
            object_id: sanitize::clean_identifier(claims.oid),
            username,
        })
    }
}

/// The claims of a token with a valid signature.
fn claims(token: &str, key: &Key, client_id: &str) -> Result<Claims> {
    let (Some(n), Some(e)) = (&key.n, &key.e) else {
        return Err(refused("ID_TOKEN_KEY"));
    };
    let public = DecodingKey::from_rsa_components(n, e).map_err(|_| refused("ID_TOKEN_KEY"))?;
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&[client_id]);
    rules.set_required_spec_claims(&["exp", "nbf", "aud", "iss"]);
    // The times are checked against Muster's own clock.
    rules.validate_exp = false;
    rules.validate_nbf = false;
    let decoded = jsonwebtoken::decode::<Claims>(token, &public, &rules).map_err(|error| {
        use jsonwebtoken::errors::ErrorKind as E;
        refused(match error.kind() {
            E::InvalidSignature => "ID_TOKEN_SIGNATURE",
            E::InvalidAlgorithm => "ID_TOKEN_ALGORITHM",
            E::InvalidAudience => "ID_TOKEN_AUDIENCE",
            E::MissingRequiredClaim(_) | E::Json(_) => "ID_TOKEN_CLAIMS",
            _ => "ID_TOKEN_MALFORMED",
        })
    })?;
    Ok(decoded.claims)
}

fn check(
    claims: &Claims,
    key: &Key,
    issuer: &str,
    client_id: &str,
    nonce: &str,
    now: Timestamp,
) -> Result<()> {
    let now = now.timestamp();
    let tenant = Uuid::try_parse(&claims.tid).map_err(|_| refused("ID_TOKEN_TENANT"))?;
    if tenant == PERSONAL {
        return Err(Error::new(
            ErrorKind::Invalid,
            Remedy::Never,
            "PERSONAL_ACCOUNT",
            messages::microsoft_personal_account(),
        ));
    }
    let issued_by = |template: &str| claims.iss == template.replace("{tenantid}", &claims.tid);
    let rules = [
        ("ID_TOKEN_AUDIENCE", claims.aud == client_id),
        ("ID_TOKEN_VERSION", claims.ver == "2.0"),
        ("ID_TOKEN_EXPIRED", claims.exp.saturating_add(LEEWAY_SECONDS) > now),
        ("ID_TOKEN_TOO_EARLY", claims.nbf.saturating_sub(LEEWAY_SECONDS) <= now),
        ("ID_TOKEN_ISSUER", claims.iss.contains(&claims.tid) && issued_by(issuer)),
        ("ID_TOKEN_KEY", key.issuer.as_deref().is_none_or(issued_by)),
        ("ID_TOKEN_NONCE", !nonce.is_empty() && claims.nonce == nonce),
        ("ID_TOKEN_OBJECT", !claims.oid.is_empty()),
    ];
    match rules.iter().find(|(_, holds)| !holds) {
        Some((code, _)) => Err(refused(code)),
        None => Ok(()),
    }
}

fn refused(code: &str) -> Error {
    let message = messages::microsoft_sign_in_unverified();
    Error::new(ErrorKind::Invalid, Remedy::Never, code, message)
}

#[cfg(test)]
#[path = "id_token_tests.rs"]
mod tests;
