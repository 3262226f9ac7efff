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
    authenticate::{AuthError, Authenticate, AuthenticatedCaller},
    health::{DependencyCheck, Readiness},
};

/// Authenticates callers and checks readiness through the services.
#[derive(Debug, Clone)]
pub struct ServiceAdapter(pub Services);

impl From<access::Authenticated> for AuthenticatedCaller {
    fn from(known: access::Authenticated) -> Self {
        Self { caller: known.caller, expires_at: known.expires_at }
    }
}

#[async_trait]
impl Authenticate for ServiceAdapter {
    async fn authenticate(
        &self,
        authorization: Option<&str>,
        tenant: Option<&str>,
    ) -> Result<AuthenticatedCaller, AuthError> {
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

    fn remembered(&self, authorization: Option<&str>, tenant: Option<&str>) -> Option<AuthenticatedCaller> {
        self.0.access().authenticate_from_cache(Anyone, authorization, tenant).map(AuthenticatedCaller::from)
    }

    fn recently_authenticated(&self, authorization: Option<&str>, tenant: Option<&str>) -> Option<Caller> {
        self.0.access().find_recent_caller(Anyone, authorization, tenant)
    }

    async fn charge(&self, whose: QuotaSubject<'_>, units: u32) -> ChargeResult {
        self.0.quotas().charge(Anyone, whose, units).await
    }

    fn changes(&self) -> BoxStream<'static, AccessChange> {
        self.0.access().watch_changes(Anyone).boxed()
    }
}

#[async_trait]
impl Readiness for ServiceAdapter {
    async fn check(&self) -> Vec<DependencyCheck> {
        vec![DependencyCheck { name: "store", ok: self.0.is_ready(Anyone).await }]
    }
}
