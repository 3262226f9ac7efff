//! The Exchange connector against the sandbox: the conformance suite, and what only Exchange has.

use crate::conformance;
use crate::exchange_setup;

use std::{collections::BTreeSet, time::Duration};

use conformance::Fixture;
use domain::{BusyKind, TimeRange, state::Answer};
use exchange_setup::{Setup, text};
use providers::{
    Attendee, AttendeeRole, Directory as _, ErrorKind, EventChange, Events as _, MailboxKind, NamedAddress,
    NewEvent, Remedy, Session,
};
use serde_json::{Value, json};

/// More than one page of the directory, of the rooms, and of events.
const USERS: usize = 130;
const ROOMS: usize = 110;
const EVENTS: usize = 105;

fn addresses(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|mailbox| text(&mailbox["address"]).to_lowercase()).collect()
}

fn party(mailbox: &Value) -> NamedAddress {
    NamedAddress { name: text(&mailbox["name"]).to_owned(), address: text(&mailbox["address"]).to_owned() }
}

async fn fixture() -> Fixture {
    let setup = Setup::start().await;
    let organisation = setup.organisation(USERS, ROOMS).await;
    let path = format!("organisations/{}/settings", text(&organisation["id"]));
    setup.control(&path, &json!({ "room_delay_s": 30 })).await;
    let users = organisation["users"].as_array().unwrap();
    let (open, closed): (Vec<&Value>, Vec<&Value>) =
        users.iter().partition(|user| user["in_scope"].as_bool().unwrap());
    let start = "2026-12-01T00:00:00Z".parse().unwrap();
    let (clock, url) = (setup.clock.clone(), setup.url());
    Fixture {
        provider: Box::new(setup.exchange.clone()),
        session: setup.session(),
        people: &addresses(&organisation["users"]) | &addresses(&organisation["shared"]),
        rooms: addresses(&organisation["rooms"]),
        several_pages: true,
        organiser: party(open[1]),
        guest: party(open[2]),
        room: party(&organisation["rooms"][0]),
        missing: "nobody@acme.test".to_owned(),
        out_of_scope: Some(party(closed[0]).address),
        crowd: open.iter().skip(1).take(30).map(|user| party(user).address).collect(),
        day: TimeRange::new(start, start + chrono::Duration::days(1)).unwrap(),
        many: EVENTS,
        settle: Box::new(move || clock.advance(chrono::Duration::seconds(31))),
        forget_cursors: Box::new(move || conformance::tell(&url, "cursors/forget")),
        keep: Box::new(setup),
    }
}

conformance!(fixture);

/// A small organisation.
async fn acme() -> (Setup, Value, Session) {
    let setup = Setup::start().await;
    let organisation = setup.organisation(6, 2).await;
    let session = setup.session();
    (setup, organisation, session)
}

fn meeting(key: &str, organisation: &Value) -> NewEvent {
    let start = "2026-12-01T09:00:00Z".parse().unwrap();
    NewEvent {
        effect_key: key.to_owned(),
        title: "Interview & <tea>".to_owned(),
        text: "Agenda\nsecond line".to_owned(),
        range: TimeRange::new(start, start + chrono::Duration::hours(1)).unwrap(),
        zone: "Europe/Berlin".to_owned(),
        location: Some("Upstairs".to_owned()),
        organiser: party(&organisation["users"][1]),
        attendees: Vec::new(),
        busy: Some(BusyKind::Busy),
        online_meeting: false,
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_cut_is_found_and_not_written_twice() {
    let (setup, organisation, session) = acme().await;
    let event = meeting("cut", &organisation);
    let mailbox = &event.organiser.address;
    setup.fault("CreateItem", json!({ "action": "drop_after" })).await;
    let error = setup.exchange.create_event(&session, mailbox, &event).await.unwrap_err();
    assert!(error.unknown, "{error:?}");
    let found = setup.exchange.find_event(&session, mailbox, "cut").await.unwrap().expect("it was written");
    let again = setup.exchange.create_event(&session, mailbox, &event).await.unwrap();
    assert_eq!(again.id, found.id);
    let written = setup.outcomes().await.into_iter().filter(|outcome| outcome == "created").count();
    assert_eq!(written, 1);
}

#[tokio::test]
async fn a_write_whose_reading_back_was_cut_is_unknown_too() {
    let (setup, organisation, session) = acme().await;
    let event = meeting("read-back", &organisation);
    setup.fault("GetItem", json!({ "action": "outage" })).await;
    let error = setup.exchange.create_event(&session, &event.organiser.address, &event).await.unwrap_err();
    assert!(error.unknown, "the event stands: {error:?}");
}

#[tokio::test]
async fn a_write_that_never_arrived_leaves_nothing_behind() {
    let (setup, organisation, session) = acme().await;
    let event = meeting("lost", &organisation);
    let mailbox = &event.organiser.address;
    setup.fault("CreateItem", json!({ "action": "outage" })).await;
    setup.fault("CreateItem", json!({ "action": "throttle", "retry_after": 7 })).await;
    let outage = setup.exchange.create_event(&session, mailbox, &event).await.unwrap_err();
    assert_eq!((outage.kind, outage.unknown), (ErrorKind::Unavailable, true));
    assert!(setup.gate.pauses().is_empty());
    let busy = setup.exchange.create_event(&session, mailbox, &event).await.unwrap_err();
    let wait = Duration::from_secs(7);
    assert_eq!((busy.kind, busy.remedy), (ErrorKind::Throttled, Remedy::RetryAfter(wait)));
    assert!(!busy.unknown, "a busy server certainly did nothing");
    assert_eq!(setup.gate.pauses(), [(None, wait)], "the whole account pauses");
    assert_eq!(setup.exchange.find_event(&session, mailbox, "lost").await.unwrap(), None);
}

#[tokio::test]
async fn a_changed_password_is_tried_once_and_is_a_lost_grant() {
    let (setup, organisation, session) = acme().await;
    setup.exchange.organisation(&session).await.unwrap();
    setup.account(&organisation, &json!({ "password": "another one" })).await;
    let before = setup.outcomes().await.len();
    let error = setup.exchange.organisation(&session).await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::GrantLost, Remedy::Reconnect));
    assert_eq!(setup.outcomes().await.len(), before + 1, "accounts get locked by repetitions");
}

#[tokio::test]
async fn impersonation_that_is_denied_for_one_is_told_from_a_role_that_is_lost() {
    let (setup, organisation, session) = acme().await;
    let path = format!("organisations/{}/scope", text(&organisation["id"]));
    let mailbox = text(&organisation["users"][2]["address"]);
    setup.control(&path, &json!({ "mailbox": mailbox, "in_scope": false })).await;
    let closed = setup.exchange.calendar(&session, mailbox).await.unwrap_err();
    assert_eq!((closed.kind, closed.remedy), (ErrorKind::OutOfScope, Remedy::SkipMailbox));
    let other = text(&organisation["users"][1]["address"]);
    setup.exchange.calendar(&session, other).await.unwrap();
    setup.account(&organisation, &json!({ "impersonates": false })).await;
    let lost = setup.exchange.calendar(&session, other).await.unwrap_err();
    assert_eq!((lost.kind, lost.remedy), (ErrorKind::GrantLost, Remedy::Reconnect));
}

#[tokio::test]
async fn mailboxes_are_told_apart_by_kind_and_by_whether_they_are_served() {
    let (setup, organisation, session) = acme().await;
    let kind = async |mailbox: &Value| {
        setup.exchange.mailbox(&session, text(&mailbox["address"])).await.map(|found| found.kind)
    };
    assert_eq!(kind(&organisation["rooms"][0]).await.unwrap(), MailboxKind::Room);
    assert_eq!(kind(&organisation["users"][1]).await.unwrap(), MailboxKind::Unknown);
    let path = format!("organisations/{}/mailbox", text(&organisation["id"]));
    let address = text(&organisation["users"][2]["address"]);
    let calendar = async |kind: &str| {
        setup.control(&path, &json!({ "address": address, "kind": kind })).await;
        let verdict = setup.exchange.calendar(&session, address).await;
        verdict.map(drop).map_err(|error| (error.kind, error.remedy))
    };
    let skip = Remedy::SkipMailbox;
    assert_eq!(calendar("none").await, Err((ErrorKind::NoMailbox, skip)));
    assert_eq!(calendar("disabled").await, Err((ErrorKind::NotServed, skip)));
    assert_eq!(calendar("onprem").await, Ok(()), "on-premises is where Exchange is");
}

#[tokio::test]
async fn the_server_is_found_by_the_address_of_the_account_alone() {
    let (setup, _, session) = acme().await;
    let found = Session { server: None, ..session.clone() };
    let organisation = setup.exchange.organisation(&found).await.unwrap();
    assert_eq!(organisation, setup.exchange.organisation(&session).await.unwrap(), "it is the same one");
    assert_eq!(
        (organisation.name.as_str(), organisation.domains),
        ("acme.test", vec!["acme.test".to_owned()])
    );
    let stranger = Session { account: "svc@elsewhere.test".to_owned(), ..found.clone() };
    let error = setup.exchange.organisation(&stranger).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Misconfigured, "AUTODISCOVER_FAILED"));
    let nameless = Session { account: "ACME\\svc".to_owned(), ..found };
    let error = setup.exchange.organisation(&nameless).await.unwrap_err();
    assert_eq!(error.code, "AUTODISCOVER_ADDRESS");
}

#[tokio::test]
async fn exchange_online_is_refused_before_anything_is_sent() {
    let (setup, _, session) = acme().await;
    let server = Some("https://outlook.office365.com/EWS/Exchange.asmx".parse().unwrap());
    let online = Session { server, ..session };
    let before = setup.outcomes().await.len();
    let error = setup.exchange.organisation(&online).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Misconfigured, "EXCHANGE_ONLINE"));
    assert_eq!(setup.outcomes().await.len(), before);
}

#[tokio::test]
async fn people_are_all_found_where_a_hundred_names_begin_alike() {
    let setup = Setup::start().await;
    let organisation = setup.organisation(3_400, 1).await;
    let session = setup.session();
    let (mut found, mut after) = (BTreeSet::new(), None);
    loop {
        let page = setup.exchange.people(&session, after.as_deref()).await.unwrap();
        for person in page.items {
            assert!(found.insert(person.address.clone()), "{} comes twice", person.address);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, &addresses(&organisation["users"]) | &addresses(&organisation["shared"]));
}

#[tokio::test]
async fn busy_times_over_many_months_and_many_mailboxes_are_read_in_parts() {
    let setup = Setup::start().await;
    let organisation = setup.organisation(120, 1).await;
    let session = setup.session();
    let event = meeting("early", &organisation);
    let mailbox = event.organiser.address.clone();
    let start = event.range.start + chrono::Duration::days(100);
    let late = TimeRange::new(start, start + chrono::Duration::hours(1)).unwrap();
    let later = NewEvent { effect_key: "late".to_owned(), range: late, ..event.clone() };
    for event in [&event, &later] {
        setup.exchange.create_event(&session, &mailbox, event).await.unwrap();
    }
    let window = TimeRange::new(event.range.start, event.range.start + chrono::Duration::days(150)).unwrap();
    let all: Vec<String> = addresses(&organisation["users"]).into_iter().collect();
    let answers = setup.exchange.busy(&session, &all, window).await.unwrap();
    assert!(answers.iter().map(|(mailbox, _)| mailbox).eq(&all));
    for (other, verdict) in &answers {
        let ranges: Vec<TimeRange> = verdict.as_ref().unwrap().busy.iter().map(|busy| busy.range).collect();
        match other.eq_ignore_ascii_case(&mailbox) {
            true => assert_eq!(ranges, [event.range, late]),
            false => assert!(ranges.is_empty(), "{other}: {ranges:?}"),
        }
    }
}

#[tokio::test]
async fn a_room_that_has_not_answered_yet_is_seen_to_be_silent_and_a_meeting_is_called_off_for_all() {
    let (setup, organisation, session) = acme().await;
    let path = format!("organisations/{}/settings", text(&organisation["id"]));
    setup.control(&path, &json!({ "room_delay_s": 30 })).await;
    let invited = |mailbox: &Value, role| Attendee { party: party(mailbox), role, answer: Answer::None };
    let attendees = vec![
        invited(&organisation["users"][2], AttendeeRole::Optional),
        invited(&organisation["rooms"][0], AttendeeRole::Room),
    ];
    let event = NewEvent { attendees, ..meeting("room", &organisation) };
    let mailbox = &event.organiser.address;
    let created = setup.exchange.create_event(&session, mailbox, &event).await.unwrap();
    let seen: Vec<_> = created.attendees.iter().map(|one| (one.role, one.answer)).collect();
    assert_eq!(seen, [(AttendeeRole::Optional, Answer::None), (AttendeeRole::Room, Answer::None)]);
    setup.clock.advance(chrono::Duration::seconds(31));
    let later = setup.exchange.event(&session, mailbox, &created.id).await.unwrap().unwrap();
    assert_eq!(later.attendees[1].answer, Answer::Accepted);
    setup.exchange.cancel_event(&session, mailbox, &created.id, "Sorry").await.unwrap();
    for mailbox in [&organisation["users"][2], &organisation["rooms"][0]] {
        let left =
            setup.exchange.events(&session, text(&mailbox["address"]), event.range, None).await.unwrap();
        assert!(left.items.is_empty(), "{left:?}");
    }
    let outcomes = setup.outcomes().await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "cancelled").count(), 1, "{outcomes:?}");
}

#[tokio::test]
async fn the_guests_own_copy_of_a_meeting_is_deleted_when_it_is_called_off_there() {
    let (setup, organisation, session) = acme().await;
    let guest = Attendee {
        party: party(&organisation["users"][2]),
        role: AttendeeRole::Required,
        answer: Answer::None,
    };
    let event = NewEvent { attendees: vec![guest.clone()], ..meeting("copy", &organisation) };
    setup.exchange.create_event(&session, &event.organiser.address, &event).await.unwrap();
    let guest = guest.party.address;
    let copies = setup.exchange.events(&session, &guest, event.range, None).await.unwrap().items;
    assert_eq!(copies[0].organiser.as_ref().map(|party| &party.address), Some(&event.organiser.address));
    setup.exchange.cancel_event(&session, &guest, &copies[0].id, "No").await.unwrap();
    assert!(setup.exchange.events(&session, &guest, event.range, None).await.unwrap().items.is_empty());
    let kept = setup.exchange.find_event(&session, &event.organiser.address, "copy").await.unwrap();
    assert!(kept.is_some(), "the meeting itself stands");
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name_and_tells_the_guests() {
    let (setup, organisation, session) = acme().await;
    let guest = Attendee {
        party: party(&organisation["users"][2]),
        role: AttendeeRole::Required,
        answer: Answer::None,
    };
    let event = NewEvent { attendees: vec![guest.clone()], ..meeting("change", &organisation) };
    let mailbox = &event.organiser.address;
    let created = setup.exchange.create_event(&session, mailbox, &event).await.unwrap();
    let to = TimeRange::new(event.range.end, event.range.end + chrono::Duration::hours(1)).unwrap();
    let change =
        EventChange { range: Some(to), zone: Some("Asia/Kolkata".to_owned()), ..EventChange::default() };
    let moved = setup.exchange.update_event(&session, mailbox, &created.id, &change).await.unwrap();
    assert_eq!((moved.range, moved.title), (to, Some(event.title.clone())));
    let copies = setup.exchange.events(&session, &guest.party.address, to, None).await.unwrap().items;
    assert_eq!(copies.iter().map(|copy| copy.range).collect::<Vec<_>>(), [to]);
}
