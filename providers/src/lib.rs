//! Calendar systems: the traits that a connector implements, and the connectors.
//!
//! A connector implements one provider's protocol and nothing else: it keeps no state beyond caches, passes the
//! [`Gate`] before every request, takes its secrets from [`Credentials`], and classifies every failure by kind and
//! [`Remedy`]. It never retries a write itself: only the engine can determine whether the write may already have taken
//! effect.
//!
//! A connector describes its provider as data or through the methods of five traits: [`Onboarding`] (how consent or
//! credentials are obtained), [`Directory`], [`Events`], [`ChangeFeed`] and [`Push`]; [`Provider`] combines them. Code
//! outside this crate branches on the kind of provider only to display its name.

mod body;
pub mod caldav;
mod changes;
mod consent;
mod directory;
mod error;
mod events;
pub mod exchange;
mod features;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod google;
mod json;
#[cfg(feature = "memory")]
pub mod memory;
pub mod messages;
pub mod microsoft;
mod model;
mod moment;
mod onboarding;
pub mod openid;
mod parts;
mod push;
mod rest;
mod sanitize;
mod session;
mod xml;

use domain::ProviderKind;

pub use caldav::RoomRule;
pub use changes::ChangeFeed;
pub use consent::{Secret, SignedInAdministrator};
pub use directory::Directory;
pub use error::{Error, ErrorKind, Remedy};
pub use events::Events;
pub use features::{ProviderFeatures, RateLimit, RequestLimits};
pub use model::{
    Attendee, AttendeeRole, CalendarInfo, CalendarKind, CalendarListing, ChangeCheck, Changes, Channel,
    Event, EventChange, EventPage, FreeBusy, Mailbox, MailboxKind, NamedAddress, NewEvent, OnlineMeeting,
    Organisation, Page, Person, RoomInfo,
};
pub use onboarding::{
    AuthorizationRequest, CodeExchange, ConsentDeclined, ConsentFlow, IssuedToken, Onboarding, RedirectPaths,
    SignInPurpose, SignedInAccount, UnsupportedServer,
};
pub use push::{ChannelNotification, ParsedPush, Push, PushRequest};
pub use sanitize::SanitizedProvider;
pub use session::{Credential, Credentials, Gate, Permit, Session, StaticCredentials, UnlimitedGate};

/// The result of every connector method.
pub type Result<T> = std::result::Result<T, Error>;

/// A calendar system, as implemented by a connector.
pub trait Provider: Onboarding + Directory + Events + ChangeFeed + Push {
    /// The kind of calendar system.
    fn kind(&self) -> ProviderKind;

    /// What the provider supports in general.
    fn features(&self) -> ProviderFeatures;

    /// The request limits of the provider.
    fn limits(&self) -> RequestLimits;
}
