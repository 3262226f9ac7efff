//! Typed identifiers over UUIDv7 with a prefix for their type. All ids and all random values are generated in this
//! module.

#[cfg(feature = "sea-orm")]
mod column;
pub mod plain;

use std::{
    fmt,
    marker::PhantomData,
    str::FromStr,
    sync::{Arc, Mutex},
};

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::{clock::SharedClock, time::Timestamp};

/// A type of object that has ids; `PREFIX` is the prefix of its ids in the API.
pub trait IdKind: 'static {
    /// Prefix of three letters, without the underscore.
    const PREFIX: &'static str;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $kind {}
        impl IdKind for $kind { const PREFIX: &'static str = $prefix; }
    )*
        /// The prefixes of all types.
        pub const PREFIXES: &[&str] = &[$($prefix),*];
    };
}

kinds! {
    /// An organisation that is the vendor's customer.
    Tenant = "ten";
    /// A user of a tenant.
    User = "usr";
    /// A named set of permissions.
    Role = "rol";
    /// An API key of a vendor's back end.
    ApiKey = "key";
    /// An access token of a user; the id is the token's `jti`.
    AccessToken = "tok";
    /// A link to one calendar system.
    Integration = "int";
    /// A mailbox through which an integration writes bookings for others.
    ServiceAccount = "svc";
    /// A stored consent or set of credentials.
    Grant = "gra";
    /// A mailbox accessed through an integration.
    Connection = "con";
    /// A resource mailbox.
    Room = "rom";
    /// One verification of an integration.
    Verification = "ver";
    /// One bulk activation of mailboxes.
    Campaign = "cmp";
    /// An appointment that Muster writes.
    Booking = "bkg";
    /// One execution of a workflow.
    Run = "run";
    /// An invitation to connect a calendar system.
    ConnectLink = "lnk";
    /// A browser session that was opened with a connect link or connects a user's own calendar.
    ConnectSession = "cse";
    /// One recorded action: an entry in the hash chain of a tenant or of the installation.
    AuditEntry = "aud";
    /// An OpenID issuer through which users of a tenant sign in.
    OpenIdIssuer = "iss";
    /// A user's subject at an OpenID issuer.
    OpenIdIdentity = "idn";
    /// A change event for subscribers.
    Event = "evt";
    /// A key that signs access tokens; its UUID alone is their `kid`.
    SigningKey = "sgk";
    /// Any row whose id never appears in the API.
    Row = "row";
}

/// The id of an object of type `K`, written as `prefix_` and 32 hexadecimal digits.
pub struct Id<K: IdKind>(Uuid, PhantomData<fn() -> K>);

impl<K: IdKind> Id<K> {
    /// Creates an id of kind `K` from a stored UUID, without checking the kind.
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id, PhantomData)
    }

    /// The all-zero id: identifies the installation in place of a tenant or the only row of a table, or is a
    /// placeholder for an id that is not known yet.
    pub const fn nil() -> Self {
        Self::from_uuid(Uuid::nil())
    }

    /// The UUID as stored, without the prefix of the id.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The id without its kind.
    pub const fn any(self) -> AnyId {
        AnyId(self.0)
    }
}

/// An id without its kind, for columns that refer to objects of several kinds, such as the subject of a run. The kind
/// follows from another column or from the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AnyId(Uuid);

impl AnyId {
    /// Wraps a stored UUID whose kind is known from the context.
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// The all-zero id: a placeholder for an id that is not known yet.
    pub const fn nil() -> Self {
        Self(Uuid::nil())
    }

    /// The UUID as stored.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// Converts the id to one of kind `K` without checking it.
    pub const fn with_kind<K: IdKind>(self) -> Id<K> {
        Id::from_uuid(self.0)
    }
}

impl<K: IdKind> From<Id<K>> for AnyId {
    fn from(id: Id<K>) -> Self {
        id.any()
    }
}

impl<K: IdKind> PartialEq<Id<K>> for AnyId {
    fn eq(&self, other: &Id<K>) -> bool {
        self.0 == other.0
    }
}

impl<K: IdKind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.0.simple())
    }
}

impl<K: IdKind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Error: the string is not an id of the expected type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id that begins with {expected}_")]
pub struct MalformedId {
    /// The expected prefix.
    pub expected: &'static str,
}

impl<K: IdKind> FromStr for Id<K> {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .filter(|hex| hex.len() == 32)
            .and_then(|hex| Uuid::try_parse(hex).ok())
            .map(Self::from_uuid)
            .ok_or(MalformedId { expected: K::PREFIX })
    }
}

/// Returns the all-zero id, like [`Id::nil`].
impl<K: IdKind> Default for Id<K> {
    fn default() -> Self {
        Self::nil()
    }
}
impl<K: IdKind> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K: IdKind> Copy for Id<K> {}
impl<K: IdKind> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K: IdKind> Eq for Id<K> {}
impl<K: IdKind> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K: IdKind> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K: IdKind> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: IdKind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, K: IdKind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Generates ids and secrets. Cheap to clone.
#[derive(Clone)]
pub struct Ids {
    clock: SharedClock,
    source: Arc<Mutex<Source>>,
}

struct Source {
    random: StdRng,
    last: (u64, u16),
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

impl Ids {
    /// Creates a generator that uses the operating system's randomness.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that makes randomness")]
    pub fn random(clock: SharedClock) -> Self {
        Self::with(clock, StdRng::from_rng(&mut rand::rng()))
    }

    /// Creates a generator that produces the same ids for the same seed and times; for tests.
    pub fn seeded(clock: SharedClock, seed: u64) -> Self {
        Self::with(clock, StdRng::seed_from_u64(seed))
    }

    fn with(clock: SharedClock, random: StdRng) -> Self {
        Self { clock, source: Arc::new(Mutex::new(Source { random, last: (0, 0) })) }
    }

    /// Generates an id of kind `K`. The ids of one node sort in the order of generation.
    pub fn make<K: IdKind>(&self) -> Id<K> {
        Id::from_uuid(self.uuid())
    }

    /// Generates a UUIDv7: milliseconds, a counter within the millisecond, randomness.
    pub fn uuid(&self) -> Uuid {
        let millis = u64::try_from(self.clock.now().timestamp_millis()).unwrap_or_default();
        let mut source = self.source.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (last, count) = source.last;
        source.last = match (millis > last, count) {
            (true, _) => (millis, 0),
            (false, 0x0fff) => (last + 1, 0),
            (false, count) => (last, count + 1),
        };
        let (millis, count) = source.last;
        let mut bytes: [u8; 16] = source.random.random();
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        bytes[6..8].copy_from_slice(&(0x7000 | count).to_be_bytes());
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Uuid::from_bytes(bytes)
    }

    /// Generates `N` random bytes.
    pub fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.source.lock().unwrap_or_else(std::sync::PoisonError::into_inner).random.fill_bytes(&mut bytes);
        bytes
    }

    /// Generates 256 random bits as 64 hexadecimal digits, for tokens and keys.
    pub fn random_secret(&self) -> String {
        use std::fmt::Write;
        self.random_bytes::<32>().iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a String cannot fail.
            let _written = write!(text, "{byte:02x}");
            text
        })
    }

    /// Generates a number from 0 to `below`, exclusive; 0 when `below` is 0. Used for jitter.
    pub fn random_below(&self, below: u64) -> u64 {
        let mut source = self.source.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if below == 0 { 0 } else { source.random.random_range(0..below) }
    }

    /// The current time of the clock from which ids get their timestamps.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TestClock;

    fn ids() -> Ids {
        Ids::seeded(Arc::new(TestClock::at(Timestamp::UNIX_EPOCH + chrono::Duration::days(20_000))), 7)
    }

    #[test]
    fn an_id_reads_back_only_as_its_own_kind() {
        let id: Id<User> = ids().make();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().parse::<Id<Room>>(), Err(MalformedId { expected: "rom" }));
    }

    #[test]
    fn ids_of_one_millisecond_sort_in_the_order_of_their_making() {
        let ids = ids();
        let made: Vec<Uuid> = (0..10_000).map(|_| ids.uuid()).collect();
        assert!(made.is_sorted(), "ids must sort");
        assert!(made.iter().all(|id| id.get_version_num() == 7), "ids must be version 7");
    }
}
