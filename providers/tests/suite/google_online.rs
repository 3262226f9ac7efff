//! Meet conferences: what asks for one, and what becomes of it.

use crate::google_recorded;
use crate::google_setup;

use chrono::Duration;
use google_recorded::{Bench, bench, interview};
use google_setup::{Setup, text};
use providers::{Credential, Events as _, NamedAddress, NewEvent, OnlineMeeting};
use secrecy::SecretString;
use serde_json::{Value, json};

const MEET: &str = "https://meet.google.com/abc-defg-hij";

fn written(more: Value) -> Value {
    let mut event = json!({
        "id": "e1", "status": "confirmed", "etag": "\"v1\"", "iCalUID": "e1@google.com",
        "start": { "dateTime": "2026-12-01T09:00:00Z" }, "end": { "dateTime": "2026-12-01T10:00:00Z" },
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn request(status: &str) -> Value {
    json!({ "createRequest": { "requestId": "bkg-1", "status": { "statusCode": status } } })
}

#[tokio::test]
async fn a_conference_is_asked_for_once_per_key_and_is_what_its_status_says() {
    let Bench { server, google, session } = bench(Credential::Bearer(SecretString::from("t1"))).await;
    let online = NewEvent { online_meeting: true, ..interview() };
    let mut joined = request("success");
    joined["entryPoints"] = json!([
        { "entryPointType": "phone", "uri": "tel:+49-30-1" }, { "entryPointType": "video", "uri": MEET },
    ]);
    let ready = || OnlineMeeting::Ready(MEET.to_owned());
    for (told, expected) in [
        (json!({ "conferenceData": request("pending") }), OnlineMeeting::Pending),
        (json!({ "conferenceData": request("failure") }), OnlineMeeting::Failed),
        (json!({ "conferenceData": joined }), ready()),
        (json!({ "conferenceData": request("success"), "hangoutLink": MEET }), ready()),
    ] {
        server.tell(200, &written(told));
        let event = google.create_event(&session, "ada@acme.test", &online).await.unwrap();
        assert_eq!(event.online_meeting, Some(expected));
        let asked = server.asked().remove(0);
        assert!(asked.line.contains("?sendUpdates=all&conferenceDataVersion=1&"), "{}", asked.line);
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        let wanted = json!({ "createRequest": {
            "requestId": "bkg-1", "conferenceSolutionKey": { "type": "hangoutsMeet" },
        } });
        assert_eq!(body["conferenceData"], wanted, "the same key asks for the same conference");
    }
    server.tell(200, &written(json!({})));
    google.create_event(&session, "ada@acme.test", &interview()).await.unwrap();
    let asked = server.asked().remove(0);
    assert!(!asked.line.contains("conference") && !asked.body.contains("conference"), "{}", asked.line);
}

#[tokio::test]
async fn a_conference_that_is_not_permitted_does_not_keep_the_event_from_being_written() {
    let setup = Setup::start().await;
    let organisation = setup.organisation("Acme", 3, 1).await;
    setup.authorise(&organisation, 0).await;
    let (path, session) =
        (format!("organisations/{}", text(&organisation["id"])), setup.session(&organisation));
    setup.control(&format!("{path}/settings"), &json!({ "meeting_delay_s": 30 })).await;
    let user = &organisation["users"][1];
    let organiser =
        NamedAddress { name: text(&user["name"]).to_owned(), address: text(&user["address"]).to_owned() };
    let event = NewEvent { online_meeting: true, attendees: Vec::new(), organiser, ..interview() };
    let mailbox = event.organiser.address.as_str();
    let created = setup.google.create_event(&session, mailbox, &event).await.unwrap();
    assert_eq!(created.online_meeting, Some(OnlineMeeting::Pending));
    setup.clock.advance(Duration::seconds(31));
    let read = setup.google.event(&session, mailbox, &created.id).await.unwrap().unwrap();
    assert!(
        matches!(&read.online_meeting, Some(OnlineMeeting::Ready(url)) if url.starts_with("https://meet"))
    );

    let closed = json!({ "address": mailbox, "online_meetings": false });
    setup.control(&format!("{path}/mailbox"), &closed).await;
    let second = NewEvent { effect_key: "bkg-2".to_owned(), ..event.clone() };
    let created = setup.google.create_event(&session, mailbox, &second).await.unwrap();
    assert_eq!(created.online_meeting, Some(OnlineMeeting::Failed));
    let found = setup.google.find_event(&session, mailbox, "bkg-2").await.unwrap();
    assert_eq!(found.map(|event| event.id), Some(created.id));
}
