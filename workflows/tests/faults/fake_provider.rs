//! A calendar system in memory. Its own record is the judge of what really happened.
//!
//! Refusals stand until they are taken back, so that a step that is repeated meets the same. One request can be hit
//! by a [`Cut`], and the one who made it may die of it: then the request never comes back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use domain::{ProviderKind, TimeRange, provider::Capabilities, state::Answer};
use providers::{
    AttendeeRole, CalendarInfo, CalendarListing, Changes, Channel, Error, ErrorKind, Event, EventChange,
    EventPage, FreeBusy, Mailbox, MailboxKind, NewEvent, Organisation, Page, Party, Person, Provider,
    ProviderFeatures, Remedy, Result, RoomInfo, Session,
};
use tokio::sync::Notify;

/// The rooms of the directory.
pub const ROOMS: [&str; 2] = ["blue@acme.example", "red@acme.example"];
/// The service mailbox.
pub const SERVICE: &str = "service@acme.example";

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    /// It does not arrive, and the caller hears so.
    NotSent,
    /// It is done, and the answer is lost.
    AnswerLost,
    /// The caller dies before it is sent.
    DiesBefore,
    /// The caller dies with the answer under way.
    DiesAfter,
}

impl Cut {
    pub const ALL: [Self; 4] = [Self::NotSent, Self::AnswerLost, Self::DiesBefore, Self::DiesAfter];
}

/// All calendars. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct FakeProvider(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    died: Notify,
}

#[derive(Debug, Clone, Default)]
struct Inner {
    events: BTreeMap<String, (String, Event)>,
    created: BTreeMap<(String, String), usize>,
    refusals: Vec<(&'static str, String, Error)>,
    read_only: BTreeSet<String>,
    forgetful: bool,
    wiped: bool,
    calls: usize,
    cut: Option<(usize, Cut)>,
    cuts: usize,
}

/// An error that passes.
fn busy() -> Error {
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

fn gone() -> Error {
    Error::new(ErrorKind::Gone, Remedy::Never, "404", "The event is gone.")
}

fn not_here<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, Remedy::Never, "unsupported", "There is no such thing here."))
}

impl FakeProvider {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap()
    }

    /// The same calendars once more, for a world of their own. Requests are counted anew.
    pub fn copy(&self) -> Self {
        let inner = Inner { calls: 0, cut: None, cuts: 0, ..self.lock().clone() };
        Self(Arc::new(Shared { inner: Mutex::new(inner), died: Notify::new() }))
    }

    /// Refuses a kind of request (`*`: every kind) about a mailbox (`*`: about any) from now on.
    pub fn refuse(&self, call: &'static str, mailbox: &str, error: Error) {
        self.lock().refusals.push((call, mailbox.to_owned(), error));
    }

    /// Takes back what a mailbox's requests were refused with.
    pub fn relent(&self, mailbox: &str) {
        self.lock().refusals.retain(|(_, about, _)| about != mailbox);
    }

    /// A mailbox may only be read from now on.
    pub fn lock_for_writing(&self, mailbox: &str) {
        self.lock().read_only.insert(mailbox.to_owned());
    }

    /// A provider that does not know a repeated effect key again: whoever repeats has to look first.
    pub fn forget_keys(&self) {
        self.lock().forgetful = true;
    }

    /// The `n`-th request from the beginning of this world is hit.
    pub fn cut(&self, n: usize, cut: Cut) {
        self.lock().cut = Some((n, cut));
    }

    /// How many requests there were, and how many of them were hit.
    pub fn counts(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.calls, inner.cuts)
    }

    /// Returns when a caller has died.
    pub async fn died(&self) {
        self.0.died.notified().await;
    }

    /// Everything that stands in calendars: mailbox and event.
    pub fn events(&self) -> Vec<(String, Event)> {
        self.lock().events.values().cloned().collect()
    }

    /// How often events with the same key were made in one mailbox.
    pub fn created(&self) -> BTreeMap<(String, String), usize> {
        self.lock().created.clone()
    }

    /// Somebody outside of Muster writes an event.
    pub fn human(&self, mailbox: &str, range: TimeRange) {
        let mut inner = self.lock();
        let id = inner.next_id("human");
        let event = Event {
            uid: format!("uid-{id}"),
            effect_key: None,
            title: Some("Lunch".to_owned()),
            ..event(&id, &new_event(mailbox, range))
        };
        inner.events.insert(id, (mailbox.to_owned(), event));
    }

    /// Somebody outside of Muster throws everything of ours away.
    pub fn wipe(&self) {
        let mut inner = self.lock();
        inner.wiped = true;
        inner.events.retain(|_, (_, event)| event.effect_key.is_none());
    }

    /// Whether somebody did.
    pub fn was_wiped(&self) -> bool {
        self.lock().wiped
    }

    /// Every room that was asked and has not answered yet answers. Returns whether there was one.
    pub fn rooms_say(&self, answer: Answer) -> bool {
        let mut inner = self.lock();
        let attendees = inner.events.values_mut().flat_map(|(_, event)| &mut event.attendees);
        let asked = attendees.filter(|one| one.role == AttendeeRole::Room && one.answer == Answer::None);
        asked.map(|room| room.answer = answer).count() > 0
    }

    /// Does what was asked for, unless it is refused or hit.
    async fn call<T>(
        &self,
        call: &'static str,
        mailbox: &str,
        act: impl FnOnce(&mut Inner) -> Result<T> + Send,
    ) -> Result<T> {
        let cut = self.lock().count();
        match cut {
            Some(Cut::NotSent) => return Err(busy()),
            Some(Cut::DiesBefore) => self.die().await,
            _ => {}
        }
        let answer = {
            let mut inner = self.lock();
            match inner.refusal(call, mailbox) {
                Some(error) => Err(error),
                None => act(&mut inner),
            }
        };
        match cut {
            Some(Cut::AnswerLost) => Err(busy().unknown()),
            Some(Cut::DiesAfter) => {
                self.die().await;
                answer
            }
            _ => answer,
        }
    }

    async fn die(&self) {
        self.0.died.notify_one();
        std::future::pending::<()>().await;
    }
}

impl Inner {
    fn next_id(&self, kind: &str) -> String {
        format!("{kind}-{}-{}", self.events.len(), self.created.values().sum::<usize>())
    }

    fn count(&mut self) -> Option<Cut> {
        let n = self.calls;
        self.calls += 1;
        let cut = self.cut.filter(|(at, _)| *at == n).map(|(_, cut)| cut);
        self.cuts += usize::from(cut.is_some());
        cut
    }

    fn refusal(&self, call: &str, mailbox: &str) -> Option<Error> {
        let concerns = |wanted: &str, found: &str| wanted == "*" || wanted == found;
        let found = self.refusals.iter().find(|(of, at, _)| concerns(of, call) && concerns(at, mailbox));
        found.map(|(.., error)| error.clone())
    }

    fn find(&self, mailbox: &str, key: &str) -> Option<Event> {
        let mut here = self.events.values().filter(|(at, _)| at == mailbox).map(|(_, event)| event);
        here.find(|event| event.effect_key.as_deref() == Some(key)).cloned()
    }

    fn create(&mut self, mailbox: &str, new: &NewEvent) -> Result<Event> {
        let key = (mailbox.to_owned(), new.effect_key.clone());
        if !self.forgetful && self.created.contains_key(&key) {
            return self.find(mailbox, &new.effect_key).ok_or_else(gone);
        }
        let id = self.next_id("event");
        *self.created.entry(key).or_default() += 1;
        let event = event(&id, new);
        self.events.insert(id, (mailbox.to_owned(), event.clone()));
        Ok(event)
    }
}

fn new_event(mailbox: &str, range: TimeRange) -> NewEvent {
    let party = Party { name: mailbox.to_owned(), address: mailbox.to_owned() };
    NewEvent {
        effect_key: String::new(),
        title: String::new(),
        text: String::new(),
        range,
        zone: "UTC".to_owned(),
        location: None,
        organiser: party,
        attendees: Vec::new(),
        busy: Some(domain::BusyKind::Busy),
        online_meeting: false,
    }
}

fn event(id: &str, new: &NewEvent) -> Event {
    Event {
        id: id.to_owned(),
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
        online_meeting: None,
    }
}

fn room(address: &str) -> RoomInfo {
    RoomInfo {
        id: address.to_owned(),
        address: address.to_owned(),
        name: address.to_owned(),
        capacity: Some(6),
        building: None,
        floor: None,
        equipment: Vec::new(),
    }
}

#[async_trait]
impl Provider for FakeProvider {
    fn kind(&self) -> ProviderKind {
        ProviderKind::CalDav
    }

    fn features(&self) -> ProviderFeatures {
        ProviderFeatures {
            consent_pages: false,
            own_consent: false,
            invitations: true,
            rooms_answer: true,
            room_directory: true,
            push: false,
            online_meetings: false,
            propagates: true,
        }
    }

    async fn organisation(&self, _: &Session) -> Result<Organisation> {
        let (id, name, domains) = ("acme".to_owned(), "Acme".to_owned(), Vec::new());
        self.call("organisation", "", |_| Ok(Organisation { id, name, domains, zone: None, language: None }))
            .await
    }

    async fn people(&self, _: &Session, _: Option<&str>) -> Result<Page<Person>> {
        self.call("people", "", |_| Ok(Page { items: Vec::new(), next: None })).await
    }

    async fn rooms(&self, _: &Session, _: Option<&str>) -> Result<Page<RoomInfo>> {
        let items = ROOMS.map(room).to_vec();
        self.call("rooms", "", |_| Ok(Page { items, next: None })).await
    }

    async fn mailbox(&self, _: &Session, mailbox: &str) -> Result<Mailbox> {
        let found = Mailbox {
            id: mailbox.to_owned(),
            address: mailbox.to_owned(),
            name: mailbox.to_owned(),
            kind: MailboxKind::Unknown,
            zone: Some("UTC".to_owned()),
            accepts_conflicts: None,
        };
        self.call("mailbox", mailbox, |_| Ok(found)).await
    }

    async fn calendar(&self, _: &Session, mailbox: &str) -> Result<CalendarInfo> {
        self.call("calendar", mailbox, |inner| {
            let writes = !inner.read_only.contains(mailbox);
            let capabilities = Capabilities {
                list: true,
                free_busy: true,
                read_details: true,
                create: writes,
                update: writes,
                delete: writes,
                online_meetings: false,
            };
            Ok(CalendarInfo { id: "default".to_owned(), capabilities })
        })
        .await
    }

    async fn busy(&self, _: &Session, _: &[String], _: TimeRange) -> Result<Vec<(String, Result<FreeBusy>)>> {
        not_here()
    }

    async fn events(
        &self,
        _: &Session,
        mailbox: &str,
        window: TimeRange,
        _: Option<&str>,
    ) -> Result<EventPage> {
        self.call("events", mailbox, |inner| {
            let here =
                inner.events.values().filter(|(at, event)| at == mailbox && event.range.overlaps(&window));
            Ok(EventPage { items: here.map(|(_, event)| event.clone()).collect(), ..EventPage::default() })
        })
        .await
    }

    async fn calendars(&self, _: &Session, _: &str) -> Result<Vec<CalendarListing>> {
        Ok(Vec::new())
    }

    async fn events_of(
        &self,
        session: &Session,
        mailbox: &str,
        _: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        Provider::events(self, session, mailbox, window, after).await
    }

    async fn changes(&self, _: &Session, _: &str, _: TimeRange, _: Option<&str>) -> Result<Changes> {
        not_here()
    }

    async fn create_event(&self, _: &Session, mailbox: &str, new: &NewEvent) -> Result<Event> {
        self.call("create", mailbox, |inner| inner.create(mailbox, new)).await
    }

    async fn find_event(&self, _: &Session, mailbox: &str, effect_key: &str) -> Result<Option<Event>> {
        self.call("find", mailbox, |inner| Ok(inner.find(mailbox, effect_key))).await
    }

    async fn event(&self, _: &Session, mailbox: &str, id: &str) -> Result<Option<Event>> {
        self.call("read", mailbox, |inner| Ok(inner.events.get(id).map(|(_, event)| event.clone()))).await
    }

    async fn update_event(
        &self,
        _: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event> {
        self.call("update", mailbox, |inner| {
            let (_, event) = inner.events.get_mut(id).ok_or_else(gone)?;
            let range = change.range.unwrap_or(event.range);
            // A time that stands already is no news to anybody.
            if range != event.range {
                event.range = range;
                event.attendees.iter_mut().for_each(|one| one.answer = Answer::None);
            }
            Ok(event.clone())
        })
        .await
    }

    async fn cancel_event(&self, _: &Session, mailbox: &str, id: &str, _: &str) -> Result<()> {
        self.call("cancel", mailbox, |inner| {
            inner.events.remove(id);
            Ok(())
        })
        .await
    }

    async fn delete_event(&self, _: &Session, mailbox: &str, id: &str) -> Result<()> {
        self.call("delete", mailbox, |inner| {
            inner.events.remove(id);
            Ok(())
        })
        .await
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
