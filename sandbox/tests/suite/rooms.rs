//! How rooms answer, what mailboxes hide, and what dies by the clock.

use reqwest::Method;
use serde_json::{Value, json};

use crate::setup::{CLIENT, Setup, answer, claims, credentials, meeting, segment, text};

const ROOM: &str = "room-1@acme.test";

impl Setup {
    async fn tell(&self, path: &str, body: Value) -> Value {
        self.control(&format!("organisations/acme.test/{path}"), body).await
    }

    /// Books the room and returns the event's id in Ada's calendar.
    async fn book_room(&self, token: &str) -> Value {
        let body = meeting("room", 9, 10, &[("resource", ROOM)]);
        self.book(token, "ada@acme.test", body).await["id"].clone()
    }

    /// What the room has answered to the event.
    async fn answer_of_room(&self, token: &str, event: &Value) -> String {
        let path = format!("users/ada@acme.test/events/{}", segment(event));
        let (_, event) = self.get(token, &path).await;
        text(&event["attendees"][0]["status"]["response"])
    }
}

#[tokio::test]
async fn a_room_that_somebody_decides_about_says_perhaps_until_then() {
    for (accept, verdict) in [(true, "accepted"), (false, "declined")] {
        let setup = Setup::consented().await;
        let token = setup.application().await;
        setup.tell("room", json!({"address": ROOM, "approver": "bob@acme.test"})).await;
        let event = setup.book_room(&token).await;
        assert_eq!(setup.answer_of_room(&token, &event).await, "tentativelyAccepted");
        let mails = setup.ask("organisations/acme.test/mails").await;
        let asks = |mail: &&Value| mail["to"] == "bob@acme.test" && mail["kind"] == "REQUEST";
        assert_eq!(mails.as_array().unwrap().iter().filter(asks).count(), 1, "{mails}");
        let decided = setup.tell("room/answer", json!({"room": ROOM, "accept": accept})).await;
        assert_eq!(decided["answered"], 1);
        assert_eq!(setup.answer_of_room(&token, &event).await, verdict);
        let again = setup.tell("room/answer", json!({"room": ROOM, "accept": accept})).await;
        assert_eq!(again["answered"], 0, "nothing waits any more");
        assert_eq!(setup.calendar(ROOM).await.len(), usize::from(accept));
    }
}

#[tokio::test]
async fn a_room_that_never_answers_stays_silent_until_it_is_made_to() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    setup.tell("room", json!({"address": ROOM, "auto_accept": false})).await;
    let event = setup.book_room(&token).await;
    setup.control("clock/advance", json!({"seconds": 3000})).await;
    assert_eq!(setup.answer_of_room(&token, &event).await, "none");
    setup.tell("room/answer", json!({"room": ROOM, "accept": true})).await;
    assert_eq!(setup.answer_of_room(&token, &event).await, "accepted");
}

#[tokio::test]
async fn a_room_replaces_titles_as_long_as_it_is_told_to() {
    for (replaces, title) in [(true, "Ada Albers"), (false, "Interview")] {
        let setup = Setup::consented().await;
        let token = setup.application().await;
        setup.tell("room", json!({"address": ROOM, "replaces_titles": replaces})).await;
        setup.book_room(&token).await;
        assert_eq!(setup.calendar(ROOM).await[0]["subject"], title);
    }
}

#[tokio::test]
async fn a_mailbox_that_hides_its_details_shows_times_alone() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let event =
        setup.book(&token, "ada@acme.test", meeting("one", 9, 10, &[("required", "bob@acme.test")])).await;
    setup.tell("mailbox", json!({"address": "ada@acme.test", "hides_details": true})).await;
    let window = "startDateTime=2026-11-17T00:00:00Z&endDateTime=2026-11-18T00:00:00Z";
    let (_, list) = setup.get(&token, &format!("users/ada@acme.test/calendarView?{window}")).await;
    let (_, single) =
        setup.get(&token, &format!("users/ada@acme.test/events/{}", segment(&event["id"]))).await;
    for shown in [&list["value"][0], &single] {
        assert_eq!((&shown["start"], &shown["sensitivity"]), (&event["start"], &json!("private")));
        let text = shown.to_string();
        for secret in ["Interview", "Agenda", "bob@acme.test", "\"one\""] {
            assert!(!text.contains(secret), "{secret} shows in {text}");
        }
    }
    setup.tell("mailbox", json!({"address": "ada@acme.test", "hides_details": false})).await;
    let (_, list) = setup.get(&token, &format!("users/ada@acme.test/calendarView?{window}")).await;
    assert_eq!(list["value"][0]["subject"], "Interview");
}

#[tokio::test]
async fn a_secret_that_expired_is_refused_and_a_new_one_taken() {
    let setup = Setup::consented().await;
    setup.control(&format!("apps/{CLIENT}/secret"), json!({"expires_at": "2026-11-16T09:00:00Z"})).await;
    assert_eq!(setup.token(&credentials()).await.0, 200, "not yet");
    setup.control("clock/advance", json!({"seconds": 3600})).await;
    let (status, refused) = setup.token(&credentials()).await;
    assert_eq!(
        (status, &refused["error"], &refused["error_codes"][0]),
        (401, &json!("invalid_client"), &json!(7_000_222))
    );
    setup.control(&format!("apps/{CLIENT}/secret"), json!({"secret": "another"})).await;
    assert_eq!(
        setup.token(&credentials()).await.1["error_codes"][0],
        7_000_215,
        "the old one is another's now"
    );
    let mut renewed = credentials();
    renewed[1].1 = "another";
    assert_eq!(setup.token(&renewed).await.0, 200);
}

#[tokio::test]
async fn tokens_are_dated_by_a_clock_that_can_be_wrong() {
    let setup = Setup::consented().await;
    let issued = |token: &str| claims(token)["iat"].as_i64().unwrap();
    let right = issued(&setup.application().await);
    for skew in [-300, 600] {
        setup.control("clock/skew", json!({"seconds": skew})).await;
        let token = setup.application().await;
        assert_eq!((issued(&token), &claims(&token)["nbf"]), (right + skew, &json!(right + skew)));
    }
    setup.control("clock/skew", json!({"seconds": -7200})).await;
    let token = setup.application().await;
    assert_eq!(setup.get(&token, "organization").await.0, 401, "it was dead when it was issued");
}

#[tokio::test]
async fn a_consent_spreads_at_the_instant_that_was_set() {
    let setup = Setup::new().await;
    setup.tell("settings", json!({"consent_delay_s": 60, "consent_from": "2026-11-16T10:00:00Z"})).await;
    setup.consent().await;
    let roles = async || claims(&setup.application().await).get("roles").is_some();
    for (seconds, spread) in [(3600, false), (3599, false), (1, true)] {
        setup.control("clock/advance", json!({"seconds": seconds})).await;
        assert_eq!(roles().await, spread, "after {seconds} more seconds");
    }
}

#[tokio::test]
async fn forgetting_sync_cursors_is_counted_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    for time in 1..=2 {
        let running = crate::setup::launch(Some(folder.path()), None).await;
        let url = running.url().join("control/cursors/forget").unwrap();
        let (status, told) = answer(reqwest::Client::new().request(Method::POST, url).json(&json!({}))).await;
        assert_eq!((status, &told["sync_epoch"]), (200, &json!(time)));
        running.stop().await;
    }
}
