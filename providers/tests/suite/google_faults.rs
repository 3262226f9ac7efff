//! The Google connector against the sandbox: what only Google has, and everything that can go wrong.

use crate::google_hooks;
use crate::google_setup;

use chrono::Duration;
use domain::{BusyKind, TimeRange, state::Answer};
use google_hooks::Hooks;
use google_setup::{Setup, text};
use messages::Language;
use providers::{
    Attendee, AttendeeRole, ChangeFeed as _, Directory as _, Error, ErrorKind, EventChange, Events as _,
    MailboxKind, NamedAddress, NewEvent, Push as _, Remedy,
};
use serde_json::{Value, json};

/// A small organisation that authorised the service account.
async fn acme() -> (Setup, Value) {
    let setup = Setup::start().await;
    let organisation = setup.organisation("Acme", 5, 2).await;
    setup.authorise(&organisation, 0).await;
    (setup, organisation)
}

fn party(mailbox: &Value) -> NamedAddress {
    NamedAddress { name: text(&mailbox["name"]).to_owned(), address: text(&mailbox["address"]).to_owned() }
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

fn told(error: &Error) -> (ErrorKind, Remedy) {
    (error.kind, error.remedy)
}

const LOST: (ErrorKind, Remedy) = (ErrorKind::GrantLost, Remedy::Reconnect);
const OURS: (ErrorKind, Remedy) = (ErrorKind::Misconfigured, Remedy::Never);

#[tokio::test]
async fn a_delegation_works_once_google_has_spread_it_and_no_longer_than_it_lasts() {
    let setup = Setup::start().await;
    let organisation = setup.organisation("Acme", 3, 1).await;
    let session = setup.session(&organisation);
    let look = async || setup.google.organisation(&session).await;
    let before = look().await.unwrap_err();
    assert_eq!((told(&before), before.code.as_str()), (LOST, "unauthorized_client"));
    setup.authorise(&organisation, 600).await;
    assert_eq!(look().await.unwrap_err().code, "unauthorized_client", "it is not spread yet");
    setup.clock.advance(Duration::seconds(601));
    let found = look().await.unwrap();
    assert!(found.id.starts_with("C0"), "{found:?}");
    assert_eq!((found.name.as_str(), found.domains), ("Acme", vec!["acme.test".to_owned()]));
    setup.revoke(&organisation).await;
    let after = look().await.unwrap_err();
    assert_eq!((told(&after), after.code.as_str()), (LOST, "unauthorized_client"));
}

#[tokio::test]
async fn one_scope_that_is_not_allowed_fails_only_what_needs_it() {
    let setup = Setup::start().await;
    let organisation = setup.organisation("Acme", 3, 1).await;
    let some = ["https://www.googleapis.com/auth/admin.directory.customer.readonly"];
    setup.authorise_for(&organisation, &some, 0).await;
    let session = setup.session(&organisation);
    let found = setup.google.organisation(&session).await.unwrap();
    assert!(found.domains.is_empty(), "it may not read them: {found:?}");
    let error = setup.google.people(&session, None).await.unwrap_err();
    assert_eq!((told(&error), error.code.as_str()), (LOST, "access_denied"));
}

#[tokio::test]
async fn a_key_that_was_deleted_and_a_clock_that_is_wrong_are_ours_to_mend() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let path = format!("google/service-accounts/{}/rotate", text(&setup.key["client_email"]));
    let fresh = setup.control(&path, &json!({})).await;
    let error = setup.google.organisation(&session).await.unwrap_err();
    assert_eq!(told(&error), OURS, "{error:?}");
    let session = Setup::session_with(&fresh, &organisation);
    setup.google.organisation(&session).await.unwrap();
    // Google's clock runs ahead of ours from here on.
    setup.control("clock/advance", &json!({ "seconds": 7_200 })).await;
    let error = setup.google.organisation(&session).await.unwrap_err();
    assert_eq!(told(&error), OURS, "{error:?}");
    let message = messages::render_message(&error.message, Language::English, None);
    assert!(message.contains("clock"), "{message}");
}

#[tokio::test]
async fn who_is_no_administrator_is_told_from_who_is_nobody() {
    let (setup, organisation) = acme().await;
    let mut session = setup.session(&organisation);
    session.account = party(&organisation["users"][1]).address;
    let error = setup.google.organisation(&session).await.unwrap_err();
    assert_eq!((told(&error), error.code.as_str()), (LOST, "forbidden"));
    session.account = "nobody@acme.test".to_owned();
    let error = setup.google.organisation(&session).await.unwrap_err();
    assert_eq!(told(&error), (ErrorKind::NoMailbox, Remedy::SkipMailbox));
}

#[tokio::test]
async fn tokens_are_kept_until_they_end_and_renewed_unseen() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let tokens = async || {
        let journal = setup.journal().await;
        journal.iter().filter(|entry| entry["path"] == "/google/token").count()
    };
    for _ in 0..3 {
        setup.google.people(&session, None).await.unwrap();
    }
    assert_eq!(tokens().await, 1);
    setup.control("tokens/expire", &json!({})).await;
    setup.google.people(&session, None).await.unwrap();
    assert_eq!(tokens().await, 2, "a refused token is replaced once");
    setup.clock.advance(Duration::minutes(56));
    setup.google.people(&session, None).await.unwrap();
    assert_eq!(tokens().await, 3, "a token that is about to end is replaced before");
}

#[tokio::test]
async fn a_write_whose_answer_was_cut_is_found_and_not_written_twice() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let event = meeting("cut", &organisation);
    let mailbox = &event.organiser.address;
    setup.fault("POST", "/events", json!({ "action": "drop_after" })).await;
    let error = setup.google.create_event(&session, mailbox, &event).await.unwrap_err();
    assert!(error.unknown, "{error:?}");
    let found = setup.google.find_event(&session, mailbox, "cut").await.unwrap().expect("it was written");
    let again = setup.google.create_event(&session, mailbox, &event).await.unwrap();
    assert_eq!(again.id, found.id);
    let journal = setup.journal().await;
    let outcomes: Vec<&str> = journal
        .iter()
        .filter(|entry| entry["key"] == "cut" && entry["method"] == "POST")
        .map(|entry| text(&entry["outcome"]))
        .collect();
    assert_eq!(outcomes, ["created", "duplicate"], "the judge sees the key and what came of it");
    setup.google.delete_event(&session, mailbox, &found.id).await.unwrap();
    let gone = setup.google.create_event(&session, mailbox, &event).await.unwrap_err();
    assert_eq!(told(&gone), (ErrorKind::Gone, Remedy::Never), "its id is used up for good");
}

#[tokio::test]
async fn refusals_that_pass_are_waited_for_and_leave_nothing_behind() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let event = meeting("later", &organisation);
    let mailbox = &event.organiser.address;
    let write = async || setup.google.create_event(&session, mailbox, &event).await.unwrap_err();
    let refuse =
        |status: u16, reason: &str| json!({ "action": "refuse", "status": status, "reason": reason });
    for (status, reason) in
        [(429, "rateLimitExceeded"), (403, "rateLimitExceeded"), (403, "userRateLimitExceeded")]
    {
        setup.fault("POST", "/events", refuse(status, reason)).await;
        let error = write().await;
        let Remedy::RetryAfter(wait) = error.remedy else { panic!("{error:?}") };
        assert_eq!((error.kind, error.unknown), (ErrorKind::Throttled, false), "{status} {reason}");
        assert!(wait.as_secs() <= 64, "{wait:?}");
    }
    setup.fault("POST", "/events", refuse(403, "quotaExceeded")).await;
    let error = write().await;
    let waits = matches!(error.remedy, Remedy::RetryAfter(wait) if wait.as_secs() >= 3_600);
    assert!(waits && !error.unknown, "{error:?}");
    setup.fault("POST", "/events", json!({ "action": "throttle", "retry_after": 7 })).await;
    assert_eq!(write().await.remedy, Remedy::RetryAfter(std::time::Duration::from_secs(7)));
    for status in [500, 503] {
        setup.fault("POST", "/events", refuse(status, "backendError")).await;
        let error = write().await;
        assert_eq!((error.kind, error.unknown), (ErrorKind::Unavailable, true), "{status}");
    }
    setup.fault("POST", "/token", json!({ "action": "outage" })).await;
    setup.control("tokens/expire", &json!({})).await;
    let error = write().await;
    assert_eq!((error.kind, error.unknown), (ErrorKind::Unavailable, false), "no token, no write");
    assert_eq!(setup.google.find_event(&session, mailbox, "later").await.unwrap(), None);
}

#[tokio::test]
async fn mailboxes_that_cannot_be_served_are_skipped_with_their_reason() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let user = party(&organisation["users"][2]).address;
    let look = async |address: &str| {
        let found = setup.google.mailbox(&session, address).await;
        found.map(|found| (found.kind, found.zone)).map_err(|error| told(&error))
    };
    let berlin = Some("Europe/Berlin".to_owned());
    assert_eq!(look(&user).await, Ok((MailboxKind::Person, berlin.clone())));
    assert_eq!(look(text(&organisation["rooms"][0]["address"])).await, Ok((MailboxKind::Room, berlin)));
    let path = |what: &str| format!("organisations/{}/{what}", text(&organisation["id"]));
    setup.control(&path("mailbox"), &json!({ "address": user, "kind": "none" })).await;
    assert_eq!(look(&user).await, Err((ErrorKind::NotServed, Remedy::SkipMailbox)), "not a calendar user");
    let other = party(&organisation["users"][3]).address;
    setup.control(&path("scope"), &json!({ "mailbox": other, "in_scope": false })).await;
    assert_eq!(look(&other).await, Err((ErrorKind::OutOfScope, Remedy::SkipMailbox)));
    assert_eq!(look("nobody@acme.test").await, Err((ErrorKind::NoMailbox, Remedy::SkipMailbox)));
    let asked = [user, other, party(&organisation["users"][1]).address];
    let window = meeting("x", &organisation).range;
    let verdicts = setup.google.busy(&session, &asked, window).await.unwrap();
    let fine: Vec<bool> = verdicts.iter().map(|(_, verdict)| verdict.is_ok()).collect();
    assert_eq!(fine, [false, false, true], "one verdict each");
}

#[tokio::test]
async fn a_change_that_meets_another_one_is_made_on_top_of_it() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let event = meeting("conflict", &organisation);
    let mailbox = &event.organiser.address;
    let created = setup.google.create_event(&session, mailbox, &event).await.unwrap();
    let refuse = json!({ "action": "refuse", "status": 412, "reason": "conditionNotMet" });
    setup.fault("PATCH", "/events", refuse.clone()).await;
    let change = EventChange { title: Some("Moved".to_owned()), ..EventChange::default() };
    let changed = setup.google.update_event(&session, mailbox, &created.id, &change).await.unwrap();
    assert_eq!(changed.title.as_deref(), Some("Moved"));
    setup.fault("PATCH", "/events", refuse.clone()).await;
    setup.fault("PATCH", "/events", refuse).await;
    let error = setup.google.update_event(&session, mailbox, &created.id, &change).await.unwrap_err();
    assert_eq!((told(&error), error.unknown), ((ErrorKind::Conflict, Remedy::Reread), false));
}

#[tokio::test]
async fn both_meanings_of_410_are_told_apart() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let event = meeting("gone", &organisation);
    let mailbox = &event.organiser.address;
    let created = setup.google.create_event(&session, mailbox, &event).await.unwrap();
    let cursor = setup.google.changes(&session, mailbox, event.range, None).await.unwrap().cursor;
    setup.google.delete_event(&session, mailbox, &created.id).await.unwrap();
    setup.google.delete_event(&session, mailbox, &created.id).await.unwrap();
    let changes = setup.google.changes(&session, mailbox, event.range, Some(&cursor)).await.unwrap();
    assert_eq!((changes.gone, changes.changed.len()), (vec![created.id], 0));
    setup.control("cursors/forget", &json!({})).await;
    let error = setup.google.changes(&session, mailbox, event.range, Some(&cursor)).await.unwrap_err();
    assert_eq!(told(&error), (ErrorKind::Gone, Remedy::Resync));
}

#[tokio::test]
async fn an_event_that_leaves_the_window_is_gone_from_it() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let event = meeting("leaves", &organisation);
    let mailbox = &event.organiser.address;
    let created = setup.google.create_event(&session, mailbox, &event).await.unwrap();
    let first = setup.google.changes(&session, mailbox, event.range, None).await.unwrap();
    assert_eq!((first.changed.len(), first.more), (1, false));
    let later = event.range.start + Duration::days(60);
    let range = TimeRange::new(later, later + Duration::hours(1));
    let change = EventChange { range, ..EventChange::default() };
    setup.google.update_event(&session, mailbox, &created.id, &change).await.unwrap();
    let next = setup.google.changes(&session, mailbox, event.range, Some(&first.cursor)).await.unwrap();
    assert_eq!((next.gone, next.changed.len()), (vec![created.id], 0));
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
    setup.google.create_event(&session, &mailbox, &event).await.unwrap();
    setup.google.create_event(&session, &mailbox, &later).await.unwrap();
    let window = TimeRange::new(event.range.start, event.range.start + Duration::days(150)).unwrap();
    let answers = setup.google.busy(&session, &[mailbox], window).await.unwrap();
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
    let created = setup.google.create_event(&session, mailbox, &event).await.unwrap();
    assert_eq!(created.attendees[0].answer, Answer::None);
    setup.clock.advance(Duration::seconds(31));
    let later = setup.google.event(&session, mailbox, &created.id).await.unwrap().unwrap();
    assert_eq!(later.attendees[0].answer, Answer::Accepted);
    let room = text(&organisation["rooms"][0]["address"]);
    let held = setup.google.events(&session, room, event.range, None).await.unwrap();
    assert_eq!(held.items.len(), 1, "the administrator reads the calendars of rooms");
    let info = &setup.google.rooms(&session, None).await.unwrap().items[0];
    assert!(info.capacity.is_some() && info.floor.is_some(), "{info:?}");
    assert!(info.building.as_ref().is_some_and(|name| !name.starts_with("bld-")), "{info:?}");
}

#[tokio::test]
async fn a_watched_mailbox_tells_of_its_changes_until_it_is_let_go() {
    let (setup, organisation) = acme().await;
    let session = setup.session(&organisation);
    let event = meeting("watched", &organisation);
    let mailbox = &event.organiser.address;
    let mut hooks = Hooks::start().await;
    let channel = setup.google.watch(&session, mailbox, &hooks.url, "our-secret").await.unwrap();
    let (id, _) = channel.id.split_once('|').unwrap();
    let first = hooks.next().await;
    assert_eq!(first["x-goog-resource-state"], "sync");
    setup.google.create_event(&session, mailbox, &event).await.unwrap();
    let told_of = hooks.next().await;
    assert_eq!(told_of["x-goog-resource-state"], "exists");
    assert_eq!(
        (told_of["x-goog-channel-id"].as_str(), told_of["x-goog-channel-token"].as_str()),
        (id, "our-secret")
    );
    let lasts = channel.expires_at - domain::Clock::now(&setup.clock);
    assert_eq!(lasts, Duration::days(7));
    let fixed = setup.google.renew(&session, &channel.id).await.unwrap_err();
    assert_eq!(told(&fixed), (ErrorKind::Gone, Remedy::Never), "a new one is opened instead");
    for _ in 0..2 {
        setup.google.unwatch(&session, &channel.id).await.unwrap();
    }
    let closed = setup.google.watch(&session, mailbox, "http://hooks.test/google", "our-secret").await;
    assert_eq!(closed.unwrap_err().kind, ErrorKind::Misconfigured, "plain http is refused");
}
