//! A calendar system in memory, with faults that are planted.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use domain::{ProviderKind, TimeRange, state::Answer};
use providers::{
    CalendarInfo, CalendarListing, Changes, Channel, Error, ErrorKind, Event, EventChange, EventPage,
    FreeBusy, Mailbox, NewEvent, OnlineMeeting, Organisation, Page, Person, Provider, ProviderFeatures,
    Remedy, Result, RoomInfo, Session,
};

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing has happened yet.
    Before,
    /// It has happened, but the answer is lost.
    After,
}

/// Whom [`Calendars::close`] means when the directory itself fails.
pub const DIRECTORY: &str = "";

/// The calendars of all mailboxes. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Calendars(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    events: BTreeMap<(String, String), Event>,
    texts: BTreeMap<String, String>,
    faults: VecDeque<(&'static str, When, Error)>,
    closed: BTreeMap<String, Error>,
    meets: Option<OnlineMeeting>,
    calls: Vec<String>,
    served: bool,
    read: Vec<String>,
    zones: BTreeMap<String, Option<String>>,
    listed: Vec<CalendarListing>,
    hangs: bool,
    slow: Option<(domain::TestClock, chrono::Duration)>,
    directories: Vec<String>,
}

/// An error that passes.
pub fn busy() -> Error {
    Error::new(ErrorKind::Unavailable, Remedy::RetryAfter(Duration::from_secs(1)), "503", "A bad moment.")
}

/// The mailbox is not in the agreed scope.
pub fn out_of_scope() -> Error {
    Error::new(ErrorKind::OutOfScope, Remedy::SkipMailbox, "403", "This mailbox is outside the agreed scope.")
}

/// The consent is gone.
pub fn lost() -> Error {
    Error::new(ErrorKind::GrantLost, Remedy::Reconnect, "invalid_grant", "The consent is gone.")
}

/// The request is impossible.
pub fn refused() -> Error {
    Error::new(ErrorKind::Invalid, Remedy::Never, "400", "The calendar refused this.")
}

impl Calendars {
    /// The next such call fails.
    pub fn fail(&self, call: &'static str, when: When, error: Error) {
        self.lock().faults.push_back((call, when, error));
    }

    /// Mailboxes are looked at and read from now on, and a directory without anybody is listed.
    pub fn serve(&self) {
        self.lock().served = true;
    }

    /// The mailboxes that were asked for their events since this was asked last, in order.
    pub fn read(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().read)
    }

    /// In which zone a mailbox's days stood when it was asked for its events last.
    pub fn zone(&self, mailbox: &str) -> Option<String> {
        self.lock().zones.get(mailbox).cloned().flatten()
    }

    /// Every mailbox has these calendars from now on.
    pub fn list(&self, calendars: &[CalendarListing]) {
        self.lock().listed = calendars.to_vec();
    }

    /// The next directory that is asked never answers.
    pub fn hang(&self) {
        self.lock().hangs = true;
    }

    /// Every directory takes this long from now on.
    pub fn slow_down(&self, clock: &domain::TestClock, by: chrono::Duration) {
        self.lock().slow = Some((clock.clone(), by));
    }

    /// The accesses by which directories were asked, in order.
    pub fn directories(&self) -> Vec<String> {
        self.lock().directories.clone()
    }

    fn served(&self) -> Result<()> {
        if self.lock().served { Ok(()) } else { not_here() }
    }

    /// Everything about a mailbox fails from now on.
    pub fn close(&self, mailbox: &str, error: Error) {
        self.lock().closed.insert(mailbox.to_owned(), error);
    }

    /// A mailbox can be reached again.
    pub fn open(&self, mailbox: &str) {
        self.lock().closed.remove(mailbox);
    }

    /// All events: mailbox and event.
    pub fn events(&self) -> Vec<(String, Event)> {
        self.lock().events.iter().map(|((mailbox, _), event)| (mailbox.clone(), event.clone())).collect()
    }

    /// The only event's text.
    pub fn text(&self) -> String {
        self.lock().texts.values().next().cloned().unwrap_or_default()
    }

    /// How often something was asked for.
    pub fn calls(&self, call: &str) -> usize {
        self.lock().calls.iter().filter(|made| *made == call).count()
    }

    /// Everybody at this address answers.
    pub fn answer(&self, address: &str, answer: Answer) {
        let mut inner = self.lock();
        let attendees = inner.events.values_mut().flat_map(|event| &mut event.attendees);
        attendees.filter(|one| one.party.address == address).for_each(|one| one.answer = answer);
    }

    /// There are online meetings from now on, and so it stands with all of them.
    pub fn meet(&self, meeting: OnlineMeeting) {
        let mut inner = self.lock();
        let known = inner.events.values_mut().filter_map(|event| event.online_meeting.as_mut());
        known.for_each(|known| *known = meeting.clone());
        inner.meets = Some(meeting);
    }

    /// There are no online meetings any more.
    pub fn meet_no_more(&self) {
        self.lock().meets = None;
    }

    /// Somebody throws every event away.
    pub fn wipe(&self) {
        self.lock().events.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Does something, unless a fault was planted.
    fn call<T>(&self, call: &'static str, mailbox: &str, act: impl FnOnce(&mut Inner) -> T) -> Result<T> {
        let mut inner = self.lock();
        inner.calls.push(call.to_owned());
        if let Some(error) = inner.closed.get(mailbox) {
            return Err(error.clone());
        }
        let fault = inner.faults.iter().position(|(planted, ..)| *planted == call);
        match fault.and_then(|at| inner.faults.remove(at)) {
            None => Ok(act(&mut inner)),
            Some((_, When::Before, error)) => Err(error),
            Some((_, When::After, error)) => {
                act(&mut inner);
                Err(error.unknown())
            }
        }
    }
}

fn not_here<T>() -> Result<T> {
    Err(Error::new(
        ErrorKind::Unsupported,
        Remedy::Never,
        "unsupported",
        "This calendar system has no such thing.",
    ))
}

fn gone() -> Error {
    Error::new(ErrorKind::Gone, Remedy::Never, "404", "The event is gone.")
}

#[async_trait]
impl Provider for Calendars {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Microsoft365
    }

    fn features(&self) -> ProviderFeatures {
        ProviderFeatures {
            consent_pages: true,
            own_consent: true,
            invitations: true,
            rooms_answer: true,
            room_directory: true,
            push: false,
            online_meetings: self.lock().meets.is_some(),
            propagates: true,
        }
    }

    async fn organisation(&self, session: &Session) -> Result<Organisation> {
        let hangs = {
            let mut inner = self.lock();
            inner.directories.push(session.scope.to_string());
            inner.slow.iter().for_each(|(clock, by)| clock.advance(*by));
            std::mem::take(&mut inner.hangs)
        };
        if hangs {
            return std::future::pending().await;
        }
        let (id, name, domains) = ("acme".to_owned(), "Acme".to_owned(), Vec::new());
        self.call("organisation", DIRECTORY, |_| Organisation {
            id,
            name,
            domains,
            zone: None,
            language: None,
        })
    }

    async fn people(&self, _: &Session, _: Option<&str>) -> Result<Page<Person>> {
        self.served().map(|()| Page { items: Vec::new(), next: None })
    }

    async fn rooms(&self, _: &Session, _: Option<&str>) -> Result<Page<RoomInfo>> {
        self.served().map(|()| Page { items: Vec::new(), next: None })
    }

    async fn mailbox(&self, _: &Session, mailbox: &str) -> Result<Mailbox> {
        self.call("mailbox", mailbox, |_| ())?;
        self.served().map(|()| Mailbox {
            id: mailbox.to_owned(),
            address: mailbox.to_owned(),
            name: mailbox.to_owned(),
            kind: providers::MailboxKind::Person,
            zone: None,
            accepts_conflicts: None,
        })
    }

    async fn calendar(&self, _: &Session, mailbox: &str) -> Result<CalendarInfo> {
        let may = self.lock().served;
        let capabilities = domain::provider::Capabilities {
            create: may,
            update: may,
            delete: may,
            ..domain::provider::Capabilities::default()
        };
        self.call("calendar", mailbox, |_| CalendarInfo { id: "default".to_owned(), capabilities })
    }

    async fn busy(&self, _: &Session, _: &[String], _: TimeRange) -> Result<Vec<(String, Result<FreeBusy>)>> {
        not_here()
    }

    async fn events(
        &self,
        session: &Session,
        mailbox: &str,
        _: TimeRange,
        _: Option<&str>,
    ) -> Result<EventPage> {
        self.served()?;
        let zone = session.zone.as_ref().map(|zone| zone.name().to_owned());
        self.lock().zones.insert(mailbox.to_owned(), zone);
        self.lock().read.push(mailbox.to_owned());
        self.call("events", mailbox, |_| EventPage::default())
    }

    async fn calendars(&self, _: &Session, mailbox: &str) -> Result<Vec<CalendarListing>> {
        self.call("calendars", mailbox, |inner| inner.listed.clone())
    }

    async fn events_of(
        &self,
        _: &Session,
        mailbox: &str,
        calendar: &str,
        window: TimeRange,
        _: Option<&str>,
    ) -> Result<EventPage> {
        self.lock().read.push(format!("{mailbox} {calendar}"));
        if !self.lock().listed.iter().any(|listed| listed.id == calendar) {
            return Err(gone());
        }
        // One event of the same series in each calendar.
        let event = Event {
            id: format!("{calendar}-1"),
            uid: "uid".to_owned(),
            version: "1".to_owned(),
            series: None,
            effect_key: None,
            title: Some(calendar.to_owned()),
            range: TimeRange { start: window.start, end: window.start + chrono::Duration::hours(1) },
            all_day: false,
            busy: Some(domain::BusyKind::Busy),
            private: false,
            organiser: None,
            attendees: Vec::new(),
            online_meeting: None,
        };
        let page = EventPage { items: vec![event], ..EventPage::default() };
        self.call("events", mailbox, |_| page)
    }

    async fn changes(&self, _: &Session, _: &str, _: TimeRange, _: Option<&str>) -> Result<Changes> {
        not_here()
    }

    async fn create_event(&self, _: &Session, mailbox: &str, new: &NewEvent) -> Result<Event> {
        self.call("create", mailbox, |inner| {
            let id = format!("event-{}", inner.events.len() + 1);
            let event = Event {
                id: id.clone(),
                uid: format!("uid-{}", new.effect_key),
                version: "1".to_owned(),
                series: None,
                effect_key: Some(new.effect_key.clone()),
                title: Some(new.title.clone()),
                range: new.range,
                all_day: false,
                busy: new.busy,
                private: false,
                organiser: Some(new.organiser.clone()),
                attendees: new.attendees.clone(),
                online_meeting: inner.meets.clone().filter(|_| new.online_meeting),
            };
            inner.texts.insert(id.clone(), new.text.clone());
            inner.events.insert((mailbox.to_owned(), id), event.clone());
            event
        })
    }

    async fn find_event(&self, _: &Session, mailbox: &str, effect_key: &str) -> Result<Option<Event>> {
        self.call("find", mailbox, |inner| {
            let mut here = inner.events.iter().filter(|((at, _), _)| at == mailbox).map(|(_, event)| event);
            here.find(|event| event.effect_key.as_deref() == Some(effect_key)).cloned()
        })
    }

    async fn event(&self, _: &Session, mailbox: &str, id: &str) -> Result<Option<Event>> {
        let key = (mailbox.to_owned(), id.to_owned());
        self.call("read", mailbox, |inner| inner.events.get(&key).cloned())
    }

    async fn update_event(
        &self,
        _: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event> {
        let key = (mailbox.to_owned(), id.to_owned());
        self.call("update", mailbox, |inner| {
            let event = inner.events.get_mut(&key)?;
            event.range = change.range.unwrap_or(event.range);
            event.attendees.iter_mut().for_each(|one| one.answer = Answer::None);
            Some(event.clone())
        })?
        .ok_or_else(gone)
    }

    async fn cancel_event(&self, _: &Session, mailbox: &str, id: &str, _: &str) -> Result<()> {
        let key = (mailbox.to_owned(), id.to_owned());
        self.call("cancel", mailbox, |inner| {
            inner.events.remove(&key);
        })
    }

    async fn delete_event(&self, _: &Session, _: &str, _: &str) -> Result<()> {
        not_here()
    }

    async fn watch(&self, _: &Session, _: &str, _: &str, _: &str) -> Result<Channel> {
        not_here()
    }

    async fn renew(&self, _: &Session, _: &str) -> Result<Channel> {
        not_here()
    }

    async fn unwatch(&self, _: &Session, _: &str) -> Result<()> {
        not_here()
    }
}
