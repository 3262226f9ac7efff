//! A whole calendar system in memory, for tests: a directory, calendars with their events, changes, pushes, and faults
//! to plant. Behind the cargo feature `memory`, so that no shipped binary holds it.
//!
//! It stands in for a provider of any kind, under which its integrations are stored. Its own record is the judge of what
//! really happened: [`Memory::events`] are the events as they were written, [`Memory::requests`] the requests.
//!
//! Slow work of a real provider - delivering invitations, rooms' answers, creating online meetings - is done by
//! [`Memory::settle`], or by the test itself with [`Memory::answer`] and [`Memory::meet`].

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

use self::{faults::Faults, record::Record};
pub use self::{
    faults::{Cut, When},
    push::SentPush,
    record::{Method, Request},
};
use crate::{
    CalendarListing, Event, OnlineMeeting, Person, Provider, ProviderFeatures, RateLimit, RequestLimits,
    RoomInfo,
};

/// Number of members or events per page.
const PAGE: usize = 50;

/// All calendars of one system. Cheap to clone; clones are the same system.
#[derive(Debug, Clone)]
pub struct Memory {
    kind: ProviderKind,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    record: Mutex<Record>,
    faults: Mutex<Faults>,
    died: Notify,
}

impl Memory {
    /// An empty system that stands in for a kind. It offers everything but online meetings, pushes and users' own
    /// consents; anybody may log in, and every address is a mailbox.
    pub fn new(kind: ProviderKind) -> Self {
        Self::with_record(kind, Record::default(), Faults::default())
    }

    fn with_record(kind: ProviderKind, record: Record, faults: Faults) -> Self {
        let shared = Shared { record: Mutex::new(record), faults: Mutex::new(faults), died: Notify::new() };
        Self { kind, shared: Arc::new(shared) }
    }

    /// A second system with the same calendars and standing refusals, for another course of events. Requests are
    /// recorded and counted anew.
    #[must_use]
    pub fn fork(&self) -> Self {
        let record = Record { requests: Vec::new(), taken: 0, ..self.record().clone() };
        Self::with_record(self.kind, record, self.faults().standing())
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.shared.record.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.shared.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What the system is like; each from now on.
impl Memory {
    /// Changes what the system offers.
    pub fn offer(&self, change: impl FnOnce(&mut ProviderFeatures)) {
        change(&mut self.record().features);
    }

    /// Lets only this login in.
    pub fn require_login(&self, user: &str, password: &str) {
        self.record().login = Some((user.to_owned(), password.to_owned()));
    }

    /// Names the organisation.
    pub fn name(&self, organisation: crate::Organisation) {
        self.record().organisation = organisation;
    }

    /// Lists people in the directory.
    pub fn employ(&self, people: impl IntoIterator<Item = Person>) {
        self.record().people.extend(people);
    }

    /// Lists rooms in the directory.
    pub fn build(&self, rooms: impl IntoIterator<Item = RoomInfo>) {
        self.record().rooms.extend(rooms);
    }

    /// Only addresses that the directory lists have mailboxes.
    pub fn only_listed(&self) {
        self.record().only_listed = true;
    }

    /// Gives every mailbox these calendars; by default each has one.
    pub fn list_calendars(&self, calendars: &[CalendarListing]) {
        self.record().calendars = calendars.to_vec();
    }

    /// Lets a mailbox be read and no longer written.
    pub fn lock_for_writing(&self, mailbox: &str) {
        self.record().read_only.insert(mailbox.to_owned());
    }

    /// Does not recognise a repeated effect key: whoever repeats a write has to look first.
    pub fn forget_keys(&self) {
        self.record().forgets_keys = true;
    }

    /// Cannot be asked whether anything has changed: calendars have to be read.
    pub fn tell_no_changes(&self) {
        self.record().tells_changes = false;
    }

    /// Forgets every cursor and watermark given out so far.
    pub fn forget_cursors(&self) {
        self.record().epoch += 1;
    }

    /// Offers online meetings, and puts all existing ones and those to come into this state.
    pub fn meet(&self, meeting: OnlineMeeting) {
        self.record().meet(meeting);
    }

    /// Offers no online meetings.
    pub fn meet_no_more(&self) {
        self.offer(|features| features.online_meetings = false);
    }
}

/// What people and rooms do.
impl Memory {
    /// Somebody else than Muster writes an event to a calendar of a mailbox: the default one, unless another is named.
    /// Returns its id.
    pub fn write(&self, mailbox: &str, calendar: Option<&str>, title: &str, range: TimeRange) -> String {
        self.record().write_foreign(mailbox, calendar, title, range)
    }

    /// Somebody else than Muster writes this event to a calendar of a mailbox; its id and version are replaced. Returns
    /// the id.
    pub fn write_event(&self, mailbox: &str, calendar: &str, event: Event) -> String {
        self.record().put(mailbox, calendar, event)
    }

    /// Somebody else than Muster deletes every event of Muster's.
    pub fn wipe(&self) {
        self.record().wipe();
    }

    /// Everybody at this address gives this answer to every invitation.
    pub fn answer(&self, address: &str, answer: Answer) {
        self.record().answer(|attendee| attendee.party.address == address, answer);
    }

    /// Every room that has not answered gives this answer. Returns whether there was one.
    pub fn rooms_answer(&self, answer: Answer) -> bool {
        let waits =
            |one: &crate::Attendee| one.role == crate::AttendeeRole::Room && one.answer == Answer::None;
        self.record().answer(waits, answer) > 0
    }

    /// The system's own slow work is done: invitations are delivered or withdrawn, rooms accept if they are free and
    /// decline otherwise, online meetings are ready.
    pub fn settle(&self) {
        self.record().settle();
    }
}

/// What happened.
impl Memory {
    /// All events as they were written, with their mailboxes; invitations in other calendars are not among them.
    pub fn events(&self) -> Vec<(String, Event)> {
        self.record().written()
    }

    /// The text of an event; `None` if there is no such event.
    pub fn text(&self, id: &str) -> Option<String> {
        self.record().text(id)
    }

    /// How often an event was created in a mailbox, by mailbox and effect key.
    pub fn created(&self) -> BTreeMap<(String, String), usize> {
        self.record().created.clone()
    }

    /// Whether somebody has called [`Self::wipe`].
    pub fn was_wiped(&self) -> bool {
        self.record().was_wiped
    }

    /// All requests in order, those that failed included.
    pub fn requests(&self) -> Vec<Request> {
        self.record().requests.clone()
    }

    /// The requests since this was last called.
    pub fn take_requests(&self) -> Vec<Request> {
        self.record().take_requests()
    }

    /// The pushes that the system would have sent.
    pub fn pushes(&self) -> Vec<SentPush> {
        self.record().pushes.clone()
    }

    /// The addresses of all rooms in the directory.
    pub fn rooms(&self) -> BTreeSet<String> {
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

    /// More than any test sends.
    fn limits(&self) -> RequestLimits {
        let limit = RateLimit { concurrency: 1_000, rate: 1_000_000, per: Duration::from_secs(1) };
        RequestLimits { whole: limit, mailbox: limit }
    }
}
