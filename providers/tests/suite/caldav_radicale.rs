//! The CalDAV connector against a real server: Radicale with the organisation of `tests/radicale`.

use crate::caldav_server as server;

use domain::{BusyKind, TimeRange, state::Answer};
use providers::{
    Attendee, AttendeeRole, Directory as _, Error, ErrorKind, EventChange, Events as _, MailboxKind,
    NamedAddress, NewEvent, Remedy,
};
use server::{Server, at, caldav};

const ADA: &str = "ada.lovelace@corp.test";
const BO: &str = "bo.lindqvist@corp.test";
const OLGA: &str = "olga.outside@corp.test";
const ATLAS: &str = "room-atlas@corp.test";
const BOREALIS: &str = "room-borealis@corp.test";

fn range(start: &str, end: &str) -> TimeRange {
    TimeRange::new(at(start), at(end)).unwrap()
}

fn three_weeks() -> TimeRange {
    range("2026-11-30T00:00:00Z", "2026-12-21T00:00:00Z")
}

fn invited(address: &str, role: AttendeeRole) -> Attendee {
    let party = NamedAddress { name: format!("Name of {address}"), address: address.to_owned() };
    Attendee { party, role, answer: Answer::None }
}

/// A booking by Ada with Bo in Atlas on a Saturday, when nobody has anything.
fn booking(key: &str) -> NewEvent {
    NewEvent {
        effect_key: key.to_owned(),
        title: "Interview; Zoë, round 2".to_owned(),
        text: "First line\nÜber eine zweite, längere Zeile, die beim Speichern gefaltet werden muss."
            .to_owned(),
        range: range("2026-12-05T09:00:00Z", "2026-12-05T10:00:00Z"),
        zone: "Europe/Berlin".to_owned(),
        location: Some("Atlas".to_owned()),
        organiser: NamedAddress { name: "Ada Lovelace".to_owned(), address: ADA.to_owned() },
        attendees: vec![invited(BO, AttendeeRole::Required), invited(ATLAS, AttendeeRole::Room)],
        busy: Some(BusyKind::Busy),
        online_meeting: false,
    }
}

fn saturday() -> TimeRange {
    range("2026-12-05T00:00:00Z", "2026-12-06T00:00:00Z")
}

fn what_to_do<T: std::fmt::Debug>(result: Result<T, Error>) -> (ErrorKind, Remedy) {
    let error = result.unwrap_err();
    (error.kind, error.remedy)
}

#[tokio::test]
async fn the_organisation_its_people_and_its_rooms_are_discovered() {
    let (server, caldav) = (Server::radicale(), caldav());
    let session = server.session();
    let organisation = caldav.organisation(&session).await.unwrap();
    assert_eq!(organisation.id, server.url.join("svc/").unwrap().to_string());
    assert_eq!(organisation.domains, ["corp.test"]);

    let people = caldav.people(&session, None).await.unwrap();
    assert_eq!((people.items.len(), people.next), (21, None));
    assert!(people.items.iter().map(|person| &person.address).eq(&server::people()), "everybody, in order");
    let ada = people.items.iter().find(|person| person.address == ADA).unwrap();
    assert_eq!(ada.name, "Ada Lovelace");

    let rooms = caldav.rooms(&session, None).await.unwrap().items;
    let names: Vec<_> =
        rooms.iter().map(|room| (room.name.as_str(), room.capacity, room.floor.as_deref())).collect();
    assert_eq!(
        names,
        [("Atlas", Some(4), Some("1")), ("Borealis", Some(8), Some("2")), ("Cosmos", Some(16), Some("0"))]
    );
    assert_eq!(rooms[1].equipment, ["Screen", "Whiteboard"]);
}

#[tokio::test]
async fn a_mailbox_says_whose_it_is_and_what_may_be_done() {
    let (server, caldav) = (Server::radicale(), caldav());
    let session = server.session();
    let ada = caldav.mailbox(&session, "Ada.Lovelace@corp.test").await.unwrap();
    assert_eq!(
        (ada.address.as_str(), ada.kind, ada.zone.as_deref()),
        (ADA, MailboxKind::Person, Some("Europe/Berlin"))
    );
    assert_eq!(caldav.mailbox(&session, ATLAS).await.unwrap().kind, MailboxKind::Room);
    assert_eq!(caldav.mailbox(&session, "svc@corp.test").await.unwrap().kind, MailboxKind::Shared);
    let calendar = caldav.calendar(&session, ADA).await.unwrap();
    assert_eq!(calendar.id, "/ada.lovelace@corp.test/calendar/");
    assert!(
        calendar.capabilities.can_write()
            && calendar.capabilities.free_busy
            && calendar.capabilities.read_details
    );
}

#[tokio::test]
async fn s4_12_a_mailbox_out_of_reach_is_skipped_and_the_others_are_served() {
    let (server, caldav) = (Server::radicale(), caldav());
    let session = server.session();
    let skipped = (ErrorKind::OutOfScope, Remedy::SkipMailbox);
    let unknown = (ErrorKind::NoMailbox, Remedy::SkipMailbox);
    assert_eq!(what_to_do(caldav.mailbox(&session, OLGA).await), skipped);
    assert_eq!(what_to_do(caldav.calendar(&session, OLGA).await), skipped);
    assert_eq!(what_to_do(caldav.events(&session, OLGA, three_weeks(), None).await), skipped);
    for nobody in ["nobody@corp.test", "ada.lovelace@else.test", "../svc", "..", "a/b@corp.test", ""] {
        assert_eq!(what_to_do(caldav.mailbox(&session, nobody).await), unknown, "{nobody}");
    }
    let asked = [OLGA, ADA, "nobody@corp.test", BO].map(str::to_owned);
    let verdicts = caldav.busy(&session, &asked, three_weeks()).await.unwrap();
    assert_eq!(verdicts.iter().map(|(mailbox, _)| mailbox.as_str()).collect::<Vec<_>>(), asked);
    let kinds: Vec<_> =
        verdicts.iter().map(|(_, verdict)| verdict.as_ref().err().map(|error| error.kind)).collect();
    assert_eq!(kinds, [Some(ErrorKind::OutOfScope), None, Some(ErrorKind::NoMailbox), None]);
    let mut event = booking("out-of-scope");
    event.attendees.clear();
    assert_eq!(what_to_do(caldav.create_event(&session, OLGA, &event).await), skipped);
}

#[tokio::test]
async fn series_whole_days_and_free_times_are_read_as_their_owner_sees_them() {
    let (server, caldav) = (Server::radicale(), caldav());
    let session = server.session();
    // Bo is the third principal of the fixture: his series is on Wednesdays, moved once, cancelled once.
    let events = caldav.events(&session, BO, three_weeks(), None).await.unwrap();
    assert_eq!(events.next, None);
    let meetings: Vec<_> =
        events.items.iter().filter(|event| event.title.as_deref() == Some("Team meeting")).collect();
    let starts: Vec<_> = meetings.iter().map(|event| event.range.start).collect();
    assert_eq!(starts, [at("2026-12-02T08:00:00Z"), at("2026-12-09T11:00:00Z")]);
    assert!(meetings.iter().all(|event| event.uid == "bo.lindqvist-series"));
    let again = caldav.event(&session, BO, &meetings[1].id).await.unwrap();
    assert_eq!(again.as_ref(), Some(meetings[1]), "an occurrence is found by its id");

    let birthday = events.items.iter().find(|event| event.all_day).unwrap();
    assert_eq!(
        birthday.range,
        range("2026-12-05T23:00:00Z", "2026-12-06T23:00:00Z"),
        "the owner's day, in Berlin"
    );
    assert_eq!(birthday.busy, None);
    assert!(events.items.iter().any(|event| event.private), "one of them is private");

    let busy =
        caldav.busy(&session, &[BO.to_owned()], three_weeks()).await.unwrap().remove(0).1.unwrap().busy;
    for event in &events.items {
        let covers = |kind| busy.iter().any(|busy| busy.kind == kind && busy.range.contains(&event.range));
        assert!(event.busy.is_none_or(covers), "{event:?} must be busy");
    }
    assert!(busy.iter().all(|busy| !busy.range.overlaps(&birthday.range)), "a birthday takes no time");
    assert!(busy.iter().any(|busy| busy.kind == BusyKind::Tentative));
}

#[tokio::test]
async fn an_event_written_twice_under_one_key_is_there_once_and_its_room_is_taken() {
    let (server, caldav) = (Server::radicale(), caldav());
    let session = server.session();
    assert_eq!(caldav.find_event(&session, ADA, "key-1").await.unwrap(), None);
    let first = caldav.create_event(&session, ADA, &booking("key-1")).await.unwrap();
    let second = caldav.create_event(&session, ADA, &booking("key-1")).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(first.effect_key.as_deref(), Some("key-1"));
    assert_eq!(caldav.find_event(&session, ADA, "key-1").await.unwrap(), Some(first.clone()));
    assert_eq!(caldav.event(&session, ADA, &first.id).await.unwrap(), Some(first.clone()));

    let there = caldav.events(&session, ADA, saturday(), None).await.unwrap().items;
    assert_eq!(there, std::slice::from_ref(&first));
    let room =
        caldav.busy(&session, &[ATLAS.to_owned()], saturday()).await.unwrap().remove(0).1.unwrap().busy;
    assert_eq!(
        room.iter().map(|busy| (busy.range, busy.kind)).collect::<Vec<_>>(),
        [(first.range, BusyKind::Busy)]
    );
    let other = caldav.events(&session, BO, saturday(), None).await.unwrap().items;
    assert!(other.iter().all(|event| event.uid != first.uid), "nobody is invited by this server");
}

#[tokio::test]
async fn s4_5_a_booking_is_read_back_by_an_independent_client() {
    let (server, caldav) = (Server::radicale(), caldav());
    let event = booking("key-2");
    let written = caldav.create_event(&server.session(), ADA, &event).await.unwrap();
    for principal in [ADA, ATLAS] {
        let found = server.read_back(principal, &written.uid);
        assert_eq!(found["uid"], written.uid, "in {principal}: {found}");
        assert_eq!(found["summary"], event.title);
        assert_eq!(found["description"], event.text);
        assert_eq!(
            (found["start"].as_str(), found["end"].as_str()),
            (Some("2026-12-05T09:00:00Z"), Some("2026-12-05T10:00:00Z"))
        );
        assert_eq!(found["organizer"], ADA);
        let invited =
            |n: usize| (found["attendees"][n]["address"].as_str(), found["attendees"][n]["answer"].as_str());
        assert_eq!(invited(0), (Some(BO), Some("NEEDS-ACTION")));
        assert_eq!(invited(1), (Some(ATLAS), Some("ACCEPTED")));
    }
    assert!(server.read_back(BO, &written.uid).is_null());
}

#[tokio::test]
async fn a_move_takes_the_rooms_along_and_repeating_it_changes_nothing() {
    let (server, caldav) = (Server::radicale(), caldav());
    let session = server.session();
    let written = caldav.create_event(&session, ADA, &booking("key-3")).await.unwrap();
    let later = range("2026-12-05T13:00:00Z", "2026-12-05T14:00:00Z");
    let change = EventChange {
        range: Some(later),
        title: Some("Moved".to_owned()),
        attendees: Some(vec![invited(BO, AttendeeRole::Optional), invited(BOREALIS, AttendeeRole::Room)]),
        ..EventChange::default()
    };
    let moved = caldav.update_event(&session, ADA, &written.id, &change).await.unwrap();
    assert_eq!(
        (moved.range, moved.title.as_deref(), moved.id.as_str()),
        (later, Some("Moved"), written.id.as_str())
    );
    assert_ne!(moved.version, written.version);
    assert_eq!(caldav.update_event(&session, ADA, &written.id, &change).await.unwrap(), moved);

    let rooms = [ATLAS.to_owned(), BOREALIS.to_owned()];
    let verdicts = caldav.busy(&session, &rooms, saturday()).await.unwrap();
    let taken =
        |n: usize| verdicts[n].1.as_ref().unwrap().busy.iter().map(|busy| busy.range).collect::<Vec<_>>();
    assert_eq!((taken(0), taken(1)), (vec![], vec![later]));
    let found = server.read_back(ADA, &written.uid);
    assert_eq!((found["summary"].as_str(), found["location"].as_str()), (Some("Moved"), Some("Atlas")));
}

#[tokio::test]
async fn cancelling_twice_is_fine_and_frees_the_room() {
    let (server, caldav) = (Server::radicale(), caldav());
    let session = server.session();
    let written = caldav.create_event(&session, ADA, &booking("key-4")).await.unwrap();
    for _ in 0..2 {
        caldav.cancel_event(&session, ADA, &written.id, "It is off.").await.unwrap();
        caldav.delete_event(&session, ADA, &written.id).await.unwrap();
    }
    assert_eq!(caldav.find_event(&session, ADA, "key-4").await.unwrap(), None);
    assert_eq!(caldav.event(&session, ADA, &written.id).await.unwrap(), None);
    let room =
        caldav.busy(&session, &[ATLAS.to_owned()], saturday()).await.unwrap().remove(0).1.unwrap().busy;
    assert_eq!(room, []);
    let gone = caldav.update_event(&session, ADA, &written.id, &EventChange::default()).await;
    assert_eq!(what_to_do(gone).0, ErrorKind::Gone);
}

#[tokio::test]
async fn a_look_up_after_an_interrupted_write_completes_the_rooms() {
    let (server, caldav) = (Server::radicale(), caldav());
    let session = server.session();
    let written = caldav.create_event(&session, ADA, &booking("key-5")).await.unwrap();
    let copy = caldav.find_event(&session, ATLAS, "key-5").await.unwrap().unwrap();
    caldav.delete_event(&session, ATLAS, &copy.id).await.unwrap();
    assert_eq!(
        caldav.find_event(&session, ATLAS, "key-5").await.unwrap(),
        None,
        "as if the write had stopped there"
    );
    assert_eq!(caldav.find_event(&session, ADA, "key-5").await.unwrap(), Some(written));
    assert!(caldav.find_event(&session, ATLAS, "key-5").await.unwrap().is_some());
}

#[tokio::test]
async fn a_room_out_of_reach_fails_the_booking_and_leaves_nothing_behind() {
    let (server, caldav) = (Server::radicale(), caldav());
    let session = server.session();
    let mut event = booking("key-6");
    event.attendees.push(invited("room-nowhere@corp.test", AttendeeRole::Room));
    let error = caldav.create_event(&session, ADA, &event).await.unwrap_err();
    assert_eq!((error.kind, error.remedy, error.unknown), (ErrorKind::Invalid, Remedy::Never, false));
    for mailbox in [ADA, ATLAS] {
        assert_eq!(caldav.find_event(&session, mailbox, "key-6").await.unwrap(), None);
    }
}

#[tokio::test]
async fn ids_of_other_mailboxes_are_refused() {
    let (server, caldav) = (Server::radicale(), caldav());
    let session = server.session();
    let written = caldav.create_event(&session, ADA, &booking("key-7")).await.unwrap();
    for id in [written.id.as_str(), "https://evil.test/x.ics", "/", "", "../../svc/x.ics"] {
        let refused = caldav.delete_event(&session, BO, id).await;
        assert_eq!(what_to_do(refused), (ErrorKind::Invalid, Remedy::Never), "{id}");
    }
    assert!(caldav.event(&session, ADA, &written.id).await.unwrap().is_some());
}

#[tokio::test]
async fn s4_1_the_service_account_books_in_its_own_calendar() {
    let (server, caldav) = (Server::radicale(), caldav());
    let session = server.session();
    let mut event = booking("key-8");
    event.organiser =
        NamedAddress { name: "Calendar service".to_owned(), address: "svc@corp.test".to_owned() };
    let written = caldav.create_event(&session, "svc@corp.test", &event).await.unwrap();
    assert_eq!(written.organiser, Some(event.organiser));
    assert!(caldav.find_event(&session, ATLAS, "key-8").await.unwrap().is_some());
}

#[tokio::test]
async fn a_changed_password_asks_for_a_new_connection_and_nothing_is_written() {
    let (server, caldav) = (Server::radicale(), caldav());
    let session = server.session();
    let written = caldav.create_event(&session, ADA, &booking("key-9")).await.unwrap();
    server.change_password("changed-meanwhile");
    let reconnect = (ErrorKind::GrantLost, Remedy::Reconnect);
    assert_eq!(what_to_do(caldav.organisation(&session).await), reconnect);
    assert_eq!(
        what_to_do(caldav.busy(&session, &[ADA.to_owned(), BO.to_owned()], saturday()).await),
        reconnect
    );
    let refused = caldav.create_event(&session, ADA, &booking("key-10")).await.unwrap_err();
    assert_eq!((refused.kind, refused.unknown), (ErrorKind::GrantLost, false));
    let again = server.session_with("changed-meanwhile");
    assert_eq!(caldav.find_event(&again, ADA, "key-9").await.unwrap(), Some(written));
    assert_eq!(caldav.find_event(&again, ADA, "key-10").await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_is_down_is_retried_and_a_wrong_address_is_not() {
    let (server, caldav) = (Server::radicale(), caldav());
    let mut session = server.session();
    session.server = Some(server.url.join("no/such/place/").unwrap());
    // The root is looked at too, so a path that is a little off still works.
    assert!(caldav.organisation(&session).await.is_ok());
    session.server = None;
    assert_eq!(what_to_do(caldav.organisation(&session).await), (ErrorKind::Misconfigured, Remedy::Never));
    let session = server.session();
    drop(server);
    let error = caldav.create_event(&session, ADA, &booking("key-11")).await.unwrap_err();
    assert_eq!(
        (error.kind, error.unknown),
        (ErrorKind::Unavailable, false),
        "no connection, so nothing was sent"
    );
}
