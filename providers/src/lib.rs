//! The `Provider` trait, the features of providers, and the connectors.
//!
//! A connector speaks one provider's protocol and nothing else: it keeps no state beyond caches, passes the
//! [`Gate`] before every request, takes its secrets from [`Credentials`], and classifies every failure by kind and
//! [`Remedy`]. It never retries a write itself: only the engine knows whether the write may already have taken
//! effect.

mod body;
pub mod caldav;
mod error;
pub mod exchange;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod google;
mod json;
pub mod microsoft;
mod model;
mod moment;
pub mod openid;
mod parts;
mod sanitize;
mod session;
mod xml;

use async_trait::async_trait;
use domain::{ProviderKind, TimeRange};

pub use error::{Error, ErrorKind, Remedy};
pub use model::{
    Attendee, AttendeeRole, CalendarInfo, CalendarKind, CalendarListing, ChangeCheck, Changes, Channel,
    Event, EventChange, EventPage, FreeBusy, Mailbox, MailboxKind, NewEvent, OnlineMeeting, Organisation,
    Page, Party, Person, RoomInfo,
};
pub use sanitize::Sanitized;
pub use session::{Credential, Credentials, Gate, OpenGate, Permit, Session, StaticCredentials};

/// The result of every connector method.
pub type Result<T> = std::result::Result<T, Error>;

/// What a provider supports in general. A mailbox's own capabilities are measured, see
/// [`domain::provider::Capabilities`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderFeatures {
    /// Consent is given on pages of the provider; otherwise credentials are typed.
    pub consent_pages: bool,
    /// Users can connect their own mailboxes by their own consent.
    pub own_consent: bool,
    /// The provider itself sends invitations and cancellations.
    pub invitations: bool,
    /// Rooms respond to invitations by themselves, some time after the event is written.
    pub rooms_answer: bool,
    /// A directory lists the rooms; otherwise rooms are collections told apart by name or address.
    pub room_directory: bool,
    /// The provider can push changes to a URL.
    pub push: bool,
    /// Events can have an online meeting of the provider's, if their calendar permits it.
    pub online_meetings: bool,
    /// Permissions take minutes to propagate, so a refusal directly after a consent may be temporary; elsewhere a
    /// refusal is final.
    pub propagates: bool,
}

/// One calendar system.
///
/// `mailbox` is always the address under which the mailbox is known in the directory. All reads are half-open
/// windows in UTC.
#[async_trait]
pub trait Provider: Send + Sync + std::fmt::Debug {
    /// The kind of calendar system that the connector speaks to.
    fn kind(&self) -> ProviderKind;

    /// What the provider supports in general.
    fn features(&self) -> ProviderFeatures;

    /// The organisation that the session's credentials belong to. Every verification begins with this request: it
    /// proves that the system is reachable and accepts the credentials.
    async fn organisation(&self, session: &Session) -> Result<Organisation>;

    /// One page of the directory's people, in a stable order. `after` is the last page's `next`.
    async fn people(&self, session: &Session, after: Option<&str>) -> Result<Page<Person>>;

    /// One page of the directory's rooms. `after` is the last page's `next`.
    async fn rooms(&self, session: &Session, after: Option<&str>) -> Result<Page<RoomInfo>>;

    /// Reads one mailbox: whether it exists, its kind and its zone. [`Remedy::SkipMailbox`] if it cannot be served.
    async fn mailbox(&self, session: &Session, mailbox: &str) -> Result<Mailbox>;

    /// The person whom the organisation's directory lists under an address, whether or not the mailbox is in scope.
    /// [`Remedy::SkipMailbox`] if there is no such person; [`ErrorKind::Unsupported`] for providers without users'
    /// own consents.
    async fn person(&self, _session: &Session, _address: &str) -> Result<Person> {
        let message = "Users of this calendar system cannot connect their own calendars.";
        Err(Error::new(ErrorKind::Unsupported, Remedy::Never, "NO_OWN_CONSENT", message))
    }

    /// The default calendar of a mailbox, and the session's capabilities in it.
    async fn calendar(&self, session: &Session, mailbox: &str) -> Result<CalendarInfo>;

    /// Busy times of many mailboxes at once, one result per mailbox in the order given. Never fails as a whole because
    /// of one member.
    async fn busy(
        &self,
        session: &Session,
        mailboxes: &[String],
        window: TimeRange,
    ) -> Result<Vec<(String, Result<FreeBusy>)>>;

    /// One page of the events that overlap the window, with series expanded, of the calendars that count by default
    /// (see [`CalendarListing::counts`]). Never fails because of one item: unreadable items are marked.
    async fn events(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage>;

    /// The calendars of a mailbox that the session can see, the default one first.
    async fn calendars(&self, session: &Session, mailbox: &str) -> Result<Vec<CalendarListing>>;

    /// One page of the events of one calendar, by an id from [`Self::calendars`].
    async fn events_of(
        &self,
        session: &Session,
        mailbox: &str,
        calendar: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage>;

    /// One page of the changes in a calendar since a cursor. Without a cursor, everything that overlaps the window,
    /// with series expanded; a cursor continues in the mailbox and window of its first call. [`ErrorKind::Gone`] with
    /// [`Remedy::Resync`] if the provider has forgotten the cursor: begin again without one.
    async fn changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        cursor: Option<&str>,
    ) -> Result<Changes>;

    /// Whether anything has changed in a calendar since a watermark; one request if nothing has. Without a watermark,
    /// or with one that is forgotten or belongs to another window, returns [`ChangeCheck::Changed`] with a new one. May
    /// report a change that concerns no event of the window, but never misses one that does.
    async fn poll_changes(
        &self,
        _session: &Session,
        _mailbox: &str,
        _window: TimeRange,
        _watermark: Option<&str>,
    ) -> Result<ChangeCheck> {
        Ok(ChangeCheck::Changed(None))
    }

    /// Writes a new event. Safe to repeat with the same `effect_key`: a repeat returns the existing event.
    async fn create_event(&self, session: &Session, mailbox: &str, event: &NewEvent) -> Result<Event>;

    /// The live event with this effect key, if there is one: the look-up after a write with an unknown outcome.
    async fn find_event(&self, session: &Session, mailbox: &str, effect_key: &str) -> Result<Option<Event>>;

    /// Reads one event by the provider's id; `None` if it no longer exists.
    async fn event(&self, session: &Session, mailbox: &str, id: &str) -> Result<Option<Event>>;

    /// Changes an event. Safe to repeat: the change says what must be true afterwards.
    async fn update_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event>;

    /// Cancels an event and notifies its attendees with a message. Succeeds if the event no longer exists.
    async fn cancel_event(&self, session: &Session, mailbox: &str, id: &str, message: &str) -> Result<()>;

    /// Deletes an event without notifying anybody, for events without attendees such as probes. Succeeds if it no
    /// longer exists.
    async fn delete_event(&self, session: &Session, mailbox: &str, id: &str) -> Result<()>;

    /// Removes the copies that [`Self::create_event`] wrote to the calendars of rooms, by the effect key, in case
    /// the event was deleted without them. Does nothing for providers that invite rooms, whose entries follow the
    /// event. Succeeds if nothing is left to remove.
    async fn remove_copies(
        &self,
        _session: &Session,
        _mailbox: &str,
        _effect_key: &str,
        _rooms: &[String],
    ) -> Result<()> {
        Ok(())
    }

    /// Subscribes `url` to pushes about a mailbox, authenticated by `secret`. [`ErrorKind::Unsupported`] unless
    /// [`ProviderFeatures::push`].
    async fn watch(&self, session: &Session, mailbox: &str, url: &str, secret: &str) -> Result<Channel>;

    /// Extends a channel; an error with [`Remedy::Never`] and [`ErrorKind::Gone`] means: call [`Self::watch`] again.
    async fn renew(&self, session: &Session, channel: &str) -> Result<Channel>;

    /// Ends a channel. Succeeds if it no longer exists.
    async fn unwatch(&self, session: &Session, channel: &str) -> Result<()>;
}
