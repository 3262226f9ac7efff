//! Sign-in by an OpenID Connect issuer that a tenant names (OpenID Connect Core and Discovery 1.0).
//!
//! The issuer is a stranger's server. What it publishes is read within bounds of size and time, its addresses are
//! judged like every other, and nothing that a token says decides how the token is checked: the issuer, the audience and
//! the algorithms are those of the registration, the key is one that the issuer publishes. What is kept is kept under
//! the registration's own id, so that two tenants that name one issuer share nothing.

mod claims;
mod code;
mod discovery;
mod keys;
mod token;
mod userinfo;

use std::sync::Arc;

use chrono::Duration;
use domain::{SharedClock, Timestamp, openid::SigningAlgorithm};
use http::Client;
use moka::sync::Cache;
use tokio::sync::Mutex;
use uuid::Uuid;

pub use self::{
    claims::Claims,
    code::{Attempt, ClientLogin},
    token::Use,
};
use self::{discovery::Metadata, keys::KeySet};
use crate::{Error, ErrorKind, Remedy, Result};

/// How often an issuer is asked at most: an unknown key id makes Muster look again, and key ids can be made up.
const LOOK_AGAIN: Duration = Duration::minutes(1);
/// After this long the keys are looked up again in any case: a key that the issuer took back opens nothing any more.
const KEEP: Duration = Duration::minutes(5);
/// How long the keys outlive an issuer that does not answer.
const OUTLIVE: Duration = Duration::hours(1);
/// For how many registrations the keys are kept.
const ISSUERS: u64 = 10_000;

/// An issuer as a tenant has registered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The registration's id, which is ours.
    pub id: Uuid,
    /// The issuer identifier, compared as it is.
    pub url: String,
    /// Our client id there.
    pub client_id: String,
    /// The algorithms by which it may sign.
    pub algorithms: Vec<SigningAlgorithm>,
}

/// What an issuer publishes.
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

/// The issuers that tenants have named. Cheap to clone; clones share what the issuers published.
#[derive(Debug, Clone)]
pub struct OpenId {
    client: Client,
    clock: SharedClock,
    kept: Cache<Uuid, Arc<Mutex<CachedMetadata>>>,
}

impl OpenId {
    /// Issuers that are reached through `client`, whose bounds hold for everything that they answer.
    pub fn new(client: Client, clock: SharedClock) -> Self {
        Self { client, clock, kept: Cache::new(ISSUERS) }
    }

    /// Reads what an issuer publishes, without keeping it: whether it can be registered.
    pub async fn try_out(&self, issuer: &Issuer) -> Result<()> {
        self.look(issuer).await.map(|_| ())
    }

    /// Forgets what an issuer published; it is no longer registered.
    pub fn forget(&self, issuer: Uuid) {
        self.kept.invalidate(&issuer);
    }

    /// What an issuer publishes, the key `kid` among it if the issuer has one of this name. One caller looks, the others
    /// wait for it.
    async fn published(&self, issuer: &Issuer, kid: Option<&str>) -> Result<Arc<Published>> {
        let kept = self.kept.get_with(issuer.id, Arc::default);
        let mut kept = kept.lock().await;
        let now = self.clock.now();
        let looked = kept.looked_at.map_or(Duration::MAX, |at| now - at);
        let age = kept.published.as_ref().map_or(Duration::MAX, |(_, at)| now - *at);
        if let Some((published, _)) = &kept.published {
            let has_it = kid.is_none_or(|kid| published.keys.has(kid));
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
        let metadata = discovery::read(&self.client, issuer).await?;
        let keys = keys::read(&self.client, &metadata.jwks_uri).await?;
        Ok(Published { metadata, keys })
    }
}

/// What cannot be believed. `code` says why, for the log and for whoever sets the sign-in up.
fn refused(code: &'static str) -> Error {
    let message = format!("The sign-in could not be verified ({code}). Start again.");
    Error::new(ErrorKind::Invalid, Remedy::Never, code, message)
}

/// An issuer that cannot be used as it presents itself.
fn unusable(code: &'static str, message: &str) -> Error {
    Error::new(ErrorKind::Misconfigured, Remedy::Never, code, message)
}

fn unavailable() -> Error {
    let wait = std::time::Duration::from_mins(1);
    let message = "The organisation's sign-in does not respond at the moment. Try again in a minute.";
    Error::new(ErrorKind::Unavailable, Remedy::RetryAfter(wait), "ISSUER", message)
}
