//! Push notifications: one subscription per mailbox.

use chrono::{Duration, SecondsFormat, SubsecRound};
use serde_json::json;

use super::{Microsoft, request::Call, wire};
use crate::{Channel, Error, ErrorKind, Remedy, Result, Session};

/// Lifetime of a subscription in minutes that every cloud grants.
const LIFE_MINUTES: i64 = 4_200;

/// Maximum length of `clientState` that Graph accepts.
const MAX_SECRET: usize = 128;

impl Microsoft {
    pub(super) async fn subscribe(
        &self,
        session: &Session,
        mailbox: &str,
        url: &str,
        secret: &str,
    ) -> Result<Channel> {
        if secret.is_empty() || secret.len() > MAX_SECRET {
            return Err(Error::new(
                ErrorKind::Invalid,
                Remedy::Never,
                "SECRET_LENGTH",
                "The secret of a subscription must have 1 to 128 characters.",
            ));
        }
        let body = json!({
            "changeType": "created,updated,deleted",
            "notificationUrl": url,
            "lifecycleNotificationUrl": url,
            "resource": format!("/users/{mailbox}/events"),
            "expirationDateTime": self.channel_end(),
            "clientState": secret,
            "latestSupportedTlsVersion": "v1_2",
        });
        let call = Call::post(self.url(&["subscriptions"])?, body).of(mailbox);
        self.call_json(session, &call).await.map(channel)
    }

    pub(super) async fn renew_subscription(&self, session: &Session, id: &str) -> Result<Channel> {
        let body = json!({ "expirationDateTime": self.channel_end() });
        let call = Call::patch(self.url(&["subscriptions", id])?, body).item();
        self.call_json(session, &call).await.map(channel)
    }

    pub(super) async fn unsubscribe(&self, session: &Session, id: &str) -> Result<()> {
        let call = Call::delete(self.url(&["subscriptions", id])?).item();
        match self.call(session, &call).await {
            Err(error) if error.kind != ErrorKind::Gone => Err(error),
            _ => Ok(()),
        }
    }

    fn channel_end(&self) -> String {
        let end = self.clock.now() + Duration::minutes(LIFE_MINUTES);
        end.trunc_subsecs(0).to_rfc3339_opts(SecondsFormat::Secs, true)
    }
}

fn channel(subscription: wire::Subscription) -> Channel {
    Channel { id: subscription.id, expires_at: subscription.expiration_date_time.trunc_subsecs(6) }
}
