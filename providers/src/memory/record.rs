//! The state of the in-memory provider: directory, calendars, and recorded requests.

use std::collections::{BTreeMap, BTreeSet};

use domain::{BusyKind, TimeRange, state::Answer};

use super::push::{SentPush, Subscription};
use crate::{
    Attendee, CalendarKind, CalendarListing, Event, NamedAddress, NewEvent, OnlineMeeting, Organisation,
    Person, ProviderFeatures, RoomInfo,
};

/// The calendar to which bookings are written.
pub(super) const DEFAULT_CALENDAR: &str = "default";

/// The trait method that made a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// [`crate::Directory::organisation`]
    Organisation,
    /// [`crate::Directory::people`]
    People,
    /// [`crate::Directory::rooms`]
    Rooms,
    /// [`crate::Directory::mailbox`]
    Mailbox,
    /// [`crate::Directory::person`]
    Person,
    /// [`crate::Events::calendar`]
    Calendar,
    /// [`crate::Events::busy`], once for each mailbox
    Busy,
    /// [`crate::Events::events`] and [`crate::Events::events_of`]
    Events,
    /// [`crate::Events::calendars`]
    Calendars,
    /// [`crate::ChangeFeed::changes`]
    Changes,
    /// [`crate::ChangeFeed::poll_changes`]
    PollChanges,
    /// [`crate::Events::create_event`]
    Create,
    /// [`crate::Events::find_event`]
    Find,
    /// [`crate::Events::event`]
    Read,
    /// [`crate::Events::update_event`]
    Update,
    /// [`crate::Events::cancel_event`]
    Cancel,
    /// [`crate::Events::delete_event`]
    Delete,
    /// [`crate::Push::watch`]
    Watch,
    /// [`crate::Push::renew`]
    Renew,
    /// [`crate::Push::unwatch`]
    Unwatch,
}

/// A recorded request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The trait method that was called.
    pub method: Method,
    /// The mailbox that the request is about; empty for the directory.
    pub mailbox: String,
    /// Id of the calendar, if the request concerns a single one.
    pub calendar: Option<String>,
    /// The name of the session's zone.
    pub zone: Option<String>,
    /// The session's scope.
    pub scope: String,
}

/// A stored event with its internal state, such as its revision.
#[derive(Debug, Clone)]
pub(super) struct StoredEvent {
    pub(super) mailbox: String,
    pub(super) calendar: String,
    pub(super) event: Event,
    pub(super) text: String,
    /// The event to which this is an invitation; `None` for an original event.
    pub(super) invited_by: Option<String>,
    /// Whether the event was deleted; it is kept so that the deletion can be reported.
    pub(super) deleted: bool,
    /// The revision of its last change.
    pub(super) revision: u64,
}

/// The complete state of the system.
#[derive(Debug, Clone)]
pub(super) struct SystemState {
    pub(super) features: ProviderFeatures,
    pub(super) login: Option<(String, String)>,
    pub(super) organisation: Organisation,
    pub(super) people: Vec<Person>,
    pub(super) rooms: Vec<RoomInfo>,
    pub(super) only_listed: bool,
    pub(super) calendars: Vec<CalendarListing>,
    pub(super) read_only: BTreeSet<String>,
    pub(super) forgets_keys: bool,
    pub(super) tells_changes: bool,
    /// State of new online meetings.
    pub(super) meeting: OnlineMeeting,
    pub(super) entries: BTreeMap<u64, StoredEvent>,
    pub(super) created: BTreeMap<(String, String), usize>,
    pub(super) was_wiped: bool,
    /// Number of changes so far; also the source of ids.
    pub(super) revision: u64,
    /// Cursors and watermarks of earlier epochs are invalid.
    pub(super) epoch: u64,
    pub(super) requests: Vec<Request>,
    /// Number of requests that earlier calls of [`Memory::take_requests`](super::Memory::take_requests) returned.
    pub(super) taken: usize,
    pub(super) subscriptions: BTreeMap<String, Subscription>,
    pub(super) pushes: Vec<SentPush>,
}

impl Default for SystemState {
    fn default() -> Self {
        let name = "Default".to_owned();
        let default = CalendarListing {
            id: DEFAULT_CALENDAR.to_owned(),
            name,
            kind: CalendarKind::Default,
            counts: true,
        };
        Self {
            features: ProviderFeatures {
                verified_organisation: false,
                own_consent: false,
                invitations: true,
                rooms_answer: true,
                room_directory: true,
                push: false,
                online_meetings: false,
                propagates: true,
            },
            login: None,
            organisation: Organisation {
                id: "acme".to_owned(),
                name: "Acme".to_owned(),
                domains: Vec::new(),
                zone: None,
                language: None,
            },
            people: Vec::new(),
            rooms: Vec::new(),
            only_listed: false,
            calendars: vec![default],
            read_only: BTreeSet::new(),
            forgets_keys: false,
            tells_changes: true,
            meeting: OnlineMeeting::Pending,
            entries: BTreeMap::new(),
            created: BTreeMap::new(),
            was_wiped: false,
            revision: 0,
            epoch: 0,
            requests: Vec::new(),
            taken: 0,
            subscriptions: BTreeMap::new(),
            pushes: Vec::new(),
        }
    }
}

impl SystemState {
    pub(super) fn take_requests(&mut self) -> Vec<Request> {
        let new = self.requests.get(self.taken..).unwrap_or_default().to_vec();
        self.taken = self.requests.len();
        new
    }

    /// The existing events of a mailbox, including invitations, in order of creation.
    pub(super) fn events_of<'a>(&'a self, mailbox: &'a str) -> impl Iterator<Item = &'a StoredEvent> {
        self.entries.values().filter(move |entry| entry.mailbox == mailbox && !entry.deleted)
    }

    pub(super) fn written_events(&self) -> Vec<(String, Event)> {
        let written = self.entries.values().filter(|entry| entry.invited_by.is_none() && !entry.deleted);
        written.map(|entry| (entry.mailbox.clone(), entry.event.clone())).collect()
    }

    pub(super) fn event_text(&self, id: &str) -> Option<String> {
        self.entries
            .values()
            .find(|entry| entry.event.id == id && !entry.deleted)
            .map(|entry| entry.text.clone())
    }

    /// The key of an event in a mailbox.
    pub(super) fn event_key(&self, mailbox: &str, id: &str) -> Option<u64> {
        let here = |entry: &StoredEvent| entry.mailbox == mailbox && entry.event.id == id && !entry.deleted;
        self.entries.iter().find(|(_, entry)| here(entry)).map(|(key, _)| *key)
    }

    /// Adds an event, assigning an id and a version.
    pub(super) fn add(&mut self, mut entry: StoredEvent) -> Event {
        self.revision += 1;
        let key = self.revision;
        entry.event.id = format!("event-{key}");
        entry.event.version = key.to_string();
        entry.revision = key;
        let event = entry.event.clone();
        let mailbox = entry.mailbox.clone();
        self.entries.insert(key, entry);
        self.send_pushes(&mailbox);
        event
    }

    /// Changes an event and assigns a new version.
    pub(super) fn change(&mut self, key: u64, change: impl FnOnce(&mut StoredEvent)) {
        self.revision += 1;
        let revision = self.revision;
        let Some(entry) = self.entries.get_mut(&key) else { return };
        change(entry);
        entry.revision = revision;
        entry.event.version = revision.to_string();
        let mailbox = entry.mailbox.clone();
        self.send_pushes(&mailbox);
    }

    pub(super) fn create(&mut self, mailbox: &str, new: &NewEvent) -> Event {
        let online_meeting = new.online_meeting.then(|| self.meeting.clone());
        let event = Event { online_meeting, ..event(new) };
        let key = (mailbox.to_owned(), new.effect_key.clone());
        *self.created.entry(key).or_default() += 1;
        self.add(StoredEvent {
            mailbox: mailbox.to_owned(),
            calendar: DEFAULT_CALENDAR.to_owned(),
            event,
            text: new.text.clone(),
            invited_by: None,
            deleted: false,
            revision: 0,
        })
    }

    pub(super) fn add_foreign_event(
        &mut self,
        mailbox: &str,
        calendar: Option<&str>,
        title: &str,
        range: TimeRange,
    ) -> String {
        let owner = NamedAddress { name: mailbox.to_owned(), address: mailbox.to_owned() };
        let new = NewEvent {
            effect_key: String::new(),
            title: title.to_owned(),
            text: String::new(),
            range,
            zone: "UTC".to_owned(),
            location: None,
            organiser: owner,
            attendees: Vec::new(),
            busy: Some(BusyKind::Busy),
            online_meeting: false,
        };
        let uid = format!("uid-foreign-{}", self.revision + 1);
        let event = Event { effect_key: None, uid, ..event(&new) };
        self.put_event(mailbox, calendar.unwrap_or(DEFAULT_CALENDAR), event)
    }

    pub(super) fn put_event(&mut self, mailbox: &str, calendar: &str, event: Event) -> String {
        let entry = StoredEvent {
            mailbox: mailbox.to_owned(),
            calendar: calendar.to_owned(),
            event,
            text: String::new(),
            invited_by: None,
            deleted: false,
            revision: 0,
        };
        self.add(entry).id
    }

    pub(super) fn delete_written_events(&mut self) {
        self.was_wiped = true;
        let ours = self.event_keys_where(|entry| entry.event.effect_key.is_some());
        for key in ours {
            self.change(key, |entry| entry.deleted = true);
        }
    }

    pub(super) fn move_written_events(&mut self, to: TimeRange) {
        for key in self.event_keys_where(|entry| entry.event.effect_key.is_some()) {
            self.change(key, |entry| entry.event.range = to);
        }
    }

    /// Sets the response of every attendee selected by `is_meant`; returns their number.
    pub(super) fn set_responses(&mut self, is_meant: impl Fn(&Attendee) -> bool, answer: Answer) -> usize {
        let mut answered = 0;
        for key in self.event_keys_where(|entry| entry.event.attendees.iter().any(&is_meant)) {
            self.change(key, |entry| {
                let meant = entry.event.attendees.iter_mut().filter(|attendee| is_meant(attendee));
                answered += meant.map(|attendee| attendee.answer = answer).count();
            });
        }
        answered
    }

    pub(super) fn set_online_meetings(&mut self, meeting: OnlineMeeting) {
        self.features.online_meetings = true;
        for key in self.event_keys_where(|entry| entry.event.online_meeting.is_some()) {
            self.change(key, |entry| entry.event.online_meeting = Some(meeting.clone()));
        }
        self.meeting = meeting;
    }

    /// The keys of the existing events selected by `is_meant`, in order of creation.
    pub(super) fn event_keys_where(&self, is_meant: impl Fn(&StoredEvent) -> bool) -> Vec<u64> {
        let meant = self.entries.iter().filter(|(_, entry)| !entry.deleted && is_meant(entry));
        meant.map(|(key, _)| *key).collect()
    }
}

/// Builds an event from a write request, without an id.
fn event(new: &NewEvent) -> Event {
    Event {
        id: String::new(),
        uid: format!("uid-{}", new.effect_key),
        version: String::new(),
        series: None,
        effect_key: Some(new.effect_key.clone()),
        title: Some(new.title.clone()),
        range: new.range,
        all_day: false,
        busy: new.busy,
        private: false,
        organiser: Some(new.organiser.clone()),
        attendees: new.attendees.clone(),
        online_meeting: None,
    }
}
