//! What a connector is handed with each call: secrets, permission to call, and where to call.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;

use crate::{Error, ErrorKind, Remedy, Result};

/// A secret that authenticates one request.
#[derive(Debug, Clone)]
pub enum Credential {
    /// An access token.
    Bearer(SecretString),
    /// A user name and password.
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A service account's key: the connector makes tokens of it, one for each mailbox that it acts for.
    ServiceAccount(Arc<crate::google::ServiceAccountKey>),
    /// A service account's address: the operator's source signs for it ([`crate::google::Keyless`]).
    Keyless(Arc<str>),
}

/// Where a session's secrets come from. The token broker implements it: it refreshes, persists and never lets
/// two callers refresh at once.
#[async_trait]
pub trait Credentials: Send + Sync + std::fmt::Debug {
    /// A credential that should be accepted now.
    async fn current(&self) -> Result<Credential>;

    /// A fresh credential, after the provider refused `refused`. Called at most once per request. `claims` is the
    /// decoded claims challenge, where the provider sent one.
    async fn renewed(&self, refused: &Credential, claims: Option<&str>) -> Result<Credential>;
}

/// Keeps the provider's limits before the provider has to.
#[async_trait]
pub trait Gate: Send + Sync + std::fmt::Debug {
    /// Waits a short while for a place; a longer wait is refused with [`Remedy::RetryAfter`], so that the worker
    /// is free meanwhile. `mailbox` is absent for requests about the directory.
    async fn enter(&self, mailbox: Option<&str>) -> Result<Permit>;

    /// The provider said to slow down.
    async fn throttled(&self, mailbox: Option<&str>, wait: Duration);
}

/// A place inside the gate; given back when dropped.
#[derive(Debug, Default)]
pub struct Permit(Option<Box<dyn std::any::Any + Send + Sync>>);

impl Permit {
    /// A permit that gives `place` back when it is dropped.
    pub fn holding(place: impl std::any::Any + Send + Sync) -> Self {
        Self(Some(Box::new(place)))
    }
}

impl std::fmt::Display for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "held" } else { "free" })
    }
}

/// A gate that is always open; for tools that make a handful of requests.
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
        Err(Error::new(
            ErrorKind::GrantLost,
            Remedy::Reconnect,
            "401",
            "The calendar system no longer accepts the stored password.",
        ))
    }
}

/// Access to one integration's calendar system.
#[derive(Debug, Clone)]
pub struct Session {
    /// The secrets.
    pub credentials: Arc<dyn Credentials>,
    /// The limits.
    pub gate: Arc<dyn Gate>,
    /// Where the customer's own server is (CalDAV, Exchange); absent where one host serves everybody.
    pub server: Option<Url>,
    /// The address the service account itself is known by at the provider.
    pub account: String,
    /// True for a user's own consent: the token stands for that mailbox alone.
    pub own: bool,
    /// The zone of whole days and of times without a zone, where the calendar itself has none: the owner's, else the
    /// tenant's. Without one they are read in UTC.
    pub zone: Option<domain::Zone>,
    /// Whose access this is: the same text for every session of one integration and one consent, and for no other.
    /// What a connector remembers between calls is kept under it, so that nothing that somebody types (a server, a
    /// user name) leads to what belongs to somebody else. A new consent has a new scope.
    pub scope: Arc<str>,
    /// Which principals of a CalDAV server are rooms, where the administrator has said so; otherwise by the
    /// installation's own rule.
    pub rooms: Option<Arc<crate::caldav::RoomRule>>,
}
