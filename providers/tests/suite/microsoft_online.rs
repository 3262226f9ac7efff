//! Teams meetings: what is sent to ask for one, and what keeps it.

use crate::microsoft_recorder;
use crate::microsoft_setup;

use std::sync::Arc;

use chrono::Duration;
use domain::{BusyKind, Ids, TestClock, TimeRange, Timestamp};
use microsoft_recorder::{Asked, Recorder};
use microsoft_setup::{Setup, text};
use providers::{
    Credential, EventChange, Events as _, NamedAddress, NewEvent, OnlineMeeting, Remedy, Session,
    StaticCredentials, UnlimitedGate,
    microsoft::{ClientCredential, Config, Microsoft},
};
use secrecy::SecretString;
use serde_json::{Value, json};

const MAILBOX: &str = "ada@acme.test";
const URL: &str = "https://teams.microsoft.com/l/meetup-join/1";

fn meeting(organiser: NamedAddress) -> NewEvent {
    let start: Timestamp = "2026-12-01T09:00:00Z".parse().unwrap();
    NewEvent {
        effect_key: "bkg-1".to_owned(),
        title: "Interview".to_owned(),
        text: "Agenda".to_owned(),
        range: TimeRange::new(start, start + Duration::hours(1)).unwrap(),
        zone: "UTC".to_owned(),
        location: None,
        organiser,
        attendees: Vec::new(),
        busy: Some(BusyKind::Busy),
        online_meeting: true,
    }
}

fn ada() -> NamedAddress {
    NamedAddress { name: "Ada".to_owned(), address: MAILBOX.to_owned() }
}

async fn bench() -> (Recorder, Microsoft, Session) {
    let server = Recorder::start().await;
    let secret = ClientCredential::Secret(SecretString::from("made for this test"));
    let config = Config::new(server.url("/"), server.url("/v1.0"), "client", secret);
    let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
    let client = http::Client::new(http::Config { allowance, ..http::Config::default() }).unwrap();
    let clock = Arc::new(TestClock::at("2026-12-01T08:00:00Z".parse().unwrap()));
    let connector = Microsoft::new(config, client, clock.clone(), Ids::seeded(clock, 1));
    let session = Session {
        credentials: Arc::new(StaticCredentials(Credential::Bearer(SecretString::from("token")))),
        gate: Arc::new(UnlimitedGate),
        server: None,
        account: "svc@acme.test".to_owned(),
        own: false,
        zone: None,
        scope: "test".into(),
        rooms: None,
    };
    (server, connector, session)
}

fn written(more: Value) -> Value {
    let mut event = json!({
        "id": "e1", "iCalUId": "uid-1", "changeKey": "ck-1", "subject": "Interview", "showAs": "busy",
        "start": { "dateTime": "2026-12-01T09:00:00.0000000", "timeZone": "UTC" },
        "end": { "dateTime": "2026-12-01T10:00:00.0000000", "timeZone": "UTC" },
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn body_of(asked: &Asked) -> Value {
    serde_json::from_str(&asked.body).unwrap()
}

#[tokio::test]
async fn a_meeting_is_asked_for_where_the_calendar_permits_teams() {
    let (server, connector, session) = bench().await;
    let calendar =
        |providers: Value| json!({ "id": "c", "canEdit": true, "allowedOnlineMeetingProviders": providers });
    for (told, expected) in [
        (json!({ "isOnlineMeeting": true }), OnlineMeeting::Pending),
        (json!({ "isOnlineMeeting": true, "onlineMeeting": null }), OnlineMeeting::Pending),
        (
            json!({ "isOnlineMeeting": true, "onlineMeeting": { "joinUrl": URL } }),
            OnlineMeeting::Ready(URL.to_owned()),
        ),
        (
            json!({ "isOnlineMeeting": true, "onlineMeeting": { "joinUrl": "javascript:alert(1)" } }),
            OnlineMeeting::Pending,
        ),
    ] {
        server.tell(200, &calendar(json!(["skypeForBusiness", "teamsForBusiness"])));
        server.tell(201, &written(told));
        let event = connector.create_event(&session, MAILBOX, &meeting(ada())).await.unwrap();
        assert_eq!(event.online_meeting, Some(expected));
        let asked = server.asked();
        assert_eq!(asked[0].line, "GET /v1.0/users/ada@acme.test/calendar");
        assert_eq!(asked[1].line, "POST /v1.0/users/ada@acme.test/calendar/events");
        let body = body_of(&asked[1]);
        assert_eq!(
            (&body["isOnlineMeeting"], &body["onlineMeetingProvider"]),
            (&json!(true), &json!("teamsForBusiness"))
        );
    }
    for providers in [json!([]), json!(["skypeForBusiness"]), Value::Null] {
        server.tell(200, &calendar(providers));
        server.tell(201, &written(json!({ "isOnlineMeeting": false })));
        let event = connector.create_event(&session, MAILBOX, &meeting(ada())).await.unwrap();
        assert_eq!(event.online_meeting, Some(OnlineMeeting::Failed), "the event stands, and says so");
        assert_eq!(body_of(&server.asked()[1]).get("isOnlineMeeting"), None);
    }
    server.tell(201, &written(json!({ "isOnlineMeeting": false })));
    let plain = NewEvent { online_meeting: false, ..meeting(ada()) };
    assert_eq!(connector.create_event(&session, MAILBOX, &plain).await.unwrap().online_meeting, None);
    assert_eq!(server.asked().len(), 1, "who wants no meeting does not look at the calendar");
}

#[tokio::test]
async fn a_new_text_stands_in_front_of_how_to_join() {
    let (server, connector, session) = bench().await;
    let rule = "_".repeat(80);
    let part = format!("<div>{rule}</div><a href=\"{URL}\">Join</a><div>{rule}</div>");
    let change = EventChange { text: Some("A < B\nC".to_owned()), ..EventChange::default() };
    let html = format!("<html><body><div>Agenda</div>{part}</body></html>");
    let online = json!({ "isOnlineMeeting": true, "onlineMeeting": { "joinUrl": URL } });
    let text = |content: &str| {
        let mut text = online.clone();
        text["body"] = json!({ "contentType": "html", "content": content });
        text
    };
    server.tell(200, &text(&html));
    server.tell(200, &written(online.clone()));
    connector.update_event(&session, MAILBOX, "e1", &change).await.unwrap();
    let asked = server.asked();
    assert_eq!(
        asked[0].line,
        "GET /v1.0/users/ada@acme.test/events/e1?$select=body%2CisOnlineMeeting%2ConlineMeeting"
    );
    let content = format!("<html><body><div>A &lt; B<br>\nC</div>{part}</body></html>");
    assert_eq!(body_of(&asked[1]), json!({ "body": { "contentType": "html", "content": content } }));

    server.tell(200, &text("<html><body>Agenda</body></html>"));
    let error = connector.update_event(&session, MAILBOX, "e1", &change).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.remedy), ("JOIN_TEXT_UNKNOWN", Remedy::Never));
    assert_eq!(server.asked().len(), 1, "what would take the meeting away is not sent");

    server
        .tell(200, &json!({ "isOnlineMeeting": false, "body": { "contentType": "html", "content": html } }));
    server.tell(200, &written(json!({})));
    connector.update_event(&session, MAILBOX, "e1", &change).await.unwrap();
    let plain = json!({ "body": { "contentType": "text", "content": "A < B\nC" } });
    assert_eq!(body_of(&server.asked()[1]), plain);
}

#[tokio::test]
async fn a_meeting_that_comes_later_is_read_back_and_a_calendar_without_gets_none() {
    let setup = Setup::start().await;
    let organisation = setup.organisation("Acme", 3, 1).await;
    setup.consent(&organisation).await;
    let (path, session) =
        (format!("organisations/{}", text(&organisation["id"])), setup.session(&organisation));
    setup.control(&format!("{path}/settings"), &json!({ "meeting_delay_s": 30 })).await;
    let user = &organisation["users"][1];
    let organiser =
        NamedAddress { name: text(&user["name"]).to_owned(), address: text(&user["address"]).to_owned() };
    let event = meeting(organiser);
    let mailbox = event.organiser.address.as_str();
    let created = setup.microsoft.create_event(&session, mailbox, &event).await.unwrap();
    assert_eq!(created.online_meeting, Some(OnlineMeeting::Pending));
    setup.clock.advance(Duration::seconds(31));
    let read = setup.microsoft.find_event(&session, mailbox, "bkg-1").await.unwrap().unwrap();
    assert!(
        matches!(&read.online_meeting, Some(OnlineMeeting::Ready(url)) if url.starts_with("https://teams"))
    );

    let closed = json!({ "address": mailbox, "online_meetings": false });
    setup.control(&format!("{path}/mailbox"), &closed).await;
    let calendar = setup.microsoft.calendar(&session, mailbox).await.unwrap();
    assert!(!calendar.capabilities.online_meetings && calendar.capabilities.can_write());
    let second = NewEvent { effect_key: "bkg-2".to_owned(), ..event.clone() };
    let created = setup.microsoft.create_event(&session, mailbox, &second).await.unwrap();
    assert_eq!(created.online_meeting, Some(OnlineMeeting::Failed));
}
