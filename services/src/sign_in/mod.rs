//! Steps of the sign-in page: the browser is redirected to the tenant's OpenID issuer and returns with a code, with
//! which Muster identifies the user and issues its own token.
//!
//! The data of a sign-in is stored in a browser cookie, so that unauthenticated clients create no rows. A redirect from
//! the issuer is accepted only once, in the same browser and with the `state` that was sent. Each issuer has its own
//! redirect URI. An application that requests the token specifies a return URL and, when it exchanges the code, proves
//! with a verifier that it started the sign-in (RFC 7636); without a return URL the page shows the token.

mod callback;
mod code;
mod session;

use std::{net::IpAddr, time::Duration};

use domain::{Id, ids, text::LineMode};
use entity::openid_issuer::Model;
use lanes::{Key, Limit};
use providers::openid::{Claims, ClientLogin, SignInAttempt};
use serde::{Deserialize, Serialize};
use url::Url;

pub use self::callback::CallbackParams;
use self::session::Session;
use crate::{
    Error, Refusal, Result,
    access::{AccessToken, TokenOrigin},
    customer_calls::CustomerServer,
    issuers::{self, token_user},
    proof::Anyone,
    quotas::QuotaSubject,
    text,
};

/// How long a browser may take to complete a sign-in.
pub(crate) const SESSION_LIFETIME: Duration = Duration::from_mins(10);
/// Maximum length of a return URL in characters; it is stored in a cookie.
const LONGEST_RETURN: usize = 1_000;
/// Maximum length of the application's `state` in characters.
const LONGEST_STATE: usize = 200;
/// Length of a PKCE challenge (a SHA-256 digest in base64url without padding), in characters.
const CHALLENGE: usize = 43;

crate::noun! {
    /// Steps of the sign-in page.
    SignIn
}

/// Parameters that an application passes to the sign-in page. Without a return URL the page shows the token.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SignInRequest {
    /// The URL to which the browser returns at the end; must be one of the tenant's return URLs or lie below one.
    pub return_url: Option<String>,
    /// Digest of the verifier that the application will send with the code (RFC 7636, S256).
    pub challenge: Option<String>,
    /// The application's `state`, returned unchanged with the code.
    pub state: Option<String>,
}

/// Result of a sign-in.
#[derive(Debug, Clone)]
pub enum SignedIn {
    /// The token, to be shown on the page.
    Token(AccessToken),
    /// The application's return URL, with a code that the application exchanges for the token.
    Return(Url),
}

impl SignIn {
    /// Begins a sign-in. Returns the cookie's value and the URL to which the browser is redirected.
    pub async fn begin(
        &self,
        _by: Anyone,
        tenant: Id<ids::Tenant>,
        issuer: Id<ids::OpenIdIssuer>,
        request: SignInRequest,
    ) -> Result<(String, Url)> {
        let row = self.services.issuers().find(tenant, issuer).await?;
        self.check(tenant, &request).await?;
        let id = self.services.ids.make();
        let attempt = self.derive_attempt(tenant, id).await?;
        let url = self
            .at_issuer(&row, CustomerServer::IssuerMetadata, async |openid, login| {
                openid.authorize_url(login, &attempt).await
            })
            .await?;
        let session =
            Session { id, issuer: row.id, request, expires_at: self.services.now() + SESSION_LIFETIME };
        Ok((self.encode_cookie(tenant, &session).await?, url))
    }

    /// Handles the issuer's redirect, in the browser that began the sign-in. `from` is the client's IP address: calls
    /// to an issuer for the same IP address are made one at a time, and an IP address that sent many forged redirects
    /// has to wait.
    pub async fn complete(
        &self,
        by: Anyone,
        from: Option<IpAddr>,
        tenant: Id<ids::Tenant>,
        issuer: Id<ids::OpenIdIssuer>,
        cookie: &str,
        answer: &CallbackParams,
    ) -> Result<SignedIn> {
        let session = self.decode_cookie(tenant, cookie).await?;
        if session.issuer != issuer || session.expires_at <= self.services.now() {
            return Err(session::session_ended());
        }
        let attempt = self.derive_attempt(tenant, session.id).await?;
        answer.check_state(&attempt.state)?;
        self.use_up(tenant, session.id).await?;
        let row = self.services.issuers().find(tenant, issuer).await?;
        let claims =
            self.asked_from(by, (from, issuer), Box::pin(self.claims(&row, &attempt, answer))).await?;
        self.taken_in(&row, &session, &claims).await
    }

    /// Refuses a second redirect with the same `state`, even if the first one failed, because each redirect makes
    /// Muster call the issuer.
    async fn use_up(&self, tenant: Id<ids::Tenant>, id: Id<ids::Row>) -> Result<()> {
        let key = Key::of_tenant(tenant).with_sub_limit("sign_in", &id.uuid().simple().to_string());
        let once = Limit { concurrency: 0, rate: 1, per: SESSION_LIFETIME };
        let first = self.services.queue.limits.enter(&key, &once, Duration::ZERO).await;
        first.map(drop).map_err(|_| callback::state_already_used())
    }

    /// Calls an issuer for a sign-in from a client IP address, after earlier calls for that IP address and issuer have
    /// finished.
    async fn asked_from<T>(
        &self,
        by: Anyone,
        (from, issuer): (Option<IpAddr>, Id<ids::OpenIdIssuer>),
        ask: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(address) = from else { return ask.await };
        let _turn = self.services.sign_in_locks.acquire((address, issuer)).await;
        let (quotas, whose) = (self.services.quotas(), QuotaSubject::Refused(address));
        let left = quotas.charge(by, whose, 0).await.accounts;
        if left.iter().any(|account| account.balance.remaining == 0) {
            let message = "Too many sign-ins from your network have failed. Wait a minute, then start again.";
            return Err(Error::refuse("RATE_LIMITED", message));
        }
        let asked = ask.await;
        // An issuer that is away refuses nobody.
        if let Err(Error::Refused(_)) = asked {
            quotas.charge(by, whose, 1).await;
        }
        asked
    }

    /// The verified token claims of the user who signed in.
    async fn claims(&self, row: &Model, attempt: &SignInAttempt, answer: &CallbackParams) -> Result<Claims> {
        let registered = issuers::to_issuer(row);
        let openid = self.services.connectors.openid()?;
        let check = openid.check_response_issuer(&registered, answer.issuer());
        self.services
            .call_customer_server((row.tenant_id, CustomerServer::IssuerMetadata), check)
            .await?
            .map_err(unverified)?;
        let code = answer.code()?;
        self.at_issuer(row, CustomerServer::IssuerToken, async |openid, login| {
            openid.redeem_code(login, code, attempt).await
        })
        .await
    }

    /// Issues a token, or a code for one, to the verified user.
    async fn taken_in(&self, row: &Model, session: &Session, claims: &Claims) -> Result<SignedIn> {
        let access = self.services.access();
        let signer = access.signer_for(None).await?;
        // The tenant's return URLs may have changed since the sign-in began.
        self.check(row.tenant_id, &session.request).await?;
        // Locked: the user's address or permissions could change between the look-up and the link or the token.
        let (mut tx, _) = self.services.begin_locked(row.tenant_id).await?;
        let user = token_user::find_or_link_user(&mut tx, row.id, claims).await?;
        let code = session.request.return_url.as_ref().map(|_| self.services.ids.random_secret());
        self.record_sign_in(&tx, session, user, code.as_deref()).await?;
        let signed_in = match (&session.request.return_url, code) {
            (Some(url), Some(code)) => SignedIn::Return(code::with_code(
                url,
                row.tenant_id,
                &code,
                session.request.state.as_deref(),
            )?),
            _ => {
                let reason = TokenOrigin::SignIn(row.id);
                SignedIn::Token(access.issue_in_tx(&mut tx, &signer, user, reason).await?)
            }
        };
        tx.commit().await?;
        Ok(signed_in)
    }

    /// Calls the issuer as its registered client.
    async fn at_issuer<T>(
        &self,
        row: &Model,
        server: CustomerServer,
        speak: impl AsyncFnOnce(&providers::openid::OpenIdClient, ClientLogin<'_>) -> providers::Result<T>,
    ) -> Result<T> {
        let (issuer, redirect_uri) = (issuers::to_issuer(row), self.services.issuers().redirect_uri(row));
        let secret = self.services.issuers().open_secret(row).await?;
        let login = ClientLogin {
            issuer: &issuer,
            secret: secret.as_ref(),
            redirect_uri: &redirect_uri,
            email_claim: row.email_claim.as_deref(),
        };
        let call = speak(self.services.connectors.openid()?, login);
        self.services.call_customer_server((row.tenant_id, server), call).await?.map_err(unverified)
    }

    async fn check(&self, tenant: Id<ids::Tenant>, request: &SignInRequest) -> Result<()> {
        if let Some(state) = &request.state {
            text::check(state, LineMode::Line, LONGEST_STATE, "state")?;
        }
        let Some(url) = &request.return_url else { return Ok(()) };
        text::check(url, LineMode::Line, LONGEST_RETURN, "return_url")?;
        if !self.services.tenants().allows_return_url(Anyone, tenant, url).await? {
            let message =
                "This return URL is not allowed. Ask the vendor to add it to the tenant's return URLs.";
            return Err(Refusal::new("RETURN_URL_NOT_ALLOWED", message).at("return_url").into());
        }
        // An application that reads the first of two would take what somebody else has put there.
        let has = |name: &str| Url::parse(url).is_ok_and(|url| url.query_pairs().any(|(key, _)| key == name));
        if has("code") || has("state") {
            let message =
                "A return URL must not contain the parameters code and state, because Muster adds them.";
            return Err(Refusal::new("RETURN_URL_NOT_ALLOWED", message).at("return_url").into());
        }
        let is_digest = |text: &String| {
            text.len() == CHALLENGE && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c))
        };
        match request.challenge.as_ref().is_some_and(is_digest) {
            true => Ok(()),
            false => {
                let message =
                    "Send code_challenge: the SHA-256 digest of a secret, in base64url without padding.";
                Err(Refusal::new("SIGN_IN_MALFORMED", message).at("code_challenge").into())
            }
        }
    }
}

/// The error for an untrusted response from an issuer; the user must start again.
fn unverified(error: providers::Error) -> Error {
    use providers::ErrorKind as K;
    tracing::info!(code = error.code, "a sign-in was refused");
    match error.kind {
        K::Invalid | K::Misconfigured => Refusal::new("SIGN_IN_UNVERIFIED", error.message).into(),
        _ => error.into(),
    }
}
