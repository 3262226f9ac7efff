//! How consents and credentials are obtained, and how a stored consent is exchanged for a credential.

use std::time::Duration;

use async_trait::async_trait;
use domain::{Message, connect::SecretKind};
use secrecy::SecretString;
use url::Url;

use crate::{Error, ErrorKind, Remedy, Result, Secret, messages};

/// The procedure by which an administrator connects an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentFlow {
    /// The administrator signs in on the provider's pages and gives consent for the organisation.
    Pages,
    /// The administrator enters a server URL and the user name and password of a service account.
    Login {
        /// Whether the server URL may be left empty if the user name is an email address, so that the connector finds
        /// the server.
        finds_server: bool,
    },
    /// The administrator enters a service account and the administrator on whose behalf it reads the directory.
    ServiceAccount {
        /// Scopes that the administrator must grant to the service account.
        scopes: &'static [&'static str],
        /// Whether the service account's email address is sufficient without a key; administrators then prove their
        /// identity by signing in.
        keyless: bool,
    },
}

/// Paths on Muster's server to which the provider redirects browsers: `/connect/`, a name and the event. They are
/// registered with the provider and must not change; `None` if not used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RedirectPaths {
    /// Redirect path after an administrator's sign-in; ends with `/signed-in`.
    pub signed_in: Option<&'static str>,
    /// Redirect path after an organisation's consent; ends with `/consented`.
    pub consented: Option<&'static str>,
    /// Redirect path after a user's own consent; ends with `/own`.
    pub own: Option<&'static str>,
}

/// Purpose of a sign-in at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInPurpose {
    /// An administrator proves who they are.
    Administrator,
    /// A user consents to access to their own calendar.
    OwnConsent,
}

/// Parameters of a sign-in at the provider.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationRequest<'a> {
    /// The URL to which the provider redirects the browser.
    pub redirect_uri: &'a str,
    /// Single-use value that the redirect must contain.
    pub state: &'a str,
    /// Single-use value that the ID token must contain.
    pub nonce: &'a str,
    /// The PKCE challenge (S256).
    pub challenge: &'a str,
    /// The account that is expected to sign in.
    pub login_hint: Option<&'a str>,
}

/// Parameters returned by a sign-in at the provider, for exchanging its code.
#[derive(Debug, Clone, Copy)]
pub struct CodeExchange<'a> {
    /// The authorisation code.
    pub code: &'a str,
    /// The PKCE verifier of the request's challenge.
    pub verifier: &'a SecretString,
    /// The request's redirect URI.
    pub redirect_uri: &'a str,
    /// The request's nonce.
    pub nonce: &'a str,
}

/// The account that signed in, according to the provider's validated ID token.
#[derive(Debug, Clone)]
pub struct SignedInAccount {
    /// The provider's id of the account, equal to its [`crate::Person::id`].
    pub account: String,
    /// The email address or sign-in name, for display and for comparison with the entered one.
    pub username: String,
    /// The provider's id of the account's organisation; `None` if the sign-in names domains only.
    pub organisation: Option<String>,
    /// The mail domain of the organisation that manages the account, for use if `organisation` is `None`.
    pub domain: Option<String>,
    /// Whether the account may consent for its organisation. Always `false` for [`SignInPurpose::OwnConsent`], and for
    /// providers at which an administrator consents in another way.
    pub may_consent: bool,
    /// The refresh token for lasting access; `None` if the provider issued none.
    pub refresh_token: Option<SecretString>,
}

/// An access token obtained with a consent.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The access token.
    pub token: SecretString,
    /// How long the token is valid.
    pub expires_in: Duration,
    /// The consent that replaces the exchanged one, if its refresh token was rotated.
    pub next: Option<Secret>,
}

/// The person declined the consent on the provider's page, as opposed to an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentDeclined;

/// Why a server cannot be connected through this provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedServer {
    /// Stable, machine-readable code; documented in `docs/errors.md`.
    pub code: &'static str,
    /// Human-readable explanation in one sentence.
    pub message: Message,
}

impl UnsupportedServer {
    /// Creates the error for a server to which nothing has been sent.
    pub fn new(code: &'static str, message: Message) -> Self {
        Self { code, message }
    }
}

/// How a provider's consents are obtained and used.
#[async_trait]
pub trait Onboarding: Send + Sync + std::fmt::Debug {
    /// The procedure by which an administrator connects an organisation.
    fn consent_flow(&self) -> ConsentFlow;

    /// The public id of the operator's application at the provider, which customers see when they consent; `None` if no
    /// application is registered there.
    fn application_id(&self) -> Option<&str> {
        None
    }

    /// The paths to which the provider redirects browsers.
    fn redirect_paths(&self) -> RedirectPaths {
        RedirectPaths::default()
    }

    /// Returns an error if the entered server must be connected through a different provider.
    fn check_server(&self, _server: &Url) -> std::result::Result<(), UnsupportedServer> {
        Ok(())
    }

    /// The URL of the provider's sign-in page.
    fn sign_in_url(&self, _purpose: SignInPurpose, _request: &AuthorizationRequest<'_>) -> Result<Url> {
        Err(no_pages())
    }

    /// The URL of the page on which an administrator consents for an organisation.
    fn consent_url(&self, _organisation: &str, _redirect_uri: &str, _state: &str) -> Result<Url> {
        Err(no_pages())
    }

    /// Exchanges the code of a sign-in. `None` if the response does not identify an account.
    async fn redeem(
        &self,
        _purpose: SignInPurpose,
        _brought: &CodeExchange<'_>,
    ) -> Result<Option<SignedInAccount>> {
        Err(no_pages())
    }

    /// Interprets the error in a redirect from the provider.
    fn redirect_error(
        &self,
        _error: &str,
        _description: &str,
    ) -> std::result::Result<ConsentDeclined, Error> {
        Err(no_pages())
    }

    /// Creates the stored form of an organisation's consent, which its administrator gave at [`Self::consent_url`].
    fn organisation_consent(&self, _organisation: String) -> Result<Secret> {
        Err(no_pages())
    }

    /// Creates the stored form of a user's own consent.
    fn own_consent(&self, _organisation: String, _refresh_token: String) -> Result<Secret> {
        Err(no_pages())
    }

    /// Exchanges a consent without [`Secret::fixed_credential`] for an access token. `claims` are the claims that the
    /// provider requires in the new token.
    async fn token(&self, _secret: &Secret, _claims: Option<&str>) -> Result<IssuedToken> {
        Err(Secret::wrong_provider())
    }

    /// Whether this provider withdraws consents of this kind at Muster's request; see [`Self::revoke`]. The others are
    /// withdrawn by an administrator at the provider.
    fn can_revoke(&self, _kind: SecretKind) -> bool {
        false
    }

    /// Withdraws a consent at the provider. Succeeds if the provider no longer accepts it anyway;
    /// [`ErrorKind::Unsupported`] unless [`Self::can_revoke`].
    async fn revoke(&self, _secret: &Secret) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, Remedy::Never, "NOT_REVOCABLE", messages::not_revocable()))
    }

    /// Whether an error with a new consent may be temporary because the consent has not propagated to all of the
    /// provider's servers yet.
    fn is_spreading(&self, _error: &Error) -> bool {
        false
    }

    /// Whether two ids denote the same organisation.
    fn is_same_organisation(&self, one: &str, other: &str) -> bool {
        one == other
    }
}

/// The error for a step that requires consent pages, which the provider does not have.
fn no_pages() -> Error {
    let message = messages::no_consent_pages();
    Error::new(ErrorKind::Unsupported, Remedy::Never, "NO_CONSENT_PAGES", message)
}
