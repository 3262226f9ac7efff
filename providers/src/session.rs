//! What every call passes to a connector: credentials, rate limits, and the server's address.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;

use crate::{Error, ErrorKind, Remedy, Result, messages};

/// A secret that authenticates one request.
#[derive(Debug, Clone)]
pub enum Credential {
    /// An OAuth access token.
    Bearer(SecretString),
    /// A login for HTTP Basic authentication.
    Basic {
        /// The login name, as the administrator typed it.
        user: String,
        /// The login's secret part; never logged.
        password: SecretString,
    },
    /// A service account's key, with which the connector obtains one token per mailbox.
    ServiceAccount(Arc<crate::google::ServiceAccountKey>),
    /// A service account's address: the operator's source signs for it ([`crate::google::Keyless`]).
    Keyless(Arc<str>),
}

/// The source of a session's credentials. The token broker implements it: it refreshes and persists tokens, and never
/// lets two callers refresh at once.
#[async_trait]
pub trait Credentials: Send + Sync + std::fmt::Debug {
    /// A credential that the provider is expected to accept.
    async fn current(&self) -> Result<Credential>;

    /// A fresh credential, after the provider refused `refused`. Called at most once per request. `claims` is the
    /// decoded claims challenge if the provider sent one.
    async fn renewed(&self, refused: &Credential, claims: Option<&str>) -> Result<Credential>;
}

/// Keeps requests within the provider's limits.
#[async_trait]
pub trait Gate: Send + Sync + std::fmt::Debug {
    /// Waits a short while for a permit. A longer wait is refused with [`Remedy::RetryAfter`], so that the worker is
    /// free meanwhile. `mailbox` is `None` for requests about the directory.
    async fn enter(&self, mailbox: Option<&str>) -> Result<Permit>;

    /// Records that the provider asked to slow down.
    async fn throttled(&self, mailbox: Option<&str>, wait: Duration);
}

/// The permission to send one request; returned when dropped.
#[derive(Debug, Default)]
pub struct Permit(Option<Box<dyn std::any::Any + Send + Sync>>);

impl Permit {
    /// A permit that drops `place` with itself.
    pub fn holding(place: impl std::any::Any + Send + Sync) -> Self {
        Self(Some(Box::new(place)))
    }
}

impl std::fmt::Display for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "held" } else { "free" })
    }
}

/// A gate that is always open; for tools that send a handful of requests.
#[derive(Debug, Default, Clone, Copy)]
pub struct OpenGate;

#[async_trait]
impl Gate for OpenGate {
    async fn enter(&self, _mailbox: Option<&str>) -> Result<Permit> {
        Ok(Permit::default())
    }

    async fn throttled(&self, _mailbox: Option<&str>, _wait: Duration) {}
}

/// A credential that never changes, such as a password.
#[derive(Debug, Clone)]
pub struct StaticCredentials(pub Credential);

#[async_trait]
impl Credentials for StaticCredentials {
    async fn current(&self) -> Result<Credential> {
        Ok(self.0.clone())
    }

    async fn renewed(&self, _refused: &Credential, _claims: Option<&str>) -> Result<Credential> {
        Err(Error::new(ErrorKind::GrantLost, Remedy::Reconnect, "401", messages::stored_password_refused()))
    }
}

/// Access to one integration's calendar system.
#[derive(Debug, Clone)]
pub struct Session {
    /// The source of the secrets.
    pub credentials: Arc<dyn Credentials>,
    /// The rate limits.
    pub gate: Arc<dyn Gate>,
    /// The customer's own server (CalDAV, Exchange); `None` where one host serves everybody.
    pub server: Option<Url>,
    /// The service account's address at the provider.
    pub account: String,
    /// Whether this is a user's own consent, whose token is valid for that mailbox alone.
    pub own: bool,
    /// The zone for whole days and for times without a zone, if the calendar has none: the owner's, else the tenant's.
    /// `None` stands for UTC.
    pub zone: Option<domain::Zone>,
    /// Identifies the access: the same text for every session of one integration and one consent, and for no other. A
    /// connector caches under it, so that nothing typed (a server, a user name) leads to somebody else's data. A new
    /// consent has a new scope.
    pub scope: Arc<str>,
    /// Which principals of a server without a room directory are rooms, if the administrator has said so; otherwise the installation's
    /// own rule applies.
    pub rooms: Option<Arc<crate::RoomRule>>,
}
