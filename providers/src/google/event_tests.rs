use domain::UnreadableItem;

use super::*;

fn window() -> Option<TimeRange> {
    TimeRange::new(at("2026-11-20T00:00:00Z"), at("2026-12-20T00:00:00Z"))
}

fn raw(json: &Value) -> wire::Event {
    crate::json::parse(json.to_string().as_bytes()).unwrap()
}

fn reading(json: Value) -> ParsedItem {
    parse_item(raw(&json), Zone::from_name("Europe/Berlin").as_ref(), window())
}

fn read_event(json: Value) -> Event {
    match reading(json) {
        ParsedItem::Event(event) => *event,
        other => panic!("{other:?}"),
    }
}

fn blocked(json: Value, zone: Option<&str>) -> (String, String, UnreadableReason) {
    let zone = zone.and_then(Zone::from_name);
    match parse_item(raw(&json), zone.as_ref(), window()) {
        ParsedItem::Blocked(event, mark) => {
            assert!(mark.blocks && event.private && event.title.is_none() && event.busy.is_some());
            let text = |at: Timestamp| at.format("%m-%dT%H:%M").to_string();
            (text(event.range.start), text(event.range.end), mark.reason)
        }
        other => panic!("{other:?}"),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn an_id_is_made_of_its_key_with_the_characters_that_google_takes() {
    let id = event_id("run-1").unwrap();
    assert_eq!(id, event_id("run-1").unwrap());
    assert_ne!(id, event_id("run-2").unwrap());
    assert!((5..=1024).contains(&id.len()) && id.bytes().all(|b| ALPHABET.contains(&b)), "{id}");
    for malformed in ["", "a b", "ü", &"x".repeat(65)] {
        assert_eq!(event_id(malformed).unwrap_err().code, "EFFECT_KEY");
    }
}

#[test]
fn the_hour_that_comes_twice_keeps_its_offset() {
    let twice = time(at("2026-10-25T00:30:00Z"), "Europe/Berlin");
    assert_eq!(twice, json!({ "dateTime": "2026-10-25T02:30:00+02:00", "timeZone": "Europe/Berlin" }));
    let later = time(at("2026-10-25T01:30:00Z"), "Europe/Berlin");
    assert_eq!(later["dateTime"], "2026-10-25T02:30:00+01:00");
}

#[test]
fn whole_days_begin_at_midnight_of_the_calendar() {
    let days = json!({ "id": "a", "status": "confirmed",
        "start": { "date": "2026-12-01" }, "end": { "date": "2026-12-02" } });
    let event = read_event(days);
    assert!(event.all_day);
    assert_eq!(event.range.start, at("2026-11-30T23:00:00Z"));
}

#[test]
fn what_takes_time_is_told_by_status_answer_and_kind() {
    let busy = |more: Value| {
        let mut event = json!({ "id": "a", "status": "confirmed",
            "start": { "dateTime": "2026-12-01T09:00:00Z" }, "end": { "dateTime": "2026-12-01T10:00:00Z" } });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read_event(event).busy
    };
    let own = |answer: &str| json!({ "attendees": [{ "email": "a@b.test", "self": true, "responseStatus": answer }] });
    assert_eq!(busy(json!({})), Some(BusyKind::Busy));
    assert_eq!(busy(json!({ "transparency": "transparent" })), None);
    assert_eq!(busy(json!({ "eventType": "workingLocation" })), None);
    assert_eq!(busy(json!({ "eventType": "outOfOffice" })), Some(BusyKind::Busy));
    assert_eq!(busy(json!({ "status": "tentative" })), Some(BusyKind::Tentative));
    assert_eq!(busy(own("needsAction")), Some(BusyKind::Tentative));
    assert_eq!(busy(own("accepted")), Some(BusyKind::Busy));
    assert_eq!(busy(own("declined")), None);
}

#[test]
fn those_who_stay_keep_their_answers_unless_the_time_changes() {
    let current = raw(&json!({ "id": "a", "attendees": [
        { "email": "Bob@corp.test", "responseStatus": "accepted" },
    ] }));
    let invited = |address: &str| Attendee {
        party: NamedAddress { name: address.to_owned(), address: address.to_owned() },
        role: AttendeeRole::Required,
        answer: Answer::None,
    };
    let list = Some(vec![invited("bob@corp.test"), invited("eve@corp.test")]);
    let change = EventChange { attendees: list.clone(), ..EventChange::default() };
    let body = change_body(&change, &current);
    assert_eq!(body["attendees"][0]["responseStatus"], "accepted");
    assert_eq!(body["attendees"][1]["responseStatus"], "needsAction");
    let range = TimeRange::new(at("2026-12-01T09:00:00Z"), at("2026-12-01T10:00:00Z"));
    let moved = EventChange { range, attendees: list, ..EventChange::default() };
    assert_eq!(change_body(&moved, &current)["attendees"][0]["responseStatus"], "needsAction");
}

#[test]
fn what_was_deleted_or_has_no_length_is_no_event() {
    let time = |text: &str| json!({ "dateTime": text });
    for nothing in [
        json!({ "id": "a", "status": "cancelled" }),
        json!({ "id": "a", "start": time("2026-12-01T09:00:00Z"), "end": time("2026-12-01T09:00:00Z") }),
        json!({ "id": "a", "start": time("2026-12-01T09:00:00Z"), "end": time("2026-12-01T08:00:00Z") }),
        json!({ "id": "a", "transparency": "transparent" }),
    ] {
        assert_eq!(reading(nothing.clone()), ParsedItem::Nothing, "{nothing}");
    }
}

#[test]
fn what_is_not_known_of_its_times_is_as_wide_as_it_may_be() {
    use UnreadableReason::{NoTimes, TimeZone};
    let told = |from: &str, until: &str, why| (from.to_owned(), until.to_owned(), why);
    let berlin = Some("Europe/Berlin");
    let nine = json!({ "dateTime": "2026-12-01T09:00:00Z" });
    let open = json!({ "id": "a", "start": nine });
    assert_eq!(blocked(open, berlin), told("12-01T09:00", "12-20T00:00", NoTimes));
    let ends = json!({ "id": "a", "start": { "date": "2026-13-01" }, "end": { "date": "2026-12-02" } });
    assert_eq!(blocked(ends, berlin), told("11-20T00:00", "12-01T23:00", NoTimes));
    let mixed = json!({ "id": "a", "start": { "date": "2026-12-01" }, "end": 7 });
    assert_eq!(blocked(mixed, berlin), told("11-30T23:00", "12-20T00:00", NoTimes));
    let days = json!({ "id": "a", "start": { "date": "2026-12-01" }, "end": { "date": "2026-12-02" } });
    assert_eq!(blocked(days, None), told("11-30T10:00", "12-02T12:00", TimeZone));
    let clock = |text: &str| json!({ "dateTime": text, "timeZone": "Middle/Earth" });
    let local =
        json!({ "id": "a", "start": clock("2026-12-01T10:00:00"), "end": clock("2026-12-01T11:00:00") });
    assert_eq!(blocked(local, berlin), told("11-30T20:00", "12-01T23:00", TimeZone));
    let nothing = json!({ "id": "x1", "status": "confirmed", "summary": "x" });
    let mark = UnreadableItem { uid: "x1".to_owned(), reason: NoTimes, blocks: false };
    assert_eq!(reading(nothing), ParsedItem::Unknown(mark));
    let nameless = json!({ "start": nine, "end": { "dateTime": "2026-12-01T10:00:00Z" } });
    let known = told("12-01T09:00", "12-01T10:00", UnreadableReason::Malformed);
    assert_eq!(blocked(nameless, berlin), known);
}

#[test]
fn odd_values_beside_the_times_make_no_event_unreadable() {
    for name in [
        "status",
        "etag",
        "iCalUID",
        "summary",
        "transparency",
        "visibility",
        "eventType",
        "recurringEventId",
        "organizer",
        "attendees",
        "extendedProperties",
        "hangoutLink",
        "conferenceData",
    ] {
        for odd in
            [json!(null), json!(7), json!("?"), json!([]), json!([null]), json!({}), json!({ "a": null })]
        {
            let mut event = json!({ "id": "a", "start": { "dateTime": "2026-12-01T09:00:00Z" },
                "end": { "dateTime": "2026-12-01T10:00:00Z", "timeZone": 7 } });
            event[name] = odd.clone();
            assert_eq!(read_event(event).busy, Some(BusyKind::Busy), "{name}: {odd}");
        }
    }
}
