//! Connecting an organisation through a service account of its own, and a user through Google's pages.

use async_trait::async_trait;
use domain::connect::SecretKind;
use secrecy::ExposeSecret;
use url::Url;

use super::{Google, consent::AuthorizationPurpose, scopes::DELEGATED_SCOPES, tokens};
use crate::{
    AuthorizationRequest, CodeExchange, ConsentDeclined, ConsentFlow, Error, ErrorKind, IssuedToken,
    Onboarding, RedirectPaths, Remedy, Result, Secret, SignInPurpose, SignedInAccount, messages,
};

/// Path to which Google redirects after the sign-in of an administrator who named a service account.
pub const SIGNED_IN_PATH: &str = "/connect/google/signed-in";
/// Path to which Google redirects after a user's own consent.
pub const OWN_CONSENTED_PATH: &str = "/connect/google/own";

#[async_trait]
impl Onboarding for Google {
    fn consent_flow(&self) -> ConsentFlow {
        ConsentFlow::ServiceAccount { scopes: &DELEGATED_SCOPES, keyless: self.supports_keyless() }
    }

    fn application_id(&self) -> Option<&str> {
        self.config.application.as_ref().map(|application| application.client_id.as_str())
    }

    fn redirect_paths(&self) -> RedirectPaths {
        RedirectPaths { signed_in: Some(SIGNED_IN_PATH), consented: None, own: Some(OWN_CONSENTED_PATH) }
    }

    fn sign_in_url(&self, purpose: SignInPurpose, request: &AuthorizationRequest<'_>) -> Result<Url> {
        let AuthorizationRequest { redirect_uri, state, nonce, challenge, login_hint } = *request;
        let ask = match purpose {
            SignInPurpose::Administrator => AuthorizationPurpose::SignIn,
            SignInPurpose::OwnConsent => AuthorizationPurpose::OwnConsent,
        };
        self.consent_url(ask, redirect_uri, state, nonce, challenge, login_hint)
    }

    async fn redeem(
        &self,
        purpose: SignInPurpose,
        brought: &CodeExchange<'_>,
    ) -> Result<Option<SignedInAccount>> {
        let CodeExchange { code, verifier, redirect_uri, nonce } = *brought;
        let (person, refresh_token) = match purpose {
            SignInPurpose::Administrator => {
                (Some(self.redeem_sign_in(code, verifier, redirect_uri, nonce).await?), None)
            }
            SignInPurpose::OwnConsent => {
                let tokens = self.redeem_code(code, verifier, redirect_uri, nonce).await?;
                (tokens.person, tokens.refresh_token)
            }
        };
        Ok(person.map(|person| SignedInAccount {
            account: person.id,
            username: person.email,
            organisation: None,
            domain: Some(person.domain),
            may_consent: false,
            refresh_token,
        }))
    }

    fn redirect_error(&self, error: &str, _description: &str) -> std::result::Result<ConsentDeclined, Error> {
        let (kind, remedy, message) = match error {
            "access_denied" | "permission_denied" => return Ok(ConsentDeclined),
            "temporarily_unavailable" | "server_error" => (
                ErrorKind::Unavailable,
                Remedy::RetryAfter(super::classify::DEFAULT_WAIT),
                messages::google_sign_in_problem(),
            ),
            _ => (ErrorKind::Invalid, Remedy::Never, messages::google_sign_in_refused()),
        };
        Err(Error::new(kind, remedy, "SIGN_IN_REFUSED", message))
    }

    fn own_consent(&self, organisation: String, refresh_token: String) -> Result<Secret> {
        Ok(Secret::GoogleUser { external: organisation, refresh_token })
    }

    async fn token(&self, secret: &Secret, _claims: Option<&str>) -> Result<IssuedToken> {
        let Secret::GoogleUser { external, refresh_token } = secret else {
            return Err(Secret::wrong_provider());
        };
        let tokens = self.refresh(&refresh_token.clone().into()).await?;
        let next = tokens.refresh_token.as_ref().map(|token| Secret::GoogleUser {
            external: external.clone(),
            refresh_token: token.expose_secret().to_owned(),
        });
        Ok(IssuedToken { token: tokens.access_token, expires_in: tokens.expires_in, next })
    }

    /// A user's own consent; a delegation is withdrawn in the Admin console alone.
    fn can_revoke(&self, kind: SecretKind) -> bool {
        kind == SecretKind::GoogleUser
    }

    async fn revoke(&self, secret: &Secret) -> Result<()> {
        let Secret::GoogleUser { refresh_token, .. } = secret else {
            return Err(Secret::wrong_provider());
        };
        tokens::revoke_token(self, refresh_token).await
    }

    /// Google takes up to a day to apply a delegation. These two error codes mean that Google has not applied the
    /// delegation yet, or only part of it.
    fn is_spreading(&self, error: &Error) -> bool {
        matches!(error.code.as_str(), "unauthorized_client" | "access_denied")
    }
}
