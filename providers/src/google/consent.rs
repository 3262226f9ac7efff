//! A user's own consent: Google's consent page, the authorisation code, and the resulting tokens.
//!
//! Called by the connect flow and by the token broker. The ID token comes directly from the token endpoint over
//! TLS, so its issuer is authenticated by the connection (OpenID Connect Core, section 3.1.3.7); its claims are
//! checked nevertheless.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::{
    Google, OAuthApplication,
    request::with_query,
    scopes::{OWN_CONSENT_SCOPES, SIGN_IN_SCOPES},
    tokens,
};
use crate::{Error, ErrorKind, Remedy, Result, messages, rest::url_below, sanitize};

/// The Google account that gave the consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentingAccount {
    /// Google's permanent id of the account.
    pub id: String,
    /// Email address of the account.
    pub email: String,
    /// The organisation's domain; accounts without one belong to no organisation and are refused.
    pub domain: String,
}

/// Purpose of redirecting a browser to Google.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationPurpose {
    /// Only authenticate the user.
    SignIn,
    /// Request lasting consent to access the user's own calendar.
    OwnConsent,
}

/// A response of the token endpoint.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Token for access to the calendar until it expires.
    pub access_token: SecretString,
    /// Token for obtaining further access tokens. Google usually sends it only at the first consent, so it must be
    /// stored.
    pub refresh_token: Option<SecretString>,
    /// The account that consented; only after exchanging a code.
    pub person: Option<ConsentingAccount>,
    /// Remaining lifetime of the access token.
    pub expires_in: Duration,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    exp: i64,
    #[serde(default)]
    nonce: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    email_verified: bool,
    #[serde(default)]
    hd: String,
}

impl Google {
    fn application(&self) -> Result<&OAuthApplication> {
        self.config.application.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::Misconfigured,
                Remedy::Never,
                "NO_APPLICATION",
                messages::google_personal_consent_off(),
            )
        })
    }

    /// The URL of the consent page. `challenge` is the PKCE challenge (S256).
    pub fn consent_url(
        &self,
        ask: AuthorizationPurpose,
        redirect_uri: &str,
        state: &str,
        nonce: &str,
        challenge: &str,
        login_hint: Option<&str>,
    ) -> Result<Url> {
        let url = url_below(&self.config.accounts, &["o", "oauth2", "v2", "auth"])?;
        let scope = match ask {
            AuthorizationPurpose::SignIn => SIGN_IN_SCOPES.join(" "),
            AuthorizationPurpose::OwnConsent => OWN_CONSENT_SCOPES.join(" "),
        };
        let mut query = vec![
            ("client_id", self.application()?.client_id.as_str()),
            ("redirect_uri", redirect_uri),
            ("response_type", "code"),
            ("scope", &scope),
            ("state", state),
            ("nonce", nonce),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ];
        query.extend(match ask {
            AuthorizationPurpose::SignIn => [("access_type", "online"), ("prompt", "select_account")],
            // Without `prompt` Google gives no refresh token to somebody who consented before.
            AuthorizationPurpose::OwnConsent => [("access_type", "offline"), ("prompt", "consent")],
        });
        query.extend(login_hint.map(|hint| ("login_hint", hint)));
        Ok(with_query(url, &query))
    }

    /// Exchanges an authorisation code. Refuses a consent without all scopes, because users can deselect them.
    pub async fn redeem_code(
        &self,
        code: &str,
        verifier: &SecretString,
        redirect_uri: &str,
        nonce: &str,
    ) -> Result<Tokens> {
        let (answer, person) = self.redeem(code, verifier, redirect_uri, nonce).await?;
        let granted = answer.scope.as_deref().unwrap_or_default();
        let lacks =
            |wanted: &&str| wanted.starts_with("https://") && !granted.split(' ').any(|one| one == *wanted);
        if OWN_CONSENT_SCOPES.iter().any(lacks) {
            return Err(Error::new(
                ErrorKind::GrantLost,
                Remedy::Reconnect,
                "SCOPE_UNTICKED",
                messages::google_consent_incomplete(),
            ));
        }
        Ok(Tokens { person: Some(person), ..given(&answer) })
    }

    /// Exchanges the authorisation code of a sign-in for the identity of the user. The tokens are discarded.
    pub async fn redeem_sign_in(
        &self,
        code: &str,
        verifier: &SecretString,
        redirect_uri: &str,
        nonce: &str,
    ) -> Result<ConsentingAccount> {
        Ok(self.redeem(code, verifier, redirect_uri, nonce).await?.1)
    }

    async fn redeem(
        &self,
        code: &str,
        verifier: &SecretString,
        redirect_uri: &str,
        nonce: &str,
    ) -> Result<(tokens::TokenResponse, ConsentingAccount)> {
        let application = self.application()?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", verifier.expose_secret()),
            ("redirect_uri", redirect_uri),
            ("client_id", &application.client_id),
            ("client_secret", application.secret.expose_secret()),
        ];
        let answer = tokens::request_token(self, &form).await?;
        let id_token = answer.id_token.as_deref().ok_or_else(|| doubtful("MISSING"))?;
        let person = self.person(id_token, &application.client_id, nonce)?;
        Ok((answer, person))
    }

    /// Obtains a fresh access token.
    pub async fn refresh(&self, refresh_token: &SecretString) -> Result<Tokens> {
        let application = self.application()?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose_secret()),
            ("client_id", &application.client_id),
            ("client_secret", application.secret.expose_secret()),
        ];
        Ok(given(&tokens::request_token(self, &form).await?))
    }

    fn person(&self, id_token: &str, client_id: &str, nonce: &str) -> Result<ConsentingAccount> {
        let payload = id_token.split('.').nth(1).unwrap_or_default();
        let bytes =
            URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).map_err(|_| doubtful("MALFORMED"))?;
        let claims: Claims = serde_json::from_slice(&bytes).map_err(|_| doubtful("MALFORMED"))?;
        let issuer = self.config.accounts.as_str().trim_end_matches('/');
        let host = issuer.split_once("://").map_or(issuer, |(_, host)| host);
        match () {
            () if claims.iss != issuer && claims.iss != host => Err(doubtful("ISSUER")),
            () if claims.aud != client_id => Err(doubtful("AUDIENCE")),
            () if claims.exp <= self.clock.now().timestamp() => Err(doubtful("EXPIRED")),
            () if claims.nonce != nonce || nonce.is_empty() => Err(doubtful("NONCE")),
            () if !claims.email_verified || claims.email.is_empty() => Err(doubtful("EMAIL")),
            () if claims.hd.is_empty() => Err(doubtful("NO_ORGANISATION")),
            () => Ok(ConsentingAccount {
                id: sanitize::clean_identifier(claims.sub),
                email: sanitize::clean_identifier(claims.email),
                domain: sanitize::clean_identifier(claims.hd),
            }),
        }
    }
}

fn given(answer: &tokens::TokenResponse) -> Tokens {
    Tokens {
        access_token: answer.access_token.clone().into(),
        refresh_token: answer.refresh_token.clone().map(SecretString::from),
        person: None,
        expires_in: Duration::from_secs(answer.expires_in).min(http::MAX_RETRY_WAIT),
    }
}

fn doubtful(what: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        Remedy::Reconnect,
        format!("ID_TOKEN_{what}"),
        messages::google_organisation_unconfirmed(),
    )
}
