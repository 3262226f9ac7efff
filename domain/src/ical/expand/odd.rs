//! Tests how unusual iCalendar input is interpreted; generates the table in `docs/calendars.md`.

use std::{fmt::Write, path::PathBuf};

use super::*;
use crate::ical::busy_kind;

/// Content lines of an event on 8 December 2026 in a calendar in Berlin, each with a description of what is unusual.
const ODD: &[(&str, &str)] = &[
    ("Times without seconds, or with an hour of one digit", "DTSTART:20261208T0930Z\nDTEND:20261208T103000Z"),
    ("ISO 8601 form, with an offset", "DTSTART:2026-12-08T10:30:00+01:00\nDTEND:2026-12-08T10:30:00.000Z"),
    (
        "`24:00` as the end of a day",
        "DTSTART;TZID=Europe/Berlin:20261208T220000\nDTEND;TZID=Europe/Berlin:20261208T240000",
    ),
    ("A whole day that ends at a time", "DTSTART;VALUE=DATE:20261208\nDTEND:20261208T120000"),
    ("A time that ends with a day", "DTSTART;TZID=Europe/Berlin:20261208T220000\nDTEND;VALUE=DATE:20261208"),
    ("A whole day that ends when it begins", "DTSTART;VALUE=DATE:20261208\nDTEND;VALUE=DATE:20261208"),
    (
        "A whole day written with times of midnight",
        "DTSTART;VALUE=DATE:20261208T000000\nDTEND;VALUE=DATE:20261209T000000",
    ),
    ("An end before the start, or a negative length", "DTSTART:20261208T100000Z\nDTEND:20261208T090000Z"),
    ("No end and no length", "DTSTART:20261208T100000Z"),
    ("An end that cannot be read", "DTSTART:20261208T100000Z\nDTEND:soon"),
    ("A length that cannot be read", "DTSTART:20261208T100000Z\nDURATION:PT"),
    ("A time of 14 digits", "DTSTART:20261208103000Z\nDTEND:20261208113000Z"),
    (
        "A parameter without a value, or a quote that is not closed",
        "DTSTART;X-A;TZID=\"Europe/Berlin:20261208T100000\nDURATION:PT1H",
    ),
    (
        "Names with a group in front, as in vCard",
        "item1.DTSTART:20261208T100000Z\nitem1.DTEND:20261208T110000Z",
    ),
    ("A day that is written as midnight in UTC", "DTSTART;VALUE=DATE:20261208T000000Z"),
    (
        "A whole day with the length of some hours, or of nothing",
        "DTSTART;VALUE=DATE:20261208\nDURATION:PT0S",
    ),
    (
        "An end without a zone, beside a start with one",
        "DTSTART;TZID=America/New_York:20261208T100000\nDTEND:20261208T110000",
    ),
    (
        "An end that is before the start only because their zones differ",
        "DTSTART;TZID=America/New_York:20261208T100000\nDTEND;TZID=Europe/Berlin:20261208T110000",
    ),
    ("Several ends or lengths", "DTSTART:20261208T100000Z\nDTEND:20261208T103000Z\nDURATION:PT1H"),
    ("Several starts", "DTSTART:20261208T100000Z\nDTSTART:20261208T150000Z\nDURATION:PT1H"),
    ("A length of more than ten thousand years", "DTSTART:20261208T100000Z\nDURATION:P99999999D"),
    ("A start that cannot be read, with an end", "DTSTART:2026120\nDTEND:20261208T110000Z"),
    ("A start that cannot be read, without an end", "DTSTART:2026120"),
    ("A start that cannot be read, in a series", "DTSTART:2026120\nDTEND:20261208T110000Z\nRRULE:FREQ=DAILY"),
    ("No start", "SUMMARY:x"),
    ("A time without a zone", "DTSTART:20261208T100000\nDURATION:PT1H"),
    (
        "The name that Windows shows to people as zone",
        "DTSTART;TZID=\"(UTC-05:00) Eastern Time (US & Canada)\":20261208T100000\nDURATION:PT1H",
    ),
    ("An offset as the name of a zone", "DTSTART;TZID=GMT+05:30:20261208T100000\nDURATION:PT1H"),
    (
        "A zone that nobody knows or describes",
        "DTSTART;TZID=Customized Time Zone:20261208T100000\nDURATION:PT1H",
    ),
    ("`COUNT=0`", "DTSTART:20261207T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=0"),
    (
        "A rule with parts that nobody knows",
        "DTSTART:20261207T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;X-A=1;",
    ),
    (
        "An end of a series that cannot be read",
        "DTSTART:20261207T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=soon",
    ),
    ("A rule that cannot be read", "DTSTART:20261201T100000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=XX"),
    (
        "A rule that cannot be read and names hours",
        "DTSTART:20261208T100000Z\nDURATION:PT1H\nRRULE:FREQ=HOURLY;BYMONTH=x",
    ),
    (
        "A rule with its name repeated, or escaped as a text",
        "DTSTART:20261207T100000Z\nDURATION:PT1H\nRRULE:RRULE:FREQ=WEEKLY\\;BYDAY=MO\\,TU",
    ),
    ("A rule behind `RRULE=`, or in a group", "DTSTART:20261207T100000Z\nDURATION:PT1H\nx.RRULE=FREQ=DAILY"),
    ("A rule of vCalendar 1.0", "DTSTART:20261207T100000Z\nDURATION:PT1H\nRRULE:W1 MO TU #4"),
    (
        "A rule of vCalendar 1.0 that names times",
        "DTSTART:20261208T100000Z\nDURATION:PT1H\nRRULE:D1 0600 1500 #4",
    ),
    (
        "A part that chooses days in a way that nobody knows",
        "DTSTART:20261201T100000Z\nDURATION:PT1H\nRRULE:FREQ=YEARLY;BYEASTER=-2",
    ),
    (
        "Zero as the number of a day",
        "DTSTART:20261201T100000Z\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;BYMONTHDAY=0",
    ),
    (
        "A part that is there twice and differs",
        "DTSTART:20261207T100000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=TU;BYDAY=MO",
    ),
    (
        "An interval that cannot be read, with a count",
        "DTSTART:20261201T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;INTERVAL=7.0;COUNT=2",
    ),
    (
        "`BYSETPOS` without anything to choose from",
        "DTSTART:20261108T100000Z\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;BYSETPOS=2",
    ),
    ("Years of another calendar", "DTSTART:20261208T100000Z\nDURATION:PT1H\nRRULE:RSCALE=HEBREW;FREQ=YEARLY"),
    (
        "An exception that cannot be read",
        "DTSTART:20261207T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2\nEXDATE:soon",
    ),
    ("An additional occurrence that cannot be read", "DTSTART:20261201T100000Z\nDURATION:PT1H\nRDATE:soon"),
    (
        "An additional occurrence without a zone",
        "DTSTART;TZID=America/New_York:20261201T100000\nDURATION:PT1H\nRDATE:20261208T100000",
    ),
    ("An additional time in a series of whole days", "DTSTART;VALUE=DATE:20261201\nRDATE:20261208T140000Z"),
    (
        "More than 2,000 occurrences in the window",
        "DTSTART:20261208T000000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY",
    ),
    ("`STATUS:CANCELED`", "DTSTART:20261208T100000Z\nDURATION:PT1H\nSTATUS:CANCELED"),
    (
        "`TRANSP`, `STATUS` or Outlook's busy status twice, of which one is not free",
        "DTSTART:20261208T100000Z\nDURATION:PT1H\nTRANSP:TRANSPARENT\nTRANSP:OPAQUE",
    ),
    (
        "Working elsewhere",
        "DTSTART:20261208T100000Z\nDURATION:PT1H\nX-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE",
    ),
    (
        "An event that leaves the time free, with times that cannot be read",
        "DTSTART:soon\nTRANSP:TRANSPARENT",
    ),
    ("An alarm that is not closed", "BEGIN:VALARM\nTRIGGER:-PT5M\nDTSTART:20261208T100000Z\nDURATION:PT1H"),
    ("Another component that is not closed", "BEGIN:X-NOTE\nX-A:1\nDTSTART:20261208T100000Z\nDURATION:PT1H"),
];

fn day() -> TimeRange {
    TimeRange::new("2026-12-08T00:00:00Z".parse().unwrap(), "2026-12-09T00:00:00Z".parse().unwrap()).unwrap()
}

/// The busy times, in UTC, that the event contributes on 8 December 2026.
fn counts(lines: &str) -> (String, String) {
    let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n");
    let calendar = Calendar::parse(text.as_bytes()).unwrap();
    let berlin = Zone::from_name("Europe/Berlin").unwrap();
    let found = expand(&calendar, day(), &berlin, &mut ParseBudget::for_provider_response());
    let instances = found.instances.iter().map(|one| (one.event, one.range));
    let blocked = found.blocked.iter().map(|one| (one.event, one.range));
    let busy = instances.chain(blocked).filter(|(event, _)| busy_kind(event, &[]).is_some());
    let mut ranges: Vec<TimeRange> = busy.filter_map(|(_, range)| range.intersect(&day())).collect();
    ranges.sort_unstable();
    ranges.dedup();
    let shown = |range: &TimeRange| {
        let end =
            if range.end == day().end { "24:00".to_owned() } else { range.end.format("%H:%M").to_string() };
        format!("{}-{end}", range.start.format("%H:%M"))
    };
    let busy = match ranges.len() {
        0 => "free".to_owned(),
        1..=3 => format!("busy {}", ranges.iter().map(shown).collect::<Vec<_>>().join(", ")),
        _ => "busy at each occurrence, then to the end".to_owned(),
    };
    let mark = found
        .unreadable
        .first()
        .map(|mark| format!("`{}`{}", mark.reason.code(), if mark.blocks { "" } else { ", blocks nothing" }));
    (busy, mark.unwrap_or_default())
}

fn table() -> String {
    let mut text = "| what is odd | counts on 8 December, in UTC | marked as |\n|---|---|---|\n".to_owned();
    for (about, lines) in ODD {
        let (busy, mark) = counts(lines);
        writeln!(text, "| {about} | {busy} | {mark} |").unwrap();
    }
    text
}

#[test]
fn the_page_about_calendars_says_how_odd_inputs_count() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/calendars.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- odd inputs: generated -->\n", "<!-- end -->");
    let (head, rest) = page.split_once(begin).unwrap();
    let (_, tail) = rest.split_once(end).unwrap();
    let wanted = format!("{head}{begin}{}{end}{tail}", table());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &wanted).unwrap();
        return;
    }
    assert_eq!(page, wanted, "{} is out of date: run with UPDATE=1", path.display());
}
