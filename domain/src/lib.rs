//! Words and rules of Muster, without any I/O.
//!
//! Every other crate may use this one; it uses none of them. What is here is pure: time and randomness come
//! in as arguments ([`Clock`], [`Ids`]), so the same input gives the same answer in every test. Only the rules of time
//! zones come from outside: from the system's database, where that is newer than the binary's ([`zone`]).

pub mod access;
pub mod bitmap;
pub mod budget;
pub mod clock;
pub mod connect;
pub mod hosts;
pub mod ical;
pub mod ids;
pub mod language;
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
pub use budget::Budget;
pub use clock::{Clock, SharedClock, SystemClock, TestClock};
pub use ids::{AnyId, Id, Ids, Kind};
pub use provider::{AccessLevel, ProviderKind, Route, WrittenVia};
pub use reason::Reason;
pub use state::Topic;
pub use time::{Busy, BusyKind, TimeRange, Timestamp};
pub use unreadable::{Unreadable, UnreadableReason};
pub use word::Word;
pub use zone::Zone;
