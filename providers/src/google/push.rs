//! Push notifications: one channel per calendar.
//!
//! A channel cannot be extended, so a renewal always fails with an error that requires opening a new channel. Stopping
//! a channel requires more than the channel's id: [`Channel::id`] is `{channel id}|{resource id}|{mailbox}`;
//! notifications contain the first two parts in `X-Goog-Channel-ID` and `X-Goog-Resource-ID`.

use async_trait::async_trait;
use chrono::{DateTime, Duration, SubsecRound};
use serde_json::json;

use super::{
    Google,
    classify::RequestSubject,
    request::{Call, unreadable_response},
    scopes::Scope,
    wire,
};
use crate::{
    Channel, ChannelNotification, Error, ErrorKind, ParsedPush, Push, PushRequest, Remedy, Result, Session,
    messages,
    rest::{RestApi, push, url_below},
};

/// Requested lifetime of a channel; Google may grant less and reports the actual one.
const LIFE: Duration = Duration::days(7);
/// Maximum length of a channel token that Google accepts.
const MAX_SECRET: usize = 256;

/// Path to which Google sends notifications.
pub const PUSH_PATH: &str = "/hooks/google";

#[async_trait]
impl Push for Google {
    fn hook(&self) -> Option<&'static str> {
        Some(PUSH_PATH)
    }

    /// Notifications have no body: their headers contain the channel's id and Muster's secret for the channel. The
    /// first one of a channel (`sync`) only confirms that it is open.
    fn read_push(&self, request: &PushRequest<'_>) -> ParsedPush {
        let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
        if header("x-goog-resource-state") == "sync" {
            return ParsedPush::About(Vec::new());
        }
        ParsedPush::About(vec![ChannelNotification {
            channel: header("x-goog-channel-id"),
            is_part: true,
            secret: header("x-goog-channel-token"),
            has_lapsed: false,
        }])
    }

    async fn watch(&self, session: &Session, mailbox: &str, url: &str, secret: &str) -> Result<Channel> {
        push::check_secret(secret, MAX_SECRET)?;
        let body = json!({
            "id": self.ids.uuid().to_string(),
            "type": "web_hook",
            "address": url,
            "token": secret,
            "params": { "ttl": LIFE.num_seconds().to_string() },
        });
        let call = Call::post(self.calendar_url(mailbox, &["events", "watch"])?, Scope::Events, body);
        let opened: wire::Channel = self.call_json(session, &call.for_mailbox(mailbox)).await?;
        let expires = opened.expiration.as_deref().and_then(|text| text.parse().ok());
        let expires = expires.and_then(DateTime::from_timestamp_millis).ok_or_else(unreadable_response)?;
        Ok(Channel {
            id: format!("{}|{}|{mailbox}", opened.id, opened.resource_id),
            expires_at: expires.trunc_subsecs(6),
        })
    }

    async fn renew(&self, _session: &Session, _channel: &str) -> Result<Channel> {
        Err(fixed())
    }

    async fn unwatch(&self, session: &Session, channel: &str) -> Result<()> {
        let mut parts = channel.splitn(3, '|');
        let (Some(id), Some(resource), Some(mailbox)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::new(
                ErrorKind::Invalid,
                Remedy::Never,
                "CHANNEL_MALFORMED",
                messages::google_channel_malformed(),
            ));
        };
        let url = url_below(&self.config.calendar, &["channels", "stop"])?;
        let call = Call::post(url, Scope::Events, json!({ "id": id, "resourceId": resource }));
        push::ignore_gone(
            self.call(session, &call.for_mailbox(mailbox).with_subject(RequestSubject::Item)).await,
        )
    }
}

/// The error for renewing a channel, which Google does not support.
fn fixed() -> Error {
    Error::new(ErrorKind::Gone, Remedy::Never, "CHANNEL_FIXED", messages::google_channel_fixed())
}
