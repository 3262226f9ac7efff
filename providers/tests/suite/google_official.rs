//! Google's own client and its discovery documents as judges: the client against the sandbox with nothing but the base
//! URL changed, and the documents against everything that the connector sends.

use crate::google_recorded;
use crate::google_setup;
use crate::microsoft_recorder as recorder;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use domain::Clock;
use google_recorded::everything;
use google_setup::{Setup, text};
use recorder::Asked;
use serde_json::{Value, json};

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
    let setup = Setup::start().await;
    // The client's clock is the machine's.
    let ahead = domain::SystemClock.now() - setup.clock.now();
    setup.clock.advance(ahead);
    let organisation = setup.organisation("Acme", 5, 2).await;
    setup.authorise(&organisation, 0).await;
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.json");
    std::fs::write(&key, setup.key.to_string()).unwrap();
    let address = |list: &str, index: usize| text(&organisation[list][index]["address"]).to_owned();
    let (organiser, guest, room) = (address("users", 1), address("users", 2), address("rooms", 0));
    let admin = text(&organisation["admin"]["address"]).to_owned();
    let mut command = Command::new(python());
    command.arg(program("google_client.py")).arg(setup.url.join("google/").unwrap().as_str()).arg(&key);
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
        "directory.domains.list",
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
