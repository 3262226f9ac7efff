use super::*;
use crate::ical::Calendar;

pub(super) fn window(from: &str, to: &str) -> TimeRange {
    let at = |day: &str| format!("{day}T00:00:00Z").parse().unwrap();
    TimeRange::new(at(from), at(to)).unwrap()
}

/// Starts and ends of the occurrences in UTC, for a calendar owner in Berlin.
fn expanded(body: &str, window: TimeRange) -> Vec<String> {
    let calendar = Calendar::parse(format!("BEGIN:VCALENDAR\n{body}\nEND:VCALENDAR\n").as_bytes()).unwrap();
    let berlin = Zone::from_name("Europe/Berlin").unwrap();
    let found = expand(&calendar, window, &berlin, &mut ParseBudget::for_provider_response());
    assert_eq!(found.unreadable, [], "everything can be read");
    let show = |at: Timestamp| at.format("%m-%dT%H:%M").to_string();
    found.instances.iter().map(|i| format!("{}/{}", show(i.range.start), show(i.range.end))).collect()
}

fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT")
}

#[test]
fn a_weekly_meeting_stays_at_its_local_time_when_summer_time_begins() {
    let body = event("DTSTART;TZID=Europe/Berlin:20260323T100000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=2");
    assert_eq!(
        expanded(&body, window("2026-03-01", "2026-05-01")),
        ["03-23T09:00/03-23T10:00", "03-30T08:00/03-30T09:00"]
    );
}

#[test]
fn a_weekly_meeting_stays_at_its_local_time_when_summer_time_ends() {
    let body = event(
        "DTSTART;TZID=Europe/Berlin:20261021T100000\nDTEND;TZID=Europe/Berlin:20261021T110000\n\
         RRULE:FREQ=WEEKLY;UNTIL=20261028T090000Z",
    );
    assert_eq!(
        expanded(&body, window("2026-10-01", "2026-12-01")),
        ["10-21T08:00/10-21T09:00", "10-28T09:00/10-28T10:00"]
    );
}

#[test]
fn a_whole_day_is_the_owners_day_and_23_hours_long_in_march() {
    let body =
        event("DTSTART;VALUE=DATE:20260328\nDTEND;VALUE=DATE:20260329\nRRULE:FREQ=DAILY;UNTIL=20260330");
    assert_eq!(
        expanded(&body, window("2026-03-01", "2026-05-01")),
        ["03-27T23:00/03-28T23:00", "03-28T23:00/03-29T22:00", "03-29T22:00/03-30T22:00"]
    );
    let single = event("DTSTART;VALUE=DATE:20261201");
    assert_eq!(expanded(&single, window("2026-11-01", "2027-01-01")), ["11-30T23:00/12-01T23:00"]);
}

#[test]
fn exceptions_overrides_and_cancelled_occurrences_are_obeyed() {
    let master = event(
        "DTSTART;TZID=Europe/Berlin:20261201T100000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=5\n\
         EXDATE;TZID=Europe/Berlin:20261202T100000",
    );
    let moved =
        event("RECURRENCE-ID;TZID=Europe/Berlin:20261203T100000\nDTSTART:20261210T120000Z\nDURATION:PT2H");
    let gone =
        event("RECURRENCE-ID:20261204T090000Z\nDTSTART:20261204T090000Z\nDURATION:PT1H\nSTATUS:CANCELLED");
    assert_eq!(
        expanded(&[master, moved, gone].join("\n"), window("2026-12-01", "2027-01-01")),
        ["12-01T09:00/12-01T10:00", "12-05T09:00/12-05T10:00", "12-10T12:00/12-10T14:00"]
    );
}

#[test]
fn an_override_without_its_master_stands_alone() {
    let body = event("RECURRENCE-ID:20261204T090000Z\nDTSTART:20261204T100000Z\nDURATION:PT1H");
    assert_eq!(expanded(&body, window("2026-12-01", "2027-01-01")), ["12-04T10:00/12-04T11:00"]);
}

#[test]
fn an_override_for_the_future_moves_all_that_follow() {
    let master = event("DTSTART:20261201T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4");
    let later =
        event("RECURRENCE-ID;RANGE=THISANDFUTURE:20261203T090000Z\nDTSTART:20261203T110000Z\nDURATION:PT30M");
    assert_eq!(
        expanded(&[master, later].join("\n"), window("2026-12-01", "2027-01-01")),
        [
            "12-01T09:00/12-01T10:00",
            "12-02T09:00/12-02T10:00",
            "12-03T11:00/12-03T11:30",
            "12-04T11:00/12-04T11:30"
        ]
    );
}

#[test]
fn floating_times_and_unknown_zones_are_the_owners() {
    let floating = event("DTSTART:20261201T100000\nDTEND:20261201T110000");
    assert_eq!(expanded(&floating, window("2026-12-01", "2027-01-01")), ["12-01T09:00/12-01T10:00"]);
    let unknown = event("DTSTART;TZID=Nowhere:20261201T100000\nDURATION:PT1H");
    let unknown = format!("BEGIN:VCALENDAR\n{unknown}\nEND:VCALENDAR");
    let (calendar, berlin) =
        (Calendar::parse(unknown.as_bytes()).unwrap(), Zone::from_name("Europe/Berlin").unwrap());
    let found = expand(
        &calendar,
        window("2026-12-01", "2027-01-01"),
        &berlin,
        &mut ParseBudget::for_provider_response(),
    );
    assert_eq!(found.instances[0].range.start.to_string(), "2026-12-01 09:00:00 UTC");
    assert_eq!(found.unreadable[0].reason, UnreadableReason::TimeZone, "that is a guess, and says so");
    let windows = event("DTSTART;TZID=Tokyo Standard Time:20261201T100000\nDURATION:PT1H");
    assert_eq!(expanded(&windows, window("2026-12-01", "2027-01-01")), ["12-01T01:00/12-01T02:00"]);
}

#[test]
fn additional_dates_may_have_a_length_of_their_own() {
    let body = event(
        "DTSTART:20261201T090000Z\nDURATION:PT1H\nRDATE:20261203T090000Z\nRDATE;VALUE=PERIOD:20261205T090000Z/PT3H",
    );
    assert_eq!(
        expanded(&body, window("2026-12-01", "2027-01-01")),
        ["12-01T09:00/12-01T10:00", "12-03T09:00/12-03T10:00", "12-05T09:00/12-05T12:00"]
    );
}

#[test]
fn the_second_tuesday_and_the_last_friday_are_found() {
    let body = event("DTSTART:20261013T090000Z\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;BYDAY=2TU,-1FR");
    assert_eq!(
        expanded(&body, window("2026-11-01", "2026-12-01")),
        ["11-10T09:00/11-10T10:00", "11-27T09:00/11-27T10:00"]
    );
}

#[test]
fn the_window_is_half_open() {
    let body = event("DTSTART:20261201T000000Z\nDURATION:P1D");
    assert!(expanded(&body, window("2026-12-02", "2026-12-03")).is_empty());
    assert!(expanded(&body, window("2026-11-30", "2026-12-01")).is_empty());
    assert_eq!(expanded(&body, window("2026-12-01", "2026-12-02")).len(), 1);
}

#[test]
fn hostile_rules_are_cut_and_the_cut_is_told() {
    let day = window("2026-12-01", "2026-12-02");
    let rest = |rule: &str, start: &str| {
        let text = format!(
            "BEGIN:VCALENDAR\n{}\nEND:VCALENDAR\n",
            event(&format!("DTSTART:{start}\nDURATION:PT1S\nRRULE:{rule}"))
        );
        let calendar = Calendar::parse(text.as_bytes()).unwrap();
        let found = expand(&calendar, day, &Zone::UTC, &mut ParseBudget::for_provider_response());
        assert!(found.instances.len() <= INSTANCES, "{rule} made too many");
        assert_eq!(found.unreadable.len(), 1, "{rule} is marked");
        found.blocked.first().map(|blocked| blocked.range.start)
    };
    for start in ["20000101T000000Z", "20261201T000000Z"] {
        assert!(rest("FREQ=SECONDLY", start).is_some_and(|at| day.start < at && at < day.end), "{start}");
    }
    let all: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let every = format!("FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYMINUTE={0};BYSECOND={0}", all.join(","));
    assert_eq!(rest(&every, "20260101T000000Z"), Some(day.start));
    assert_eq!(rest("FREQ=NEVER", "20260101T080000Z"), Some(day.start + chrono::Duration::hours(8)));
}
