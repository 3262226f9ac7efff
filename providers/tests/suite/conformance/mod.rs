//! What every connector must do, whatever its protocol: one suite, chosen by what a provider offers.
//!
//! A connector's own test file makes a [`Fixture`] and lists the suite with [`conformance!`]. Each test gets a
//! fixture of its own.

mod changes;
mod offers;
mod online;
mod writing;

use std::{
    any::Any,
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use domain::{BusyKind, ProviderKind, TimeRange, state::Answer};
use providers::{
    Attendee, AttendeeRole, ErrorKind, Event, NamedAddress, NewEvent, Page, Provider, Remedy, Result, Session,
};
use url::Url;

pub use changes::*;
pub use offers::{a_foreign_consent_is_no_token, what_is_said_of_consents_and_hooks_fits_together};
pub use online::an_online_meeting_is_joined_at_an_address_or_refused_plainly;
pub use writing::*;

/// A provider with known mailboxes.
pub struct Fixture {
    /// The connector.
    pub provider: Box<dyn Provider>,
    /// Access to it.
    pub session: Session,
    /// The addresses of all people that the directory lists, in small letters.
    pub people: BTreeSet<String>,
    /// The addresses of all rooms.
    pub rooms: BTreeSet<String>,
    /// Whether people and rooms fill more than one page.
    pub several_pages: bool,
    /// A person whose calendar can be written.
    pub organiser: NamedAddress,
    /// Another one.
    pub guest: NamedAddress,
    /// A room that accepts when it is free.
    pub room: NamedAddress,
    /// An address without a mailbox.
    pub missing: String,
    /// A mailbox that exists and may not be opened.
    pub out_of_scope: Option<String>,
    /// At least 24 mailboxes that exist and may be opened, the organiser among them.
    pub crowd: Vec<String>,
    /// A day on which nobody has anything.
    pub day: TimeRange,
    /// More events than one page holds.
    pub many: usize,
    /// Lets the provider's own slow work, such as rooms' answers, be done.
    pub settle: Box<dyn Fn() + Send + Sync>,
    /// Makes the provider forget every cursor that it has given away.
    pub forget_cursors: Box<dyn Fn() + Send + Sync>,
    /// What has to live as long as the fixture.
    #[expect(dead_code, reason = "held for its drop")]
    pub keep: Box<dyn Any + Send + Sync>,
}

/// Lists the whole suite as tests; `$fixture` is an async function without arguments.
#[macro_export]
macro_rules! conformance {
    ($fixture:path) => {
        $crate::conformance!($fixture:
            the_organisation_has_an_id_and_a_name,
            people_and_rooms_are_listed_completely_and_once,
            a_mailbox_is_there_or_missing_or_out_of_scope,
            the_calendar_of_a_person_can_be_written,
            busy_times_of_many_mailboxes_come_one_verdict_each,
            busy_times_follow_what_is_written,
            the_events_of_a_window_come_over_pages_completely_and_once,
            an_event_lives_and_dies_by_its_key,
            attendees_are_replaced_as_a_whole,
            an_invitation_stands_in_the_guests_calendar,
            a_room_answers_its_invitation,
            an_event_without_attendees_is_deleted_quietly,
            an_event_that_never_was_is_none,
            pushes_are_offered_or_refused_plainly,
            what_is_said_of_consents_and_hooks_fits_together,
            a_foreign_consent_is_no_token,
            changes_since_a_cursor_bring_a_copy_up_to_date,
            a_cursor_that_was_forgotten_is_said_so,
            an_online_meeting_is_joined_at_an_address_or_refused_plainly,
            a_watermark_tells_whether_anything_has_changed,
            a_watermark_that_was_forgotten_or_is_anothers_is_replaced,
        );
    };
    ($fixture:path: $($test:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $test() {
            conformance::$test(&$fixture().await).await;
        }
    )*};
}

/// Tells a sandbox's control API to do something. The suite's hooks are no async functions, so this is a plain
/// request.
pub fn tell(sandbox: &Url, path: &str) {
    let host = format!("{}:{}", sandbox.host_str().unwrap(), sandbox.port().unwrap());
    let mut stream = TcpStream::connect(&host).unwrap();
    let request = format!(
        "POST /control/{path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

impl Fixture {
    /// Hours of the quiet day.
    fn hours(&self, start: i64, end: i64) -> TimeRange {
        let at = |hour| self.day.start + chrono::Duration::hours(hour);
        TimeRange::new(at(start), at(end)).unwrap()
    }

    fn meeting(&self, key: &str, range: TimeRange) -> NewEvent {
        NewEvent {
            effect_key: key.to_owned(),
            title: format!("Meeting {key}"),
            text: "Agenda".to_owned(),
            range,
            zone: "Europe/Berlin".to_owned(),
            location: None,
            organiser: self.organiser.clone(),
            attendees: Vec::new(),
            busy: Some(BusyKind::Busy),
            online_meeting: false,
        }
    }

    async fn create(&self, event: &NewEvent) -> Event {
        self.provider.create_event(&self.session, &self.organiser.address, event).await.unwrap()
    }

    async fn find(&self, key: &str) -> Option<Event> {
        self.provider.find_event(&self.session, &self.organiser.address, key).await.unwrap()
    }

    async fn all_events(&self, mailbox: &str, window: TimeRange) -> (Vec<Event>, usize) {
        let mut all = Vec::new();
        let (mut after, mut pages) = (None, 0);
        loop {
            let page = self.provider.events(&self.session, mailbox, window, after.as_deref()).await.unwrap();
            pages += 1;
            all.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return (all, pages),
            }
        }
    }

    async fn busy(&self, mailbox: &str) -> Vec<(TimeRange, BusyKind)> {
        let asked = [mailbox.to_owned()];
        let mut answers = self.provider.busy(&self.session, &asked, self.day).await.unwrap();
        assert_eq!(answers.len(), 1);
        answers.remove(0).1.unwrap().busy.into_iter().map(|busy| (busy.range, busy.kind)).collect()
    }
}

fn invited(party: &NamedAddress, role: AttendeeRole) -> Attendee {
    Attendee { party: party.clone(), role, answer: Answer::None }
}

fn small(address: &str) -> String {
    address.to_lowercase()
}

/// Checks one list: every address once, over one page or several.
async fn check_list<T, F, G>(expected: &BTreeSet<String>, several: bool, mut page: F, address: G)
where
    F: AsyncFnMut(Option<String>) -> Result<Page<T>>,
    G: Fn(&T) -> &str,
{
    let mut seen = Vec::new();
    let (mut after, mut pages) = (None, 0);
    loop {
        let got = page(after).await.unwrap();
        pages += 1;
        seen.extend(got.items.iter().map(|item| small(address(item))));
        after = got.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages > 1, several, "it took {pages} pages");
    let set: BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!(set.len(), seen.len(), "no address comes twice");
    assert_eq!(set, *expected);
}

pub async fn the_organisation_has_an_id_and_a_name(f: &Fixture) {
    let organisation = f.provider.organisation(&f.session).await.unwrap();
    assert!(!organisation.id.is_empty(), "it has an id");
    assert!(!organisation.name.is_empty(), "it has a name");
    let tells = matches!(f.provider.kind(), ProviderKind::Microsoft365 | ProviderKind::GoogleWorkspace);
    assert_eq!(organisation.language.as_deref(), tells.then_some("en"));
    let again = f.provider.organisation(&f.session).await.unwrap();
    assert_eq!(again, organisation);
}

pub async fn people_and_rooms_are_listed_completely_and_once(f: &Fixture) {
    let people = async |after: Option<String>| f.provider.people(&f.session, after.as_deref()).await;
    check_list(&f.people, f.several_pages, people, |person| &person.address).await;
    let rooms = async |after: Option<String>| f.provider.rooms(&f.session, after.as_deref()).await;
    check_list(&f.rooms, f.several_pages, rooms, |room| &room.address).await;
    assert!(f.people.is_disjoint(&f.rooms), "a room is not a person");
}

pub async fn a_mailbox_is_there_or_missing_or_out_of_scope(f: &Fixture) {
    let there = f.provider.mailbox(&f.session, &f.organiser.address).await.unwrap();
    assert_eq!(small(&there.address), small(&f.organiser.address));
    let missing = f.provider.mailbox(&f.session, &f.missing).await.unwrap_err();
    assert_eq!((missing.kind, missing.remedy), (ErrorKind::NoMailbox, Remedy::SkipMailbox));
    if let Some(closed) = &f.out_of_scope {
        let error = f.provider.calendar(&f.session, closed).await.unwrap_err();
        assert_eq!((error.kind, error.remedy), (ErrorKind::OutOfScope, Remedy::SkipMailbox));
        let event = f.meeting("closed", f.hours(9, 10));
        let error = f.provider.create_event(&f.session, closed, &event).await.unwrap_err();
        assert_eq!((error.kind, error.unknown), (ErrorKind::OutOfScope, false));
    }
}

pub async fn the_calendar_of_a_person_can_be_written(f: &Fixture) {
    let calendar = f.provider.calendar(&f.session, &f.organiser.address).await.unwrap();
    assert!(calendar.capabilities.can_write(), "{:?}", calendar.capabilities);
    assert!(
        calendar.capabilities.list && calendar.capabilities.free_busy && calendar.capabilities.read_details
    );
}

pub async fn busy_times_of_many_mailboxes_come_one_verdict_each(f: &Fixture) {
    let mut asked: Vec<String> = f.crowd.iter().take(24).cloned().collect();
    assert_eq!(asked.len(), 24, "the fixture names enough mailboxes");
    asked.insert(7, f.missing.clone());
    let answers = f.provider.busy(&f.session, &asked, f.day).await.unwrap();
    assert!(answers.iter().map(|(mailbox, _)| mailbox).eq(&asked), "in the order asked");
    for (mailbox, verdict) in &answers {
        match verdict {
            Ok(busy) => assert!(busy.busy.is_empty() && *mailbox != f.missing, "{mailbox}: {busy:?}"),
            Err(error) => {
                assert_eq!((mailbox, error.remedy), (&f.missing, Remedy::SkipMailbox), "{error:?}");
            }
        }
    }
}

pub async fn busy_times_follow_what_is_written(f: &Fixture) {
    let mailbox = f.organiser.address.as_str();
    assert_eq!(f.busy(mailbox).await, []);
    f.create(&f.meeting("first", f.hours(9, 10))).await;
    f.create(&f.meeting("second", f.hours(10, 11))).await;
    f.create(&NewEvent { busy: Some(BusyKind::Tentative), ..f.meeting("third", f.hours(13, 14)) }).await;
    f.create(&NewEvent { busy: None, ..f.meeting("free", f.hours(16, 17)) }).await;
    // Google tells of one kind of busy only; events tell what is tentative.
    let perhaps = match f.provider.kind() {
        ProviderKind::GoogleWorkspace => BusyKind::Busy,
        _ => BusyKind::Tentative,
    };
    let events = f.all_events(mailbox, f.day).await.0;
    let third = events.iter().find(|event| event.title.as_deref() == Some("Meeting third")).unwrap();
    assert_eq!(third.busy, Some(BusyKind::Tentative));
    let expected = [(f.hours(9, 11), BusyKind::Busy), (f.hours(13, 14), perhaps)];
    assert_eq!(f.busy(mailbox).await, expected, "touching pieces are joined, free time is left out");
}

pub async fn the_events_of_a_window_come_over_pages_completely_and_once(f: &Fixture) {
    let window = f.hours(9, 17);
    f.create(&f.meeting("before", f.hours(8, 9))).await;
    f.create(&f.meeting("after", f.hours(17, 18))).await;
    f.create(&f.meeting("over-the-start", f.hours(8, 10))).await;
    f.create(&f.meeting("over-the-end", f.hours(16, 18))).await;
    let mut expected =
        BTreeSet::from(["Meeting over-the-start".to_owned(), "Meeting over-the-end".to_owned()]);
    for n in 0..f.many {
        let event = f.meeting(&format!("n-{n}"), f.hours(10, 11));
        expected.insert(event.title.clone());
        f.create(&event).await;
    }
    let (events, pages) = f.all_events(&f.organiser.address, window).await;
    let titles: Vec<String> = events.into_iter().filter_map(|event| event.title).collect();
    assert_eq!(titles.iter().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(titles.len(), expected.len(), "no event comes twice");
    assert_eq!(pages > 1, f.several_pages, "it took {pages} pages");
}

pub async fn pushes_are_offered_or_refused_plainly(f: &Fixture) {
    if f.provider.features().push {
        return;
    }
    let url = "https://cal.test/hooks";
    let error = f.provider.watch(&f.session, &f.organiser.address, url, "secret").await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::Unsupported, Remedy::Never));
}
