//! The `Provider` trait, what connectors say about themselves, and the connectors.
//!
//! A connector speaks one provider's protocol and nothing else: it keeps no state beyond caches, asks the
//! [`Gate`] before every request, takes its secrets from [`Credentials`], and sorts every failure into a kind
//! and a [`Remedy`]. It never retries a write by itself: the engine does, because only the engine knows whether
//! the write may have happened already.

mod body;
pub mod caldav;
mod clean;
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
mod session;
mod xml;

use async_trait::async_trait;
use domain::{ProviderKind, TimeRange};

pub use clean::Clean;
pub use error::{Error, ErrorKind, Remedy};
pub use model::{
    Attendee, AttendeeRole, CalendarInfo, CalendarKind, CalendarListing, Changes, Channel, Event,
    EventChange, EventPage, FreeBusy, Mailbox, MailboxKind, NewEvent, OnlineMeeting, Organisation, Page,
    Party, Person, RoomInfo, Since,
};
pub use session::{Credential, Credentials, Gate, OpenGate, Permit, Session, StaticCredentials};

/// What every connector answers.
pub type Result<T> = std::result::Result<T, Error>;

/// What a provider has at all. A mailbox's own capabilities are measured, see [`domain::provider::Capabilities`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offers {
    /// Consent happens on pages of the provider (otherwise credentials are typed).
    pub consent_pages: bool,
    /// A user can connect the own mailbox by an own consent.
    pub own_consent: bool,
    /// The provider itself sends invitations and cancellations.
    pub invitations: bool,
    /// Rooms answer invitations by themselves, some time after the event was written.
    pub rooms_answer: bool,
    /// Rooms are listed by a directory (otherwise they are collections that are told apart by their name or
    /// address).
    pub room_directory: bool,
    /// Changes can be pushed to a URL.
    pub push: bool,
    /// Events can have an online meeting of the provider's, where their calendar permits it.
    pub online_meetings: bool,
    /// What an administrator permits takes minutes to be in force everywhere, so a refusal right after it may pass.
    /// Elsewhere a refusal is final at once.
    pub propagates: bool,
}

/// One calendar system.
///
/// `mailbox` is always the address under which the mailbox is known in the directory. All reads are half-open
/// windows in UTC.
#[async_trait]
pub trait Provider: Send + Sync + std::fmt::Debug {
    /// Which one it is.
    fn kind(&self) -> ProviderKind;

    /// What it has.
    fn offers(&self) -> Offers;

    /// The organisation that the session's credentials belong to. The first request of every ladder: it proves
    /// that the system can be reached and that the credentials are accepted.
    async fn organisation(&self, session: &Session) -> Result<Organisation>;

    /// One page of the people of the directory, in a stable order. `after` is the last page's `next`.
    async fn people(&self, session: &Session, after: Option<&str>) -> Result<Page<Person>>;

    /// One page of the rooms.
    async fn rooms(&self, session: &Session, after: Option<&str>) -> Result<Page<RoomInfo>>;

    /// Looks at one mailbox: is it there, whose is it, which zone. [`Remedy::SkipMailbox`] when it cannot be
    /// served.
    async fn mailbox(&self, session: &Session, mailbox: &str) -> Result<Mailbox>;

    /// Whom the organisation's directory knows under an address, whether or not the mailbox is within reach.
    /// [`Remedy::SkipMailbox`] when it knows nobody; [`ErrorKind::Unsupported`] where nobody consents for themselves.
    async fn person(&self, _session: &Session, _address: &str) -> Result<Person> {
        let message = "This calendar system has no personal consent.";
        Err(Error::new(ErrorKind::Unsupported, Remedy::Never, "NO_OWN_CONSENT", message))
    }

    /// The default calendar of a mailbox, and what may be done in it.
    async fn calendar(&self, session: &Session, mailbox: &str) -> Result<CalendarInfo>;

    /// Busy times of many mailboxes at once, one verdict per mailbox in the order asked. Never fails as a whole
    /// because of one member.
    async fn busy(
        &self,
        session: &Session,
        mailboxes: &[String],
        window: TimeRange,
    ) -> Result<Vec<(String, Result<FreeBusy>)>>;

    /// One page of the events that overlap the window, series expanded, of the calendars that count by default (see
    /// [`CalendarListing::counts`]). Never fails because of one item: what cannot be read is marked.
    async fn events(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage>;

    /// The calendars of a mailbox that the session sees, the default one first.
    async fn calendars(&self, session: &Session, mailbox: &str) -> Result<Vec<CalendarListing>>;

    /// One page of the events of one calendar of a mailbox, by the id that [`Self::calendars`] tells.
    async fn events_of(
        &self,
        session: &Session,
        mailbox: &str,
        calendar: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage>;

    /// One page of what has changed in a calendar since a cursor. Without a cursor everything that overlaps the
    /// window, series expanded; a cursor goes on in the mailbox and the window that it was begun in.
    /// [`ErrorKind::Gone`] with [`Remedy::Resync`] when the provider has forgotten the cursor: begin without one.
    async fn changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        cursor: Option<&str>,
    ) -> Result<Changes>;

    /// Whether anything has changed in a calendar since a watermark, and nothing more than that: one request when
    /// nothing has. Without a watermark, or with one that is forgotten or belongs to another window, the answer is
    /// [`Since::Changed`] with a new one. A change that concerns no event of the window may be told as well; one that
    /// does is never kept silent about.
    async fn changed(
        &self,
        _session: &Session,
        _mailbox: &str,
        _window: TimeRange,
        _watermark: Option<&str>,
    ) -> Result<Since> {
        Ok(Since::Changed(None))
    }

    /// Writes a new event. Safe to repeat with the same `effect_key`: a repeat answers the event that is there.
    async fn create_event(&self, session: &Session, mailbox: &str, event: &NewEvent) -> Result<Event>;

    /// The live event that carries this effect key, if there is one. The look-up that an unknown outcome orders.
    async fn find_event(&self, session: &Session, mailbox: &str, effect_key: &str) -> Result<Option<Event>>;

    /// Reads one event by the provider's id; `None` when it is gone.
    async fn event(&self, session: &Session, mailbox: &str, id: &str) -> Result<Option<Event>>;

    /// Changes an event. Safe to repeat: the change says what must be true afterwards.
    async fn update_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event>;

    /// Cancels an event and tells its attendees, with a message. An event that is gone already is a success.
    async fn cancel_event(&self, session: &Session, mailbox: &str, id: &str, message: &str) -> Result<()>;

    /// Removes an event without telling anybody (for events without attendees, such as probes). Gone already is a
    /// success.
    async fn delete_event(&self, session: &Session, mailbox: &str, id: &str) -> Result<()>;

    /// Removes what [`Self::create_event`] wrote into the calendars of rooms beside the event itself, by the effect key,
    /// where somebody may have deleted the event without them. Does nothing where the provider invites rooms: their
    /// entries follow the event. Nothing left to remove is a success.
    async fn remove_copies(
        &self,
        _session: &Session,
        _mailbox: &str,
        _effect_key: &str,
        _rooms: &[String],
    ) -> Result<()> {
        Ok(())
    }

    /// Asks for pushes about a mailbox to `url`, authenticated by `secret`. [`ErrorKind::Unsupported`] where
    /// [`Offers::push`] is false.
    async fn watch(&self, session: &Session, mailbox: &str, url: &str, secret: &str) -> Result<Channel>;

    /// Makes a channel live longer; an error with [`Remedy::Never`] and [`ErrorKind::Gone`] means: watch again.
    async fn renew(&self, session: &Session, channel: &str) -> Result<Channel>;

    /// Ends a channel. Gone already is a success.
    async fn unwatch(&self, session: &Session, channel: &str) -> Result<()>;
}
