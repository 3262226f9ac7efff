//! Implements the transports' [`Authenticate`](crate::Authenticate) and [`Readiness`](crate::health::Readiness) with
//! the services.

use async_trait::async_trait;
use domain::access::Denied;
use futures::{StreamExt, stream::BoxStream};
use services::{
    Anyone, Caller, Error, Services,
    access::{self, AccessChange},
    quotas::{ChargeResult, QuotaSubject},
};

use crate::{
    authenticate::{AuthError, Authenticate, Authenticated},
    health::{Check, Readiness},
};

/// Authenticates callers and checks readiness through the services.
#[derive(Debug, Clone)]
pub struct Callers(pub Services);

impl From<access::Authenticated> for Authenticated {
    fn from(known: access::Authenticated) -> Self {
        Self { caller: known.caller, expires_at: known.expires_at }
    }
}

#[async_trait]
impl Authenticate for Callers {
    async fn authenticate(
        &self,
        authorization: Option<&str>,
        tenant: Option<&str>,
    ) -> Result<Authenticated, AuthError> {
        match self.0.access().authenticate(Anyone, authorization, tenant).await {
            Ok(known) => Ok(known.into()),
            Err(Error::Denied(Denied::Unauthenticated)) => Err(AuthError::Invalid),
            Err(Error::Denied(_) | Error::Refused(_)) => Err(AuthError::TenantNotFound),
            Err(error) => {
                tracing::warn!(%error, "a caller could not be told");
                Err(AuthError::Unavailable)
            }
        }
    }

    fn remembered(&self, authorization: Option<&str>, tenant: Option<&str>) -> Option<Authenticated> {
        self.0.access().remembered(Anyone, authorization, tenant).map(Authenticated::from)
    }

    fn recently_authenticated(&self, authorization: Option<&str>, tenant: Option<&str>) -> Option<Caller> {
        self.0.access().recently_authenticated(Anyone, authorization, tenant)
    }

    async fn charge(&self, whose: QuotaSubject<'_>, units: u32) -> ChargeResult {
        self.0.quotas().charge(Anyone, whose, units).await
    }

    fn changes(&self) -> BoxStream<'static, AccessChange> {
        self.0.access().changes(Anyone).boxed()
    }
}

#[async_trait]
impl Readiness for Callers {
    async fn check(&self) -> Vec<Check> {
        vec![Check { name: "store", ok: self.0.is_ready(Anyone).await }]
    }
}
