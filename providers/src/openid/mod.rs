//! Sign-in through an OpenID Connect issuer that a tenant has registered (OpenID Connect Core and Discovery 1.0).
//!
//! The issuer's server is not trusted. Everything that it publishes is read with limits on size and time, its URLs
//! are checked like all others, and nothing in a token determines how the token is checked: issuer, audience and
//! algorithms come from the registration, the key from the issuer's published keys. Cached data is stored under the
//! registration's id, so that two tenants with the same issuer share nothing.

mod claims;
mod code;
mod discovery;
mod keys;
mod token;
mod userinfo;

use std::sync::Arc;

use chrono::Duration;
use domain::{Message, SharedClock, Timestamp, openid::SigningAlgorithm};
use http::Client;
use moka::sync::Cache;
use tokio::sync::Mutex;
use uuid::Uuid;

pub use self::{
    claims::Claims,
    code::{ClientLogin, SignInAttempt},
    token::TokenUse,
};
use self::{discovery::Metadata, keys::KeySet};
use crate::{Error, ErrorKind, Remedy, Result, messages};

/// Minimum interval between two downloads from an issuer: an unknown key id causes a download, and key ids can be
/// forged.
const LOOK_AGAIN: Duration = Duration::minutes(1);
/// Age at which cached keys are downloaded again, so that tokens signed with a key that the issuer has removed are
/// refused.
const KEEP: Duration = Duration::minutes(5);
/// How long cached keys stay usable while the issuer does not respond.
const OUTLIVE: Duration = Duration::hours(1);
/// Maximum number of registrations whose keys are cached.
const ISSUERS: u64 = 10_000;

/// An issuer as registered by a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Muster's id of the registration.
    pub id: Uuid,
    /// Issuer identifier, compared byte by byte.
    pub url: String,
    /// Muster's client id at the issuer.
    pub client_id: String,
    /// Signature algorithms accepted from the issuer.
    pub algorithms: Vec<SigningAlgorithm>,
}

/// The published configuration and keys of an issuer.
#[derive(Debug)]
struct Published {
    metadata: Metadata,
    keys: KeySet,
}

#[derive(Debug, Default)]
struct CachedMetadata {
    published: Option<(Arc<Published>, Timestamp)>,
    looked_at: Option<Timestamp>,
}

/// Client for all registered issuers. Cheap to clone; clones share the cache.
#[derive(Debug, Clone)]
pub struct OpenIdClient {
    client: Client,
    clock: SharedClock,
    kept: Cache<Uuid, Arc<Mutex<CachedMetadata>>>,
}

impl OpenIdClient {
    /// Creates a client that uses `client`, whose limits apply to all responses.
    pub fn new(client: Client, clock: SharedClock) -> Self {
        Self { client, clock, kept: Cache::new(ISSUERS) }
    }

    /// Downloads an issuer's configuration and keys without caching them, to check that it can be registered.
    pub async fn check_issuer(&self, issuer: &Issuer) -> Result<()> {
        self.look(issuer).await.map(|_| ())
    }

    /// Removes an issuer from the cache.
    pub fn forget_issuer(&self, issuer: Uuid) {
        self.kept.invalidate(&issuer);
    }

    /// The published configuration and keys of an issuer, including the key `kid` if the issuer has one with this id.
    /// One caller downloads them, and concurrent callers wait.
    async fn published(&self, issuer: &Issuer, kid: Option<&str>) -> Result<Arc<Published>> {
        let kept = self.kept.get_with(issuer.id, Arc::default);
        let mut kept = kept.lock().await;
        let now = self.clock.now();
        let looked = kept.looked_at.map_or(Duration::MAX, |at| now - at);
        let age = kept.published.as_ref().map_or(Duration::MAX, |(_, at)| now - *at);
        if let Some((published, _)) = &kept.published {
            let has_it = kid.is_none_or(|kid| published.keys.has_key(kid));
            if (age < KEEP && has_it) || (looked < LOOK_AGAIN && age < OUTLIVE) {
                return Ok(Arc::clone(published));
            }
        } else if looked < LOOK_AGAIN {
            return Err(unavailable());
        }
        let looked = self.look(issuer).await;
        // Not before: a caller who gave up has not learnt anything.
        kept.looked_at = Some(now);
        match (looked, &kept.published) {
            (Ok(published), _) => {
                let published = Arc::new(published);
                kept.published = Some((Arc::clone(&published), now));
                Ok(published)
            }
            // Keys outlive a bad moment of the issuer, but not for long: it may have taken them back.
            (Err(error), Some((published, _))) if age < OUTLIVE => {
                tracing::warn!(code = error.code, issuer = %issuer.id, "an issuer's keys were not read again");
                Ok(Arc::clone(published))
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn look(&self, issuer: &Issuer) -> Result<Published> {
        let metadata = discovery::read_metadata(&self.client, issuer).await?;
        let keys = keys::read_keys(&self.client, &metadata.jwks_uri).await?;
        Ok(Published { metadata, keys })
    }
}

/// The error for an untrusted token or response. `code` states the cause, for the log and the person who configures
/// sign-in.
fn refused(code: &'static str) -> Error {
    let message = messages::openid_unverified(code);
    Error::new(ErrorKind::Invalid, Remedy::Never, code, message)
}

/// The error for an issuer whose published configuration cannot be used.
fn unusable(code: &'static str, message: Message) -> Error {
    Error::new(ErrorKind::Misconfigured, Remedy::Never, code, message)
}

fn unavailable() -> Error {
    let wait = std::time::Duration::from_mins(1);
    let message = messages::openid_silent();
    Error::new(ErrorKind::Unavailable, Remedy::RetryAfter(wait), "ISSUER", message)
}
