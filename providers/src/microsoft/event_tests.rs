use domain::Timestamp;
use serde_json::{Value, json};

use super::*;

fn at(text: &str) -> Timestamp {
    format!("2026-12-{text}:00Z").parse().unwrap()
}

fn range(start: &str, end: &str) -> TimeRange {
    TimeRange::new(at(start), at(end)).unwrap()
}

fn when(date_time: &str, time_zone: &str) -> Value {
    json!({ "dateTime": date_time, "timeZone": time_zone })
}

/// Converts a meeting from nine to ten, some of whose JSON fields are replaced by the given ones.
fn reading(more: Value, zone: &str) -> ParsedItem {
    let mut event = json!({
        "id": "1", "iCalUId": "u", "isAllDay": false, "showAs": "busy", "sensitivity": "normal", "subject": "x",
        "start": when("2026-12-08T09:00:00.0000000", "UTC"), "end": when("2026-12-08T10:00:00.0000000", "UTC"),
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let raw = crate::json::parse(event.to_string().as_bytes()).unwrap();
    parse_item(raw, &Zone::from_name(zone).unwrap(), Some(range("01T00:00", "31T00:00")))
}

fn event(more: Value, zone: &str) -> Event {
    match reading(more, zone) {
        ParsedItem::Event(event) => *event,
        other => panic!("{other:?}"),
    }
}

fn blocked(more: Value) -> (TimeRange, UnreadableReason) {
    match reading(more, "UTC") {
        ParsedItem::Blocked(event, mark) => {
            assert!(mark.blocks && event.private && event.title.is_none() && event.busy.is_some());
            (event.range, mark.reason)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn whole_days_are_days_of_the_owner_in_whatever_zone_graph_tells_them() {
    let days = |zone: &str| json!({ "isAllDay": true, "start": when("2026-12-08T00:00:00.0000000", zone), "end": when("2026-12-09T00:00:00.0000000", zone) });
    for told in ["UTC", "W. Europe Standard Time", "tzone://Microsoft/Custom", ""] {
        assert_eq!(event(days(told), "Europe/Berlin").range, range("07T23:00", "08T23:00"), "{told}");
        assert_eq!(event(days(told), "America/Los_Angeles").range, range("08T08:00", "09T08:00"), "{told}");
    }
    let moved = json!({ "isAllDay": true, "start": when("2026-12-07T23:00:00", "UTC"), "end": when("2026-12-08T23:00:00", "UTC") });
    assert_eq!(event(moved, "America/Los_Angeles").range, range("07T23:00", "08T23:00"), "instants stay");
}

#[test]
fn midnights_that_may_be_days_block_both_readings() {
    let maybe = json!({ "isAllDay": "yes", "start": when("2026-12-08T00:00:00", "UTC"), "end": when("2026-12-09T00:00:00", "UTC") });
    let ParsedItem::Blocked(event, mark) = reading(maybe, "Europe/Berlin") else { panic!("it is not known") };
    assert_eq!((event.range, mark.reason), (range("07T23:00", "09T00:00"), UnreadableReason::Malformed));
}

#[test]
fn what_is_not_known_of_its_times_is_as_wide_as_it_may_be() {
    use UnreadableReason::{NoTimes, TimeZone};
    let custom = |text| when(text, "tzone://Microsoft/Custom");
    let both = json!({ "start": custom("2026-12-08T10:00:00"), "end": custom("2026-12-08T11:00:00") });
    assert_eq!(blocked(both), (range("07T20:00", "08T23:00"), TimeZone));
    assert_eq!(blocked(json!({ "end": null })), (range("08T09:00", "31T00:00"), NoTimes));
    assert_eq!(blocked(json!({ "start": when("soon", "UTC") })), (range("01T00:00", "08T10:00"), NoTimes));
    assert_eq!(blocked(json!({ "start": 7 })), (range("01T00:00", "08T10:00"), NoTimes));
    let ParsedItem::Unknown(mark) = reading(json!({ "start": null, "end": null }), "UTC") else {
        panic!("no times")
    };
    assert_eq!((mark.uid.as_str(), mark.blocks, mark.reason), ("u", false, NoTimes));
}

#[test]
fn an_end_before_its_start_and_what_is_free_anyway_take_no_time() {
    assert_eq!(reading(json!({ "end": when("2026-12-08T08:00:00", "UTC") }), "UTC"), ParsedItem::Nothing);
    assert_eq!(reading(json!({ "start": null, "showAs": "free" }), "UTC"), ParsedItem::Nothing);
    assert_eq!(reading(json!({ "start": null, "isCancelled": true }), "UTC"), ParsedItem::Nothing);
}

#[test]
fn odd_values_beside_the_times_make_no_event_unreadable() {
    for name in [
        "iCalUId",
        "changeKey",
        "subject",
        "showAs",
        "sensitivity",
        "organizer",
        "attendees",
        "type",
        "seriesMasterId",
        "isOnlineMeeting",
        "onlineMeeting",
        "singleValueExtendedProperties",
        "isCancelled",
        "@odata.etag",
    ] {
        for odd in
            [json!(null), json!(7), json!("?"), json!([]), json!([null]), json!({}), json!({ "a": null })]
        {
            let mut more = json!({});
            more[name] = odd.clone();
            let event = event(more, "UTC");
            assert_eq!(event.range, range("08T09:00", "08T10:00"), "{name}: {odd}");
            assert_eq!(event.busy, Some(BusyKind::Busy), "{name}: {odd}");
        }
    }
    assert!(
        event(json!({ "sensitivity": "secret" }), "UTC").private,
        "an unknown word may mean more than private"
    );
    let organiser = json!({ "organizer": { "emailAddress": null }, "attendees": [{ "emailAddress": null }] });
    assert!(event(organiser, "UTC").attendees.is_empty());
}

#[test]
fn an_event_without_an_id_still_blocks_its_time() {
    assert_eq!(blocked(json!({ "id": null })), (range("08T09:00", "08T10:00"), UnreadableReason::Malformed));
}

#[test]
fn an_unknown_status_blocks_and_free_ones_do_not() {
    assert_eq!(busy_kind(Some("free")), None);
    assert_eq!(busy_kind(Some("workingElsewhere")), None);
    assert_eq!(busy_kind(Some("tentative")), Some(BusyKind::Tentative));
    for status in [Some("busy"), Some("oof"), Some("unknown"), Some("new"), None] {
        assert_eq!(busy_kind(status), Some(BusyKind::Busy));
    }
}
