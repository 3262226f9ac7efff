//! Cache of authentication results on one node.
//!
//! A cache entry is valid for a few seconds at most. It is discarded immediately, on every node, when a key, token,
//! user, role or assignment changes: the change is published after its commit, and every look-up first processes
//! published changes. If messages are lost because Redis is down, entries still expire after those few seconds.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest::{SHA256, digest};
use chrono::Duration;
use domain::{Id, Timestamp, ids};
use futures::{FutureExt, Stream, stream};
use lanes::{Delivery, Fanout, Message, fanout::Subscription};
use moka::sync::Cache;
use serde_json::json;

use super::Authenticated;
use uuid::Uuid;

use crate::{Caller, Services};

/// How long a cached authentication result is valid.
const HOLDS_FOR: Duration = Duration::seconds(5);
/// Maximum number of cached authentication results.
const CALLERS: u64 = 10_000;
/// Maximum number of recently seen credentials that are kept for attributing requests.
const FAMILIAR: u64 = 50_000;
const FAMILIAR_FOR: std::time::Duration = std::time::Duration::from_hours(1);
/// How many tenants' last access changes are recorded. Beyond that, a change invalidates the entries of all tenants.
const TENANTS: usize = 10_000;
/// Fan-out topic of access changes. The changes belong to the installation, so their tenant is nil and the payload
/// names the affected tenant.
const TOPIC: &str = "access";

/// Whose access a change affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessChange {
    /// Access of one tenant's users changed.
    Tenant(Id<ids::Tenant>),
    /// Any caller's access may have changed: a vendor key or signing key changed, or messages may have been lost.
    Everybody,
}

impl AccessChange {
    /// Whether the change may affect a caller who acts within this tenant, or within no tenant.
    pub fn affects(self, tenant: Option<Id<ids::Tenant>>) -> bool {
        match self {
            Self::Everybody => true,
            Self::Tenant(changed) => tenant == Some(changed),
        }
    }

    pub(crate) fn to_fanout_message(self, id: Id<ids::Event>) -> Message {
        let tenant = match self {
            Self::Tenant(tenant) => Some(tenant.uuid()),
            Self::Everybody => None,
        };
        Message { tenant: Id::nil(), topic: TOPIC.to_owned(), id, payload: json!({ "tenant": tenant }) }
    }

    fn heard(delivery: &Delivery) -> Self {
        let Delivery::Message(message) = delivery else { return Self::Everybody };
        let tenant =
            message.payload.get("tenant").and_then(|id| id.as_str()).and_then(|id| Uuid::try_parse(id).ok());
        tenant.map_or(Self::Everybody, |tenant| Self::Tenant(Id::from_uuid(tenant)))
    }
}

/// Digest of a request's credential and of the tenant that the request specifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CredentialDigest([u8; 32]);

impl CredentialDigest {
    pub(super) fn new(credential: &str, tenant_header: Option<&str>) -> Self {
        let mut text = credential.as_bytes().to_vec();
        if let Some(tenant) = tenant_header {
            text.push(0);
            text.extend(tenant.as_bytes());
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, &text).as_ref());
        Self(bytes)
    }
}

/// Number of access changes received by this node so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct AccessEpoch(u64);

/// A cache of authentication results; see the module documentation.
#[derive(Debug)]
pub(crate) struct IdentityCache {
    known: Cache<CredentialDigest, CachedIdentity>,
    familiar: Cache<CredentialDigest, CachedIdentity>,
    changes: Mutex<Changes>,
}

/// A cached authentication result.
#[derive(Debug, Clone)]
struct CachedIdentity {
    epoch: AccessEpoch,
    read_at: Timestamp,
    by: Authenticated,
}

#[derive(Debug)]
struct Changes {
    subscription: Subscription,
    now: AccessEpoch,
    everybody: AccessEpoch,
    tenants: HashMap<Id<ids::Tenant>, AccessEpoch>,
}

impl IdentityCache {
    pub(crate) fn new(fanout: &dyn Fanout) -> Self {
        let changes = Changes {
            subscription: fanout.subscribe(Id::nil(), TOPIC),
            now: AccessEpoch::default(),
            everybody: AccessEpoch::default(),
            tenants: HashMap::new(),
        };
        let familiar = Cache::builder().max_capacity(FAMILIAR).time_to_live(FAMILIAR_FOR).build();
        Self { known: Cache::new(CALLERS), familiar, changes: Mutex::new(changes) }
    }

    /// The current epoch. Data read from the database after this call is at least as new as the epoch.
    pub(super) fn epoch(&self) -> AccessEpoch {
        self.up_to_date().now
    }

    /// The cached authentication result, if it is still valid and no later change could have invalidated it.
    pub(super) fn get(&self, presented: CredentialDigest, now: Timestamp) -> Option<Authenticated> {
        let known = self.known.get(&presented)?;
        let holds = (known.read_at..known.read_at + HOLDS_FOR).contains(&now);
        (holds && self.is_unchanged(&known, now)).then_some(known.by)
    }

    /// Whether a credential has not expired and no access change since it was read could have invalidated it.
    fn is_unchanged(&self, known: &CachedIdentity, now: Timestamp) -> bool {
        let changes = self.up_to_date();
        let tenant = known.by.caller.tenant().and_then(|tenant| changes.tenants.get(&tenant).copied());
        let is_in_time = known.by.expires_at.is_none_or(|end| now < end);
        is_in_time && known.epoch >= changes.everybody.max(tenant.unwrap_or_default())
    }

    /// Caches an authentication result that was read after `epoch` was obtained.
    pub(super) fn insert(
        &self,
        presented: CredentialDigest,
        epoch: AccessEpoch,
        read_at: Timestamp,
        by: Authenticated,
    ) {
        let known = CachedIdentity { epoch, read_at, by };
        self.familiar.insert(presented, known.clone());
        self.known.insert(presented, known);
    }

    /// The caller last authenticated with this credential, up to an hour ago, unless an access change since then could
    /// have invalidated it.
    pub(super) fn find_recent_caller(&self, presented: CredentialDigest, now: Timestamp) -> Option<Caller> {
        let known = self.familiar.get(&presented)?;
        self.is_unchanged(&known, now).then_some(known.by.caller)
    }

    fn up_to_date(&self) -> MutexGuard<'_, Changes> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        // A subscription that has ended tells nothing, so everything has to be read.
        while let Some(heard) = changes.subscription.next().now_or_never() {
            changes.take(heard.as_ref().map_or(AccessChange::Everybody, AccessChange::heard));
            if heard.is_none() {
                break;
            }
        }
        changes
    }
}

impl Changes {
    fn take(&mut self, change: AccessChange) {
        self.now.0 += 1;
        match change {
            AccessChange::Tenant(tenant) if self.tenants.len() < TENANTS => {
                self.tenants.insert(tenant, self.now);
            }
            _ => {
                self.everybody = self.now;
                self.tenants.clear();
            }
        }
    }
}

/// Stream of all future access changes on any node.
pub(super) fn watch_changes(services: &Services) -> impl Stream<Item = AccessChange> + Send + use<> {
    let subscription = services.queue.fanout.subscribe(Id::nil(), TOPIC);
    stream::unfold(subscription, |mut subscription| async move {
        let heard = subscription.next().await?;
        Some((AccessChange::heard(&heard), subscription))
    })
}
