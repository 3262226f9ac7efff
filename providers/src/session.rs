//! The session that every call passes to a connector: credentials, rate limits, and the server's URL.

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
        /// The user name, as the administrator entered it.
        user: String,
        /// The password; never logged.
        password: SecretString,
    },
    /// A service account's key, with which the connector obtains one token per mailbox.
    ServiceAccount(Arc<crate::google::ServiceAccountKey>),
    /// The email address of a service account whose assertions are signed with the operator's token source
    /// ([`crate::google::KeylessSigner`]).
    Keyless(Arc<str>),
}

/// The source of a session's credentials. Implemented by the token broker, which refreshes and stores tokens and
/// prevents concurrent refreshes.
#[async_trait]
pub trait Credentials: Send + Sync + std::fmt::Debug {
    /// Returns a credential that the provider is expected to accept.
    async fn current(&self) -> Result<Credential>;

    /// Returns a new credential after the provider refused `refused`. Called at most once per request. `claims` is
    /// the decoded claims challenge if the provider sent one.
    async fn renewed(&self, refused: &Credential, claims: Option<&str>) -> Result<Credential>;
}

/// Enforces the provider's request limits.
#[async_trait]
pub trait Gate: Send + Sync + std::fmt::Debug {
    /// Waits a short time for a permit. If the wait would be longer, returns an error with [`Remedy::RetryAfter`], so
    /// that the worker is not blocked. `mailbox` is `None` for requests about the directory.
    async fn enter(&self, mailbox: Option<&str>) -> Result<Permit>;

    /// Records that the provider requested a pause of this length.
    async fn throttled(&self, mailbox: Option<&str>, wait: Duration);
}

/// Permission to send one request; released on drop.
#[derive(Debug, Default)]
pub struct Permit(Option<Box<dyn std::any::Any + Send + Sync>>);

impl Permit {
    /// Creates a permit that owns `guard` and drops it when released.
    pub fn with_guard(guard: impl std::any::Any + Send + Sync) -> Self {
        Self(Some(Box::new(guard)))
    }
}

impl std::fmt::Display for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "held" } else { "free" })
    }
}

/// A gate without limits; for tools that send only a few requests.
#[derive(Debug, Default, Clone, Copy)]
pub struct UnlimitedGate;

#[async_trait]
impl Gate for UnlimitedGate {
    async fn enter(&self, _mailbox: Option<&str>) -> Result<Permit> {
        Ok(Permit::default())
    }

    async fn throttled(&self, _mailbox: Option<&str>, _wait: Duration) {}
}

/// Credentials that never change, such as a password.
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
    /// The source of the credentials.
    pub credentials: Arc<dyn Credentials>,
    /// Enforces the rate limits of the session's requests.
    pub gate: Arc<dyn Gate>,
    /// URL of the customer's own server (CalDAV, Exchange); `None` for cloud providers.
    pub server: Option<Url>,
    /// The service account's email address or user name at the provider.
    pub account: String,
    /// Whether this is a user's own consent, whose token is valid for that mailbox alone.
    pub own: bool,
    /// The time zone for all-day events and for times without a zone if the calendar has none: the owner's, otherwise
    /// the tenant's. `None` means UTC.
    pub zone: Option<domain::Zone>,
    /// Identifies the integration and consent of the session. Connectors use it as a cache key, so that values entered
    /// by a customer (a server or user name) can never select another customer's data. A new consent has a new scope.
    pub scope: Arc<str>,
    /// The administrator's rule for which principals of a server without a room directory are rooms; `None` applies
    /// the installation's own rule.
    pub rooms: Option<Arc<crate::RoomRule>>,
}
