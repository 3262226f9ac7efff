//! The Microsoft connector against the sandbox: the conformance suite, and what only Microsoft has.

use crate::conformance;
use crate::microsoft_setup;

use std::collections::BTreeSet;

use chrono::Duration;
use conformance::Fixture;
use domain::{BusyKind, TimeRange, state::Answer};
use microsoft_setup::{Hooks, Setup, text};
use providers::{
    Attendee, AttendeeRole, Directory as _, ErrorKind, Events as _, MailboxKind, NamedAddress, NewEvent,
    Push as _, Remedy,
};
use serde_json::{Value, json};

/// More than one page of the directory, of the rooms, and of events.
const USERS: usize = 1_020;
const ROOMS: usize = 110;
const EVENTS: usize = 205;

fn addresses(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|mailbox| text(&mailbox["address"]).to_lowercase()).collect()
}

fn party(mailbox: &Value) -> NamedAddress {
    NamedAddress { name: text(&mailbox["name"]).to_owned(), address: text(&mailbox["address"]).to_owned() }
}

async fn fixture() -> Fixture {
    let setup = Setup::start().await;
    let organisation = setup.organisation("Acme", USERS, ROOMS).await;
    setup.consent(&organisation).await;
    let path = format!("organisations/{}/settings", text(&organisation["id"]));
    setup.control(&path, &json!({ "room_delay_s": 30 })).await;
    let users = organisation["users"].as_array().unwrap();
    let (open, closed): (Vec<&Value>, Vec<&Value>) =
        users.iter().partition(|user| user["in_scope"].as_bool().unwrap());
    let start = "2026-12-01T00:00:00Z".parse().unwrap();
    let (clock, url) = (setup.clock.clone(), setup.url.clone());
    Fixture {
        provider: Box::new(setup.microsoft.clone()),
        session: setup.session(&organisation),
        people: &addresses(&organisation["users"]) | &addresses(&organisation["shared"]),
        rooms: addresses(&organisation["rooms"]),
        several_pages: true,
        organiser: party(open[1]),
        guest: party(open[2]),
        room: party(&organisation["rooms"][0]),
        missing: format!("nobody@{}", text(&organisation["domain"])),
        out_of_scope: Some(party(closed[0]).address),
        crowd: open.iter().skip(1).take(30).map(|user| party(user).address).collect(),
        day: TimeRange::new(start, start + Duration::days(1)).unwrap(),
        many: EVENTS,
        settle: Box::new(move || clock.advance(Duration::seconds(31))),
        forget_cursors: Box::new(move || conformance::tell(&url, "cursors/forget")),
        keep: Box::new(setup),
    }
}

conformance!(fixture);

/// A small organisation that consented.
async fn acme() -> (Setup, Value) {
    let setup = Setup::start().await;
    let organisation = setup.organisation("Acme", 5, 2).await;
    setup.consent(&organisation).await;
    (setup, organisation)
}

fn meeting(key: &str, organisation: &Value) -> NewEvent {
    let start = "2026-12-01T09:00:00Z".parse().unwrap();
    NewEvent {
        effect_key: key.to_owned(),
        title: "Interview".to_owned(),
        text: "Agenda".to_owned(),
        range: TimeRange::new(start, start + Duration::hours(1)).unwrap(),
        zone: "Europe/Berlin".to_owned(),
        location: None,
        organiser: party(&organisation["users"][1]),
        attendees: Vec::new(),
        busy: Some(BusyKind::Busy),
        online_meeting: false,
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_cut_is_found_and_not_written_twice() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let event = meeting("cut", &organisation);
    let mailbox = &event.organiser.address;
    let cut = json!({ "match": { "method": "POST", "path_contains": "events" }, "action": "drop_after" });
    setup.control("faults", &cut).await;
    let error = setup.microsoft.create_event(&session, mailbox, &event).await.unwrap_err();
    assert!(error.unknown, "{error:?}");
    let found = setup.microsoft.find_event(&session, mailbox, "cut").await.unwrap().expect("it was written");
    let again = setup.microsoft.create_event(&session, mailbox, &event).await.unwrap();
    assert_eq!(again.id, found.id);
    let window = TimeRange::new(event.range.start - Duration::hours(1), event.range.end).unwrap();
    let events = setup.microsoft.events(&session, mailbox, window, None).await.unwrap();
    assert_eq!(events.items.len(), 1);
    assert_eq!(events.items[0].effect_key.as_deref(), Some("cut"), "a list carries the keys too");
}

#[tokio::test]
async fn a_write_that_never_arrived_leaves_nothing_behind() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let event = meeting("lost", &organisation);
    let mailbox = &event.organiser.address;
    for fault in [json!({ "action": "outage" }), json!({ "action": "throttle", "retry_after": 7 })] {
        let mut fault = fault;
        fault["match"] = json!({ "method": "POST", "path_contains": "events" });
        setup.control("faults", &fault).await;
    }
    let outage = setup.microsoft.create_event(&session, mailbox, &event).await.unwrap_err();
    assert_eq!((outage.kind, outage.unknown), (ErrorKind::Unavailable, true));
    let throttled = setup.microsoft.create_event(&session, mailbox, &event).await.unwrap_err();
    assert_eq!(throttled.remedy, Remedy::RetryAfter(std::time::Duration::from_secs(7)));
    assert!(!throttled.unknown, "a throttled write was certainly not carried out");
    assert_eq!(setup.microsoft.find_event(&session, mailbox, "lost").await.unwrap(), None);
}

#[tokio::test]
async fn expired_tokens_are_renewed_unseen_and_a_revoked_consent_is_a_lost_grant() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    setup.microsoft.organisation(&session).await.unwrap();
    setup.control("tokens/expire", &json!({})).await;
    let found = setup.microsoft.organisation(&session).await.unwrap();
    assert_eq!((found.id.as_str(), found.domains), (text(&organisation["id"]), vec!["acme.test".to_owned()]));
    let path = format!("organisations/{}/revoke-consent", found.id);
    setup.control(&path, &json!({ "client_id": "11111111-2222-4333-8444-555555555555" })).await;
    let error = setup.microsoft.organisation(&session).await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::GrantLost, Remedy::Reconnect));
}

#[tokio::test]
async fn mailboxes_are_told_apart_by_kind_zone_and_home() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let look = async |mailbox: &Value| {
        let found = setup.microsoft.mailbox(&session, text(&mailbox["address"])).await;
        found.map(|found| (found.kind, found.zone)).map_err(|error| (error.kind, error.remedy))
    };
    let berlin = Some("Europe/Berlin".to_owned());
    assert_eq!(look(&organisation["users"][1]).await, Ok((MailboxKind::Person, berlin.clone())));
    assert_eq!(look(&organisation["shared"][0]).await, Ok((MailboxKind::Shared, berlin.clone())));
    assert_eq!(look(&organisation["rooms"][0]).await, Ok((MailboxKind::Room, berlin)));
    for kind in ["none", "onprem"] {
        let address = &organisation["users"][2]["address"];
        let path = format!("organisations/{}/mailbox", text(&organisation["id"]));
        setup.control(&path, &json!({ "address": address, "kind": kind })).await;
        let refused = Err((ErrorKind::NotServed, Remedy::SkipMailbox));
        assert_eq!(look(&organisation["users"][2]).await, refused, "{kind}");
    }
    let room = &setup.microsoft.rooms(&session, None).await.unwrap().items[0];
    assert!(room.capacity.is_some() && room.building.is_some() && room.floor.is_some(), "{room:?}");
}

#[tokio::test]
async fn busy_times_over_many_months_are_read_in_parts() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let event = meeting("early", &organisation);
    let mailbox = event.organiser.address.clone();
    let late_start = event.range.start + Duration::days(100);
    let late = TimeRange::new(late_start, late_start + Duration::hours(1)).unwrap();
    let later = NewEvent { effect_key: "late".to_owned(), range: late, ..event.clone() };
    setup.microsoft.create_event(&session, &mailbox, &event).await.unwrap();
    setup.microsoft.create_event(&session, &mailbox, &later).await.unwrap();
    let window = TimeRange::new(event.range.start, event.range.start + Duration::days(150)).unwrap();
    let answers = setup.microsoft.busy(&session, &[mailbox], window).await.unwrap();
    let ranges: Vec<TimeRange> = answers[0].1.as_ref().unwrap().busy.iter().map(|busy| busy.range).collect();
    assert_eq!(ranges, [event.range, late]);
}

#[tokio::test]
async fn a_room_that_has_not_answered_yet_is_seen_to_be_silent() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let path = format!("organisations/{}/settings", text(&organisation["id"]));
    setup.control(&path, &json!({ "room_delay_s": 30 })).await;
    let room =
        Attendee { party: party(&organisation["rooms"][0]), role: AttendeeRole::Room, answer: Answer::None };
    let event = NewEvent { attendees: vec![room], ..meeting("room", &organisation) };
    let mailbox = &event.organiser.address;
    let created = setup.microsoft.create_event(&session, mailbox, &event).await.unwrap();
    assert_eq!(created.attendees[0].answer, Answer::None);
    setup.clock.advance(Duration::seconds(31));
    let later = setup.microsoft.event(&session, mailbox, &created.id).await.unwrap().unwrap();
    assert_eq!(later.attendees[0].answer, Answer::Accepted);
}

#[tokio::test]
async fn a_watched_mailbox_tells_of_its_changes_until_it_is_let_go() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let event = meeting("watched", &organisation);
    let mailbox = &event.organiser.address;
    let mut hooks = Hooks::start().await;
    let channel = setup.microsoft.watch(&session, mailbox, &hooks.url, "our-state").await.unwrap();
    setup.microsoft.create_event(&session, mailbox, &event).await.unwrap();
    let told = hooks.next().await;
    assert_eq!(told["value"][0]["clientState"], "our-state");
    assert_eq!(told["value"][0]["subscriptionId"], channel.id);
    setup.clock.advance(Duration::hours(1));
    let renewed = setup.microsoft.renew(&session, &channel.id).await.unwrap();
    assert_eq!(renewed.expires_at - channel.expires_at, Duration::hours(1));
    for _ in 0..2 {
        setup.microsoft.unwatch(&session, &channel.id).await.unwrap();
    }
    let gone = setup.microsoft.renew(&session, &channel.id).await.unwrap_err();
    assert_eq!((gone.kind, gone.remedy), (ErrorKind::Gone, Remedy::Never));
    let closed = setup.microsoft.watch(&session, mailbox, "http://127.0.0.1:1/hooks", "our-state").await;
    assert_eq!(closed.unwrap_err().kind, ErrorKind::Invalid, "a place that does not answer is refused");
}
