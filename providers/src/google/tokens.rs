//! Access tokens that the connector obtains itself: one for each kind of request and each user on whose behalf it
//! acts.
//!
//! For Microsoft and for users' own consents, a consent has one secret and one token, which the token broker manages.
//! A service account has one key and as many tokens as there are mailboxes, so these are cached here, in memory, until
//! they expire. One caller fetches a token, and concurrent callers wait for it. This also applies to a service account
//! without a key, except that its assertions are signed by Google ([`super::keyless`]).

use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use http::{HeaderName, Method, Request};
use moka::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::form_urlencoded;

use super::{
    Google,
    key::{AssertionClaims, ServiceAccountKey},
    keyless, refusal,
    scopes::Scope,
};
use crate::{Error, ErrorKind, Remedy, Result, Secret, messages};

/// Grant type of the token request.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long before their expiry tokens are renewed.
const EARLY: chrono::Duration = chrono::Duration::minutes(5);
/// Maximum number of cached tokens.
const CAPACITY: u64 = 100_000;

/// Tokens by the session's scope, the service account, the user on whose behalf it acts, and the kind of request.
#[derive(Debug, Clone)]
pub(super) struct TokenCache(Cache<(Arc<str>, String, String, Scope), Slot>);

type Slot = Arc<Mutex<Option<CachedToken>>>;

#[derive(Debug)]
struct CachedToken {
    token: SecretString,
    ends: Timestamp,
}

impl Default for TokenCache {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(CAPACITY).build())
    }
}

/// The service account, and how its assertions are signed.
#[derive(Debug, Clone, Copy)]
pub(super) enum SigningAccount<'a> {
    /// A service account with its key.
    Key(&'a ServiceAccountKey),
    /// The email address of a service account without a key; the operator's token source authorises signing.
    Keyless(&'a str),
}

impl SigningAccount<'_> {
    /// The cache key of the account. A service account key is identified by a digest, which contains no `@` and
    /// therefore never equals an address.
    fn mark(self) -> String {
        match self {
            Self::Key(key) => key.fingerprint().to_owned(),
            Self::Keyless(address) => address.to_lowercase(),
        }
    }
}

/// A response of the token endpoint.
#[derive(Deserialize)]
pub(super) struct TokenResponse {
    pub access_token: String,
    pub expires_in: u64,
    pub refresh_token: Option<String>,
    pub id_token: Option<String>,
    pub scope: Option<String>,
}

impl Google {
    /// Returns a token to act as `subject` that differs from `refused`. The cache key includes the session's scope, so
    /// that a customer who enters another customer's account and subject never obtains that customer's token.
    pub(super) async fn token_for_subject(
        &self,
        owner: &Arc<str>,
        account: SigningAccount<'_>,
        subject: &str,
        scope: Scope,
        refused: Option<&SecretString>,
    ) -> Result<SecretString> {
        let place = (Arc::clone(owner), account.mark(), subject.to_lowercase(), scope);
        let slot = self.tokens.0.get_with(place, Slot::default);
        let mut live = slot.lock().await;
        let now = self.clock.now();
        if let Some(CachedToken { token, ends }) = &*live {
            let stale = refused.is_some_and(|refused| refused.expose_secret() == token.expose_secret());
            if !stale && now + EARLY < *ends {
                return Ok(token.clone());
            }
        }
        *live = None;
        let assertion = self.statement(account, subject, scope, now).await?;
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion.expose_secret())];
        let answer = request_token(self, &form).await.map_err(|error| match account {
            // There is no key that somebody could enter again.
            SigningAccount::Keyless(_)
                if error.kind == ErrorKind::Misconfigured && error.code == "invalid_grant" =>
            {
                keyless::own_assertion_refused(&error.code)
            }
            _ => error,
        })?;
        let ends = now + chrono::Duration::seconds(answer.expires_in.min(3_600) as i64);
        let token = SecretString::from(answer.access_token);
        *live = Some(CachedToken { token: token.clone(), ends });
        Ok(token)
    }

    async fn statement(
        &self,
        account: SigningAccount<'_>,
        subject: &str,
        scope: Scope,
        now: Timestamp,
    ) -> Result<SecretString> {
        let (audience, scope) = (self.config.token.as_str(), scope.name());
        match account {
            SigningAccount::Key(key) => key.sign(subject, scope, audience, now),
            SigningAccount::Keyless(address) => {
                let keyless = self.config.keyless.as_ref().ok_or_else(keyless::missing_signer)?;
                let claims = AssertionClaims::new(address, subject, scope, audience, now);
                let claims = serde_json::to_string(&claims).map_err(|_| keyless::missing_signer())?;
                let jitter = Duration::from_millis(self.ids.random_below(2_000));
                keyless.sign(address, &claims, now, jitter).await
            }
        }
    }
}

/// Withdraws a user's consent by its refresh token
/// (<https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke>). The endpoint lies beside the token
/// endpoint. A token that Google does not know any more is withdrawn already.
pub(super) async fn revoke_token(google: &Google, refresh_token: &str) -> Result<()> {
    let body = form_urlencoded::Serializer::new(String::new()).append_pair("token", refresh_token).finish();
    let url = google.config.token.join("revoke").map_err(|_| Secret::wrong_provider())?;
    let request = Request::new(Method::POST, url).body("application/x-www-form-urlencoded", body);
    let answer =
        google.client.send(request).await.map_err(|error| Error { unknown: false, ..error.into() })?;
    if answer.status.is_success() || answer.status.as_u16() == 400 {
        return Ok(());
    }
    Err(refusal::token_error(&answer, Duration::from_millis(google.ids.random_below(2_000))))
}

/// Sends a request to the token endpoint.
pub(super) async fn request_token(google: &Google, form: &[(&str, &str)]) -> Result<TokenResponse> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = Request::new(Method::POST, google.config.token.clone())
        .header(HeaderName::from_static("accept"), "application/json")
        .body("application/x-www-form-urlencoded", body);
    let answer =
        google.client.send(request).await.map_err(|error| Error { unknown: false, ..error.into() })?;
    if !answer.status.is_success() {
        let error = refusal::token_error(&answer, Duration::from_millis(google.ids.random_below(2_000)));
        tracing::info!(code = error.code, status = answer.status.as_u16(), "Google gave no token");
        return Err(error);
    }
    crate::json::parse_short(&answer).map_err(|_| {
        Error::new(
            ErrorKind::Unavailable,
            Remedy::RetryAfter(Duration::from_secs(5)),
            "ANSWER_UNREADABLE",
            messages::google_not_understood(),
        )
    })
}
