//! The protocol-independent types in which connectors and Muster exchange data.

use domain::{
    BusyKind, BusyTime, TimeRange, Timestamp, UnreadableItem, provider::Capabilities, state::Answer,
};
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Remedy, messages};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries of this page, in the provider's order.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<String>,
}

/// One page of the events of a time range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventPage {
    /// The events, in the provider's order, including unreadable items with partly known times, which have no title and
    /// count as busy.
    pub items: Vec<Event>,
    /// The items that cannot be read.
    pub unreadable: Vec<UnreadableItem>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<String>,
}

/// The busy times of a mailbox within a time range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FreeBusy {
    /// The busy times in order, clipped to the time range; busy times of the same kind do not overlap.
    pub busy: Vec<BusyTime>,
    /// The items that cannot be read.
    pub unreadable: Vec<UnreadableItem>,
}

impl From<Vec<BusyTime>> for FreeBusy {
    fn from(busy: Vec<BusyTime>) -> Self {
        Self { busy, unreadable: Vec::new() }
    }
}

/// One calendar of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarListing {
    /// The provider's id of the calendar.
    pub id: String,
    /// The display name.
    pub name: String,
    /// Role of the calendar in the mailbox.
    pub kind: CalendarKind,
    /// Whether its events make the owner busy unless an administrator decides otherwise.
    pub counts: bool,
}

/// Role of a calendar in its mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CalendarKind {
    /// The default calendar, to which bookings are written.
    Default,
    /// An additional calendar of the owner.
    Secondary,
    /// A calendar that the provider generates from other data, such as birthdays or holidays.
    Generated,
    /// Another owner's calendar that is shared with the mailbox's owner.
    Shared,
}

/// The organisation to which credentials belong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// The provider's id: Microsoft's tenant id, Google's customer id, CalDAV's principal URL.
    pub id: String,
    /// The display name.
    pub name: String,
    /// The organisation's mail domains; empty if the provider does not list them.
    pub domains: Vec<String>,
    /// The IANA name of the organisation's zone; `None` for all current providers, which report only the time zones of
    /// mailboxes.
    pub zone: Option<String>,
    /// The language as the provider spells it, usually a BCP 47 tag; `None` if the provider does not report it.
    pub language: Option<String>,
}

/// A person in the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The provider's stable id.
    pub id: String,
    /// The email address of the mailbox.
    pub address: String,
    /// The display name.
    pub name: String,
    /// The provider's id of the person's organisation; `None` if the directory does not list it. A reseller's
    /// directory also lists accounts of other organisations.
    pub organisation: Option<String>,
}

/// A room in the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomInfo {
    /// The provider's stable id.
    pub id: String,
    /// The email address of the mailbox.
    pub address: String,
    /// The display name.
    pub name: String,
    /// Number of seats in the room; `None` if the directory does not list it.
    pub capacity: Option<i32>,
    /// Building of the room, spelled as in the directory; `None` if the directory does not list it.
    pub building: Option<String>,
    /// Floor as people call it, such as `2` or `Ground`; `None` if the directory does not list it.
    pub floor: Option<String>,
    /// Equipment of the room, as listed in the directory.
    pub equipment: Vec<String>,
}

/// Who uses a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MailboxKind {
    /// One person, the owner, uses the mailbox.
    Person,
    /// A room or a piece of equipment.
    Room,
    /// Several people use the mailbox, as with a service mailbox.
    Shared,
    /// The provider does not report who uses the mailbox.
    Unknown,
}

/// An existing mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// The provider's stable id.
    pub id: String,
    /// The primary email address.
    pub address: String,
    /// The display name.
    pub name: String,
    /// Who uses the mailbox.
    pub kind: MailboxKind,
    /// The IANA name of the mailbox's time zone; `None` if the provider does not report it.
    pub zone: Option<String>,
    /// Whether the mailbox accepts overlapping events, which a service mailbox must; `None` if the provider does not
    /// report it.
    pub accepts_conflicts: Option<bool>,
}

/// The calendar to which bookings are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarInfo {
    /// The provider's id of the calendar.
    pub id: String,
    /// The session's capabilities in the calendar.
    pub capabilities: Capabilities,
}

/// An organiser or attendee: a display name and an email address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedAddress {
    /// A display name; may be empty.
    pub name: String,
    /// The mail address, without `mailto:`.
    pub address: String,
}

/// The role in which an attendee takes part in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttendeeRole {
    /// A person whose attendance is required.
    Required,
    /// A person whose attendance is optional.
    Optional,
    /// A room: the location of the event, not a person.
    Room,
}

/// An invited person or room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    /// The invited name and address.
    pub party: NamedAddress,
    /// Whether the attendee is required, optional, or a room.
    pub role: AttendeeRole,
    /// The response so far; [`Answer::None`] in a new event.
    pub answer: Answer,
}

/// An event to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEvent {
    /// Identifies the write: generated and stored before the first attempt; 1 to 64 letters, digits and hyphens.
    pub effect_key: String,
    /// The subject line, as attendees see it.
    pub title: String,
    /// The body, as plain text.
    pub text: String,
    /// Start and end of the event, in UTC.
    pub range: TimeRange,
    /// The IANA name of the zone in which the event is shown.
    pub zone: String,
    /// The location, as free text.
    pub location: Option<String>,
    /// The organiser as recorded in the calendar: the owner of the calendar to which the event is written.
    pub organiser: NamedAddress,
    /// The invited people and rooms.
    pub attendees: Vec<Attendee>,
    /// Kind of busy time; `None` leaves the time free.
    pub busy: Option<BusyKind>,
    /// Whether to add an online meeting of the provider's. [`ErrorKind::Unsupported`] unless
    /// [`crate::ProviderFeatures::online_meetings`]; if only this calendar does not permit one, the event is written
    /// without an online meeting, and [`Event`] reports that.
    pub online_meeting: bool,
}

impl NewEvent {
    /// Returns an error if the event requests an online meeting; for providers without online meetings.
    pub(crate) fn check_no_meeting(&self) -> crate::Result<()> {
        let message = messages::no_online_meetings();
        match self.online_meeting {
            true => Err(Error::new(ErrorKind::Unsupported, Remedy::Never, "NO_ONLINE_MEETINGS", message)),
            false => Ok(()),
        }
    }
}

/// The desired state of an event; fields that are `None` stay unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventChange {
    /// The new time.
    pub range: Option<TimeRange>,
    /// The IANA zone of the new time.
    pub zone: Option<String>,
    /// The new title.
    pub title: Option<String>,
    /// The new description.
    pub text: Option<String>,
    /// The new list of attendees, which replaces the old one.
    pub attendees: Option<Vec<Attendee>>,
    /// The new location.
    pub location: Option<String>,
}

/// An event as read from a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The provider's id, stable while the event stays in this mailbox.
    pub id: String,
    /// The iCalendar UID, the same in every attendee's calendar.
    pub uid: String,
    /// The provider's version tag, which changes with every change of the event.
    pub version: String,
    /// The id of the series that the event is an occurrence of; `None` for a single event.
    pub series: Option<String>,
    /// Muster's effect key; `None` for events that Muster did not write.
    pub effect_key: Option<String>,
    /// The subject line; `None` if it may not be read.
    pub title: Option<String>,
    /// Start and end of the event, in UTC.
    pub range: TimeRange,
    /// Whether this is an all-day event.
    pub all_day: bool,
    /// Kind of busy time; `None` if the event leaves the time free or is cancelled.
    pub busy: Option<BusyKind>,
    /// Whether the details are hidden from Muster or marked private.
    pub private: bool,
    /// The organiser; `None` if it cannot be read.
    pub organiser: Option<NamedAddress>,
    /// The invited people and rooms with their responses.
    pub attendees: Vec<Attendee>,
    /// The online meeting; `None` if there is none, and in lists that omit it.
    pub online_meeting: Option<OnlineMeeting>,
}

/// The online meeting of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnlineMeeting {
    /// The provider is still creating the meeting: read the event again.
    Pending,
    /// The meeting can be joined at this https URL.
    Ready(String),
    /// The provider did not create a meeting.
    Failed,
}

impl OnlineMeeting {
    /// Creates the state for a join URL, pending if there is none yet. Only https URLs are accepted, because browsers
    /// are redirected there.
    pub(crate) fn from_url(url: Option<String>) -> Self {
        let https = |url: &String| url::Url::parse(url).is_ok_and(|url| url.scheme() == "https");
        url.filter(https).map_or(Self::Pending, Self::Ready)
    }
}

/// The changes in a calendar since a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Ids of deleted events and series, and of series that are returned again. Before storing `changed`, remove every
    /// event that has one of these ids or belongs to a series with one of these ids.
    pub gone: Vec<String>,
    /// New and changed events; a changed series comes with all its occurrences in the time range.
    pub changed: Vec<Event>,
    /// New and changed items that cannot be read.
    pub unreadable: Vec<UnreadableItem>,
    /// The cursor to continue with.
    pub cursor: String,
    /// Whether the next page is available now; otherwise use the cursor to read later changes.
    pub more: bool,
}

/// Whether a calendar has changed since a watermark.
///
/// The new watermark is older than the response: a caller that then reads the time range and stores this watermark
/// with it misses no later change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeCheck {
    /// Nothing has changed; use this watermark for the next check.
    Same(String),
    /// Something may have changed. Without a watermark the provider cannot check for changes.
    Changed(Option<String>),
}

impl ChangeCheck {
    /// The watermark for the next check.
    pub fn watermark(self) -> Option<String> {
        match self {
            Self::Same(watermark) => Some(watermark),
            Self::Changed(watermark) => watermark,
        }
    }
}

/// A subscription to push notifications about a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// The provider's id of the channel.
    pub id: String,
    /// When the channel expires unless it is renewed.
    pub expires_at: Timestamp,
}
