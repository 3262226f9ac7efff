//! Admits requests to providers: enforces Muster's own rate limits, which keep the number of requests below the
//! provider's limits, and refuses the requests of suspended integrations.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{Id, ids, state::IntegrationState};
use entity::integration::{self, Model};
use lanes::{ExternalWait, Key, Limit, Limits};
use providers::{Error, ErrorKind, Gate, Permit, RateLimit, Remedy, RequestLimits};

use crate::{Services, messages};

/// Error code for a request that was not sent because it would have exceeded Muster's own rate limits.
pub const OWN_RATE_LIMIT_CODE: &str = "own_limit";

/// How long a request waits for a permit before its worker is released.
const PATIENCE: Duration = Duration::from_secs(5);

/// Error code for a request that was not sent because its integration is suspended.
pub const SUSPENDED_REQUEST_CODE: &str = "suspended";

/// Error code for a request that was not sent because the database did not say whether its integration is suspended.
const STATE_UNREAD_CODE: &str = "state_unread";

/// How long a run waits for a suspended integration, unless its resumption wakes the run earlier.
pub const SUSPENSION_PAUSE: Duration = Duration::from_mins(15);

/// How long a request waits after the database failed.
const DATABASE_PAUSE: Duration = Duration::from_secs(2);

/// Whether Muster itself did not send a request, so that its error says nothing about the provider.
pub fn is_unsent(error: &Error) -> bool {
    [OWN_RATE_LIMIT_CODE, SUSPENDED_REQUEST_CODE, STATE_UNREAD_CODE].contains(&error.code.as_str())
}

/// Admits the requests of one integration: while it is in force, and within its rate limits over all nodes.
#[derive(Debug, Clone)]
pub(crate) struct IntegrationGate {
    services: Services,
    integration: (Id<ids::Tenant>, Id<ids::Integration>),
    permits: RequestPermits,
}

impl IntegrationGate {
    /// Creates the gate of an integration for the owner of the limits (`whole`): a verified organisation or the
    /// integration itself.
    pub(crate) fn new(services: &Services, integration: &Model, limits: RequestLimits, whole: Key) -> Self {
        let limit = |RateLimit { concurrency, rate, per }| Limit { concurrency, rate, per };
        let (whole_limit, mailbox_limit) = (limit(limits.whole), limit(limits.mailbox));
        let permits =
            RequestPermits { limits: Arc::clone(&services.queue.limits), whole, whole_limit, mailbox_limit };
        Self {
            services: services.without_request(),
            integration: (integration.tenant_id, integration.id),
            permits,
        }
    }

    /// Refuses the requests of an integration that was suspended after the session was opened. Sessions are used for many
    /// requests.
    async fn require_in_force(&self) -> providers::Result<()> {
        let (tenant, id) = self.integration;
        let row = async {
            let txn = self.services.read(tenant).await?;
            Ok::<_, crate::Error>(integration::by_id(tenant, id).one(&txn).await?)
        };
        let unsent = |pause, code, message| {
            Error::new(ErrorKind::Unavailable, Remedy::RetryAfter(pause), code, message)
        };
        match row.await {
            Ok(Some(row)) if row.state == IntegrationState::Suspended => {
                Err(unsent(SUSPENSION_PAUSE, SUSPENDED_REQUEST_CODE, messages::integration_suspended()))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(unsent(DATABASE_PAUSE, STATE_UNREAD_CODE, error.message())),
        }
    }
}

#[async_trait]
impl Gate for IntegrationGate {
    async fn enter(&self, mailbox: Option<&str>) -> providers::Result<Permit> {
        let permit = self.permits.acquire(mailbox).await?;
        self.require_in_force().await?;
        Ok(permit)
    }

    async fn throttled(&self, mailbox: Option<&str>, wait: Duration) {
        self.permits.pause(mailbox, wait).await;
    }
}

/// The rate limits of one integration, over all nodes.
#[derive(Debug, Clone)]
struct RequestPermits {
    limits: Arc<dyn Limits>,
    whole: Key,
    whole_limit: Limit,
    mailbox_limit: Limit,
}

impl RequestPermits {
    async fn acquire(&self, mailbox: Option<&str>) -> providers::Result<Permit> {
        let outside = ExternalWait::begin();
        let mailbox = match mailbox {
            Some(mailbox) => Some(self.acquire_one(&self.mailbox_key(mailbox), &self.mailbox_limit).await?),
            None => None,
        };
        let whole = self.acquire_one(&self.whole, &self.whole_limit).await?;
        Ok(Permit::with_guard((outside, mailbox, whole)))
    }

    async fn acquire_one(&self, key: &Key, limit: &Limit) -> providers::Result<lanes::Permit> {
        self.limits.enter(key, limit, PATIENCE).await.map_err(|lanes::Wait(wait)| {
            let message = messages::own_limit();
            Error::new(ErrorKind::Throttled, Remedy::RetryAfter(wait), OWN_RATE_LIMIT_CODE, message)
        })
    }

    async fn pause(&self, mailbox: Option<&str>, wait: Duration) {
        let key = mailbox.map_or_else(|| self.whole.clone(), |mailbox| self.mailbox_key(mailbox));
        self.limits.pause(&key, wait).await;
    }

    fn mailbox_key(&self, mailbox: &str) -> Key {
        self.whole.with_sub_limit("mailbox", mailbox)
    }
}

#[cfg(test)]
mod tests {
    use domain::{Id, TestClock, Timestamp};
    use lanes::{ExternalTime, limits::InProcess};

    use super::*;

    #[tokio::test]
    async fn a_request_is_time_outside_until_its_permit_is_dropped() {
        let limit = Limit { concurrency: 1, rate: 100, per: Duration::from_secs(1) };
        let (limits, whole) = (Arc::new(InProcess::default()), Key::of_tenant(Id::nil()));
        let permits = RequestPermits { limits, whole, whole_limit: limit, mailbox_limit: limit };
        let clock = TestClock::at(Timestamp::UNIX_EPOCH);
        let (outside, second) = (ExternalTime::new(Arc::new(clock.clone())), chrono::Duration::seconds(1));
        outside
            .measure(async {
                let permit = permits.acquire(Some("anna@acme.example")).await.unwrap();
                clock.advance(second);
                drop(permit);
                clock.advance(second);
            })
            .await;
        assert_eq!(outside.total(), Duration::from_secs(1));
    }
}
