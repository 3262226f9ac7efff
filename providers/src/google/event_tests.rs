use super::*;

fn read_event(json: Value, zone: Option<&str>) -> Event {
    event(serde_json::from_value(json).unwrap(), zone).unwrap().expect("it takes time")
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn an_id_is_made_of_its_key_with_the_characters_that_google_takes() {
    let id = id_of("run-1").unwrap();
    assert_eq!(id, id_of("run-1").unwrap());
    assert_ne!(id, id_of("run-2").unwrap());
    assert!((5..=1024).contains(&id.len()) && id.bytes().all(|b| ALPHABET.contains(&b)), "{id}");
    for malformed in ["", "a b", "ü", &"x".repeat(65)] {
        assert_eq!(id_of(malformed).unwrap_err().code, "EFFECT_KEY");
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
    let event = read_event(days, Some("Europe/Berlin"));
    assert!(event.all_day);
    assert_eq!(event.range.start, at("2026-11-30T23:00:00Z"));
}

#[test]
fn what_takes_time_is_told_by_status_answer_and_kind() {
    let busy = |more: Value| {
        let mut event = json!({ "id": "a", "status": "confirmed",
            "start": { "dateTime": "2026-12-01T09:00:00Z" }, "end": { "dateTime": "2026-12-01T10:00:00Z" } });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read_event(event, None).busy
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
    let stands: wire::Event = serde_json::from_value(json!({ "id": "a", "attendees": [
        { "email": "Bob@corp.test", "responseStatus": "accepted" },
    ] }))
    .unwrap();
    let invited = |address: &str| Attendee {
        party: Party { name: address.to_owned(), address: address.to_owned() },
        role: AttendeeRole::Required,
        answer: Answer::None,
    };
    let list = Some(vec![invited("bob@corp.test"), invited("eve@corp.test")]);
    let change = EventChange { attendees: list.clone(), ..EventChange::default() };
    let body = changed(&change, &stands);
    assert_eq!(body["attendees"][0]["responseStatus"], "accepted");
    assert_eq!(body["attendees"][1]["responseStatus"], "needsAction");
    let range = TimeRange::new(at("2026-12-01T09:00:00Z"), at("2026-12-01T10:00:00Z"));
    let moved = EventChange { range, attendees: list, ..EventChange::default() };
    assert_eq!(changed(&moved, &stands)["attendees"][0]["responseStatus"], "needsAction");
}

#[test]
fn what_was_deleted_or_has_no_length_is_no_event() {
    let gone = json!({ "id": "a", "status": "cancelled" });
    assert_eq!(event(serde_json::from_value(gone).unwrap(), None).unwrap(), None);
    let point = json!({ "id": "a", "status": "confirmed",
        "start": { "dateTime": "2026-12-01T09:00:00Z" }, "end": { "dateTime": "2026-12-01T09:00:00Z" } });
    assert_eq!(event(serde_json::from_value(point).unwrap(), None).unwrap(), None);
    let broken = json!({ "id": "a", "status": "confirmed" });
    assert_eq!(event(serde_json::from_value(broken).unwrap(), None).unwrap_err().code, "EVENT_UNREADABLE");
}
