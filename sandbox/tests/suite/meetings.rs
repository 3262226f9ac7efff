//! Meetings: copies, rooms that answer, cancellations, mails.

use reqwest::Method;
use serde_json::{Value, json};

use crate::setup::{Setup, answer, meeting, segment, text};

async fn organised(setup: &Setup, token: &str, event: &Value) -> Value {
    setup.get(token, &format!("users/ada@acme.test/events/{}", segment(&event["id"]))).await.1
}

fn responses(event: &Value) -> Vec<String> {
    event["attendees"].as_array().unwrap().iter().map(|one| text(&one["status"]["response"])).collect()
}

async fn mails(setup: &Setup) -> Vec<(String, String)> {
    let mails = setup.ask(&format!("organisations/{}/mails", setup.tenant)).await;
    mails.as_array().unwrap().iter().map(|mail| (text(&mail["kind"]), text(&mail["to"]))).collect()
}

#[tokio::test]
async fn a_room_accepts_when_it_is_free_and_declines_when_it_is_taken() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let guests = [("required", "bob@acme.test"), ("resource", "room-1@acme.test")];
    let first = setup.book(&token, "ada@acme.test", meeting("one", 9, 10, &guests)).await;
    assert_eq!(responses(&first), ["none", "none"], "the room answers after the request");
    assert_eq!(responses(&organised(&setup, &token, &first).await), ["none", "accepted"]);
    let copy = &setup.calendar("bob@acme.test").await[0];
    assert_eq!((&copy["ical_uid"], &copy["is_organizer"]), (&first["iCalUId"], &json!(false)));
    assert_ne!(copy["id"], first["id"]);
    let held = &setup.calendar("room-1@acme.test").await[0];
    assert_eq!((&held["subject"], &held["response"]), (&json!("Ada Albers"), &json!("accepted")));

    let second = setup.book(&token, "ada@acme.test", meeting("two", 9, 11, &guests[1..])).await;
    assert_eq!(responses(&organised(&setup, &token, &second).await), ["declined"]);
    assert_eq!(setup.calendar("room-1@acme.test").await.len(), 1);
    let third = setup.book(&token, "ada@acme.test", meeting("three", 10, 11, &guests[1..])).await;
    assert_eq!(responses(&organised(&setup, &token, &third).await), ["accepted"], "touching is no conflict");
}

#[tokio::test]
async fn a_room_answers_when_its_time_has_come_and_some_never_do() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    setup.control(&format!("organisations/{}/settings", setup.tenant), json!({"room_delay_s": 30})).await;
    let guests = [("resource", "room-1@acme.test"), ("resource", "room-2@acme.test")];
    let event = setup.book(&token, "ada@acme.test", meeting("one", 9, 10, &guests)).await;
    setup.control("clock/advance", json!({"seconds": 29})).await;
    assert_eq!(responses(&organised(&setup, &token, &event).await), ["none", "none"]);
    setup.control("clock/advance", json!({"seconds": 1})).await;
    assert_eq!(responses(&organised(&setup, &token, &event).await), ["accepted", "none"]);
}

#[tokio::test]
async fn a_moved_meeting_asks_everybody_again() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let guests = [("resource", "room-1@acme.test")];
    setup.book(&token, "bob@acme.test", meeting("other", 14, 15, &guests)).await;
    let event = setup.book(&token, "ada@acme.test", meeting("one", 9, 10, &guests)).await;
    let path = format!("users/ada@acme.test/events/{}", segment(&event["id"]));
    let at = |hour: u32| json!({"dateTime": format!("2026-11-17T{hour:02}:00:00"), "timeZone": "UTC"});
    for (from, expected) in [(11, "accepted"), (14, "declined"), (12, "accepted")] {
        let change = json!({"start": at(from), "end": at(from + 1)});
        let (status, moved) = answer(setup.graph(&token, Method::PATCH, &path).json(&change)).await;
        assert_eq!((status, responses(&moved)), (200, vec!["none".to_owned()]));
        assert_eq!(responses(&organised(&setup, &token, &event).await), [expected], "{from}");
    }
    let held = setup.calendar("room-1@acme.test").await;
    assert_eq!(held.len(), 2);
    assert_eq!(held[0]["start"], "2026-11-17T12:00:00.0000000Z");
}

#[tokio::test]
async fn an_answer_holds_while_the_time_does() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let guests = [("required", "bob@acme.test"), ("resource", "room-1@acme.test")];
    let event = setup.book(&token, "ada@acme.test", meeting("one", 9, 10, &guests)).await;
    let copy = setup.calendar("bob@acme.test").await[0].clone();
    let accept = format!("users/bob@acme.test/events/{}/accept", segment(&copy["id"]));
    setup.post(&token, &accept, json!({})).await;
    let path = format!("users/ada@acme.test/events/{}", segment(&event["id"]));
    let (_, renamed) =
        answer(setup.graph(&token, Method::PATCH, &path).json(&json!({"subject": "New"}))).await;
    assert_eq!(responses(&renamed), ["accepted", "accepted"]);
    let copy = &setup.calendar("bob@acme.test").await[0];
    assert_eq!((&copy["subject"], &copy["response"]), (&json!("New"), &json!("accepted")));
    assert_eq!(setup.calendar("room-1@acme.test").await[0]["subject"], "Ada Albers");
}

#[tokio::test]
async fn only_those_who_are_concerned_get_mail() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let guests = [("required", "bob@acme.test"), ("optional", "guest@elsewhere.test")];
    let event = setup.book(&token, "ada@acme.test", meeting("one", 9, 10, &guests)).await;
    let path = format!("users/ada@acme.test/events/{}", segment(&event["id"]));
    let mail = |kind: &str, to: &str| (kind.to_owned(), to.to_owned());
    assert_eq!(
        mails(&setup).await,
        [mail("REQUEST", "bob@acme.test"), mail("REQUEST", "guest@elsewhere.test")]
    );

    let attendees = json!({"attendees": [
        {"type": "required", "emailAddress": {"address": "bob@acme.test"}},
        {"type": "required", "emailAddress": {"address": "bookings@acme.test"}}
    ]});
    answer(setup.graph(&token, Method::PATCH, &path).json(&attendees)).await;
    assert_eq!(
        mails(&setup).await[2..],
        [mail("CANCEL", "guest@elsewhere.test"), mail("REQUEST", "bookings@acme.test")]
    );
    answer(setup.graph(&token, Method::PATCH, &path).json(&json!({"subject": "New"}))).await;
    assert_eq!(
        mails(&setup).await[4..],
        [mail("UPDATE", "bob@acme.test"), mail("UPDATE", "bookings@acme.test")]
    );
    answer(setup.graph(&token, Method::PATCH, &path).json(&json!({"showAs": "free"}))).await;
    assert_eq!(mails(&setup).await.len(), 6, "nobody is told what only the organiser sees");
    assert_eq!(setup.post(&token, &format!("{path}/cancel"), json!({"comment": "off"})).await.0, 202);
    assert_eq!(
        mails(&setup).await[6..],
        [mail("CANCEL", "bob@acme.test"), mail("CANCEL", "bookings@acme.test")]
    );
}

#[tokio::test]
async fn a_cancelled_meeting_is_gone_from_every_calendar() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let guests = [("required", "bob@acme.test"), ("resource", "room-1@acme.test")];
    let event = setup.book(&token, "ada@acme.test", meeting("one", 9, 10, &guests)).await;
    let copy = setup.calendar("bob@acme.test").await[0].clone();
    let theirs = format!("users/bob@acme.test/events/{}/cancel", segment(&copy["id"]));
    let (status, refused) = setup.post(&token, &theirs, json!({})).await;
    assert_eq!(status, 400);
    assert!(text(&refused["error"]["message"]).ends_with("You need to be an organizer to cancel a meeting."));
    let path = format!("users/ada@acme.test/events/{}/cancel", segment(&event["id"]));
    assert_eq!(setup.post(&token, &path, json!({})).await.0, 202);
    for who in ["ada", "bob", "room-1"] {
        assert_eq!(setup.calendar(&format!("{who}@acme.test")).await, Vec::<Value>::new(), "{who}");
    }
    assert_eq!(setup.post(&token, &path, json!({})).await.0, 404);
}

#[tokio::test]
async fn an_answer_reaches_the_organiser() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let event =
        setup.book(&token, "ada@acme.test", meeting("one", 9, 10, &[("required", "bob@acme.test")])).await;
    let copy = setup.calendar("bob@acme.test").await[0].clone();
    let theirs = format!("users/bob@acme.test/events/{}", segment(&copy["id"]));
    for (answer, expected) in
        [("tentativelyAccept", "tentativelyAccepted"), ("accept", "accepted"), ("decline", "declined")]
    {
        let (status, _) =
            setup.post(&token, &format!("{theirs}/{answer}"), json!({"sendResponse": true})).await;
        assert_eq!(status, 202);
        assert_eq!(responses(&organised(&setup, &token, &event).await), [expected]);
    }
    assert_eq!(setup.calendar("bob@acme.test").await, Vec::<Value>::new(), "what was declined is removed");
    let own = format!("users/ada@acme.test/events/{}/accept", segment(&event["id"]));
    assert_eq!(setup.post(&token, &own, json!({})).await.0, 400);
}

#[tokio::test]
async fn the_organiser_may_be_out_of_reach_while_the_shared_mailbox_books_for_them() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let (status, _) = setup.post(&token, "users/eve@acme.test/events", meeting("one", 9, 10, &[])).await;
    assert_eq!(status, 403);
    let event = meeting("one", 9, 10, &[("required", "eve@acme.test")]);
    setup.book(&token, "bookings@acme.test", event).await;
    assert_eq!(setup.calendar("eve@acme.test").await.len(), 1);
}
