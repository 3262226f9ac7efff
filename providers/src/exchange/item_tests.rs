use super::*;

fn at(text: &str) -> Timestamp {
    format!("2026-12-{text}:00Z").parse().unwrap()
}

fn range(start: &str, end: &str) -> TimeRange {
    TimeRange::new(at(start), at(end)).unwrap()
}

fn raw(inside: &str) -> Element {
    let text = format!(r#"<CalendarItem xmlns="{TYPES}">{inside}</CalendarItem>"#);
    Element::parse(text.as_bytes()).unwrap()
}

fn item(inside: &str) -> Element {
    raw(&format!(
        r#"<ItemId Id="A" ChangeKey="1"/><Start>2026-12-01T09:00:00Z</Start><End>2026-12-01T11:00:00+01:00</End>{inside}"#
    ))
}

fn reading(item: &Element, zone: &str) -> ParsedItem {
    parse_item(item, &Zone::from_name(zone).unwrap(), Some(range("01T00:00", "31T00:00")))
}

fn event(item: &Element, zone: &str) -> Event {
    match reading(item, zone) {
        ParsedItem::Event(event) => *event,
        other => panic!("{other:?}"),
    }
}

fn blocked(item: &Element, zone: &str) -> (TimeRange, UnreadableReason) {
    match reading(item, zone) {
        ParsedItem::Blocked(event, mark) => {
            assert!(mark.blocks && event.private && event.title.is_none() && event.busy.is_some());
            (event.range, mark.reason)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_known_blocks_and_what_was_called_off_does_not() {
    let busy = |inside: &str| event(&item(inside), "UTC").busy;
    let status = |status: &str| busy(&format!("<LegacyFreeBusyStatus>{status}</LegacyFreeBusyStatus>"));
    assert_eq!(status("Free"), None);
    assert_eq!(status("WorkingElsewhere"), None);
    assert_eq!(status("Tentative"), Some(BusyKind::Tentative));
    assert_eq!(status("OOF"), Some(BusyKind::Busy));
    assert_eq!(status("NoData"), Some(BusyKind::Busy));
    assert_eq!(busy(""), Some(BusyKind::Busy));
    assert_eq!(busy("<IsCancelled>true</IsCancelled>"), None);
    assert_eq!(busy("<MyResponseType>Decline</MyResponseType>"), None);
}

#[test]
fn an_item_without_length_is_no_event() {
    for end in ["2026-12-01T09:00:00Z", "2026-12-01T08:00:00Z"] {
        let point = raw(&format!(r#"<ItemId Id="A"/><Start>2026-12-01T09:00:00Z</Start><End>{end}</End>"#));
        assert_eq!(reading(&point, "UTC"), ParsedItem::Nothing);
    }
}

#[test]
fn whole_days_that_are_told_without_a_zone_are_days_of_the_owner() {
    let days = |start: &str, end: &str| {
        raw(&format!(
            r#"<ItemId Id="A"/><Start>{start}</Start><End>{end}</End><IsAllDayEvent>true</IsAllDayEvent>"#
        ))
    };
    for (start, end) in
        [("2026-12-08T00:00:00Z", "2026-12-09T00:00:00Z"), ("2026-12-08T00:00:00", "2026-12-09T00:00:00")]
    {
        let days = days(start, end);
        assert_eq!(event(&days, "America/Los_Angeles").range, range("08T08:00", "09T08:00"));
        assert_eq!(event(&days, "Europe/Berlin").range, range("07T23:00", "08T23:00"));
    }
    let instants = days("2026-12-07T23:00:00Z", "2026-12-08T23:00:00Z");
    assert_eq!(event(&instants, "America/Los_Angeles").range, range("07T23:00", "08T23:00"));
    let maybe = raw(
        r#"<ItemId Id="A"/><Start>2026-12-08T00:00:00Z</Start><End>2026-12-09T00:00:00Z</End><IsAllDayEvent>?</IsAllDayEvent>"#,
    );
    let both = (range("07T23:00", "09T00:00"), UnreadableReason::Malformed);
    assert_eq!(blocked(&maybe, "Europe/Berlin"), both);
}

#[test]
fn what_is_not_known_of_its_times_is_as_wide_as_it_may_be() {
    use UnreadableReason::{Malformed, NoTimes};
    let of = |inside: &str| raw(&format!(r#"<ItemId Id="A"/><UID>u</UID>{inside}"#));
    let open = of("<Start>2026-12-08T09:00:00Z</Start><End/>");
    assert_eq!(blocked(&open, "UTC"), (range("08T09:00", "31T00:00"), NoTimes));
    let ends = of("<Start>soon</Start><End>2026-12-08T10:00:00Z</End>");
    assert_eq!(blocked(&ends, "UTC"), (range("01T00:00", "08T10:00"), NoTimes));
    let nameless = raw("<Start>2026-12-08T09:00:00Z</Start><End>2026-12-08T10:00:00Z</End>");
    assert_eq!(blocked(&nameless, "UTC"), (range("08T09:00", "08T10:00"), Malformed));
    let ParsedItem::Unknown(mark) = reading(&of(""), "UTC") else { panic!("it has no times") };
    assert_eq!((mark.uid.as_str(), mark.blocks, mark.reason), ("u", false, NoTimes));
    let free = of("<LegacyFreeBusyStatus>Free</LegacyFreeBusyStatus>");
    assert_eq!(reading(&free, "UTC"), ParsedItem::Nothing);
}

#[test]
fn only_our_own_property_is_a_key() {
    let property = |set: &str, name: &str| {
        format!(
            r#"<ExtendedProperty><ExtendedFieldURI PropertySetId="{set}" PropertyName="{name}" PropertyType="String"/><Value>k-1</Value></ExtendedProperty>"#
        )
    };
    let ours = EXTENDED_PROPERTY_SET.to_string();
    let key = |inside: &str| event(&item(inside), "UTC").effect_key;
    assert_eq!(key(&property(&ours.to_uppercase(), "effectKey")).as_deref(), Some("k-1"));
    assert_eq!(key(&property(&ours, "other")), None);
    assert_eq!(key(&property("66f5a359-4659-4830-9070-00047ec6ac6e", "effectKey")), None);
}
