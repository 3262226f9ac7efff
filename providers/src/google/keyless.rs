//! Authenticates as a service account without its key: Google signs the assertion, authorised by a token of the
//! operator's machine.
//!
//! The token comes from a source in the operator's configuration: a URL that responds like Google's metadata server or
//! token exchange, or a file that another program keeps up to date. One caller fetches the token, and concurrent
//! callers wait for it. The customer can fix none of the failures here, so all become [`ErrorKind::Signing`].
//!
//! Source: Google's "IAM Service Account Credentials API", `projects.serviceAccounts.signJwt`.

use std::{path::PathBuf, sync::Arc, time::Duration};

use domain::Timestamp;
use http::{HeaderName, Method, Request, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use url::Url;

use super::classify::DEFAULT_WAIT;
use crate::{Error, ErrorKind, Remedy, Result, messages, rest::url_below};

/// Wait before the token source is queried again after a failure.
const MENDED_IN: Duration = Duration::from_mins(1);
/// How long before its expiry the source's token is renewed.
const EARLY: chrono::Duration = chrono::Duration::minutes(1);

/// Source of the token that authorises signing.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// A URL that responds with `access_token` and `expires_in` as JSON.
    Url {
        /// URL of the source.
        url: Url,
        /// Header that the source requires; `None` if it requires none.
        header: Option<(HeaderName, SecretString)>,
    },
    /// A file that contains only the token and that another program keeps up to date.
    File(PathBuf),
}

/// Signs assertions through Google's API. Clones share the source's token.
#[derive(Debug, Clone)]
pub struct KeylessSigner {
    source: TokenSource,
    iam: Url,
    client: http::Client,
    live: Arc<Mutex<Option<CachedToken>>>,
}

#[derive(Debug)]
struct CachedToken {
    token: SecretString,
    ends: Timestamp,
}

#[derive(Deserialize)]
struct Given {
    access_token: String,
    #[serde(default)]
    expires_in: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    signed_jwt: String,
}

impl KeylessSigner {
    /// Creates a signer that uses the API at `iam` (`https://iamcredentials.googleapis.com/v1`). `client` must be
    /// used for nothing else: it may call the source, usually a private address, which must stay unreachable for
    /// URLs from customers.
    pub fn new(source: TokenSource, iam: Url, client: http::Client) -> Self {
        Self { source, iam, client, live: Arc::default() }
    }

    /// Signs these claims as the service account `account`.
    pub(super) async fn sign(
        &self,
        account: &str,
        claims: &str,
        now: Timestamp,
        jitter: Duration,
    ) -> Result<SecretString> {
        let token = self.token(now, None).await?;
        let mut answer = self.ask(account, claims, &token).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            let fresh = self.token(now, Some(&token)).await?;
            answer = self.ask(account, claims, &fresh).await?;
        }
        if !answer.status.is_success() {
            return Err(refusal(&answer, jitter));
        }
        let signed: Signed =
            crate::json::parse_short(&answer).map_err(|_| unserved("SIGNATURE_UNREADABLE"))?;
        Ok(signed.signed_jwt.into())
    }

    async fn ask(&self, account: &str, claims: &str, token: &SecretString) -> Result<Response> {
        let call = format!("{account}:signJwt");
        let url = url_below(&self.iam, &["projects", "-", "serviceAccounts", &call])?;
        let request = Request::new(Method::POST, url)
            .authorization(&format!("Bearer {}", token.expose_secret()))
            .body("application/json", json!({ "payload": claims }).to_string());
        self.client.send(request).await.map_err(|error| unserved(error.code()))
    }

    /// The source's token, which must differ from `refused`.
    async fn token(&self, now: Timestamp, refused: Option<&SecretString>) -> Result<SecretString> {
        let (url, header) = match &self.source {
            TokenSource::File(path) => return read(path).await,
            TokenSource::Url { url, header } => (url, header),
        };
        let mut live = self.live.lock().await;
        if let Some(CachedToken { token, ends }) = &*live {
            let stale = refused.is_some_and(|refused| refused.expose_secret() == token.expose_secret());
            if !stale && now + EARLY < *ends {
                return Ok(token.clone());
            }
        }
        *live = None;
        let mut request =
            Request::new(Method::GET, url.clone()).header(http::header::ACCEPT, "application/json");
        if let Some((name, value)) = header {
            request = request.header(name.clone(), value.expose_secret());
        }
        let answer = self.client.send(request).await.map_err(|error| unserved(error.code()))?;
        if !answer.status.is_success() {
            return Err(unserved(&format!("SOURCE_{}", answer.status.as_u16())));
        }
        let given: Given = crate::json::parse_short(&answer).map_err(|_| unserved("SOURCE_UNREADABLE"))?;
        let token = SecretString::from(given.access_token);
        let ends = now + chrono::Duration::seconds(given.expires_in.clamp(0, 12 * 3_600));
        *live = Some(CachedToken { token: token.clone(), ends });
        Ok(token)
    }
}

async fn read(path: &PathBuf) -> Result<SecretString> {
    let text = tokio::fs::read_to_string(path).await.map_err(|_| unserved("SOURCE_UNREADABLE"))?;
    let token = text.trim();
    match token.is_empty() || token.contains(char::is_whitespace) {
        true => Err(unserved("SOURCE_UNREADABLE")),
        false => Ok(token.to_owned().into()),
    }
}

/// The error if the token source fails or Google refuses its token, until the operator has fixed the cause.
fn unserved(code: &str) -> Error {
    tracing::error!(code, "no signature for a service account: the operator's source does not serve");
    Error::new(ErrorKind::Signing, Remedy::RetryAfter(MENDED_IN), code, messages::google_signing_silent())
}

/// The error if no source is configured although a service account was connected without a key.
pub(super) fn missing_signer() -> Error {
    Error::new(ErrorKind::Signing, Remedy::Never, "SOURCE_ABSENT", messages::google_signing_absent())
}

/// The error if Google refuses an assertion that it signed itself: the operator's clock is wrong, or the failure is
/// temporary.
pub(super) fn own_assertion_refused(code: &str) -> Error {
    unserved(code)
}

fn refusal(answer: &Response, jitter: Duration) -> Error {
    let status = answer.status.as_u16();
    let code = format!("SIGN_{status}");
    match status {
        401 => unserved(&code),
        429 | 500.. => {
            let wait = answer.retry_after().unwrap_or(DEFAULT_WAIT + jitter);
            Error::new(ErrorKind::Signing, Remedy::RetryAfter(wait), code, messages::google_signing_silent())
        }
        _ => {
            tracing::warn!(code, "this installation may not sign for a service account");
            Error::new(ErrorKind::Signing, Remedy::Never, code, messages::google_signing_denied())
        }
    }
}
