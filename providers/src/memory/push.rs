//! Push notifications of the in-memory provider: recording and parsing them.

use async_trait::async_trait;
use domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Memory, Method, Request, messages, record::SystemState};
use crate::{
    Channel, ChannelNotification, Error, ErrorKind, ParsedPush, Push, PushRequest, Remedy, Result, Session,
};

/// Path of Muster's endpoint for push notifications of the in-memory provider.
const PUSH_PATH: &str = "/hooks/memory";
/// Expiry of channels as a Unix timestamp in seconds: the end of the year 9999.
const ENDS: i64 = 253_402_300_799;

/// An open push channel.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    mailbox: String,
    url: String,
    secret: String,
}

/// A push notification that a real provider would have sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentPush {
    /// The URL that [`Push::watch`] was given.
    pub url: String,
    /// The JSON body, as [`Push::read_push`] reads it.
    pub body: String,
}

#[derive(Serialize, Deserialize)]
struct Body {
    channel: String,
    secret: String,
}

#[async_trait]
impl Push for Memory {
    fn hook(&self) -> Option<&'static str> {
        self.record().features.push.then_some(PUSH_PATH)
    }

    fn read_push(&self, request: &PushRequest<'_>) -> ParsedPush {
        let Ok(Body { channel, secret }) = serde_json::from_slice(request.body) else {
            return ParsedPush::Malformed;
        };
        ParsedPush::About(vec![ChannelNotification { channel, is_part: false, secret, has_lapsed: false }])
    }

    async fn watch(&self, session: &Session, mailbox: &str, url: &str, secret: &str) -> Result<Channel> {
        let request = Request::new(Method::Watch, mailbox, session);
        self.call(session, request, |record| {
            record.require_mailbox(mailbox)?;
            if !record.features.push {
                let message = messages::memory_no_push();
                return Err(Error::new(ErrorKind::Unsupported, Remedy::Never, "NO_PUSH", message));
            }
            record.revision += 1;
            let id = format!("channel-{}", record.revision);
            let (mailbox, url, secret) = (mailbox.to_owned(), url.to_owned(), secret.to_owned());
            record.subscriptions.insert(id.clone(), Subscription { mailbox, url, secret });
            Ok(Channel { id, expires_at: ends() })
        })
        .await
    }

    async fn renew(&self, session: &Session, channel: &str) -> Result<Channel> {
        let request = Request::new(Method::Renew, "", session);
        self.call(session, request, |record| match record.subscriptions.contains_key(channel) {
            true => Ok(Channel { id: channel.to_owned(), expires_at: ends() }),
            false => {
                let message = messages::memory_channel_gone();
                Err(Error::new(ErrorKind::Gone, Remedy::Never, "NO_CHANNEL", message))
            }
        })
        .await
    }

    async fn unwatch(&self, session: &Session, channel: &str) -> Result<()> {
        let request = Request::new(Method::Unwatch, "", session);
        self.call(session, request, |record| {
            record.subscriptions.remove(channel);
            Ok(())
        })
        .await
    }
}

fn ends() -> Timestamp {
    Timestamp::from_timestamp(ENDS, 0).unwrap_or_default()
}

impl SystemState {
    /// Sends push notifications for all channels of a mailbox.
    pub(super) fn send_pushes(&mut self, mailbox: &str) {
        let watching = self.subscriptions.iter().filter(|(_, one)| one.mailbox == mailbox);
        let sent = watching.map(|(id, one)| {
            let body = Body { channel: id.clone(), secret: one.secret.clone() };
            // Texts are always JSON.
            SentPush { url: one.url.clone(), body: serde_json::to_string(&body).unwrap_or_default() }
        });
        self.pushes.extend(sent.collect::<Vec<_>>());
    }
}
