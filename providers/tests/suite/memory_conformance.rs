//! The provider in memory by the suite that holds for every connector, and the faults that can be planted in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use domain::{Message, ProviderKind, TimeRange};
use providers::{
    ChannelNotification, Credential, Directory as _, Error, ErrorKind, Events as _, NamedAddress, NewEvent,
    OnlineMeeting, Organisation, ParsedPush, Person, Push as _, PushRequest, Remedy, RoomInfo, Session,
    StaticCredentials, UnlimitedGate,
    memory::{FaultTiming, Memory, Method, RequestFault},
};

use crate::conformance::{self, Fixture};

/// More than one page of people, of rooms, and of events.
const PEOPLE: usize = 60;
const ROOMS: usize = 55;
const EVENTS: usize = 55;

fn person(n: usize) -> Person {
    let address = format!("person-{n}@acme.example");
    Person { id: format!("p{n}"), name: format!("Person {n}"), address, organisation: None }
}

fn room(n: usize) -> RoomInfo {
    RoomInfo {
        id: format!("r{n}"),
        address: format!("room-{n}@acme.example"),
        name: format!("Room {n}"),
        capacity: Some(6),
        building: None,
        floor: None,
        equipment: Vec::new(),
    }
}

fn session(password: &str) -> Session {
    let login = Credential::Basic { user: "svc".to_owned(), password: password.into() };
    Session {
        credentials: Arc::new(StaticCredentials(login)),
        gate: Arc::new(UnlimitedGate),
        server: None,
        account: "svc".to_owned(),
        own: false,
        zone: None,
        scope: "memory".into(),
        rooms: None,
    }
}

fn out_of_scope() -> Error {
    Error::new(
        ErrorKind::OutOfScope,
        Remedy::SkipMailbox,
        "403",
        Message::verbatim("Outside the agreed scope."),
    )
}

fn system() -> Memory {
    let memory = Memory::new(ProviderKind::CalDav);
    memory.require_login("svc", "right");
    memory.add_people((0..PEOPLE).map(person));
    memory.add_rooms((0..ROOMS).map(room));
    memory.restrict_to_directory();
    memory.refuse_requests(None, "person-0@acme.example", out_of_scope());
    memory
}

fn day() -> TimeRange {
    let start = "2026-12-01T00:00:00Z".parse().unwrap();
    TimeRange::new(start, start + chrono::Duration::days(1)).unwrap()
}

fn party(name: String, address: String) -> NamedAddress {
    NamedAddress { name, address }
}

async fn fixture_of(memory: Memory) -> Fixture {
    let (settling, forgetful) = (memory.clone(), memory.clone());
    let of = |n| party(person(n).name, person(n).address);
    Fixture {
        session: session("right"),
        people: (0..PEOPLE).map(|n| person(n).address).collect(),
        rooms: (0..ROOMS).map(|n| room(n).address).collect(),
        several_pages: true,
        organiser: of(1),
        guest: of(2),
        room: party(room(0).name, room(0).address),
        missing: "nobody@acme.example".to_owned(),
        out_of_scope: Some(person(0).address),
        crowd: (1..30).map(|n| person(n).address).collect(),
        day: day(),
        many: EVENTS,
        settle: Box::new(move || settling.finish_pending_work()),
        forget_cursors: Box::new(move || forgetful.invalidate_cursors()),
        keep: Box::new(()),
        provider: Box::new(memory),
    }
}

mod plain {
    use super::{Fixture, conformance};

    async fn fixture() -> Fixture {
        super::fixture_of(super::system()).await
    }

    conformance!(fixture);
}

mod with_everything {
    use super::{Fixture, OnlineMeeting, conformance};

    async fn fixture() -> Fixture {
        let memory = super::system();
        memory.enable_online_meetings(OnlineMeeting::Pending);
        memory.change_features(|features| features.push = true);
        super::fixture_of(memory).await
    }

    conformance!(fixture);
}

fn event(key: &str) -> NewEvent {
    NewEvent {
        effect_key: key.to_owned(),
        title: key.to_owned(),
        text: "Agenda".to_owned(),
        range: TimeRange::new(day().start, day().start + chrono::Duration::hours(1)).unwrap(),
        zone: "UTC".to_owned(),
        location: None,
        organiser: party(person(1).name, person(1).address),
        attendees: Vec::new(),
        busy: Some(domain::BusyKind::Busy),
        online_meeting: false,
    }
}

#[tokio::test]
async fn a_wrong_login_is_refused() {
    let error = system().organisation(&session("wrong")).await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::GrantLost, Remedy::Reconnect));
    let named = Organisation {
        name: "Renamed".to_owned(),
        ..system().organisation(&session("right")).await.unwrap()
    };
    let memory = system();
    memory.set_organisation(named.clone());
    assert_eq!(memory.organisation(&session("right")).await.unwrap(), named);
}

#[tokio::test]
async fn a_planted_failure_strikes_once_before_or_after_the_effect() {
    let (memory, session, mailbox) = (system(), session("right"), person(1).address);
    for (when, events) in [(FaultTiming::Before, 0), (FaultTiming::After, 1)] {
        memory.fail_next(Method::Create, when, out_of_scope());
        let error = memory.create_event(&session, &mailbox, &event("planted")).await.unwrap_err();
        assert_eq!((error.unknown, memory.events().len()), (when == FaultTiming::After, events));
    }
    let repeated = memory.create_event(&session, &mailbox, &event("planted")).await.unwrap();
    assert_eq!((memory.events().len(), memory.event_text(&repeated.id).as_deref()), (1, Some("Agenda")));
    memory.ignore_effect_keys();
    memory.create_event(&session, &mailbox, &event("planted")).await.unwrap();
    assert_eq!(memory.creation_counts().into_values().collect::<Vec<_>>(), [2], "nobody looked first");
}

#[tokio::test]
async fn one_request_is_cut_and_its_caller_may_die_of_it() {
    for cut in RequestFault::ALL {
        let (memory, session, mailbox) = (system(), session("right"), person(1).address);
        memory.inject_fault(0, cut);
        let new = event("cut");
        let outcome = tokio::select! {
            answer = memory.create_event(&session, &mailbox, &new) => Some(answer),
            () = memory.wait_for_crash() => None,
        };
        let is_done = matches!(cut, RequestFault::AnswerLost | RequestFault::DiesAfter);
        assert_eq!(memory.events().len(), usize::from(is_done), "{cut:?}");
        match outcome {
            Some(answer) => assert_eq!(answer.unwrap_err().unknown, cut == RequestFault::AnswerLost),
            None => assert!(matches!(cut, RequestFault::DiesBefore | RequestFault::DiesAfter), "{cut:?}"),
        }
        assert_eq!(memory.request_counts(), (1, 1));
        assert_eq!(memory.fork().request_counts(), (0, 0), "another course of events");
    }
}

#[tokio::test]
async fn a_refusal_stands_until_it_is_taken_back_and_a_hanging_request_never_ends() {
    let (memory, session, mailbox) = (system(), session("right"), person(1).address);
    memory.refuse_requests(Method::Calendar, "*", out_of_scope());
    memory.calendar(&session, &mailbox).await.unwrap_err();
    memory.fork().calendar(&session, &mailbox).await.unwrap_err();
    memory.stop_refusing("*");
    memory.calendar(&session, &mailbox).await.unwrap();
    memory.hang_next(Method::Calendar);
    let wait = tokio::time::timeout(Duration::from_millis(1), memory.calendar(&session, &mailbox));
    assert!(wait.await.is_err(), "it hangs");
    memory.calendar(&session, &mailbox).await.unwrap();
    let asked = memory.take_requests();
    assert_eq!((asked.len(), memory.take_requests().len()), (4, 0));
    assert!(asked.iter().all(|request| request.method == Method::Calendar && request.mailbox == mailbox));
}

#[tokio::test]
async fn a_push_goes_to_whoever_watches_and_is_read_as_what_it_says() {
    let (memory, session, mailbox) = (system(), session("right"), person(1).address);
    memory.change_features(|features| features.push = true);
    let channel = memory.watch(&session, &mailbox, "https://cal.test/hooks/memory", "secret").await.unwrap();
    memory.add_simple_event(&mailbox, None, "Lunch", event("x").range);
    memory.add_simple_event(&person(2).address, None, "Lunch", event("x").range);
    let [sent] = &memory.sent_pushes()[..] else { panic!("{:?}", memory.sent_pushes()) };
    let request = PushRequest { query: "", headers: &BTreeMap::default(), body: sent.body.as_bytes() };
    let told = ChannelNotification {
        channel: channel.id.clone(),
        is_part: false,
        secret: "secret".to_owned(),
        has_lapsed: false,
    };
    assert_eq!(memory.read_push(&request), ParsedPush::About(vec![told]));
    memory.unwatch(&session, &channel.id).await.unwrap();
    assert_eq!(memory.renew(&session, &channel.id).await.unwrap_err().kind, ErrorKind::Gone);
}

#[test]
fn the_rooms_are_those_of_the_directory() {
    assert_eq!(system().room_addresses(), (0..ROOMS).map(|n| room(n).address).collect::<BTreeSet<_>>());
}
