//! What the Microsoft connector sends, and what it makes of answers that a well-behaved server rarely gives.

mod writes;

use crate::microsoft_recorder;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use domain::{BusyKind, Ids, TestClock, TimeRange, Timestamp, state::Answer};
use microsoft_recorder::{Asked, Recorder};
use providers::{
    Attendee, AttendeeRole, ChangeFeed as _, Credential, Credentials, Directory as _, ErrorKind, Events as _,
    Gate, NamedAddress, NewEvent, Permit, Push as _, Remedy, Result, Session,
    microsoft::{ClientCredential, Config, Microsoft},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

const PROPERTY: &str = "String {5b0f6e2c-93c4-4b7e-8d15-6a1de0a7c94f} Name effectKey";

/// Gives the tokens `t1`, `t2`, ... and keeps the claims that a challenge demanded.
#[derive(Debug, Default)]
struct Tokens(Mutex<Vec<Option<String>>>);

#[async_trait]
impl Credentials for Tokens {
    async fn current(&self) -> Result<Credential> {
        Ok(Credential::Bearer(SecretString::from("t1")))
    }

    async fn renewed(&self, refused: &Credential, claims: Option<&str>) -> Result<Credential> {
        assert!(matches!(refused, Credential::Bearer(token) if token.expose_secret() == "t1"));
        self.0.lock().unwrap().push(claims.map(str::to_owned));
        Ok(Credential::Bearer(SecretString::from("t2")))
    }
}

/// Keeps who came through and who was told to slow down.
#[derive(Debug, Default)]
struct Watched(Mutex<Vec<String>>);

#[async_trait]
impl Gate for Watched {
    async fn enter(&self, mailbox: Option<&str>) -> Result<Permit> {
        self.0.lock().unwrap().push(format!("enter {}", mailbox.unwrap_or("directory")));
        Ok(Permit::default())
    }

    async fn throttled(&self, mailbox: Option<&str>, wait: Duration) {
        self.0.lock().unwrap().push(format!(
            "throttled {} {}",
            mailbox.unwrap_or("directory"),
            wait.as_secs()
        ));
    }
}

struct Bench {
    server: Recorder,
    connector: Microsoft,
    session: Session,
    tokens: Arc<Tokens>,
    gate: Arc<Watched>,
}

async fn bench() -> Bench {
    let server = Recorder::start().await;
    let secret = ClientCredential::Secret(SecretString::from("a secret made for this test"));
    let config = Config::new(server.url("/"), server.url("/v1.0"), "client", secret);
    let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
    let client = http::Client::new(http::Config { allowance, ..http::Config::default() }).unwrap();
    let clock = Arc::new(TestClock::at(at("2026-12-01T09:00:00Z")));
    let connector = Microsoft::new(config, client, clock.clone(), Ids::seeded(clock, 1));
    let (tokens, gate) = (Arc::new(Tokens::default()), Arc::new(Watched::default()));
    let session = Session {
        credentials: tokens.clone(),
        gate: gate.clone(),
        server: None,
        account: "svc@acme.test".to_owned(),
        own: false,
        zone: None,
        scope: "test".into(),
        rooms: None,
    };
    Bench { server, connector, session, tokens, gate }
}

fn body_of(asked: &Asked) -> Value {
    serde_json::from_str(&asked.body).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn window() -> TimeRange {
    TimeRange::new(at("2026-12-01T00:00:00Z"), at("2026-12-02T00:00:00Z")).unwrap()
}

fn interview() -> NewEvent {
    let party =
        |name: &str, address: &str| NamedAddress { name: name.to_owned(), address: address.to_owned() };
    let attendee = |party, role| Attendee { party, role, answer: Answer::None };
    NewEvent {
        effect_key: "bkg-1".to_owned(),
        title: "Interview".to_owned(),
        text: "Agenda".to_owned(),
        range: TimeRange::new(at("2026-12-01T09:00:00Z"), at("2026-12-01T10:00:00Z")).unwrap(),
        zone: "Europe/Berlin".to_owned(),
        location: Some("Room 1".to_owned()),
        organiser: party("Ada", "ada@acme.test"),
        attendees: vec![
            attendee(party("Bob", "bob@acme.test"), AttendeeRole::Required),
            attendee(party("Room 1", "room-1@acme.test"), AttendeeRole::Room),
        ],
        busy: Some(BusyKind::Busy),
        online_meeting: false,
    }
}

fn written(key: &str) -> Value {
    json!({
        "id": "AAA/1+=", "iCalUId": "uid-1", "changeKey": "ck-1", "subject": "Interview",
        "start": {"dateTime": "2026-12-01T09:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-12-01T10:00:00.0000000", "timeZone": "UTC"},
        "showAs": "busy", "sensitivity": "normal", "isCancelled": false,
        "singleValueExtendedProperties": [{"id": PROPERTY, "value": key}],
    })
}

fn refusal(code: &str) -> Value {
    json!({"error": {"code": code, "message": "-"}})
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_with_the_claims_demanded() {
    let bench = bench().await;
    let challenge =
        "www-authenticate: Bearer realm=\"\", error=\"insufficient_claims\", claims=\"eyJhIjoxfQ==\"\r\n";
    bench.server.tell_with(401, challenge, &refusal("InvalidAuthenticationToken"));
    bench.server.tell(200, &json!({"id": "cal", "canEdit": true}));
    bench.connector.calendar(&bench.session, "ada@acme.test").await.unwrap();
    let asked = bench.server.asked();
    let tokens: Vec<_> = asked.iter().filter_map(|asked| asked.header("authorization")).collect();
    assert_eq!(tokens, ["Bearer t1", "Bearer t2"]);
    assert_eq!(*bench.tokens.0.lock().unwrap(), [Some(r#"{"a":1}"#.to_owned())]);
    for _ in 0..2 {
        bench.server.tell(401, &refusal("InvalidAuthenticationToken"));
    }
    let error = bench.connector.calendar(&bench.session, "ada@acme.test").await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::GrantLost, Remedy::Reconnect));
    assert_eq!(bench.server.asked().len(), 2);
}

#[tokio::test]
async fn the_gate_is_asked_first_and_told_of_a_pause() {
    let bench = bench().await;
    bench.server.tell_with(429, "retry-after: 17\r\n", &refusal("ApplicationThrottled"));
    let error = bench.connector.calendar(&bench.session, "ada@acme.test").await.unwrap_err();
    assert_eq!(error.remedy, Remedy::RetryAfter(Duration::from_secs(17)));
    bench.server.tell_with(503, "retry-after: 9\r\nrequest-id: r-9\r\n", &json!({}));
    let error = bench.connector.rooms(&bench.session, None).await.unwrap_err();
    assert_eq!(error.request_id.as_deref(), Some("r-9"));
    let seen = bench.gate.0.lock().unwrap().clone();
    assert_eq!(
        seen,
        ["enter ada@acme.test", "throttled ada@acme.test 17", "enter directory", "throttled directory 9"]
    );
}

#[tokio::test]
async fn a_link_to_another_host_gets_no_token() {
    let bench = bench().await;
    for link in [
        "https://evil.test/v1.0/users",
        "http://127.0.0.1:1/v1.0/users",
        bench.server.url("/beta/users").as_ref(),
        bench.server.url("/v1.0x/users").as_ref(),
        "not a link",
    ] {
        let error = bench.connector.people(&bench.session, Some(link)).await.unwrap_err();
        assert_eq!(error.code, "FOREIGN_LINK", "{link}");
    }
    assert_eq!(bench.server.asked().len(), 0, "nothing may be sent");
}

#[tokio::test]
async fn an_id_stays_one_segment_and_cannot_climb() {
    let bench = bench().await;
    bench.server.tell(404, &refusal("ErrorItemNotFound"));
    let found = bench.connector.event(&bench.session, "$ada@acme.test", "A/../b?c#d%").await.unwrap();
    assert_eq!(found, None);
    let line = &bench.server.asked()[0].line;
    assert!(line.starts_with("GET /v1.0/users('$ada@acme.test')/events/A%2F..%2Fb%3Fc%23d%25?"), "{line}");
    for id in ["", ".", ".."] {
        let error = bench.connector.delete_event(&bench.session, "ada@acme.test", id).await.unwrap_err();
        assert_eq!(error.code, "MALFORMED_ADDRESS");
    }
    assert_eq!(bench.server.asked().len(), 0, "nothing may be sent");
}

#[tokio::test]
async fn busy_asks_in_batches_from_a_mailbox_that_can_ask() {
    let bench = bench().await;
    let mailboxes: Vec<String> = (0..21).map(|n| format!("u{n}@acme.test")).collect();
    let schedule = |n: usize| json!({"scheduleId": format!("U{n}@acme.test"), "scheduleItems": []});
    let unknown =
        json!({"scheduleId": "u20@acme.test", "error": {"responseCode": "ErrorMailRecipientNotFound"}});
    bench.server.tell(
        200,
        &json!({"responses": [
            {"id": "1", "status": 200, "headers": {}, "body": {"value": [unknown]}},
            {"id": "0", "status": 403, "headers": {}, "body": refusal("ErrorAccessDenied")},
        ]}),
    );
    bench.server.tell(403, &refusal("ErrorAccessDenied"));
    bench.server.tell(200, &json!({"value": (0..19).rev().map(schedule).collect::<Vec<_>>()}));
    let answers = bench.connector.busy(&bench.session, &mailboxes, window()).await.unwrap();
    let asked = bench.server.asked();
    assert_eq!(asked[0].line, "POST /v1.0/$batch");
    let together = body_of(&asked[0])["requests"].clone();
    let [first, second] = together.as_array().unwrap().as_slice() else { panic!("{together}") };
    assert_eq!(
        (&first["id"], &first["method"], &first["url"]),
        (&json!("0"), &json!("POST"), &json!("/users/svc@acme.test/calendar/getSchedule"))
    );
    assert_eq!(first["headers"]["Content-Type"], "application/json", "Graph wants it beside every body");
    assert_eq!(second["body"]["schedules"], json!(["u20@acme.test"]));
    assert_eq!(asked[1].line, "POST /v1.0/users/svc@acme.test/calendar/getSchedule");
    assert_eq!(asked[2].line, "POST /v1.0/users/u0@acme.test/calendar/getSchedule");
    assert_eq!(asked.len(), 3, "what was answered is not asked again");
    assert_eq!(body_of(&asked[2])["schedules"].as_array().unwrap().len(), 20);
    assert_eq!(
        body_of(&asked[2])["startTime"],
        json!({"dateTime": "2026-12-01T00:00:00", "timeZone": "UTC"})
    );
    assert!(
        answers.iter().map(|(mailbox, _)| mailbox).eq(&mailboxes),
        "one verdict each, in the order asked"
    );
    let failed: Vec<_> = answers
        .iter()
        .filter_map(|(name, busy)| Some((name.as_str(), busy.as_ref().err()?.code.as_str())))
        .collect();
    let expected = [("u19@acme.test", "SCHEDULE_MISSING"), ("u20@acme.test", "ErrorMailRecipientNotFound")];
    assert_eq!(failed, expected);
}

#[tokio::test]
async fn a_calendar_with_too_many_entries_is_asked_about_in_halves() {
    let bench = bench().await;
    let too_many = json!({"value": [{"scheduleId": "u@acme.test", "error": {"responseCode": 5006}}]});
    let time = |text: &str| json!({"dateTime": text, "timeZone": "UTC"});
    let half = |start: &str, end: &str| {
        let item = json!({"status": "busy", "start": time(start), "end": time(end)});
        json!({"value": [{"scheduleId": "u@acme.test", "scheduleItems": [item]}]})
    };
    bench.server.tell(200, &too_many);
    bench.server.tell(200, &half("2026-12-01T09:00:00", "2026-12-01T13:00:00"));
    bench.server.tell(200, &half("2026-12-01T09:00:00", "2026-12-01T13:00:00"));
    let answers = bench.connector.busy(&bench.session, &["u@acme.test".to_owned()], window()).await.unwrap();
    let busy = answers[0].1.as_ref().unwrap();
    let expected = TimeRange::new(at("2026-12-01T09:00:00Z"), at("2026-12-01T13:00:00Z")).unwrap();
    assert_eq!(busy.busy.iter().map(|busy| busy.range).collect::<Vec<_>>(), [expected]);
    let starts: Vec<Value> =
        bench.server.asked().iter().map(|a| body_of(a)["startTime"]["dateTime"].take()).collect();
    assert_eq!(starts, ["2026-12-01T00:00:00", "2026-12-01T00:00:00", "2026-12-01T12:00:00"]);
}

#[tokio::test]
async fn people_leave_out_guests_rooms_and_those_without_a_mailbox() {
    let bench = bench().await;
    let user = |id: &str, mail: Value, kind: &str| json!({"id": id, "displayName": id, "mail": mail, "userType": kind});
    bench.server.tell(
        200,
        &json!({"value": [
            user("ada", json!("ada@acme.test"), "Member"),
            user("guest", json!("guest@else.test"), "Guest"),
            user("none", Value::Null, "Member"),
            user("room", json!("Room-1@acme.test"), "Member"),
        ]}),
    );
    let next = bench.server.url("/v1.0/places/microsoft.graph.room?$skip=1");
    bench.server.tell(200, &json!({"value": [], "@odata.nextLink": next}));
    bench.server.tell(200, &json!({"value": [{"id": "r1", "emailAddress": "room-1@acme.test"}]}));
    let page = bench.connector.people(&bench.session, None).await.unwrap();
    assert_eq!(page.items.iter().map(|person| person.id.as_str()).collect::<Vec<_>>(), ["ada"]);
    let lines: Vec<String> = bench.server.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(
        lines[0],
        "GET /v1.0/users?$select=id%2CdisplayName%2Cmail%2CuserPrincipalName%2CaccountEnabled%2CuserType&$top=999"
    );
}

#[tokio::test]
async fn a_subscription_names_its_mailbox_and_an_end_that_is_granted_everywhere() {
    let bench = bench().await;
    bench.server.tell(201, &json!({"id": "s1", "expirationDateTime": "2026-12-04T07:00:00Z"}));
    let url = "https://cal.test/hooks/ms";
    let channel = bench.connector.watch(&bench.session, "ada@acme.test", url, "state-1").await.unwrap();
    assert_eq!(channel.expires_at, at("2026-12-04T07:00:00Z"));
    let expected = json!({
        "changeType": "created,updated,deleted",
        "notificationUrl": url,
        "lifecycleNotificationUrl": url,
        "resource": "/users/ada@acme.test/events",
        "expirationDateTime": "2026-12-04T07:00:00Z",
        "clientState": "state-1",
        "latestSupportedTlsVersion": "v1_2",
    });
    assert_eq!(body_of(&bench.server.asked()[0]), expected);
    bench.server.tell(404, &refusal("ResourceNotFound"));
    let error = bench.connector.renew(&bench.session, "s1").await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::Gone, Remedy::Never));
    bench.server.tell(404, &refusal("ResourceNotFound"));
    bench.connector.unwatch(&bench.session, "s1").await.unwrap();
}

#[tokio::test]
async fn a_throttled_member_of_a_batch_says_how_long_to_wait() {
    let bench = bench().await;
    let mailboxes: Vec<String> = (0..21).map(|n| format!("u{n}@acme.test")).collect();
    bench.server.tell(
        200,
        &json!({"responses": [
            {"id": "0", "status": 429, "headers": {"Retry-After": "7"}, "body": refusal("ApplicationThrottled")},
            {"id": "1", "status": 200, "headers": {}, "body": {"value": []}},
        ]}),
    );
    let error = bench.connector.busy(&bench.session, &mailboxes, window()).await.unwrap_err();
    let Remedy::RetryAfter(wait) = error.remedy else { panic!("{error:?}") };
    assert_eq!((error.kind, wait.as_secs()), (ErrorKind::Throttled, 7));
}

#[tokio::test]
async fn a_series_that_changed_comes_with_all_its_occurrences() {
    let bench = bench().await;
    let time = |text: &str| json!({"dateTime": text, "timeZone": "UTC"});
    let link = bench.server.url("v1.0/users/ada@acme.test/calendarView/delta?$deltatoken=t1");
    bench.server.tell(
        200,
        &json!({"value": [
            {"id": "master", "type": "seriesMaster", "start": time("2026-12-01T09:00:00"), "end": time("2026-12-01T10:00:00")},
            {"id": "short", "type": "occurrence", "seriesMasterId": "other",
                "start": time("2026-12-01T11:00:00"), "end": time("2026-12-01T12:00:00")},
            {"id": "gone", "@removed": {"reason": "deleted"}},
        ], "@odata.deltaLink": link}),
    );
    let occurrence = |id: &str, master: &str| {
        json!({"id": id, "type": "occurrence", "seriesMasterId": master, "subject": "Weekly", "showAs": "busy",
            "start": time("2026-12-01T09:00:00"), "end": time("2026-12-01T10:00:00")})
    };
    bench.server.tell(200, &json!({"value": [occurrence("m1", "master"), occurrence("m2", "master")]}));
    bench.server.tell(404, &refusal("ErrorItemNotFound"));
    let changes = bench.connector.changes(&bench.session, "ada@acme.test", window(), None).await.unwrap();
    let ids: Vec<&str> = changes.changed.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["m1", "m2"]);
    assert!(changes.changed.iter().all(|event| event.series.as_deref() == Some("master")));
    assert_eq!(changes.gone, ["gone", "master", "other"], "a series that is gone by now leaves nothing");
    assert_eq!((changes.more, changes.cursor.as_str()), (false, link.as_str()));
    let asked = bench.server.asked();
    let window = "startDateTime=2026-12-01T00%3A00%3A00Z&endDateTime=";
    assert!(asked[0].line.starts_with(&format!("GET /v1.0/users/ada@acme.test/calendarView/delta?{window}")));
    assert!(asked[0].header("prefer").unwrap().ends_with("odata.maxpagesize=200"), "delta takes no $top");
    assert!(
        asked[1].line.starts_with(&format!("GET /v1.0/users/ada@acme.test/events/master/instances?{window}"))
    );
    bench.server.tell(410, &refusal("SyncStateNotFound"));
    let cursor = Some(changes.cursor.as_str());
    let error =
        bench.connector.changes(&bench.session, "ada@acme.test", self::window(), cursor).await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::Gone, Remedy::Resync));
    assert_eq!(
        bench.server.asked()[0].line,
        "GET /v1.0/users/ada@acme.test/calendarView/delta?$deltatoken=t1"
    );
    let foreign = Some("https://graph.evil.test/v1.0/users/ada@acme.test/calendarView/delta");
    let error =
        bench.connector.changes(&bench.session, "ada@acme.test", self::window(), foreign).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.remedy), ("FOREIGN_LINK", Remedy::Resync));
    assert!(bench.server.asked().is_empty(), "no token goes to another host");
}
