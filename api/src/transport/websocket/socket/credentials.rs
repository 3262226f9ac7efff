//! Credentials of a socket, and the close reason when they are refused.

use std::net::IpAddr;

use super::super::close::CloseCause;
use crate::{
    authenticate::{AuthError, AuthenticatedCaller},
    error::Error,
    state::State,
    transport::charge,
};

/// Credentials of a socket: the headers of the upgrade, or the payload of `connection_init` in place of them.
#[derive(Default)]
pub struct PresentedCredentials {
    /// Value of `Authorization`.
    pub authorization: Option<String>,
    /// Value of `Muster-Tenant`.
    pub tenant: Option<String>,
    /// Address of the client.
    pub address: Option<IpAddr>,
}

impl PresentedCredentials {
    /// Authenticates the credentials.
    pub(super) async fn ask(&self, state: &State) -> Result<AuthenticatedCaller, CloseCause> {
        let (authorization, tenant) = (self.authorization.as_deref(), self.tenant.as_deref());
        let asked = charge::authenticate_caller(state, self.address, Ok((authorization, tenant))).await;
        asked.map_err(|refused| match refused {
            Error::Auth(refused) => closing(refused),
            _ => CloseCause::TryLater,
        })
    }

    /// Authenticates the credentials again; an open socket waits for no permit.
    pub(super) async fn ask_again(&self, state: &State) -> Result<AuthenticatedCaller, CloseCause> {
        let (authorization, tenant) = (self.authorization.as_deref(), self.tenant.as_deref());
        state.authenticate.authenticate(authorization, tenant).await.map_err(closing)
    }
}

const fn closing(refused: AuthError) -> CloseCause {
    match refused {
        AuthError::Expired => CloseCause::TokenExpired,
        AuthError::Unavailable => CloseCause::TryLater,
        AuthError::Invalid | AuthError::TenantNotFound => CloseCause::Forbidden,
    }
}
