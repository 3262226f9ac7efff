//! Real-world cases through real requests: every calendar of the folder through Radicale, where it takes the file, else
//! through a server that hands bytes out unchanged; every response among good items.

use std::path::PathBuf;

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{TimeRange, Timestamp, Zone};
use providers::{Event, EventPage, Events as _, Session, caldav::CalDav};
use serde_json::Value;

use crate::{
    caldav_server::Server,
    caldav_store::{ADA, Contents, Store},
    exchange_script, google_recorded, microsoft_recorder,
};

/// Somebody in Radicale's fixture.
const IN_RADICALE: &str = "bo.lindqvist@corp.test";

/// What Radicale does to one of the files: it keeps a time without seconds as a whole day.
const BY_RADICALE: [(&str, &[&str]); 1] = [("time-without-seconds.ics", &["12-07 23:00/12-08 23:00"])];

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
    let zone = case.owner_zone.as_deref().and_then(Zone::from_name);
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
    let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
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
            match BY_RADICALE.iter().find(|(file, _)| *file == case.file) {
                Some((file, expected)) => assert_eq!(by, *expected, "{file} by Radicale"),
                None => found.push(("Radicale", by)),
            }
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

/// A good item in the calendar beside each bad one: a resource that is busy on the ninth.
fn good() -> (String, Vec<u8>) {
    let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:good\r\nDTSTART:20261209T100000Z\r\n\
                DTEND:20261209T110000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    ("good.ics".to_owned(), text.as_bytes().to_vec())
}

fn response(name: &str) -> String {
    std::fs::read_to_string(folder().join("responses").join(name)).unwrap()
}

fn december() -> TimeRange {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    TimeRange::new(at("2026-12-07T00:00:00Z"), at("2026-12-11T00:00:00Z")).unwrap()
}

/// A member as the file describes it, among good ones. Its addresses are the store's.
fn among_good(name: &str) -> Contents {
    let answer = response(name).replace("/ada/office/a.ics", "/calendars/ada/office/a.ics");
    let (head, tail) = answer.split_once("</d:response>").unwrap();
    let good = good();
    let good = format!(
        r#"<d:response><d:href>/calendars/ada/office/{}</d:href><d:propstat><d:prop><d:getetag>"1"</d:getetag><c:calendar-data>{}</c:calendar-data></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"#,
        good.0,
        String::from_utf8(good.1).unwrap()
    );
    let answer = format!("{head}</d:response>{good}{tail}");
    Contents { instead: vec![("REPORT /calendars/ada/office", answer)], ..Contents::default() }
}

#[tokio::test]
async fn t31_members_without_tag_or_data_are_busy_and_their_neighbours_too() {
    let case = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a@example.test\r\nDTSTART:20261208T100000Z\r\nDTEND:20261208T110000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    for name in ["caldav-member-without-etag.xml", "caldav-query-without-data.xml"] {
        let contents =
            Contents { members: vec![("a.ics".to_owned(), case.into()), good()], ..among_good(name) };
        let store = Store::serve(contents);
        let page = read(&crate::caldav_script::caldav(), &store.session(None), ADA, december()).await;
        assert_eq!(busy(&page.items, december()), ["12-08 10:00/11:00", "12-09 10:00/11:00"], "{name}");
        assert_eq!(page.unreadable, [], "{name}");
        // Where nobody hands the data out, the member is marked and its neighbours are read.
        store.change(|contents| contents.members.retain(|(name, _)| name != "a.ics"));
        let page = read(&crate::caldav_script::caldav(), &store.session(None), ADA, december()).await;
        assert!(busy(&page.items, december()).contains(&"12-09 10:00/11:00".to_owned()), "{name}");
    }
}

#[tokio::test]
async fn t31_one_answer_that_is_no_caldav_is_a_passing_error_of_its_mailbox() {
    let store = Store::serve(Contents { members: vec![good()], ..Contents::default() });
    let (caldav, session) = (crate::caldav_script::caldav(), store.session(None));
    assert_eq!(
        busy(&read(&caldav, &session, ADA, december()).await.items, december()),
        ["12-09 10:00/11:00"]
    );
    store.change(|contents| contents.nonsense = vec!["<html><body>Sign in".to_owned(); 20]);
    let error = caldav.events(&session, ADA, december(), None).await.unwrap_err();
    assert!(matches!(error.remedy, providers::Remedy::RetryAfter(_)), "{error:?}");
    store.change(|contents| contents.nonsense.clear());
    assert_eq!(
        busy(&read(&caldav, &session, ADA, december()).await.items, december()),
        ["12-09 10:00/11:00"]
    );
}

#[tokio::test]
async fn t31_exchange_reads_a_subject_that_xml_cannot_hold() {
    use exchange_script::{Script, exchange, fine, found, messages};
    let bad = response("ews-subject-with-nul-reference.xml");
    let good = bad.replace("AAA1", "AAA2").replace("2026-12-08", "2026-12-09").replace("&#x0;", "");
    let got = [&bad, &good].map(|item| fine("GetItem", &format!("<m:Items>{item}</m:Items>"))).concat();
    let script = Script::play([found(&format!("{bad}{good}"), true), messages("GetItem", &got)]);
    let session = exchange_script::session(&script);
    let page = exchange(&[]).events(&session, exchange_script::MAILBOX, december(), None).await.unwrap();
    assert_eq!(busy(&page.items, december()), ["12-08 10:00/11:00", "12-09 10:00/11:00"]);
    assert_eq!(page.items[0].title.as_deref(), Some("Plain"));
}

#[tokio::test]
async fn t31_google_serves_the_others_and_marks_an_event_without_times() {
    let token = providers::Credential::Bearer(secrecy::SecretString::from("t1"));
    let bench = google_recorded::bench(token).await;
    let bad: Value = serde_json::from_str(&response("google-event-without-times.json")).unwrap();
    let good = serde_json::json!({
        "id": "good", "status": "confirmed",
        "start": { "dateTime": "2026-12-09T10:00:00Z" }, "end": { "dateTime": "2026-12-09T11:00:00Z" },
    });
    bench.server.tell(200, &serde_json::json!({ "items": [bad, good], "timeZone": "UTC" }));
    let page = bench.google.events(&bench.session, "ada@acme.test", december(), None).await.unwrap();
    assert_eq!(busy(&page.items, december()), ["12-09 10:00/11:00"]);
    assert_eq!(page.unreadable.len(), 1);
    assert!(!page.unreadable[0].blocks, "nothing is known of its times");
}

#[tokio::test]
async fn t31_graph_serves_the_others_and_blocks_what_is_known_of_a_custom_zone() {
    let server = microsoft_recorder::Recorder::start().await;
    let (microsoft, session) = crate::microsoft_watermark::connector(&server);
    let file = |name: &str| serde_json::from_str::<Value>(&response(name)).unwrap();
    let good = serde_json::json!({
        "id": "good", "showAs": "busy",
        "start": { "dateTime": "2026-12-10T10:00:00.0000000", "timeZone": "UTC" },
        "end": { "dateTime": "2026-12-10T11:00:00.0000000", "timeZone": "UTC" },
    });
    let all = [file("graph-event-in-a-custom-zone.json"), file("graph-event-with-nulls.json"), good];
    server.tell(200, &serde_json::json!({ "value": all }));
    let page = microsoft.events(&session, "ada@acme.test", december(), None).await.unwrap();
    let covers = |from: &str, to: &str| {
        let range = TimeRange::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
        page.items.iter().any(|event| event.busy.is_some() && event.range.contains(&range))
    };
    assert!(covers("2026-12-10T10:00:00Z", "2026-12-10T11:00:00Z"), "the good one");
    assert!(
        covers("2026-12-07T20:00:00Z", "2026-12-08T23:00:00Z"),
        "ten o'clock, wherever that is: {:?}",
        page.items
    );
    let blocks: Vec<bool> = page.unreadable.iter().map(|mark| mark.blocks).collect();
    assert_eq!(blocks, [true, false]);
}
