//! Enforces Muster's own rate limits, which keep the number of requests below the provider's limits.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lanes::{ExternalWait, Key, Limit, Limits};
use providers::{Error, ErrorKind, Gate, Permit, RateLimit, Remedy, RequestLimits};

use crate::{Services, messages};

/// Error code for a request that was not sent because it would have exceeded Muster's own rate limits.
pub const OWN_LIMIT_CODE: &str = "own_limit";

/// How long a request waits for a permit before its worker is released.
const PATIENCE: Duration = Duration::from_secs(5);

/// The rate limits of one integration, enforced over all nodes.
#[derive(Debug, Clone)]
pub(crate) struct IntegrationGate {
    limits: Arc<dyn Limits>,
    whole: Key,
    whole_limit: Limit,
    mailbox_limit: Limit,
}

impl IntegrationGate {
    /// Creates the gate for the owner of the limits (`whole`): a verified organisation or a single integration.
    pub(crate) fn new(services: &Services, limits: RequestLimits, whole: Key) -> Self {
        let limit = |RateLimit { concurrency, rate, per }| Limit { concurrency, rate, per };
        let (whole_limit, mailbox_limit) = (limit(limits.whole), limit(limits.mailbox));
        Self { limits: Arc::clone(&services.queue.limits), whole, whole_limit, mailbox_limit }
    }

    fn mailbox_key(&self, mailbox: &str) -> Key {
        self.whole.with_part("mailbox", mailbox)
    }

    async fn place(&self, key: &Key, limit: &Limit) -> providers::Result<lanes::Permit> {
        self.limits.enter(key, limit, PATIENCE).await.map_err(|lanes::Wait(wait)| {
            let message = messages::own_limit();
            Error::new(ErrorKind::Throttled, Remedy::RetryAfter(wait), OWN_LIMIT_CODE, message)
        })
    }
}

#[async_trait]
impl Gate for IntegrationGate {
    async fn enter(&self, mailbox: Option<&str>) -> providers::Result<Permit> {
        let outside = ExternalWait::begin();
        let mailbox = match mailbox {
            Some(mailbox) => Some(self.place(&self.mailbox_key(mailbox), &self.mailbox_limit).await?),
            None => None,
        };
        let whole = self.place(&self.whole, &self.whole_limit).await?;
        Ok(Permit::holding((outside, mailbox, whole)))
    }

    async fn throttled(&self, mailbox: Option<&str>, wait: Duration) {
        let key = mailbox.map_or_else(|| self.whole.clone(), |mailbox| self.mailbox_key(mailbox));
        self.limits.pause(&key, wait).await;
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
        let gate = IntegrationGate { limits, whole, whole_limit: limit, mailbox_limit: limit };
        let clock = TestClock::at(Timestamp::UNIX_EPOCH);
        let (outside, second) = (ExternalTime::new(Arc::new(clock.clone())), chrono::Duration::seconds(1));
        outside
            .measure(async {
                let permit = gate.enter(Some("anna@acme.example")).await.unwrap();
                clock.advance(second);
                drop(permit);
                clock.advance(second);
            })
            .await;
        assert_eq!(outside.total(), Duration::from_secs(1));
    }
}
