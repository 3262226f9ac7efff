//! Subscriptions to changes, and what a provider sends about them.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::{Channel, Result, Session};

/// What a provider sends to Muster's hook. Anybody can send such a request.
#[derive(Debug, Clone, Copy)]
pub struct PushRequest<'a> {
    /// The query of the URL, without the question mark; empty if there is none.
    pub query: &'a str,
    /// The headers that are text, by their names in lower case.
    pub headers: &'a BTreeMap<String, String>,
    /// The body; may be empty.
    pub body: &'a [u8],
}

/// What a push says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notices {
    /// The provider checks that somebody listens, and expects this text back.
    Handshake(String),
    /// What is said about channels; empty if there is nothing to do.
    About(Vec<Notice>),
    /// No push of this provider's.
    Malformed,
}

/// A provider's notification about a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The provider's id of the channel.
    pub channel: String,
    /// Whether notifications name only the part of [`Channel::id`] before its first `|`.
    pub is_part: bool,
    /// The channel's secret, as the notification repeats it.
    pub secret: String,
    /// Whether the channel has ended, or ends soon.
    pub has_lapsed: bool,
}

/// Subscriptions to changes of a mailbox.
#[async_trait]
pub trait Push: Send + Sync + std::fmt::Debug {
    /// Path of Muster's own to which the provider sends its pushes: `/hooks/` and a word; `None` unless
    /// [`crate::ProviderFeatures::push`].
    fn hook(&self) -> Option<&'static str> {
        None
    }

    /// Reads what was sent to [`Self::hook`].
    fn read_push(&self, _request: &PushRequest<'_>) -> Notices {
        Notices::Malformed
    }

    /// Subscribes `url` to pushes about a mailbox, authenticated by `secret`. [`crate::ErrorKind::Unsupported`] unless
    /// [`crate::ProviderFeatures::push`].
    async fn watch(&self, session: &Session, mailbox: &str, url: &str, secret: &str) -> Result<Channel>;

    /// Extends a channel; an error with [`crate::Remedy::Never`] and [`crate::ErrorKind::Gone`] means: call
    /// [`Self::watch`] again.
    async fn renew(&self, session: &Session, channel: &str) -> Result<Channel>;

    /// Ends a channel. Succeeds if it no longer exists.
    async fn unwatch(&self, session: &Session, channel: &str) -> Result<()>;
}
