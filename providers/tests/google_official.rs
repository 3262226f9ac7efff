//! Google's own client and its discovery documents as judges: the client against the sandbox with nothing but the base
//! URL changed, and the documents against everything that the connector sends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[expect(dead_code, reason = "other suites use the rest")]
mod google_world;
#[path = "microsoft_recorder/mod.rs"]
#[expect(dead_code, reason = "other suites use the rest")]
mod recorder;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use chrono::Duration;
use domain::{BusyKind, Ids, TestClock, TimeRange, Timestamp, state::Answer};
use google_world::{World, config, text};
use providers::{
    Attendee, AttendeeRole, Credential, EventChange, NewEvent, OpenGate, Party, Provider, Session,
    StaticCredentials, google::Google,
};
use recorder::{Asked, Recorder};
use secrecy::SecretString;
use serde_json::{Value, json};

const ROOM: &str = "c_1@resource.calendar.google.com";

/// The Python in which `tests/python/requirements.txt` is installed.
fn python() -> String {
    std::env::var("MUSTER_PYTHON").expect("scripts/test says where Python is: MUSTER_PYTHON")
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python").join(name)
}

fn run(command: &mut Command) -> Value {
    let output = command.output().expect("the Python of MUSTER_PYTHON starts");
    let (told, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{complaints}");
    serde_json::from_str(&told).unwrap()
}

#[tokio::test]
async fn googles_own_client_works_with_the_sandbox() {
    let world = World::start().await;
    let organisation = world.organisation("Acme", 5, 2).await;
    let scopes: Vec<&str> = providers::google::DELEGATED.to_vec();
    world.authorise_for(&organisation, &scopes, 0).await;
    // The client's clock is the machine's.
    let ahead = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
        - domain::Clock::now(&world.clock).timestamp();
    world.clock.advance(Duration::seconds(ahead));
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.json");
    std::fs::write(&key, world.key.to_string()).unwrap();
    let address = |list: &str, index: usize| text(&organisation[list][index]["address"]).to_owned();
    let (organiser, guest, room) = (address("users", 1), address("users", 2), address("rooms", 0));
    let admin = text(&organisation["admin"]["address"]).to_owned();
    let mut command = Command::new(python());
    command.arg(program("google_client.py")).arg(world.url.join("google/").unwrap().as_str()).arg(&key);
    command.args([&admin, &organiser, &guest, &room]);
    let seen = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    assert_eq!(seen["customer"], "acme.test");
    assert_eq!(seen["users"].as_array().unwrap().len(), 6, "{seen}");
    assert_eq!(seen["rooms"].as_array().unwrap().len(), 2, "{seen}");
    let expected = json!({
        "uid": "officialclient0001@google.com",
        "organizer": organiser,
        "again": [409, "duplicate"],
        "stale": [412, "conditionNotMet"],
        "busy": [{ "start": "2026-12-01T09:00:00Z", "end": "2026-12-01T10:00:00Z" }],
        "unknown": "notFound",
        "changed": ["officialclient0001"],
        "found": ["officialclient0001"],
        "too_long": [400, "timeRangeTooLong"],
        "moved": "2026-12-01T14:00:00+01:00",
        "stopped_twice": [404, "notFound"],
        "deleted_twice": [410, "deleted"],
        "status": "cancelled",
        "gone": [["officialclient0001", "cancelled"]],
    });
    assert_eq!(seen["event"], expected);
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn interview() -> NewEvent {
    let party = |name: &str, address: &str| Party { name: name.to_owned(), address: address.to_owned() };
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
            attendee(party("Eve", "eve@acme.test"), AttendeeRole::Optional),
            attendee(party("Room 1", ROOM), AttendeeRole::Room),
        ],
        busy: Some(BusyKind::Busy),
    }
}

/// Everything that the connector can ask, answered just well enough for it to go on.
async fn everything() -> Vec<Asked> {
    let server = Recorder::start().await;
    let allowance = http::Allowance::hosts(["127.0.0.1".to_owned()]);
    let client = http::Client::new(http::Config { allowance, ..http::Config::default() }).unwrap();
    let clock = Arc::new(TestClock::at(at("2026-12-01T09:00:00Z")));
    let google = Google::new(config(&server.url("/")), client, clock.clone(), Ids::seeded(clock, 1));
    let token = Credential::Bearer(SecretString::from("t1"));
    let session = Session {
        credentials: Arc::new(StaticCredentials(token)),
        gate: Arc::new(OpenGate),
        server: None,
        account: "admin@acme.test".to_owned(),
        own: false,
    };
    let event = json!({
        "id": "e1", "status": "confirmed", "etag": "\"v1\"", "iCalUID": "e1@google.com",
        "start": { "dateTime": "2026-12-01T09:00:00Z" }, "end": { "dateTime": "2026-12-01T10:00:00Z" },
        "attendees": [{ "email": "bob@acme.test", "responseStatus": "accepted" }],
        "extendedProperties": { "private": { "musterEffectKey": "bkg-1" } },
    });
    let list = json!({ "items": [event], "accessRole": "owner", "timeZone": "Europe/Berlin", "nextPageToken": "p2" });
    let last = json!({ "items": [], "nextSyncToken": "s1" });
    let user = json!({ "id": "1", "primaryEmail": "ada@acme.test", "name": { "fullName": "Ada" } });
    let room = json!({ "resourceId": "r", "resourceEmail": ROOM, "buildingId": "b" });
    let answers = [
        json!({ "id": "C01", "customerDomain": "acme.test" }),
        json!({ "users": [user], "nextPageToken": "p2" }),
        json!({ "users": [] }),
        json!({ "items": [room], "nextPageToken": "p2" }),
        json!({ "buildings": [{ "buildingId": "b", "buildingName": "North" }] }),
        json!({ "items": [] }),
        user.clone(),
        list.clone(),
        list.clone(),
        json!({ "calendars": { "ada@acme.test": { "busy": [] } } }),
        list.clone(),
        last.clone(),
        list.clone(),
        last.clone(),
        last,
        event.clone(),
        event.clone(),
        event.clone(),
        event.clone(),
        event,
        json!({ "id": "ch", "resourceId": "res", "expiration": "1798000000000" }),
        Value::Null,
        Value::Null,
        Value::Null,
    ];
    for answer in &answers {
        server.tell(200, answer);
    }
    let (ada, window) = ("ada@acme.test", interview().range);
    google.organisation(&session).await.unwrap();
    for after in [None, Some("p2")] {
        google.people(&session, after).await.unwrap();
    }
    for after in [None, Some("p2")] {
        google.rooms(&session, after).await.unwrap();
    }
    google.mailbox(&session, ada).await.unwrap();
    google.calendar(&session, ROOM).await.unwrap();
    google.busy(&session, &[ada.to_owned()], window).await.unwrap();
    for after in [None, Some("p2")] {
        google.events(&session, ada, window, after).await.unwrap();
    }
    let mut cursor = None;
    for _ in 0..3 {
        cursor = Some(google.changes(&session, ada, window, cursor.as_deref()).await.unwrap().cursor);
    }
    google.create_event(&session, ada, &interview()).await.unwrap();
    google.find_event(&session, ada, "bkg-1").await.unwrap();
    google.event(&session, ada, "e1").await.unwrap();
    let change = EventChange {
        range: Some(window),
        zone: Some("Europe/Berlin".to_owned()),
        title: Some("Moved".to_owned()),
        text: Some("Later".to_owned()),
        attendees: Some(interview().attendees),
        location: Some("Room 2".to_owned()),
    };
    google.update_event(&session, ada, "e1", &change).await.unwrap();
    let channel = google.watch(&session, ada, "https://muster.test/hooks/google", "secret").await.unwrap();
    google.unwatch(&session, &channel.id).await.unwrap();
    google.cancel_event(&session, ada, "e1", "Sorry").await.unwrap();
    google.delete_event(&session, ada, "e1").await.unwrap();
    server.asked()
}

/// A request as `google_discovery.py` takes it.
fn recorded(asked: &Asked) -> Value {
    let (method, target) = asked.line.split_once(' ').unwrap();
    let url = url::Url::parse("http://google.test").unwrap().join(target).unwrap();
    let path = url.path();
    let calendar = path.strip_prefix("/calendar/v3/").map(|path| ("calendar", path));
    let (api, path) =
        calendar.or_else(|| Some(("directory", path.strip_prefix("/admin/directory/v1/")?))).unwrap();
    let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let body: Value =
        if asked.body.is_empty() { Value::Null } else { serde_json::from_str(&asked.body).unwrap() };
    json!({ "api": api, "method": method, "path": path, "query": query, "body": body })
}

#[tokio::test]
async fn everything_that_is_sent_is_in_googles_discovery_documents() {
    let requests: Vec<Value> = everything().await.iter().map(recorded).collect();
    let check = async |requests: &[Value]| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("requests.json");
        std::fs::write(&file, json!(requests).to_string()).unwrap();
        let mut command = Command::new(python());
        command.arg(program("google_discovery.py")).arg(&file);
        tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap()
    };
    let verdict = check(&requests).await;
    assert_eq!(verdict["wrong"], json!([]));
    let expected = [
        "calendar.channels.stop",
        "calendar.events.delete",
        "calendar.events.get",
        "calendar.events.insert",
        "calendar.events.list",
        "calendar.events.patch",
        "calendar.events.watch",
        "calendar.freebusy.query",
        "directory.customers.get",
        "directory.resources.buildings.list",
        "directory.resources.calendars.list",
        "directory.users.get",
        "directory.users.list",
    ];
    assert_eq!(verdict["checked"], json!(expected));
    // The judge can say no.
    let mut spoilt = requests.last().unwrap().clone();
    spoilt["query"] = json!([["sendUpdates", "everybody"], ["made", "up"]]);
    let insert = requests.iter().find(|one| one["body"]["summary"] == "Interview").unwrap();
    let mut invented = insert.clone();
    invented["body"]["attendees"][0]["mood"] = json!("good");
    let wrong = check(&[spoilt, invented]).await["wrong"].as_array().unwrap().len();
    assert_eq!(wrong, 3);
}
