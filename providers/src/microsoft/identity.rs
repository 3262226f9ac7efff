//! The Microsoft identity platform (v2.0): sign-in, consent, tokens.
//!
//! Called by the connect flow and by the token broker. A redirect from Microsoft proves nothing, because an attacker
//! can send a browser to the same URL. Tokens prove the tenant ([`IdentityClient::verify_id_token`]), the user's role
//! ([`IdentityClient::is_administrator`]) and the consent ([`IdentityClient::app_token`]).

use std::{sync::Arc, time::Duration};

use domain::{Ids, SharedClock};
use http::{HeaderName, Method, Request};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Url, form_urlencoded};

pub use super::id_token::SignedInAccount;
use super::{
    ClientCredential, Config, aadsts, assertion, classify,
    id_token::SigningKeys,
    request::{CLIENT_REQUEST_ID, with_query},
    wire,
};
use crate::{Error, ErrorKind, Remedy, Result, messages, rest::url_below};

/// Path segment that denotes the tenant of any organisation.
pub const ANY_ORGANIZATION: &str = "organizations";

/// Template ids of the directory roles whose members may consent for the whole organisation.
const ADMINISTRATORS: [&str; 2] = [
    // Global Administrator.
    "62e90394-69f5-4237-9190-012177145e10",
    // Privileged Role Administrator.
    "e8611ab8-c189-46e8-94e1-60213ab1f814",
];

/// Maximum number of pages read from a user's list of role memberships.
const MAX_ROLE_PAGES: usize = 20;

/// Purpose of redirecting a browser to Microsoft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationPurpose {
    /// Authenticate the user and read the user's roles, always with a fresh sign-in.
    SignIn,
    /// Request lasting consent to access the user's own calendar.
    OwnConsent,
}

impl AuthorizationPurpose {
    const fn scope(self) -> &'static str {
        match self {
            Self::SignIn => "openid profile email User.Read",
            Self::OwnConsent => {
                "openid profile email offline_access Calendars.ReadWrite User.Read MailboxSettings.Read"
            }
        }
    }
}

/// A response of the token endpoint.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Token for access to Graph until it expires.
    pub access_token: SecretString,
    /// Token for obtaining further access tokens; `None` without `offline_access`. A new one replaces the previous
    /// one.
    pub refresh_token: Option<SecretString>,
    /// Token that identifies the user; not verified yet.
    pub id_token: Option<SecretString>,
    /// Remaining lifetime of the access token.
    pub expires_in: Duration,
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
    refresh_token: Option<String>,
    id_token: Option<String>,
    expires_in: u64,
}

/// Client of the identity platform. Cheap to clone; clones share the cached signing keys.
#[derive(Debug, Clone)]
pub struct IdentityClient {
    config: Config,
    client: http::Client,
    clock: SharedClock,
    ids: Ids,
    keys: Arc<SigningKeys>,
}

impl IdentityClient {
    /// Creates a client with these endpoints and this registration.
    pub fn new(config: Config, client: http::Client, clock: SharedClock, ids: Ids) -> Self {
        let keys = Arc::new(SigningKeys::new(config.login.clone(), client.clone(), Arc::clone(&clock)));
        Self { config, client, clock, ids, keys }
    }

    /// The URL to which a browser is sent to sign in. `challenge` is the PKCE challenge (S256).
    pub fn authorize_url(
        &self,
        ask: AuthorizationPurpose,
        redirect_uri: &str,
        state: &str,
        nonce: &str,
        challenge: &str,
        login_hint: Option<&str>,
    ) -> Result<Url> {
        let url = url_below(&self.config.login, &[ANY_ORGANIZATION, "oauth2", "v2.0", "authorize"])?;
        let mut query = vec![
            ("client_id", self.config.client_id.as_str()),
            ("response_type", "code"),
            ("redirect_uri", redirect_uri),
            ("response_mode", "query"),
            ("scope", ask.scope()),
            ("state", state),
            ("nonce", nonce),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ];
        query.extend((ask == AuthorizationPurpose::SignIn).then_some(("prompt", "login")));
        query.extend(login_hint.map(|hint| ("login_hint", hint)));
        Ok(with_query(url, &query))
    }

    /// The URL to which a browser is sent so that an administrator of tenant `tenant_id` consents for the whole
    /// organisation.
    pub fn admin_consent_url(&self, tenant_id: &str, redirect_uri: &str, state: &str) -> Result<Url> {
        let url = url_below(&self.config.login, &[tenant_id, "v2.0", "adminconsent"])?;
        let scope = self.default_scope();
        let query = [
            ("client_id", self.config.client_id.as_str()),
            ("scope", &scope),
            ("redirect_uri", redirect_uri),
            ("state", state),
        ];
        Ok(with_query(url, &query))
    }

    /// Classifies the error in a redirect. Check for an error first, because Microsoft also sends `admin_consent=True`
    /// with errors.
    pub fn redirect_error(error: &str, description: &str) -> Error {
        aadsts::redirect_error(error, description)
    }

    /// Exchanges an authorisation code. `tenant` is [`ANY_ORGANIZATION`] if the tenant is not known yet.
    pub async fn redeem_code(
        &self,
        code: &str,
        verifier: &SecretString,
        redirect_uri: &str,
        tenant: &str,
    ) -> Result<Tokens> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", verifier.expose_secret()),
            ("redirect_uri", redirect_uri),
        ];
        self.token(tenant, &form).await
    }

    /// Obtains fresh tokens, with the `claims` of a claims challenge. The new refresh token must be stored before it is
    /// used.
    pub async fn refresh(
        &self,
        tenant: &str,
        refresh_token: &SecretString,
        claims: Option<&str>,
    ) -> Result<Tokens> {
        let mut form =
            vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose_secret())];
        form.extend(claims.map(|claims| ("claims", claims)));
        self.token(tenant, &form).await
    }

    /// A token of the application itself within one tenant, with the `claims` of a claims challenge. Issued even
    /// without a consent, but then without roles.
    pub async fn app_token(&self, tenant: &str, claims: Option<&str>) -> Result<Tokens> {
        let scope = self.default_scope();
        let mut form = vec![("grant_type", "client_credentials"), ("scope", scope.as_str())];
        form.extend(claims.map(|claims| ("claims", claims)));
        self.token(tenant, &form).await
    }

    /// Validates an ID token; see [`SignedInAccount`].
    pub async fn verify_id_token(&self, id_token: &SecretString, nonce: &str) -> Result<SignedInAccount> {
        self.keys.verify(id_token.expose_secret(), &self.config.client_id, nonce).await
    }

    /// Whether the user of this token may consent for the whole organisation.
    pub async fn is_administrator(&self, access_token: &SecretString) -> Result<bool> {
        let parts = ["me", "transitiveMemberOf", "microsoft.graph.directoryRole"];
        let url = url_below(&self.config.graph, &parts)?;
        let mut next = Some(with_query(url, &[("$select", "roleTemplateId")]));
        for _ in 0..MAX_ROLE_PAGES {
            let Some(url) = next else { return Ok(false) };
            let list = self.roles_page(access_token, url).await?;
            let holds = |role: &wire::DirectoryRole| {
                let template = role.role_template_id.as_deref().unwrap_or_default();
                ADMINISTRATORS.iter().any(|wanted| template.eq_ignore_ascii_case(wanted))
            };
            if list.value.0.iter().flatten().any(holds) {
                return Ok(true);
            }
            let ours = |url: &Url| url.origin() == self.config.graph.origin();
            next = list.next.and_then(|link| Url::parse(&link).ok()).filter(ours);
        }
        Ok(false)
    }

    async fn roles_page(
        &self,
        access_token: &SecretString,
        url: Url,
    ) -> Result<wire::List<wire::DirectoryRole>> {
        let request = Request::new(Method::GET, url)
            .authorization(&format!("Bearer {}", access_token.expose_secret()))
            .header(CLIENT_REQUEST_ID, &self.ids.uuid().to_string());
        let answer = self.client.send(request).await?;
        if !answer.status.is_success() {
            return Err(classify::error_from_response(
                &answer,
                classify::RequestSubject::Directory,
                false,
                self.jitter(),
            ));
        }
        crate::json::parse_short(&answer).map_err(|_| unreadable())
    }

    fn default_scope(&self) -> String {
        format!("{}/.default", self.config.resource.trim_end_matches('/'))
    }

    fn jitter(&self) -> Duration {
        Duration::from_millis(self.ids.random_below(2_000))
    }

    async fn token(&self, tenant: &str, grant: &[(&str, &str)]) -> Result<Tokens> {
        let endpoint = url_below(&self.config.login, &[tenant, "oauth2", "v2.0", "token"])?;
        let form = self.form(&endpoint, grant)?;
        let request = Request::new(Method::POST, endpoint)
            .header(HeaderName::from_static("accept"), "application/json")
            .header(CLIENT_REQUEST_ID, &self.ids.uuid().to_string())
            .body("application/x-www-form-urlencoded", form);
        let answer =
            self.client.send(request).await.map_err(|error| Error { unknown: false, ..error.into() })?;
        if !answer.status.is_success() {
            let error = aadsts::token_error(&answer, self.jitter());
            tracing::info!(code = error.code, request_id = error.request_id, "no token was given");
            return Err(error);
        }
        let given: TokenResponse = crate::json::parse_short(&answer).map_err(|_| unreadable())?;
        Ok(Tokens {
            access_token: given.access_token.into(),
            refresh_token: given.refresh_token.map(SecretString::from),
            id_token: given.id_token.map(SecretString::from),
            expires_in: Duration::from_secs(given.expires_in).min(http::MAX_RETRY_WAIT),
        })
    }

    /// The form of a token request, with the application's authentication.
    fn form(&self, endpoint: &Url, grant: &[(&str, &str)]) -> Result<String> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", &self.config.client_id).extend_pairs(grant);
        match &self.config.credential {
            ClientCredential::Secret(secret) => {
                form.append_pair("client_secret", secret.expose_secret());
            }
            ClientCredential::Certificate { certificate_der, private_key_pem } => {
                let (now, client_id) = (self.clock.now(), &self.config.client_id);
                let endpoint = endpoint.as_str();
                let signed = assertion::sign_assertion(
                    endpoint,
                    client_id,
                    certificate_der,
                    private_key_pem,
                    now,
                    &self.ids,
                )?;
                form.append_pair("client_assertion_type", assertion::ASSERTION_TYPE);
                form.append_pair("client_assertion", &signed);
            }
        }
        Ok(form.finish())
    }
}

fn unreadable() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(Duration::from_secs(5)),
        "ANSWER_UNREADABLE",
        messages::microsoft_not_understood(),
    )
}
