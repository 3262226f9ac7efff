//! Connecting an organisation or a user through Microsoft's identity platform, on its own pages.

use async_trait::async_trait;
use secrecy::ExposeSecret;
use url::Url;

use super::{
    Microsoft,
    identity::{ANY_ORGANIZATION, AuthorizationPurpose, IdentityClient},
};
use crate::{
    AuthorizationRequest, CodeExchange, ConsentDeclined, ConsentFlow, Error, ErrorKind, IssuedToken,
    Onboarding, RedirectPaths, Result, Secret, SignInPurpose, SignedInAccount,
};

/// Path to which Microsoft redirects after the administrator's sign-in.
pub const SIGNED_IN_PATH: &str = "/connect/microsoft/signed-in";
/// Path to which Microsoft redirects after the organisation's consent.
pub const CONSENTED_PATH: &str = "/connect/microsoft/consented";
/// Path to which Microsoft redirects after a user's own consent.
pub const OWN_CONSENTED_PATH: &str = "/connect/microsoft/own";

#[async_trait]
impl Onboarding for Microsoft {
    fn consent_flow(&self) -> ConsentFlow {
        ConsentFlow::Pages
    }

    fn application_id(&self) -> Option<&str> {
        Some(&self.config.client_id)
    }

    fn redirect_paths(&self) -> RedirectPaths {
        RedirectPaths {
            signed_in: Some(SIGNED_IN_PATH),
            consented: Some(CONSENTED_PATH),
            own: Some(OWN_CONSENTED_PATH),
        }
    }

    fn sign_in_url(&self, purpose: SignInPurpose, request: &AuthorizationRequest<'_>) -> Result<Url> {
        let AuthorizationRequest { redirect_uri, state, nonce, challenge, login_hint } = *request;
        let ask = match purpose {
            SignInPurpose::Administrator => AuthorizationPurpose::SignIn,
            SignInPurpose::OwnConsent => AuthorizationPurpose::OwnConsent,
        };
        self.identity.authorize_url(ask, redirect_uri, state, nonce, challenge, login_hint)
    }

    fn consent_url(&self, organisation: &str, redirect_uri: &str, state: &str) -> Result<Url> {
        self.identity.admin_consent_url(organisation, redirect_uri, state)
    }

    async fn redeem(
        &self,
        purpose: SignInPurpose,
        brought: &CodeExchange<'_>,
    ) -> Result<Option<SignedInAccount>> {
        let CodeExchange { code, verifier, redirect_uri, nonce } = *brought;
        let tokens = self.identity.redeem_code(code, verifier, redirect_uri, ANY_ORGANIZATION).await?;
        let Some(id_token) = &tokens.id_token else { return Ok(None) };
        let who = self.identity.verify_id_token(id_token, nonce).await?;
        let may_consent = match purpose {
            SignInPurpose::Administrator => self.identity.is_administrator(&tokens.access_token).await?,
            SignInPurpose::OwnConsent => false,
        };
        Ok(Some(SignedInAccount {
            account: who.object_id,
            username: who.username,
            organisation: Some(who.tenant_id),
            domain: None,
            may_consent,
            refresh_token: tokens.refresh_token,
        }))
    }

    fn redirect_error(&self, error: &str, description: &str) -> std::result::Result<ConsentDeclined, Error> {
        // The number means that the person pressed "Cancel".
        match matches!(error, "access_denied" | "permission_denied") || description.contains("AADSTS65004") {
            true => Ok(ConsentDeclined),
            false => Err(IdentityClient::redirect_error(error, description)),
        }
    }

    fn organisation_consent(&self, organisation: String) -> Result<Secret> {
        Ok(Secret::MicrosoftApp { external: organisation })
    }

    fn own_consent(&self, organisation: String, refresh_token: String) -> Result<Secret> {
        Ok(Secret::MicrosoftUser { external: organisation, refresh_token })
    }

    async fn token(&self, secret: &Secret, claims: Option<&str>) -> Result<IssuedToken> {
        let (tokens, next) = match secret {
            Secret::MicrosoftUser { external, refresh_token } => {
                let tokens = self.identity.refresh(external, &refresh_token.clone().into(), claims).await?;
                let next = tokens.refresh_token.as_ref().map(|token| Secret::MicrosoftUser {
                    external: external.clone(),
                    refresh_token: token.expose_secret().to_owned(),
                });
                (tokens, next)
            }
            Secret::MicrosoftApp { external } => (self.identity.app_token(external, claims).await?, None),
            _ => return Err(Secret::wrong_provider()),
        };
        Ok(IssuedToken { token: tokens.access_token, expires_in: tokens.expires_in, next })
    }

    /// A new consent takes minutes to propagate.
    fn is_spreading(&self, error: &Error) -> bool {
        matches!(error.kind, ErrorKind::GrantLost | ErrorKind::TokenRefused | ErrorKind::OutOfScope)
    }

    /// Compares tenant ids case-insensitively, because Microsoft writes these UUIDs in either case.
    fn is_same_organisation(&self, one: &str, other: &str) -> bool {
        one.eq_ignore_ascii_case(other)
    }
}
