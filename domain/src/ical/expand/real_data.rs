//! Tests with iCalendar resources as real programs write them, and with recurrence rules designed to be expensive.

use super::{tests::window, *};
use crate::ical::Calendar;

fn calendar(body: &str) -> Calendar {
    Calendar::parse(format!("BEGIN:VCALENDAR\n{body}\nEND:VCALENDAR\n").as_bytes()).unwrap()
}

/// Starts of the occurrences in UTC, for a calendar owner in Berlin.
fn starts(body: &str, from: &str, to: &str) -> Vec<String> {
    let calendar = calendar(body);
    let berlin = Zone::from_name("Europe/Berlin").unwrap();
    let found = expand(&calendar, window(from, to), &berlin, &mut ParseBudget::for_provider_response());
    assert_eq!(found.unreadable, [], "everything can be read");
    found.instances.iter().map(|one| one.range.start.format("%m-%d %H:%M").to_string()).collect()
}

fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\n{lines}\nEND:VEVENT")
}

/// An Outlook export with a custom time zone and a series that has one moved and one deleted occurrence.
const OUTLOOK: &str = "METHOD:PUBLISH\nPRODID:Microsoft Exchange Server 2010\nBEGIN:VTIMEZONE\n\
    TZID:Customized Time Zone\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n\
    RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010101T020000\n\
    TZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\n\
    END:VTIMEZONE\nBEGIN:VEVENT\nUID:040000008200E00074C5B7101A82E008\nDTSTAMP:20261001T080000Z\n\
    RRULE:FREQ=WEEKLY;UNTIL=20261106T080000Z;INTERVAL=1;BYDAY=FR;WKST=MO\n\
    EXDATE;TZID=Customized Time Zone:20261023T090000\nDTSTART;TZID=Customized Time Zone:20261016T090000\n\
    DTEND;TZID=Customized Time Zone:20261016T093000\nX-MICROSOFT-CDO-BUSYSTATUS:BUSY\nEND:VEVENT\nBEGIN:VEVENT\n\
    UID:040000008200E00074C5B7101A82E008\nDTSTAMP:20261001T080000Z\n\
    RECURRENCE-ID;TZID=Customized Time Zone:20261030T090000\nDTSTART;TZID=Customized Time Zone:20261029T150000\n\
    DTEND;TZID=Customized Time Zone:20261029T153000\nSEQUENCE:1\nEND:VEVENT";

#[test]
fn a_series_in_a_zone_of_its_own_keeps_its_wall_when_summer_time_ends() {
    assert_eq!(
        starts(OUTLOOK, "2026-10-01", "2026-12-01"),
        ["10-16 07:00", "10-29 14:00", "11-06 08:00"],
        "one was deleted, one moved, and the clocks went back on the 25th"
    );
}

#[test]
fn all_that_follow_may_be_moved_into_the_window_from_after_it() {
    let master = event("DTSTART:20261201T090000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=4");
    let earlier =
        event("RECURRENCE-ID;RANGE=THISANDFUTURE:20261208T090000Z\nDTSTART:20261205T100000Z\nDURATION:PT1H");
    let body = [master, earlier].join("\n");
    assert_eq!(
        starts(&body, "2026-12-01", "2026-12-21"),
        ["12-01 09:00", "12-05 10:00", "12-12 10:00", "12-19 10:00"]
    );
    assert_eq!(starts(&body, "2026-12-19", "2026-12-20"), ["12-19 10:00"], "the rule itself says the 22nd");
}

#[test]
fn all_that_follow_may_be_called_off_or_changed_once_more() {
    let master = event("DTSTART:20261201T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=6");
    let later =
        event("RECURRENCE-ID;RANGE=THISANDFUTURE:20261203T090000Z\nDTSTART:20261203T120000Z\nDURATION:PT1H");
    let off = event(
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20261205T090000Z\nDTSTART:20261205T090000Z\nDURATION:PT1H\nSTATUS:CANCELLED",
    );
    let one = event("RECURRENCE-ID:20261204T090000Z\nDTSTART:20261204T070000Z\nDURATION:PT1H");
    assert_eq!(
        starts(&[master, later, off, one].join("\n"), "2026-12-01", "2026-12-31"),
        ["12-01 09:00", "12-02 09:00", "12-03 12:00", "12-04 07:00"]
    );
}

#[test]
fn an_override_is_found_whatever_form_its_original_start_has() {
    let master =
        event("DTSTART;TZID=America/New_York:20261201T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3");
    for form in [
        "RECURRENCE-ID:20261202T140000Z",
        "RECURRENCE-ID:20261202T090000",
        "RECURRENCE-ID;VALUE=DATE:20261202",
        "RECURRENCE-ID;TZID=Europe/Berlin:20261202T150000",
    ] {
        let moved = event(&format!("{form}\nDTSTART:20261202T200000Z\nDURATION:PT1H"));
        let body = [master.clone(), moved].join("\n");
        assert_eq!(
            starts(&body, "2026-12-01", "2026-12-31"),
            ["12-01 14:00", "12-02 20:00", "12-03 14:00"],
            "{form}"
        );
    }
    let days = event("DTSTART;VALUE=DATE:20261201\nRRULE:FREQ=DAILY;COUNT=2");
    let moved = event("RECURRENCE-ID:20261202T000000\nDTSTART;VALUE=DATE:20261209");
    assert_eq!(starts(&[days, moved].join("\n"), "2026-11-01", "2026-12-31"), ["11-30 23:00", "12-08 23:00"]);
}

#[test]
fn an_additional_date_can_be_overridden_and_excepted_like_any_other() {
    let master = event(
        "DTSTART:20261201T090000Z\nDURATION:PT1H\nRDATE:20261202T090000Z,20261203T090000Z\n\
         RDATE;VALUE=PERIOD:20261204T090000Z/PT3H,20261205T090000Z/20261205T100000Z\nEXDATE:20261203T090000Z",
    );
    let moved = event("RECURRENCE-ID:20261204T090000Z\nDTSTART:20261204T150000Z\nDURATION:PT1H");
    assert_eq!(
        starts(&[master, moved].join("\n"), "2026-12-01", "2026-12-31"),
        ["12-01 09:00", "12-02 09:00", "12-04 15:00", "12-05 09:00"]
    );
}

#[test]
fn a_whole_day_that_ends_on_the_day_it_begins_is_one_day() {
    let body = event("DTSTART;VALUE=DATE:20261201\nDTEND;VALUE=DATE:20261201");
    assert_eq!(starts(&body, "2026-11-01", "2026-12-31"), ["11-30 23:00"]);
}

#[test]
fn a_daily_series_skips_no_day_and_doubles_none_when_clocks_change() {
    let body = event("DTSTART;TZID=Europe/Berlin:20260327T023000\nDURATION:PT15M\nRRULE:FREQ=DAILY;COUNT=4");
    assert_eq!(
        starts(&body, "2026-03-01", "2026-04-30"),
        ["03-27 01:30", "03-28 01:30", "03-29 01:30", "03-30 00:30"],
        "half past two is skipped on the 29th and read with the offset before"
    );
}

#[test]
fn the_last_working_day_of_the_month_and_the_29th_of_february_are_found() {
    let last =
        event("DTSTART:20261030T160000Z\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1");
    assert_eq!(starts(&last, "2026-10-01", "2027-01-01"), ["10-30 16:00", "11-30 16:00", "12-31 16:00"]);
    let leap = event("DTSTART:20240229T090000Z\nDURATION:PT1H\nRRULE:FREQ=YEARLY");
    assert_eq!(starts(&leap, "2025-01-01", "2029-01-01"), ["02-29 09:00"]);
}

/// Why an item was marked as unreadable, whether it blocks time, and the number of its occurrences.
fn cut(body: &str) -> (Option<UnreadableReason>, bool, usize) {
    let calendar = calendar(body);
    let found = expand(
        &calendar,
        window("2026-12-01", "2027-12-01"),
        &Zone::UTC,
        &mut ParseBudget::for_provider_response(),
    );
    (found.unreadable.first().map(|mark| mark.reason), !found.blocked.is_empty(), found.instances.len())
}

#[test]
fn what_was_made_to_hurt_is_cut_and_the_cut_is_told() {
    let costly = Some(UnreadableReason::TooCostly);
    let moment = |n: usize| format!("202612{:02}T{:02}{:02}00Z", n / 1440 + 1, n / 60 % 24, n % 60);
    let dates: Vec<String> = (1..=2_100).map(moment).collect();
    let dates = event(&format!("DTSTART:20261201T000000Z\nDURATION:PT1H\nRDATE:{}", dates.join(",")));
    assert_eq!(cut(&dates), (costly, true, INSTANCES), "a list of dates");

    let rules = ["RRULE:FREQ=MONTHLY;COUNT=2"; 9].join("\n");
    let rules = event(&format!("DTSTART:20261201T000000Z\nDURATION:PT1H\n{rules}"));
    assert_eq!(cut(&rules), (costly, true, 2), "a heap of rules");

    let overrides = (0..2_100)
        .map(|n| event(&format!("RECURRENCE-ID:{}\nDTSTART:20261202T000000Z\nDURATION:PT1H", moment(n))));
    let overrides: Vec<String> = overrides.collect();
    assert_eq!(cut(&overrides.join("\n")), (costly, true, INSTANCES), "a heap of overrides");

    let long = event("DTSTART:19000101T000000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY;COUNT=2000000000");
    assert_eq!(cut(&long), (costly, true, 0), "a count without end");

    let chinese = event("DTSTART:20261201T000000Z\nDURATION:PT1H\nRRULE:RSCALE=CHINESE;FREQ=YEARLY");
    assert_eq!(
        cut(&chinese),
        (Some(UnreadableReason::Recurrence), true, 1),
        "years that nobody here can count"
    );
    let gregorian = event(
        "DTSTART:20261201T000000Z\nDURATION:PT1H\nRRULE:RSCALE=GREGORIAN;FREQ=YEARLY;COUNT=2;SKIP=OMIT",
    );
    assert_eq!(cut(&gregorian), (None, false, 1));
}

const NEVER: &str = "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30";

/// Inputs designed to keep a worker busy, each with the maximum number of steps that parsing it may take.
fn hostile() -> Vec<(&'static str, String, u64)> {
    let one = |n: usize, lines: &str| {
        format!("BEGIN:VEVENT\nUID:{n}\nDTSTART:20261201T000000Z\n{lines}\nEND:VEVENT\n")
    };
    let many = |count: usize, lines: &str| (0..count).map(|n| one(n, lines)).collect::<Vec<_>>().concat();
    let observance = format!(
        "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n{NEVER}\nEND:STANDARD\n"
    );
    let zone = format!("BEGIN:VTIMEZONE\nTZID:Z\n{}END:VTIMEZONE\n", observance.repeat(20));
    let every: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let every =
        format!("RRULE:FREQ=YEARLY;BYMINUTE={0};BYSECOND={0};BYDAY=MO,TU,WE,TH,FR,SA,SU", every.join(","));
    vec![
        ("rules that never come true", many(20, NEVER), 2_000),
        ("rules that never come true in a zone", format!("{zone}{}", one(1, "DURATION:PT1H")), 20_000),
        ("45,000 events", many(45_000, "SUMMARY:x"), 260_000),
        ("a second of two thousand years", many(1, "RRULE:FREQ=SECONDLY;COUNT=2000000000"), 260_000),
        ("every second of every day", many(20, &every), 1_100_000),
        ("a long line", one(1, &format!("DESCRIPTION:{}", "x".repeat(4_000_000))), 20_000),
        ("many short lines", "A:b\n".repeat(1_000_000), 260_000),
    ]
}

#[test]
fn t26_what_was_made_to_keep_a_worker_busy_is_within_its_budget() {
    for (name, body, most) in hostile() {
        let text = format!("BEGIN:VCALENDAR\n{body}END:VCALENDAR\n");
        let mut budget = ParseBudget::for_provider_response();
        let marked = match Calendar::parse_within(text.as_bytes(), &mut budget) {
            Ok(calendar) => {
                let year = window("2026-12-01", "2027-12-01");
                !expand(&calendar, year, &Zone::UTC, &mut budget).unreadable.is_empty()
            }
            Err(error) => error.reason() == UnreadableReason::TooCostly,
        };
        assert!(budget.spent() <= most, "{name}: {} steps", budget.spent());
        // What is given up is said to be unreadable.
        assert!(marked || budget.spent() < 230_000, "{name} is marked");
    }
}
