//! What providers and Muster tell each other, in nobody's protocol.

use domain::{Busy, BusyKind, TimeRange, Timestamp, Unreadable, provider::Capabilities, state::Answer};
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Remedy};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The members, in the provider's order.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last one.
    pub next: Option<String>,
}

/// One page of the events of a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventPage {
    /// The events, in the provider's order. Among them, without title and as busy, are unreadable items of which
    /// something is known about their times.
    pub items: Vec<Event>,
    /// The items that cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// Where the next page begins; absent on the last one.
    pub next: Option<String>,
}

/// When a mailbox is busy within a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FreeBusy {
    /// The busy times, those of one kind apart from each other, in order, cut to the window.
    pub busy: Vec<Busy>,
    /// The items that cannot be read.
    pub unreadable: Vec<Unreadable>,
}

impl From<Vec<Busy>> for FreeBusy {
    fn from(busy: Vec<Busy>) -> Self {
        Self { busy, unreadable: Vec::new() }
    }
}

/// One calendar of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarListing {
    /// The provider's id.
    pub id: String,
    /// The name, for people.
    pub name: String,
    /// What it is.
    pub kind: CalendarKind,
    /// Whether its events make the owner busy unless an administrator decides otherwise.
    pub counts: bool,
}

/// What a calendar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CalendarKind {
    /// The one that bookings go into.
    Default,
    /// Another one of the owner's.
    Secondary,
    /// Made by the provider from other data, such as birthdays or holidays.
    Generated,
    /// One of another owner that was shared with this one.
    Shared,
}

/// The organisation that credentials belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// The provider's own id of it: Microsoft tenant id, Google customer id, CalDAV principal URL.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// Its mail domains, where the provider tells them; those that the provider has verified, where it verifies any.
    pub domains: Vec<String>,
    /// Its time zone as an IANA name, where the provider tells one for the organisation as a whole. None of today's
    /// does: they know the zones of mailboxes.
    pub zone: Option<String>,
    /// Its language as the provider spells it (usually a BCP 47 tag), where the provider tells it.
    pub language: Option<String>,
}

/// A person of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The provider's lasting id.
    pub id: String,
    /// The mailbox address.
    pub address: String,
    /// The name, for people.
    pub name: String,
    /// The provider's id of the organisation whose account it is, where the directory tells it: a reseller's shows
    /// accounts of other organisations too.
    pub organisation: Option<String>,
}

/// A room of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomInfo {
    /// The provider's lasting id.
    pub id: String,
    /// The mailbox address.
    pub address: String,
    /// The name, for people.
    pub name: String,
    /// How many people it holds.
    pub capacity: Option<i32>,
    /// The building.
    pub building: Option<String>,
    /// The floor, as people say it.
    pub floor: Option<String>,
    /// What stands in it.
    pub equipment: Vec<String>,
}

/// Whose mailbox it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MailboxKind {
    /// A person's.
    Person,
    /// A room's or a piece of equipment's.
    Room,
    /// One that several people share, such as a service mailbox.
    Shared,
    /// The provider does not tell.
    Unknown,
}

/// A mailbox that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// The provider's lasting id.
    pub id: String,
    /// The address it is known by.
    pub address: String,
    /// The name, for people.
    pub name: String,
    /// Whose it is.
    pub kind: MailboxKind,
    /// Its time zone as an IANA name, where the provider tells it.
    pub zone: Option<String>,
    /// Whether two events at the same time are accepted, where the provider tells it. A service mailbox must.
    pub accepts_conflicts: Option<bool>,
}

/// The calendar that bookings go into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarInfo {
    /// The provider's id.
    pub id: String,
    /// What the session may do in it.
    pub capabilities: Capabilities,
}

/// A name and an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The name, for people.
    pub name: String,
    /// The address.
    pub address: String,
}

/// What an attendee is to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttendeeRole {
    /// Has to come.
    Required,
    /// May come.
    Optional,
    /// Is a room.
    Room,
}

/// Somebody who is invited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    /// Who.
    pub party: Party,
    /// As what.
    pub role: AttendeeRole,
    /// What was answered so far; [`Answer::None`] in a new event.
    pub answer: Answer,
}

/// An event to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEvent {
    /// Identifies the effect: minted and stored before the first attempt, 1 to 64 letters, digits and hyphens.
    pub effect_key: String,
    /// The title.
    pub title: String,
    /// The description, as plain text.
    pub text: String,
    /// When.
    pub range: TimeRange,
    /// The IANA zone it is shown in.
    pub zone: String,
    /// Where, for people.
    pub location: Option<String>,
    /// Who organises it by the calendar's rules: the owner of the calendar it is written to.
    pub organiser: Party,
    /// Who is invited.
    pub attendees: Vec<Attendee>,
    /// How it blocks the calendar; `None` leaves the time free.
    pub busy: Option<BusyKind>,
    /// Whether it is to have an online meeting of the provider's. [`ErrorKind::Unsupported`] where
    /// [`crate::Offers::online_meetings`] is false; where only this calendar permits none, the event is written
    /// without and says so.
    pub online_meeting: bool,
}

impl NewEvent {
    /// Refuses an event that wants an online meeting, for providers that have none.
    pub(crate) fn wants_no_meeting(&self) -> crate::Result<()> {
        let message = "This calendar system has no online meetings of its own.";
        match self.online_meeting {
            true => Err(Error::new(ErrorKind::Unsupported, Remedy::Never, "NO_ONLINE_MEETINGS", message)),
            false => Ok(()),
        }
    }
}

/// What must be true of an event after a change; absent members stay as they are.
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
    /// The whole new list of attendees.
    pub attendees: Option<Vec<Attendee>>,
    /// The new place.
    pub location: Option<String>,
}

/// An event as it stands in a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The provider's id, lasting while the event stays in this mailbox.
    pub id: String,
    /// The iCalendar UID, the same in every attendee's calendar.
    pub uid: String,
    /// Changes with every change of the event.
    pub version: String,
    /// The id of the series that it is an occurrence of.
    pub series: Option<String>,
    /// Our effect key, where the event is ours.
    pub effect_key: Option<String>,
    /// The title; absent when it may not be read.
    pub title: Option<String>,
    /// When.
    pub range: TimeRange,
    /// Whether it is shown as whole days.
    pub all_day: bool,
    /// How it blocks the calendar; `None` when the time is free or the event is cancelled.
    pub busy: Option<BusyKind>,
    /// Whether its details are hidden from us or marked private.
    pub private: bool,
    /// Who organises it, where that can be read.
    pub organiser: Option<Party>,
    /// Who is invited and what they answered.
    pub attendees: Vec<Attendee>,
    /// Its online meeting. Lists may leave it out.
    pub online_meeting: Option<OnlineMeeting>,
}

/// The online meeting of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnlineMeeting {
    /// The provider is making it: read the event again.
    Pending,
    /// It is joined at this https address.
    Ready(String),
    /// The provider has made none, and will not.
    Failed,
}

impl OnlineMeeting {
    /// The meeting at an address, pending while there is none. Browsers are sent there, so it has to be https.
    pub(crate) fn at(url: Option<String>) -> Self {
        let https = |url: &String| url::Url::parse(url).is_ok_and(|url| url.scheme() == "https");
        url.filter(https).map_or(Self::Pending, Self::Ready)
    }
}

/// What has changed in a calendar since a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Events and series that are gone, and series that are told anew: whatever bears one of these ids, or belongs to
    /// a series that does, is to be forgotten before `changed` is taken in.
    pub gone: Vec<String>,
    /// Events that are new or different; a series that changed comes with all its occurrences in the window.
    pub changed: Vec<Event>,
    /// Items among those that are new or different which cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// Where to go on.
    pub cursor: String,
    /// Whether the next page is there already; otherwise the cursor waits for what changes later.
    pub more: bool,
}

/// Whether a calendar has changed since a watermark.
///
/// The watermark in it is from before the answer was given: whoever reads the window after the answer and keeps the
/// watermark beside what was read will be told of everything that the reading missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// Nothing has changed; this watermark is the next one to ask with.
    Same(String),
    /// Something has changed, or nobody can tell; without a watermark the provider cannot be asked that way.
    Changed(Option<String>),
}

impl Since {
    /// The watermark to ask with next time.
    pub fn watermark(self) -> Option<String> {
        match self {
            Self::Same(watermark) => Some(watermark),
            Self::Changed(watermark) => watermark,
        }
    }
}

/// A standing request for pushes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// The provider's id.
    pub id: String,
    /// When it ends unless it is renewed.
    pub expires_at: Timestamp,
}
