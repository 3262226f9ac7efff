//! How the Microsoft connector asks whether anything has changed: what it sends, and what it makes of answers.

use crate::microsoft_recorder;

use std::sync::Arc;

use domain::{Ids, TestClock, TimeRange, Timestamp};
use microsoft_recorder::Recorder;
use providers::{
    ChangeCheck, ChangeFeed as _, Credential, Session, StaticCredentials, UnlimitedGate,
    microsoft::{ClientCredential, Config, Microsoft},
};
use secrecy::SecretString;
use serde_json::json;

const ADA: &str = "ada@acme.test";
const DELTA: &str = "GET /v1.0/users/ada@acme.test/calendarView/delta?";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn connector(server: &Recorder) -> (Microsoft, Session) {
    let secret = ClientCredential::Secret(SecretString::from("a secret made for this test"));
    let config = Config::new(server.url("/"), server.url("/v1.0"), "client", secret);
    let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
    let client = http::Client::new(http::Config { allowance, ..http::Config::default() }).unwrap();
    let clock = Arc::new(TestClock::at(at("2026-12-01T09:00:00Z")));
    let session = Session {
        credentials: Arc::new(StaticCredentials(Credential::Bearer(SecretString::from("t1")))),
        gate: Arc::new(UnlimitedGate),
        server: None,
        account: "svc@acme.test".to_owned(),
        own: false,
        zone: None,
        scope: "test".into(),
        rooms: None,
    };
    (Microsoft::new(config, client, clock.clone(), Ids::seeded(clock, 1)), session)
}

#[tokio::test]
async fn the_first_round_is_walked_to_its_end_and_later_ones_go_on_from_there() {
    let server = Recorder::start().await;
    let (microsoft, session) = connector(&server);
    let window = TimeRange::new(at("2026-12-01T00:00:00Z"), at("2026-12-02T00:00:00Z")).unwrap();
    let ask = async |window, at: Option<String>| {
        microsoft.poll_changes(&session, ADA, window, at.as_deref()).await.unwrap()
    };
    let link = |token: &str| server.url(&format!("v1.0/users/{ADA}/calendarView/delta?{token}"));
    // A series is told as such; nobody asks for its occurrences here.
    let master = json!({ "id": "m", "type": "seriesMaster" });
    server.tell(200, &json!({ "value": [master], "@odata.nextLink": link("$skiptoken=p2") }));
    server.tell(200, &json!({ "value": [], "@odata.deltaLink": link("$deltatoken=d1") }));
    let first = ask(window, None).await;
    server.tell(200, &json!({ "value": [], "@odata.deltaLink": link("$deltatoken=d2") }));
    let same = ask(window, first.watermark()).await;
    assert!(matches!(same, ChangeCheck::Same(_)), "{same:?}");
    server.tell(200, &json!({ "value": [master], "@odata.nextLink": link("$skiptoken=p3") }));
    server.tell(200, &json!({ "value": [], "@odata.deltaLink": link("$deltatoken=d3") }));
    let changed = ask(window, same.watermark()).await;
    assert!(matches!(changed, ChangeCheck::Changed(Some(_))), "{changed:?}");
    server.tell(410, &json!({ "error": { "code": "SyncStateNotFound", "message": "-" } }));
    server.tell(200, &json!({ "value": [], "@odata.deltaLink": link("$deltatoken=d4") }));
    let anew = ask(window, changed.watermark()).await;
    assert!(matches!(anew, ChangeCheck::Changed(Some(_))), "{anew:?}");
    // Graph keeps the window inside its link: for another one it is of no use.
    let moved = TimeRange::new(window.start, at("2026-12-03T00:00:00Z")).unwrap();
    server.tell(200, &json!({ "value": [], "@odata.deltaLink": link("$deltatoken=d5") }));
    let other = ask(moved, anew.watermark()).await;
    assert!(matches!(other, ChangeCheck::Changed(Some(_))), "{other:?}");
    let asked: Vec<String> = server
        .asked()
        .iter()
        .map(|asked| {
            let query = asked.line.strip_prefix(DELTA).unwrap();
            let end = query.split_once("&endDateTime=").map(|(_, end)| format!("until {}", &end[..10]));
            end.unwrap_or_else(|| query.to_owned())
        })
        .collect();
    assert_eq!(
        asked,
        [
            "until 2026-12-02",
            "$skiptoken=p2",
            "$deltatoken=d1",
            "$deltatoken=d2",
            "$skiptoken=p3",
            "$deltatoken=d3",
            "until 2026-12-02",
            "until 2026-12-03",
        ]
    );
}
