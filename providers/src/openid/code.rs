//! Sign-in in a browser: the authorization code flow with PKCE (RFC 7636) and a nonce.

use http::{Client, Method, Request};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse, TokenResponse, TokenUrl,
    basic::{
        BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Claims, Issuer, OpenIdClient, Published, TokenUse, refused, unavailable, userinfo};
use crate::{Error, Result};

/// Requested scopes: identity and email address, without offline access.
const SCOPES: [&str; 2] = ["openid", "email"];

/// Muster as a client of an issuer.
#[derive(Debug, Clone, Copy)]
pub struct ClientLogin<'a> {
    /// The registration of the issuer.
    pub issuer: &'a Issuer,
    /// Client secret; `None` for a public client, which only PKCE protects.
    pub secret: Option<&'a SecretString>,
    /// URL to which the issuer redirects the browser.
    pub redirect_uri: &'a str,
    /// Claim with the email address; `None` if no address is needed.
    pub email_claim: Option<&'a str>,
}

/// The random values of one sign-in.
#[derive(Debug, Clone)]
pub struct SignInAttempt {
    /// Value that the redirect must return.
    pub state: String,
    /// Value that the ID token must contain.
    pub nonce: String,
    /// PKCE verifier: its digest is sent with the browser, the verifier itself with the code.
    pub verifier: SecretString,
}

#[derive(Debug, Serialize, Deserialize)]
struct IdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdToken {}

type OAuth = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl OpenIdClient {
    /// The URL to which a browser is sent to sign in.
    pub async fn authorize_url(&self, login: ClientLogin<'_>, attempt: &SignInAttempt) -> Result<Url> {
        let published = self.published(login.issuer, None).await?;
        let client = oauth(login, &published)?;
        let verifier = PkceCodeVerifier::new(attempt.verifier.expose_secret().to_owned());
        let (url, _) = client
            .authorize_url(|| CsrfToken::new(attempt.state.clone()))
            .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_extra_param("nonce", &attempt.nonce)
            .url();
        Ok(url)
    }

    /// Returns an error for a redirect that names another issuer, or names none although this issuer always does (RFC
    /// 9207).
    pub async fn check_response_issuer(&self, issuer: &Issuer, named: Option<&str>) -> Result<()> {
        let published = self.published(issuer, None).await?;
        let always = published.metadata.authorization_response_iss_parameter_supported;
        match named {
            Some(named) if named == issuer.url => Ok(()),
            None if !always => Ok(()),
            _ => Err(refused("ANSWER_ISSUER")),
        }
    }

    /// Exchanges the authorisation code; returns the claims of the user who signed in.
    pub async fn redeem_code(
        &self,
        login: ClientLogin<'_>,
        code: &str,
        attempt: &SignInAttempt,
    ) -> Result<Claims> {
        let published = self.published(login.issuer, None).await?;
        let client = oauth(login, &published)?;
        let verifier = PkceCodeVerifier::new(attempt.verifier.expose_secret().to_owned());
        let request =
            client.exchange_code(AuthorizationCode::new(code.to_owned())).set_pkce_verifier(verifier);
        let caller = self.client.clone();
        let send = move |request| send(caller.clone(), request);
        let given = request.request_async(&send).await.map_err(not_given)?;
        let token = given.extra_fields().id_token.as_deref().ok_or_else(|| refused("ID_TOKEN_MISSING"))?;
        let claims = self.verify(login.issuer, token, TokenUse::SignIn { nonce: &attempt.nonce }).await?;
        match (login.email_claim, &published.metadata.userinfo_endpoint) {
            (Some(claim), Some(endpoint)) if !claims.has_claim(claim) => {
                userinfo::add_email(&self.client, endpoint, given.access_token(), claims, claim).await
            }
            _ => Ok(claims),
        }
    }
}

fn oauth(login: ClientLogin<'_>, published: &Published) -> Result<OAuth> {
    let metadata = &published.metadata;
    let redirect = RedirectUrl::new(login.redirect_uri.to_owned()).map_err(|_| refused("REDIRECT_URI"))?;
    let mut client = oauth2::Client::new(ClientId::new(login.issuer.client_id.clone()))
        .set_auth_uri(AuthUrl::from_url(metadata.authorization_endpoint.clone()))
        .set_token_uri(TokenUrl::from_url(metadata.token_endpoint.clone()))
        .set_redirect_uri(redirect);
    if let Some(secret) = login.secret {
        client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
    }
    if metadata.requires_secret_in_body() {
        client = client.set_auth_type(AuthType::RequestBody);
    }
    Ok(client)
}

/// Sends a request of the OpenID library with our own HTTP client.
async fn send(client: Client, request: HttpRequest) -> std::result::Result<HttpResponse, Failed> {
    let (head, body) = request.into_parts();
    let url = Url::parse(&head.uri.to_string()).map_err(|_| Failed(refused("TOKEN_ENDPOINT")))?;
    let mut request = Request::new(Method::POST, url);
    request.headers = head.headers;
    request.body = body.into();
    let answer = client.send(request).await.map_err(|error| Failed(error.into()))?;
    let mut response = HttpResponse::new(answer.body.to_vec());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}

/// Why a token request failed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Failed(Error);

fn not_given(error: RequestTokenError<Failed, BasicErrorResponse>) -> Error {
    match error {
        RequestTokenError::Request(failed) => failed.0,
        RequestTokenError::ServerResponse(said) => {
            tracing::info!(error = ?said.error(), "an issuer gave no token");
            refused("CODE_REFUSED")
        }
        RequestTokenError::Parse(..) => refused("TOKEN_ANSWER"),
        RequestTokenError::Other(_) => unavailable(),
    }
}
