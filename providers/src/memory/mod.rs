//! An in-memory calendar system for tests: directory, calendars, events, changes, push notifications and injected
//! faults. Available only with the cargo feature `memory`, so that it is not part of released binaries.
//!
//! It can emulate any kind of provider. Tests compare results with its recorded data: [`Memory::events`] returns the
//! events as written, [`Memory::requests`] the requests.
//!
//! Work that a real provider does asynchronously - delivering invitations, responding for rooms, creating online
//! meetings - is done by [`Memory::finish_pending_work`], or step by step with [`Memory::set_response`] and
//! [`Memory::enable_online_meetings`].

mod changes;
mod directory;
mod events;
mod faults;
pub mod messages;
mod onboarding;
mod push;
mod record;
mod settle;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use domain::{ProviderKind, TimeRange, state::Answer};
use tokio::sync::Notify;

use self::{faults::Faults, record::SystemState};
pub use self::{
    faults::{FaultTiming, RequestFault},
    push::SentPush,
    record::{Method, Request},
};
use crate::{
    CalendarListing, Event, OnlineMeeting, Person, Provider, ProviderFeatures, RateLimit, RequestLimits,
    RoomInfo,
};

/// Number of directory entries or events per page.
const PAGE: usize = 50;

/// An in-memory calendar system. Cheap to clone; clones share their state.
#[derive(Debug, Clone)]
pub struct Memory {
    kind: ProviderKind,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    record: Mutex<SystemState>,
    faults: Mutex<Faults>,
    died: Notify,
}

impl Memory {
    /// Creates an empty system that stands in for a kind of provider. It supports everything except online meetings,
    /// push and users' own consents; any login is accepted, and every address has a mailbox.
    pub fn new(kind: ProviderKind) -> Self {
        Self::with_record(kind, SystemState::default(), Faults::default())
    }

    fn with_record(kind: ProviderKind, record: SystemState, faults: Faults) -> Self {
        let shared = Shared { record: Mutex::new(record), faults: Mutex::new(faults), died: Notify::new() };
        Self { kind, shared: Arc::new(shared) }
    }

    /// Creates an independent copy with the same calendars and permanent refusals, without recorded requests.
    #[must_use]
    pub fn fork(&self) -> Self {
        let record = SystemState { requests: Vec::new(), taken: 0, ..self.record().clone() };
        Self::with_record(self.kind, record, self.faults().only_refusals())
    }

    fn record(&self) -> MutexGuard<'_, SystemState> {
        self.shared.record.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.shared.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Methods that configure the system.
impl Memory {
    /// Changes the features that the system supports.
    pub fn change_features(&self, change: impl FnOnce(&mut ProviderFeatures)) {
        change(&mut self.record().features);
    }

    /// Accepts only this login.
    pub fn require_login(&self, user: &str, password: &str) {
        self.record().login = Some((user.to_owned(), password.to_owned()));
    }

    /// Sets the organisation that the directory reports.
    pub fn set_organisation(&self, organisation: crate::Organisation) {
        self.record().organisation = organisation;
    }

    /// Adds people to the directory.
    pub fn add_people(&self, people: impl IntoIterator<Item = Person>) {
        self.record().people.extend(people);
    }

    /// Adds rooms to the directory.
    pub fn add_rooms(&self, rooms: impl IntoIterator<Item = RoomInfo>) {
        self.record().rooms.extend(rooms);
    }

    /// Limits mailboxes to addresses listed in the directory.
    pub fn restrict_to_directory(&self) {
        self.record().only_listed = true;
    }

    /// Sets the calendars of every mailbox; by default each has one.
    pub fn set_calendars(&self, calendars: &[CalendarListing]) {
        self.record().calendars = calendars.to_vec();
    }

    /// Makes a mailbox read-only.
    pub fn make_read_only(&self, mailbox: &str) {
        self.record().read_only.insert(mailbox.to_owned());
    }

    /// Ignores effect keys, so that a repeated write creates another event.
    pub fn ignore_effect_keys(&self) {
        self.record().forgets_keys = true;
    }

    /// Disables change checks, so that calendars must be read in full.
    pub fn disable_change_checks(&self) {
        self.record().tells_changes = false;
    }

    /// Invalidates all cursors and watermarks issued so far.
    pub fn invalidate_cursors(&self) {
        self.record().epoch += 1;
    }

    /// Enables online meetings, and sets the state of all existing and future meetings.
    pub fn enable_online_meetings(&self, meeting: OnlineMeeting) {
        self.record().set_online_meetings(meeting);
    }

    /// Makes the emulated provider report that it does not support online meetings.
    pub fn disable_online_meetings(&self) {
        self.change_features(|features| features.online_meetings = false);
    }
}

/// Methods that simulate actions of people and rooms.
impl Memory {
    /// Simulates another user adding an event to a calendar of a mailbox; without `calendar`, to the default one.
    /// Returns the event's id.
    pub fn add_simple_event(
        &self,
        mailbox: &str,
        calendar: Option<&str>,
        title: &str,
        range: TimeRange,
    ) -> String {
        self.record().add_foreign_event(mailbox, calendar, title, range)
    }

    /// Simulates another user adding this event to a calendar of a mailbox; its id and version are replaced. Returns
    /// the id.
    pub fn add_event(&self, mailbox: &str, calendar: &str, event: Event) -> String {
        self.record().put_event(mailbox, calendar, event)
    }

    /// Simulates a user deleting every event that Muster wrote.
    pub fn delete_written_events(&self) {
        self.record().delete_written_events();
    }

    /// Simulates a user moving every event that Muster wrote to this time.
    pub fn move_written_events(&self, to: TimeRange) {
        self.record().move_written_events(to);
    }

    /// Sets the response of this attendee to every invitation.
    pub fn set_response(&self, address: &str, answer: Answer) {
        self.record().set_responses(|attendee| attendee.party.address == address, answer);
    }

    /// Sets the response of every room that has not responded yet. Returns whether there was one.
    pub fn set_room_responses(&self, answer: Answer) -> bool {
        let waits =
            |one: &crate::Attendee| one.role == crate::AttendeeRole::Room && one.answer == Answer::None;
        self.record().set_responses(waits, answer) > 0
    }

    /// Completes the system's asynchronous work: invitations are delivered or withdrawn, rooms accept if they are
    /// free and decline otherwise, online meetings become ready.
    pub fn finish_pending_work(&self) {
        self.record().finish_pending_work();
    }
}

/// Methods that report what happened, for assertions.
impl Memory {
    /// All events as written, with their mailboxes; excludes invitations in other calendars.
    pub fn events(&self) -> Vec<(String, Event)> {
        self.record().written_events()
    }

    /// The description of an event; `None` if there is no such event.
    pub fn event_text(&self, id: &str) -> Option<String> {
        self.record().event_text(id)
    }

    /// Number of times that an event was created, by mailbox and effect key.
    pub fn creation_counts(&self) -> BTreeMap<(String, String), usize> {
        self.record().created.clone()
    }

    /// Whether [`Self::delete_written_events`] has been called.
    pub fn were_events_deleted(&self) -> bool {
        self.record().was_wiped
    }

    /// All requests in order, including failed ones.
    pub fn requests(&self) -> Vec<Request> {
        self.record().requests.clone()
    }

    /// The requests since the last call of this method.
    pub fn take_requests(&self) -> Vec<Request> {
        self.record().take_requests()
    }

    /// The push notifications that a real provider would have sent.
    pub fn sent_pushes(&self) -> Vec<SentPush> {
        self.record().pushes.clone()
    }

    /// The addresses of all rooms in the directory.
    pub fn room_addresses(&self) -> BTreeSet<String> {
        self.record().rooms.iter().map(|room| room.address.clone()).collect()
    }
}

impl Provider for Memory {
    fn kind(&self) -> ProviderKind {
        self.kind
    }

    fn features(&self) -> ProviderFeatures {
        self.record().features
    }

    /// Request limits that no test reaches.
    fn limits(&self) -> RequestLimits {
        let limit = RateLimit { concurrency: 1_000, rate: 1_000_000, per: Duration::from_secs(1) };
        RequestLimits { whole: limit, mailbox: limit }
    }
}
