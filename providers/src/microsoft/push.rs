//! Push notifications: one subscription per mailbox.

use async_trait::async_trait;
use chrono::{Duration, SecondsFormat, SubsecRound};
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded;

use super::{Microsoft, request::Call, wire};
use crate::{
    Channel, ChannelNotification, ParsedPush, Push, PushRequest, Result, Session,
    rest::{RestApi, push},
};

/// Lifetime of a subscription in minutes that every cloud grants.
const LIFE_MINUTES: i64 = 4_200;

/// Maximum length of `clientState` that Graph accepts.
const MAX_SECRET: usize = 128;

/// Path to which Microsoft sends notifications.
pub const PUSH_PATH: &str = "/hooks/microsoft";

/// Maximum length of a validation token that is echoed, in bytes.
const LONGEST_TOKEN: usize = 1024;

/// Maximum number of notifications in one POST, which may concern several subscriptions and tenants.
const MOST_ITEMS: usize = 1000;

#[derive(Deserialize)]
struct Notifications {
    value: Vec<Notification>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    subscription_id: String,
    client_state: Option<String>,
    /// Name of the lifecycle event; set if the notification concerns the subscription itself.
    lifecycle_event: Option<String>,
}

impl From<Notification> for ChannelNotification {
    /// The lifecycle event `missed` is treated like a change, because the mailbox must be read.
    fn from(told: Notification) -> Self {
        let has_lapsed = matches!(
            told.lifecycle_event.as_deref(),
            Some("reauthorizationRequired" | "subscriptionRemoved")
        );
        Self {
            channel: told.subscription_id,
            is_part: false,
            secret: told.client_state.unwrap_or_default(),
            has_lapsed,
        }
    }
}

#[async_trait]
impl Push for Microsoft {
    fn hook(&self) -> Option<&'static str> {
        Some(PUSH_PATH)
    }

    /// The response to a validation request: it echoes the validation token if that contains only harmless characters.
    fn read_push(&self, request: &PushRequest<'_>) -> ParsedPush {
        let mut query = form_urlencoded::parse(request.query.as_bytes());
        if let Some((_, token)) = query.find(|(name, _)| name == "validationToken") {
            return match token.len() > LONGEST_TOKEN || token.chars().any(char::is_control) {
                true => ParsedPush::Malformed,
                false => ParsedPush::Handshake(token.into_owned()),
            };
        }
        match serde_json::from_slice::<Notifications>(request.body) {
            Ok(told) => ParsedPush::About(
                told.value.into_iter().take(MOST_ITEMS).map(ChannelNotification::from).collect(),
            ),
            Err(_) => ParsedPush::Malformed,
        }
    }

    async fn watch(&self, session: &Session, mailbox: &str, url: &str, secret: &str) -> Result<Channel> {
        push::check_secret(secret, MAX_SECRET)?;
        let body = json!({
            "changeType": "created,updated,deleted",
            "notificationUrl": url,
            "lifecycleNotificationUrl": url,
            "resource": format!("/users/{mailbox}/events"),
            "expirationDateTime": self.channel_end(),
            "clientState": secret,
            "latestSupportedTlsVersion": "v1_2",
        });
        let call = Call::post(self.url(&["subscriptions"])?, body).for_mailbox(mailbox);
        self.call_json(session, &call).await.map(channel)
    }

    async fn renew(&self, session: &Session, id: &str) -> Result<Channel> {
        let body = json!({ "expirationDateTime": self.channel_end() });
        let call = Call::patch(self.url(&["subscriptions", id])?, body).about_object();
        self.call_json(session, &call).await.map(channel)
    }

    async fn unwatch(&self, session: &Session, id: &str) -> Result<()> {
        let call = Call::delete(self.url(&["subscriptions", id])?).about_object();
        push::ignore_gone(self.call(session, &call).await)
    }
}

impl Microsoft {
    fn channel_end(&self) -> String {
        let end = self.clock.now() + Duration::minutes(LIFE_MINUTES);
        end.trunc_subsecs(0).to_rfc3339_opts(SecondsFormat::Secs, true)
    }
}

fn channel(subscription: wire::Subscription) -> Channel {
    Channel { id: subscription.id, expires_at: subscription.expiration_date_time.trunc_subsecs(6) }
}
