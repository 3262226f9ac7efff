//! Acting for a service account without its key: Google signs the statement, for a token that the operator's machine is
//! given.
//!
//! The token comes from a source that the operator configured: an address that answers as Google's metadata server and
//! its token exchanges do, or a file that something else keeps fresh. Whoever holds the slot fetches, the others wait.
//! Nothing that fails here is the customer's to mend: it all leaves as [`ErrorKind::Signing`].
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

use super::{classify::PAUSE, request::below};
use crate::{Error, ErrorKind, Remedy, Result};

/// How long the operator is given to mend a source before it is asked again.
const MENDED_IN: Duration = Duration::from_mins(1);
/// A token of the source is renewed this long before it ends.
const EARLY: chrono::Duration = chrono::Duration::minutes(1);

const SOURCE: &str = "This installation signs for service accounts without their keys, and its signing \
    service does not respond at the moment.";
const DENIED: &str = "This installation may not sign for this service account, or there is none with this \
    address. Ask the owner of the service account to grant this installation the role Service Account Token \
    Creator on it.";
const ABSENT: &str = "This installation is no longer set up to sign for service accounts without their keys.";

/// Where the token comes from that may have statements signed.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// An address that answers with `access_token` and `expires_in` as JSON.
    Url {
        /// The address.
        url: Url,
        /// A header that it asks for.
        header: Option<(HeaderName, SecretString)>,
    },
    /// A file with the token and nothing else, which something else keeps fresh.
    File(PathBuf),
}

/// Has Google sign. Clones share the source's token.
#[derive(Debug, Clone)]
pub struct Keyless {
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

impl Keyless {
    /// Signatures by the API at `iam` (`https://iamcredentials.googleapis.com/v1`). The client is this one's own: it may
    /// call the source, which is a private address as a rule and must stay closed to what customers name.
    pub fn new(source: TokenSource, iam: Url, client: http::Client) -> Self {
        Self { source, iam, client, live: Arc::default() }
    }

    /// The statement with these claims, signed for the service account `account`.
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
        let signed: Signed = crate::json::short(&answer).map_err(|_| unserved("SIGNATURE_UNREADABLE"))?;
        Ok(signed.signed_jwt.into())
    }

    async fn ask(&self, account: &str, claims: &str, token: &SecretString) -> Result<Response> {
        let call = format!("{account}:signJwt");
        let url = below(&self.iam, &["projects", "-", "serviceAccounts", &call])?;
        let request = Request::new(Method::POST, url)
            .authorization(&format!("Bearer {}", token.expose_secret()))
            .body("application/json", json!({ "payload": claims }).to_string());
        self.client.send(request).await.map_err(|error| unserved(error.code()))
    }

    /// The source's token; another one than `refused`.
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
        let given: Given = crate::json::short(&answer).map_err(|_| unserved("SOURCE_UNREADABLE"))?;
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

/// The source, or what Google says to its token, is not as it must be. It heals by itself once it is mended.
fn unserved(code: &str) -> Error {
    tracing::error!(code, "no signature for a service account: the operator's source does not serve");
    Error::new(ErrorKind::Signing, Remedy::RetryAfter(MENDED_IN), code, SOURCE)
}

/// No source is configured, although a service account was connected without a key.
pub(super) fn absent() -> Error {
    Error::new(ErrorKind::Signing, Remedy::Never, "SOURCE_ABSENT", ABSENT)
}

/// Google gave no token for a statement that it signed itself: that is the operator's clock, or passes.
pub(super) fn own_statement_refused(code: &str) -> Error {
    unserved(code)
}

fn refusal(answer: &Response, jitter: Duration) -> Error {
    let status = answer.status.as_u16();
    let code = format!("SIGN_{status}");
    match status {
        401 => unserved(&code),
        429 | 500.. => {
            let wait = answer.retry_after().unwrap_or(PAUSE + jitter);
            Error::new(ErrorKind::Signing, Remedy::RetryAfter(wait), code, SOURCE)
        }
        _ => {
            tracing::warn!(code, "this installation may not sign for a service account");
            Error::new(ErrorKind::Signing, Remedy::Never, code, DENIED)
        }
    }
}
