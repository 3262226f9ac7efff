//! Every answer that is read, with each of its parts mutilated in turn: what is read of it is never less busy than what
//! is read of the whole, unless it is marked or the reading fails as something that passes.

use domain::TimeRange;
use providers::{EventPage, Provider, Remedy, Session};
use serde_json::{Value, json};

use crate::{
    answering::{Server, Told, connectors, december},
    mutilated_xml::{self, Node},
};

const ADA: &str = "ada@corp.test";

fn week() -> TimeRange {
    december("07T00:00", "14T00:00")
}

/// The connector method that reads the response.
#[derive(Debug, Clone, Copy)]
enum Reader {
    Events,
    Changes,
    Busy,
}

/// The result of reading a mutilated response.
#[derive(Debug)]
pub enum Read {
    /// These ranges are busy, and this many items are marked.
    Busy(Vec<TimeRange>, usize),
    /// A passing failure: it is read again later.
    Later,
    /// A permanent failure.
    Never(providers::Error),
}

async fn read(reader: Reader, provider: &dyn Provider, session: &Session) -> Read {
    let of_events = |page: EventPage| {
        let busy = page.items.into_iter().filter(|event| event.busy.is_some());
        Read::Busy(busy.map(|event| event.range).collect(), page.unreadable.len())
    };
    let told = match reader {
        Reader::Events => provider.events(session, ADA, week(), None).await.map(of_events),
        Reader::Changes => provider.changes(session, ADA, week(), None).await.map(|changes| {
            of_events(EventPage { items: changes.changed, unreadable: changes.unreadable, next: None })
        }),
        Reader::Busy => {
            let all = provider.busy(session, &[ADA.to_owned()], week()).await;
            all.and_then(|mut all| all.remove(0).1)
                .map(|all| Read::Busy(all.busy.iter().map(|busy| busy.range).collect(), all.unreadable.len()))
        }
    };
    told.unwrap_or_else(|error| match error.remedy {
        Remedy::RetryAfter(_) | Remedy::Resync => Read::Later,
        _ => Read::Never(error),
    })
}

/// Whether `whole` lies entirely within the ranges of `all`.
fn covered(whole: TimeRange, all: &[TimeRange]) -> bool {
    let mut pieces: Vec<_> = all.iter().filter_map(|piece| piece.intersect(&whole)).collect();
    pieces.sort();
    let mut until = whole.start;
    for piece in pieces {
        if piece.start > until {
            return false;
        }
        until = until.max(piece.end);
    }
    until >= whole.end
}

fn check(name: &str, what: &str, whole: &Read, mutilated: Read) {
    let Read::Busy(whole, marked) = whole else { panic!("{name}: the whole answer is not read: {whole:?}") };
    match mutilated {
        Read::Later => {}
        Read::Busy(_, more) if more > *marked => {}
        Read::Busy(busy, _) => {
            let lost: Vec<_> = whole.iter().filter(|range| !covered(**range, &busy)).collect();
            assert!(lost.is_empty(), "{name} without {what}: {lost:?} is free");
        }
        // One mailbox may be told to be closed; never the whole organisation.
        Read::Never(error) => {
            assert_eq!(error.remedy, Remedy::SkipMailbox, "{name} without {what}: {error:?}");
        }
    }
}

/// All ways to spoil one value of a document. Members of lists are spoilt but not removed: nobody could notice that.
fn spoilt(whole: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let mut paths = vec![String::new()];
    while let Some(path) = paths.pop() {
        let here = whole.pointer(&path).unwrap();
        let mut put = |how: &str, value: Value| {
            let mut copy = whole.clone();
            *copy.pointer_mut(&path).unwrap() = value;
            all.push((format!("{path} ({how})"), copy));
        };
        for odd in [json!(null), json!(7), json!("?"), json!({}), json!({ "x": [] }), json!([null])] {
            put(&odd.to_string(), odd.clone());
        }
        match here {
            Value::String(text) => {
                for cut in 1..text.len() {
                    put(&format!("cut at {cut}"), json!(text[..cut]));
                }
                put("reversed", text.chars().rev().collect::<String>().into());
            }
            Value::Object(members) => {
                for name in members.keys() {
                    paths.push(format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")));
                    let mut copy = whole.clone();
                    copy.pointer_mut(&path).unwrap().as_object_mut().unwrap().remove(name);
                    all.push((format!("{path}/{name} (removed)"), copy));
                }
            }
            Value::Array(list) => paths.extend((0..list.len()).map(|n| format!("{path}/{n}"))),
            _ => {}
        }
    }
    all
}

/// Words that end the value they occur in: a text that becomes one of them is a different response, not a spoilt one.
fn is_another_answer(document: &Value) -> bool {
    let text = document.to_string();
    ["\"free\"", "\"cancelled\"", "\"transparent\""].iter().any(|word| text.contains(word))
}

fn utc(day: &str) -> Value {
    json!({ "dateTime": format!("2026-12-{day}:00.0000000"), "timeZone": "UTC" })
}

fn graph_event(id: &str, start: &str, end: &str) -> Value {
    json!({
        "@odata.etag": "e", "id": id, "iCalUId": format!("u{id}"), "changeKey": "c", "subject": "x",
        "start": utc(start), "end": utc(end), "isAllDay": start.ends_with("T00:00"), "isCancelled": false,
        "showAs": "busy", "sensitivity": "normal", "type": "singleInstance", "seriesMasterId": null,
        "organizer": { "emailAddress": { "name": "Ada", "address": ADA } },
        "attendees": [{ "type": "required", "status": { "response": "accepted", "time": "0001-01-01T00:00:00Z" },
            "emailAddress": { "name": "Bob", "address": "bob@corp.test" } }],
    })
}

fn graph_events() -> Value {
    json!({ "@odata.context": "x", "value": [
        graph_event("1", "08T09:00", "08T10:00"), graph_event("2", "10T00:00", "11T00:00"),
    ] })
}

fn graph_changes() -> Value {
    let mut document = graph_events();
    document["@odata.deltaLink"] = json!("https://graph.test/v1.0/x");
    let mut master = graph_event("3", "09T09:00", "09T10:00");
    master["type"] = json!("seriesMaster");
    master["recurrence"] = json!({ "pattern": { "type": "daily" } });
    document["value"].as_array_mut().unwrap().push(master);
    let occurrence = json!({ "id": "4", "type": "occurrence", "seriesMasterId": "3", "start": utc("09T09:00"), "end": utc("09T10:00") });
    document["value"].as_array_mut().unwrap().push(occurrence);
    document
}

/// Busy from nine to ten on the second of seven days, and half of the fourth.
fn graph_busy() -> Value {
    let mut view = vec!['0'; 7 * 48];
    view[48 + 18..48 + 20].fill('2');
    view[3 * 48..3 * 48 + 24].fill('3');
    let item = |start: &str, end: &str| json!({ "isPrivate": false, "status": "busy", "start": utc(start), "end": utc(end) });
    json!({ "value": [{ "scheduleId": ADA, "availabilityView": view.into_iter().collect::<String>(),
        "scheduleItems": [item("08T09:00", "08T10:00"), item("10T00:00", "10T12:00")] }] })
}

fn google_events() -> Value {
    let event = |id: &str, start: Value, end: Value| {
        json!({ "kind": "calendar#event", "etag": "e", "id": id, "status": "confirmed", "summary": "x",
            "iCalUID": format!("u{id}"), "start": start, "end": end, "eventType": "default", "visibility": "default",
            "organizer": { "email": ADA, "self": true },
            "attendees": [{ "email": ADA, "self": true, "responseStatus": "accepted" }] })
    };
    let time = |text: &str| json!({ "dateTime": text, "timeZone": "Europe/Berlin" });
    json!({ "kind": "calendar#events", "summary": "Ada", "timeZone": "Europe/Berlin", "accessRole": "owner",
        "nextSyncToken": "s1", "items": [
            event("1", time("2026-12-08T09:00:00+01:00"), time("2026-12-08T10:00:00+01:00")),
            event("2", json!({ "date": "2026-12-10" }), json!({ "date": "2026-12-11" })),
        ] })
}

fn google_busy() -> Value {
    json!({ "kind": "calendar#freeBusy", "calendars": { (ADA): { "busy": [
        { "start": "2026-12-08T08:00:00Z", "end": "2026-12-08T09:00:00Z" },
        { "start": "2026-12-09T23:00:00+01:00", "end": "2026-12-10T23:00:00+01:00" },
    ] } } })
}

async fn try_json(name: &str, which: usize, reader: Reader, document: Value) {
    let answer = std::sync::Arc::new(std::sync::Mutex::new(document.clone()));
    let told = std::sync::Arc::clone(&answer);
    let server = Server::start(move |asked| {
        if asked.line.contains("mailboxSettings") {
            return Told::ok(json!({ "timeZone": "W. Europe Standard Time" }).to_string());
        }
        if asked.line.contains("/instances") {
            let event = graph_event("5", "09T09:00", "09T10:00");
            return Told::ok(json!({ "value": [event] }).to_string());
        }
        Told::ok(told.lock().unwrap().to_string())
    });
    let (_, provider, session) = connectors(&server.url, Some("Europe/Berlin")).remove(which);
    let whole = read(reader, &*provider, &session).await;
    let spoilt = spoilt(&document);
    assert!(spoilt.len() > 100, "{name}: {}", spoilt.len());
    for (what, document) in spoilt.into_iter().filter(|(_, document)| !is_another_answer(document)) {
        *answer.lock().unwrap() = document;
        check(name, &what, &whole, read(reader, &*provider, &session).await);
    }
}

#[tokio::test]
async fn mutilated_events_of_graph_are_never_less_busy() {
    try_json("events", 0, Reader::Events, graph_events()).await;
}

#[tokio::test]
async fn mutilated_changes_of_graph_are_never_less_busy() {
    try_json("changes", 0, Reader::Changes, graph_changes()).await;
}

#[tokio::test]
async fn mutilated_schedules_of_graph_are_never_less_busy() {
    try_json("schedules", 0, Reader::Busy, graph_busy()).await;
}

#[tokio::test]
async fn mutilated_events_of_google_are_never_less_busy() {
    try_json("events", 1, Reader::Events, google_events()).await;
    try_json("changes", 1, Reader::Changes, google_events()).await;
}

#[tokio::test]
async fn mutilated_busy_times_of_google_are_never_less_busy() {
    try_json("busy", 1, Reader::Busy, google_busy()).await;
}

fn item(id: &str, start: &str, end: &str) -> String {
    let all_day = start.ends_with("T00:00");
    format!(
        r#"<t:CalendarItem><t:ItemId Id="{id}" ChangeKey="c"/><t:Subject>x</t:Subject><t:Sensitivity>Normal</t:Sensitivity><t:UID>u{id}</t:UID><t:Start>2026-12-{start}:00Z</t:Start><t:End>2026-12-{end}:00Z</t:End><t:IsAllDayEvent>{all_day}</t:IsAllDayEvent><t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus><t:IsCancelled>false</t:IsCancelled><t:CalendarItemType>Single</t:CalendarItemType></t:CalendarItem>"#
    )
}

fn items() -> [String; 2] {
    [item("1", "08T09:00", "08T10:00"), item("2", "10T00:00", "11T00:00")]
}

fn message(operation: &str, inside: &str) -> String {
    format!(
        r#"<m:{operation}ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{inside}</m:{operation}ResponseMessage>"#
    )
}

fn envelope(operation: &str, inside: &str) -> String {
    format!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><m:{operation}Response>{inside}</m:{operation}Response></s:Body></s:Envelope>"#
    )
}

fn answered(operation: &str, messages: &str) -> String {
    envelope(operation, &format!("<m:ResponseMessages>{messages}</m:ResponseMessages>"))
}

fn find_item() -> String {
    let root = format!(
        r#"<m:RootFolder TotalItemsInView="2" IncludesLastItemInRange="true"><t:Items>{}</t:Items></m:RootFolder>"#,
        items().concat()
    );
    answered("FindItem", &message("FindItem", &root))
}

fn get_item() -> String {
    let one = |item: &String| message("GetItem", &format!("<m:Items>{item}</m:Items>"));
    answered("GetItem", &items().iter().map(one).collect::<String>())
}

fn sync() -> String {
    let change = |id: &str| {
        format!(
            r#"<t:Create><t:CalendarItem><t:ItemId Id="{id}" ChangeKey="c"/></t:CalendarItem></t:Create>"#
        )
    };
    let inside = format!(
        "<m:SyncState>s</m:SyncState><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange><m:Changes>{}{}</m:Changes>",
        change("1"),
        change("2")
    );
    answered("SyncFolderItems", &message("SyncFolderItems", &inside))
}

fn availability() -> String {
    let mut digits = vec!['0'; 7 * 96];
    digits[96 + 36..96 + 40].fill('2');
    digits[3 * 96..3 * 96 + 48].fill('3');
    let event = |start: &str, end: &str| {
        format!(
            "<t:CalendarEvent><t:StartTime>2026-12-{start}:00</t:StartTime><t:EndTime>2026-12-{end}:00</t:EndTime><t:BusyType>Busy</t:BusyType></t:CalendarEvent>"
        )
    };
    let events = event("08T09:00", "08T10:00") + &event("10T00:00", "10T12:00");
    let view = format!(
        "<t:FreeBusyViewType>FreeBusyMerged</t:FreeBusyViewType><t:MergedFreeBusy>{}</t:MergedFreeBusy><t:CalendarEventArray>{events}</t:CalendarEventArray>",
        digits.into_iter().collect::<String>()
    );
    envelope(
        "GetUserAvailability",
        &format!(
            r#"<m:FreeBusyResponseArray><m:FreeBusyResponse><m:ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode></m:ResponseMessage><m:FreeBusyView>{view}</m:FreeBusyView></m:FreeBusyResponse></m:FreeBusyResponseArray>"#
        ),
    )
}

/// Mutilates the response to one operation and sends the whole one for all others.
async fn try_xml(reader: Reader, operation: &'static str, document: String, lists: &[&str]) {
    let answer = std::sync::Arc::new(std::sync::Mutex::new(document.clone()));
    let told = std::sync::Arc::clone(&answer);
    let server = Server::start(move |asked| {
        let is = |name: &str| asked.body.contains(&format!("<m:{name}"));
        let body = match () {
            () if is(operation) => told.lock().unwrap().clone(),
            () if is("FindItem") => find_item(),
            () if is("GetItem") => {
                let one = |item: &String| message("GetItem", &format!("<m:Items>{item}</m:Items>"));
                let wanted = |item: &&String| {
                    ["1", "2"].iter().any(|id| {
                        let id = format!(r#"<t:ItemId Id="{id}""#);
                        asked.body.contains(&id) && item.contains(&id)
                    })
                };
                answered("GetItem", &items().iter().filter(wanted).map(one).collect::<String>())
            }
            () => sync(),
        };
        Told::ok(body)
    });
    let (_, provider, session) = connectors(&server.url, Some("Europe/Berlin")).remove(2);
    let whole = read(reader, &*provider, &session).await;
    let spoilt = mutilated_xml::spoilt(&Node::read(&document), lists);
    assert!(spoilt.len() > 50, "{operation}: {}", spoilt.len());
    for (what, document) in spoilt {
        *answer.lock().unwrap() = document;
        check(operation, &what, &whole, read(reader, &*provider, &session).await);
    }
}

#[tokio::test]
async fn mutilated_lists_of_exchange_are_never_less_busy() {
    try_xml(Reader::Events, "FindItem", find_item(), &["Items"]).await;
}

#[tokio::test]
async fn mutilated_items_of_exchange_are_never_less_busy() {
    try_xml(Reader::Events, "GetItem", get_item(), &[]).await;
    try_xml(Reader::Changes, "GetItem", get_item(), &[]).await;
}

#[tokio::test]
async fn mutilated_changes_of_exchange_are_never_less_busy() {
    try_xml(Reader::Changes, "SyncFolderItems", sync(), &["Changes", "ResponseMessages"]).await;
}

#[tokio::test]
async fn mutilated_busy_times_of_exchange_are_never_less_busy() {
    try_xml(Reader::Busy, "GetUserAvailabilityRequest", availability(), &["CalendarEventArray"]).await;
}
