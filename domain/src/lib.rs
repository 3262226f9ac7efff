//! Domain types and rules of Muster, without I/O.
//!
//! Every other crate may depend on this crate, which depends on none of them. All functions are pure: time and
//! randomness are arguments ([`Clock`], [`Ids`]), so that the same input gives the same result in every test. Only
//! time-zone rules come from outside: from the system's database, if it is newer than the one in the binary ([`zone`]).

pub mod access;
pub mod bitmap;
pub mod budget;
pub mod clock;
pub mod connect;
pub mod hint;
pub mod hosts;
pub mod ical;
pub mod ids;
pub mod language;
pub mod message;
pub mod openid;
pub mod provider;
pub mod reason;
pub mod slots;
pub mod state;
pub mod text;
pub mod time;
pub mod unreadable;
pub mod word;
pub mod zone;

pub use access::{CallerKind, Permission, StandardRole, may};
pub use budget::ParseBudget;
pub use clock::{Clock, SharedClock, SystemClock, TestClock};
pub use hint::JobHint;
pub use ids::{AnyId, Id, IdKind, Ids};
pub use message::Message;
pub use provider::{AccessLevel, IntegrationKind, ProviderKind, Route, WrittenVia};
pub use reason::Reason;
pub use state::Topic;
pub use time::{BusyKind, BusyTime, TimeRange, Timestamp};
pub use unreadable::{UnreadableItem, UnreadableReason};
pub use word::WordEnum;
pub use zone::Zone;
