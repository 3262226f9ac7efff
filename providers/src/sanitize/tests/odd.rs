//! A connector that returns odd texts and ids everywhere, or fails every call.

use std::sync::Mutex;

use domain::{BusyKind, UnreadableItem, UnreadableReason, provider::Capabilities, state::Answer};

use super::super::*;
use crate::{
    Attendee, AttendeeRole, CalendarKind, ErrorKind, MailboxKind, NamedAddress, OnlineMeeting, RateLimit,
    Remedy, messages,
};

/// An id that no store accepts unescaped.
pub(super) const ID: &str = "id\0\u{7F}\u{FFFF}%";

fn odd(text: &str) -> String {
    format!("{text}\0\u{1}\u{8}\n\u{9F}\u{FDD0}\u{10FFFE}")
}

fn party() -> NamedAddress {
    NamedAddress { name: odd("name"), address: odd("anna@acme.example") }
}

pub(super) fn event() -> Event {
    let start = domain::Timestamp::UNIX_EPOCH;
    Event {
        id: ID.to_owned(),
        uid: odd("uid"),
        version: odd("version"),
        series: Some(odd("some")),
        effect_key: Some(odd("some")),
        title: Some(odd("some")),
        range: TimeRange { start, end: start + chrono::Duration::hours(1) },
        all_day: false,
        busy: Some(BusyKind::Busy),
        private: false,
        organiser: Some(party()),
        attendees: vec![Attendee { party: party(), role: AttendeeRole::Room, answer: Answer::Accepted }],
        online_meeting: Some(OnlineMeeting::Ready(odd("https://meet.example/"))),
    }
}

fn unreadable() -> UnreadableItem {
    UnreadableItem { uid: odd("uid"), reason: UnreadableReason::NoTimes, blocks: true }
}

/// A connector that returns odd texts everywhere, and records the ids and cursors it receives.
#[derive(Debug, Default)]
pub(super) struct Odd {
    pub(super) fails: bool,
    pub(super) given: Mutex<Vec<String>>,
}

impl Odd {
    fn answer<T>(&self, given: Option<&str>, answer: T) -> Result<T> {
        self.given.lock().unwrap().extend(given.map(str::to_owned));
        if !self.fails {
            return Ok(answer);
        }
        let error = Error::new(
            ErrorKind::Unavailable,
            Remedy::Never,
            odd("code"),
            messages::response_not_understood(odd("message")),
        );
        Err(Error { request_id: Some(odd("some")), ..error })
    }

    fn event_page(&self, after: Option<&str>) -> Result<EventPage> {
        let (items, unreadable) = (vec![event()], vec![unreadable()]);
        self.answer(after, EventPage { items, unreadable, next: Some(ID.to_owned()) })
    }

    fn page<T>(&self, after: Option<&str>, item: T) -> Result<Page<T>> {
        self.answer(after, Page { items: vec![item], next: Some(ID.to_owned()) })
    }
}

impl Provider for Odd {
    fn kind(&self) -> ProviderKind {
        ProviderKind::CalDav
    }

    fn features(&self) -> ProviderFeatures {
        ProviderFeatures {
            propagates: false,
            verified_organisation: false,
            own_consent: false,
            invitations: false,
            rooms_answer: false,
            room_directory: false,
            push: true,
            online_meetings: false,
        }
    }

    fn limits(&self) -> RequestLimits {
        let limit = RateLimit { concurrency: 1, rate: 1, per: std::time::Duration::from_secs(1) };
        RequestLimits { whole: limit, mailbox: limit }
    }
}

#[async_trait]
impl Onboarding for Odd {
    fn consent_flow(&self) -> ConsentFlow {
        ConsentFlow::Pages
    }

    async fn redeem(&self, _: SignInPurpose, _: &CodeExchange<'_>) -> Result<Option<SignedInAccount>> {
        let signed_in = SignedInAccount {
            account: ID.to_owned(),
            username: odd("anna@acme.example"),
            organisation: Some(ID.to_owned()),
            domain: Some(odd("acme.example")),
            may_consent: true,
            refresh_token: None,
        };
        self.answer(None, Some(signed_in))
    }
}

#[async_trait]
impl Directory for Odd {
    async fn organisation(&self, _: &Session) -> Result<Organisation> {
        let (id, name, domains) = (ID.to_owned(), odd("name"), vec![odd("acme.example")]);
        self.answer(
            None,
            Organisation { id, name, domains, zone: Some(odd("some")), language: Some(odd("some")) },
        )
    }

    async fn people(&self, _: &Session, after: Option<&str>) -> Result<Page<Person>> {
        let (id, address, name) = (ID.to_owned(), odd("anna@acme.example"), odd("name"));
        self.page(after, Person { id, address, name, organisation: Some(ID.to_owned()) })
    }

    async fn rooms(&self, _: &Session, after: Option<&str>) -> Result<Page<RoomInfo>> {
        let room = RoomInfo {
            id: ID.to_owned(),
            address: odd("room@acme.example"),
            name: odd("name"),
            capacity: None,
            building: Some(odd("some")),
            floor: Some(odd("some")),
            equipment: vec![odd("beamer")],
        };
        self.page(after, room)
    }

    async fn mailbox(&self, _: &Session, _: &str) -> Result<Mailbox> {
        let mailbox = Mailbox {
            id: ID.to_owned(),
            address: odd("anna@acme.example"),
            name: odd("name"),
            kind: MailboxKind::Unknown,
            zone: Some(odd("some")),
            accepts_conflicts: None,
        };
        self.answer(None, mailbox)
    }
}

#[async_trait]
impl Events for Odd {
    async fn calendar(&self, _: &Session, _: &str) -> Result<CalendarInfo> {
        self.answer(None, CalendarInfo { id: ID.to_owned(), capabilities: Capabilities::default() })
    }

    async fn busy(
        &self,
        _: &Session,
        mailboxes: &[String],
        _: TimeRange,
    ) -> Result<Vec<(String, Result<FreeBusy>)>> {
        let failed = Self { fails: true, ..Self::default() }.answer(None, FreeBusy::default());
        let verdicts = [Ok(FreeBusy { busy: Vec::new(), unreadable: vec![unreadable()] }), failed];
        let each =
            mailboxes.iter().flat_map(|mailbox| verdicts.clone().map(|verdict| (mailbox.clone(), verdict)));
        self.answer(None, each.collect())
    }

    async fn events(&self, _: &Session, _: &str, _: TimeRange, after: Option<&str>) -> Result<EventPage> {
        self.event_page(after)
    }

    async fn calendars(&self, _: &Session, _: &str) -> Result<Vec<CalendarListing>> {
        let (id, name) = (ID.to_owned(), odd("name"));
        self.answer(None, vec![CalendarListing { id, name, kind: CalendarKind::Shared, counts: true }])
    }

    async fn events_of(
        &self,
        _: &Session,
        _: &str,
        calendar: &str,
        _: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        self.given.lock().unwrap().push(calendar.to_owned());
        self.event_page(after)
    }

    async fn create_event(&self, _: &Session, _: &str, _: &NewEvent) -> Result<Event> {
        self.answer(None, event())
    }

    async fn find_event(&self, _: &Session, _: &str, _: &str) -> Result<Option<Event>> {
        self.answer(None, Some(event()))
    }

    async fn event(&self, _: &Session, _: &str, id: &str) -> Result<Option<Event>> {
        self.answer(Some(id), Some(event()))
    }

    async fn update_event(&self, _: &Session, _: &str, id: &str, _: &EventChange) -> Result<Event> {
        self.answer(Some(id), event())
    }

    async fn cancel_event(&self, _: &Session, _: &str, id: &str, _: &str) -> Result<()> {
        self.answer(Some(id), ())
    }

    async fn delete_event(&self, _: &Session, _: &str, id: &str) -> Result<()> {
        self.answer(Some(id), ())
    }
}

#[async_trait]
impl ChangeFeed for Odd {
    async fn changes(&self, _: &Session, _: &str, _: TimeRange, cursor: Option<&str>) -> Result<Changes> {
        let changes = Changes {
            gone: vec![ID.to_owned()],
            changed: vec![event()],
            unreadable: vec![unreadable()],
            cursor: ID.to_owned(),
            more: false,
        };
        self.answer(cursor, changes)
    }

    async fn poll_changes(
        &self,
        _: &Session,
        _: &str,
        _: TimeRange,
        watermark: Option<&str>,
    ) -> Result<ChangeCheck> {
        self.answer(watermark, ChangeCheck::Changed(Some(ID.to_owned())))
    }
}

#[async_trait]
impl Push for Odd {
    async fn watch(&self, _: &Session, _: &str, _: &str, _: &str) -> Result<Channel> {
        self.answer(None, Channel { id: ID.to_owned(), expires_at: domain::Timestamp::UNIX_EPOCH })
    }

    async fn renew(&self, _: &Session, channel: &str) -> Result<Channel> {
        self.answer(Some(channel), Channel { id: ID.to_owned(), expires_at: domain::Timestamp::UNIX_EPOCH })
    }

    async fn unwatch(&self, _: &Session, channel: &str) -> Result<()> {
        self.answer(Some(channel), ())
    }
}
