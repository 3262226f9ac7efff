//! Real-world cases through real requests: every calendar of the folder through Radicale, where it takes the file, else
//! through a server that hands bytes out unchanged; every response among good items.

use std::path::PathBuf;

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{TimeRange, Timestamp, Zone};
use providers::{Event, EventPage, Provider, Session, caldav::CalDav};
use serde_json::Value;

use crate::{
    caldav_server::Server,
    caldav_store::{ADA, Contents, Store},
};

/// Somebody in Radicale's fixture.
const IN_RADICALE: &str = "bo.chen@corp.test";

/// One calendar of the folder.
struct Case {
    file: String,
    bytes: Vec<u8>,
    calendar_zone: Option<String>,
    owner_zone: Option<String>,
    addresses: Vec<String>,
    window: TimeRange,
    busy: Vec<String>,
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases"))
}

fn cases() -> Vec<Case> {
    let list: Vec<Value> =
        serde_json::from_slice(&std::fs::read(folder().join("calendars.json")).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let texts = |value: &Value| value.as_array().into_iter().flatten().filter_map(text).collect::<Vec<_>>();
    let day = |value: &Value| format!("{}T00:00:00Z", value.as_str().unwrap()).parse::<Timestamp>().unwrap();
    let case = |case: &Value| Case {
        file: text(&case["file"]).unwrap(),
        bytes: std::fs::read(folder().join(case["file"].as_str().unwrap())).unwrap(),
        calendar_zone: text(&case["calendar_zone"]),
        owner_zone: text(&case["owner_zone"]),
        addresses: texts(&case["owner_addresses"]).into_iter().filter(|one| one.contains('@')).collect(),
        window: TimeRange::new(day(&case["window"][0]), day(&case["window"][1])).unwrap(),
        busy: texts(&case["busy_utc"]),
    };
    list.iter().map(case).collect()
}

/// The busy times of events, joined, as the list of cases writes them.
fn busy(events: &[Event], window: TimeRange) -> Vec<String> {
    let taken = events.iter().filter(|event| event.busy.is_some());
    let mut ranges: Vec<TimeRange> = taken.filter_map(|event| event.range.intersect(&window)).collect();
    ranges.sort_unstable();
    let mut joined: Vec<TimeRange> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    let shown = |range: &TimeRange| {
        let (start, end) = (range.start.format("%m-%d %H:%M"), range.end.format("%m-%d %H:%M").to_string());
        let same_day = range.start.date_naive() == range.end.date_naive();
        format!("{start}/{}", if same_day { &end[6..] } else { &end })
    };
    joined.iter().map(shown).collect()
}

async fn read(caldav: &CalDav, session: &Session, mailbox: &str, window: TimeRange) -> EventPage {
    caldav.events(session, mailbox, window, None).await.unwrap()
}

/// Reads a case through Radicale; `None` where it does not take the file, or what the case is about.
async fn through_radicale(server: &Server, case: &Case) -> Option<Vec<String>> {
    let tells_addresses = !case.addresses.is_empty();
    if tells_addresses || !set_zone(server, case.calendar_zone.as_deref()).await {
        return None;
    }
    let uid = "case@example.test";
    let text = std::str::from_utf8(&case.bytes).ok()?;
    if !matches!(server.put(IN_RADICALE, "case.ics", text).await, 200..=299) {
        return None;
    }
    let zone = case.owner_zone.as_deref().and_then(Zone::named);
    let session = Session { zone, ..server.session() };
    let page = read(&crate::caldav_server::caldav(), &session, IN_RADICALE, case.window).await;
    let own: Vec<Event> = page.items.into_iter().filter(|event| event.uid == uid).collect();
    Some(busy(&own, case.window))
}

/// Says in which zone a calendar of Radicale's is.
async fn set_zone(server: &Server, zone: Option<&str>) -> bool {
    let change = match zone {
        Some(zone) => format!(
            "<D:set><D:prop><C:calendar-timezone>BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:{zone}\nEND:VTIMEZONE\nEND:VCALENDAR\n</C:calendar-timezone></D:prop></D:set>"
        ),
        None => "<D:remove><D:prop><C:calendar-timezone/></D:prop></D:remove>".to_owned(),
    };
    let body = format!(
        r#"<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{change}</D:propertyupdate>"#
    );
    let url = server.url.join(&format!("{IN_RADICALE}/calendar/")).unwrap();
    let login = BASE64_STANDARD.encode(format!("svc:{}", server.password));
    let request = http::Request::new(http::Method::from_bytes(b"PROPPATCH").unwrap(), url)
        .authorization(&format!("Basic {login}"))
        .body("application/xml", body);
    let allowance = http::Allowance::hosts(["127.0.0.1".to_owned()]);
    let client = http::Client::new(http::Config { allowance, ..http::Config::default() }).unwrap();
    client.send(request).await.unwrap().status.as_u16() == 207
}

async fn through_the_store(case: &Case) -> Vec<String> {
    let store = Store::serve(Contents {
        members: vec![("case.ics".to_owned(), case.bytes.clone())],
        zone: case.calendar_zone.clone(),
        addresses: case.addresses.clone(),
        ..Contents::default()
    });
    let session = store.session(case.owner_zone.as_deref());
    busy(&read(&crate::caldav_script::caldav(), &session, ADA, case.window).await.items, case.window)
}

#[tokio::test]
async fn t31_every_calendar_of_the_folder_is_busy_when_it_must_be() {
    let server = Server::radicale();
    let (mut wrong, mut by_radicale) = (Vec::new(), 0);
    for case in cases() {
        let mut found = vec![("a server that changes nothing", through_the_store(&case).await)];
        if let Some(by) = through_radicale(&server, &case).await {
            by_radicale += 1;
            found.push(("Radicale", by));
        }
        for (server, found) in found {
            if found != case.busy {
                wrong.push(format!("{} by {server}: {found:?}, must be {:?}", case.file, case.busy));
            }
        }
    }
    assert!(by_radicale > 25, "{by_radicale} cases went through Radicale");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
