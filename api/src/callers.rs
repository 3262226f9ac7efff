//! The services' answer to "who calls", and to "is the node ready".

use async_trait::async_trait;
use domain::access::Denied;
use futures::{StreamExt, stream::BoxStream};
use services::{Error, Services, access::AccessChange};

use crate::{
    authenticate::{AuthError, Authenticate, Authenticated},
    health::{Check, Readiness},
};

/// Asks the services.
#[derive(Debug, Clone)]
pub struct Callers(pub Services);

#[async_trait]
impl Authenticate for Callers {
    async fn authenticate(
        &self,
        authorization: Option<&str>,
        tenant: Option<&str>,
    ) -> Result<Authenticated, AuthError> {
        match self.0.access().authenticate(authorization, tenant).await {
            Ok(known) => Ok(Authenticated { caller: known.caller, expires_at: known.expires_at }),
            Err(Error::Denied(Denied::Unauthenticated)) => Err(AuthError::Invalid),
            Err(Error::Denied(_) | Error::Refused(_)) => Err(AuthError::TenantNotFound),
            Err(error) => {
                tracing::warn!(%error, "a caller could not be told");
                Err(AuthError::Unavailable)
            }
        }
    }

    fn changes(&self) -> BoxStream<'static, AccessChange> {
        self.0.access().changes().boxed()
    }
}

#[async_trait]
impl Readiness for Callers {
    async fn check(&self) -> Vec<Check> {
        vec![Check { name: "store", ok: self.0.is_ready().await }]
    }
}
