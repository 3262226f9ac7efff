//! Subscriptions to changes, and push notifications.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::{Channel, Result, Session};

/// A request to Muster's push endpoint. It is untrusted, because anyone can send one.
#[derive(Debug, Clone, Copy)]
pub struct PushRequest<'a> {
    /// The query of the URL, without the question mark; empty if there is none.
    pub query: &'a str,
    /// The headers whose values are valid text, by their lower-case names.
    pub headers: &'a BTreeMap<String, String>,
    /// The body; may be empty.
    pub body: &'a [u8],
}

/// The parsed content of a push request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedPush {
    /// The provider validates the endpoint and expects this string as the body of the response.
    Handshake(String),
    /// Notifications about channels; may be empty.
    About(Vec<ChannelNotification>),
    /// The request is not a push notification from this provider.
    Malformed,
}

/// A provider's push notification about a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelNotification {
    /// The provider's id of the channel.
    pub channel: String,
    /// Whether notifications name only the part of [`Channel::id`] before its first `|`.
    pub is_part: bool,
    /// The channel's secret, as contained in the notification.
    pub secret: String,
    /// Whether the channel has expired or expires soon.
    pub has_lapsed: bool,
}

/// Subscriptions to changes of a mailbox.
#[async_trait]
pub trait Push: Send + Sync + std::fmt::Debug {
    /// Path on Muster's server for this provider's push notifications: `/hooks/` and a name; `None` unless
    /// [`crate::ProviderFeatures::push`].
    fn hook(&self) -> Option<&'static str> {
        None
    }

    /// Parses a request that was sent to [`Self::hook`].
    fn read_push(&self, _request: &PushRequest<'_>) -> ParsedPush {
        ParsedPush::Malformed
    }

    /// Subscribes `url` to push notifications about a mailbox, authenticated by `secret`.
    /// [`crate::ErrorKind::Unsupported`] unless [`crate::ProviderFeatures::push`].
    async fn watch(&self, session: &Session, mailbox: &str, url: &str, secret: &str) -> Result<Channel>;

    /// Extends a channel; an error with [`crate::Remedy::Never`] and [`crate::ErrorKind::Gone`] means that
    /// [`Self::watch`] must be called again.
    async fn renew(&self, session: &Session, channel: &str) -> Result<Channel>;

    /// Ends a channel. Succeeds if it no longer exists.
    async fn unwatch(&self, session: &Session, channel: &str) -> Result<()>;
}
