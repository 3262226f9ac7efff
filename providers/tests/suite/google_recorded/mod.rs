//! What the Google connector sends, written down by a server that answers just well enough.

use std::sync::Arc;

use domain::{BusyKind, Ids, TestClock, TimeRange, Timestamp, state::Answer};
use providers::{
    Attendee, AttendeeRole, ChangeFeed as _, Credential, Directory as _, EventChange, Events as _,
    NamedAddress, NewEvent, Push as _, Session, StaticCredentials, UnlimitedGate, google::Google,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    google_setup::config,
    microsoft_recorder::{Asked, Recorder},
};

/// A room's address.
pub const ROOM: &str = "c_1@resource.calendar.google.com";
/// The time by the connector's clock.
pub const NOW: &str = "2026-12-01T09:00:00Z";

/// The connector, and the server that writes down.
pub struct Bench {
    pub server: Recorder,
    pub google: Google,
    pub session: Session,
}

/// A connector that has this credential.
pub async fn bench(credential: Credential) -> Bench {
    let server = Recorder::start().await;
    let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
    let client = http::Client::new(http::Config { allowance, ..http::Config::default() }).unwrap();
    let clock = Arc::new(TestClock::at(at(NOW)));
    let google = Google::new(config(&server.url("/")), client, clock.clone(), Ids::seeded(clock, 1));
    let session = Session {
        credentials: Arc::new(StaticCredentials(credential)),
        gate: Arc::new(UnlimitedGate),
        server: None,
        account: "admin@acme.test".to_owned(),
        own: false,
        zone: None,
        scope: "test".into(),
        rooms: None,
    };
    Bench { server, google, session }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn interview() -> NewEvent {
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
            attendee(party("Eve", "eve@acme.test"), AttendeeRole::Optional),
            attendee(party("Room 1", ROOM), AttendeeRole::Room),
        ],
        busy: Some(BusyKind::Busy),
        online_meeting: false,
    }
}

/// Everything that the connector can ask, answered just well enough for it to go on.
pub async fn everything() -> Vec<Asked> {
    let Bench { server, google, session } = bench(Credential::Bearer(SecretString::from("t1"))).await;
    let event = json!({
        "id": "e1", "status": "confirmed", "etag": "\"v1\"", "iCalUID": "e1@google.com",
        "start": { "dateTime": "2026-12-01T09:00:00Z" }, "end": { "dateTime": "2026-12-01T10:00:00Z" },
        "attendees": [{ "email": "bob@acme.test", "responseStatus": "accepted" }],
        "extendedProperties": { "private": { "musterEffectKey": "bkg-1" } },
    });
    let list = json!({ "items": [event], "accessRole": "owner", "timeZone": "Europe/Berlin", "nextPageToken": "p2" });
    let end = json!({ "items": [], "nextSyncToken": "s1" });
    let user = json!({ "id": "1", "primaryEmail": "ada@acme.test", "name": { "fullName": "Ada" } });
    let room = json!({ "resourceId": "r", "resourceEmail": ROOM, "buildingId": "b" });
    let answers = [
        json!({ "id": "C01", "customerDomain": "acme.test" }),
        json!({ "domains": [{ "domainName": "acme.test", "isPrimary": true, "verified": true }] }),
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
        end.clone(),
        list.clone(),
        end.clone(),
        end,
        event.clone(),
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
    let online = NewEvent { online_meeting: true, ..interview() };
    google.create_event(&session, ada, &online).await.unwrap();
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
