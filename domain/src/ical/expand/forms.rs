//! Tests of non-standard and contradictory iCalendar data that real programs write.

use super::{tests::window, *};
use crate::ical::{Calendar, busy_kind};

/// The master event of a series, for tests of overrides.
const MASTER: &str = "BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20261207T100000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4\nEND:VEVENT";

/// Test cases: a description; the lines of an event, or all components of a calendar; the expected busy times in UTC;
/// the expected unreadable marks (`!` if the item blocks no time).
const FORMS: &[(&str, &str, &str, &str)] = &[
    (
        "an end without a zone, series in UTC, owner in the west",
        "X-OWNER:America/New_York\nDTSTART:20261207T150000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20261209T100000",
        "12-07 15:00/16:00; 12-08 15:00/16:00; 12-09 15:00/16:00",
        "",
    ),
    (
        "an end without a zone, series in UTC, owner in the east",
        "X-OWNER:Asia/Tokyo\nDTSTART:20261207T010000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20261209T100000",
        "12-07 01:00/02:00; 12-08 01:00/02:00; 12-09 01:00/02:00",
        "",
    ),
    (
        "wkst unreadable interval 2",
        "DTSTART:20261201T100000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=XX",
        "12-01 10:00/11:00; 12-06 10:00/11:00; 12-08 10:00/11:00; 12-13 10:00/11:00; 12-15 10:00/11:00",
        "RECURRENCE",
    ),
    (
        "bysetpos 0",
        "DTSTART:20261207T100000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE;BYSETPOS=0",
        "12-07 10:00/11:00; 12-08 10:00/11:00; ...",
        "RECURRENCE",
    ),
    (
        "until repeated",
        "DTSTART:20261207T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20261215T100000Z;UNTIL=20261208T100000Z",
        "12-07 10:00/11:00; 12-08 10:00/11:00; ...",
        "RECURRENCE",
    ),
    (
        "byhour and misspelt freq",
        "DTSTART:20261207T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAYLY;BYHOUR=8,14",
        "12-07 10:00/12-20 00:00",
        "RECURRENCE",
    ),
    (
        "byminute out of range",
        "DTSTART:20261207T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYMINUTE=0,90",
        "12-07 10:00/12-20 00:00",
        "RECURRENCE",
    ),
    (
        "misspelt hourly",
        "DTSTART:20261207T100000Z\nDURATION:PT1H\nRRULE:FREQ=HOURLI",
        "12-07 10:00/12-20 00:00",
        "RECURRENCE",
    ),
    (
        "leap day skip backward",
        "DTSTART:20240229T100000Z\nDURATION:PT1H\nRRULE:RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=BACKWARD",
        "02-28 10:00/11:00",
        "",
    ),
    (
        "v1 weekly until",
        "DTSTART:20261207T100000Z\nDTEND:20261207T110000Z\nRRULE:W1 MO WE 20261214T100000Z",
        "12-07 10:00/11:00; 12-09 10:00/11:00; 12-14 10:00/11:00",
        "",
    ),
    (
        "v1 monthly by position",
        "DTSTART:20261207T100000Z\nDTEND:20261207T110000Z\nRRULE:MP1 2+ MO #0",
        "12-07 10:00/11:00; 12-14 10:00/11:00",
        "",
    ),
    (
        "v1 monthly by day",
        "DTSTART:20261207T100000Z\nDTEND:20261207T110000Z\nRRULE:MD1 7 9 #0",
        "12-07 10:00/11:00; 12-09 10:00/11:00",
        "",
    ),
    (
        "v1 yearly by month",
        "DTSTART:20251207T100000Z\nDTEND:20251207T110000Z\nRRULE:YM1 12 #0",
        "12-07 10:00/11:00",
        "",
    ),
    (
        "v1 daily default count 2",
        "DTSTART:20261207T100000Z\nDTEND:20261207T110000Z\nRRULE:D1",
        "12-07 10:00/11:00; 12-08 10:00/11:00; ...",
        "RECURRENCE",
    ),
    (
        "v1 minutes nested",
        "DTSTART:20261207T100000Z\nDTEND:20261207T100500Z\nRRULE:D1 #2 M30 #3",
        "12-07 10:00/12-20 00:00",
        "RECURRENCE",
    ),
    (
        "v1 exdate with semicolon",
        "DTSTART:20261207T100000Z\nDTEND:20261207T110000Z\nRRULE:D1 #4\nEXDATE:20261208T100000Z;20261209T100000Z",
        "12-07 10:00/11:00; 12-10 10:00/11:00",
        "",
    ),
    (
        "v1 rdate with semicolon",
        "DTSTART:20261207T100000Z\nDTEND:20261207T110000Z\nRDATE:20261208T100000Z;20261209T100000Z",
        "12-07 10:00/11:00; 12-08 10:00/11:00; 12-09 10:00/11:00",
        "",
    ),
    (
        "rdate utc owner midnight in whole days",
        "DTSTART;VALUE=DATE:20261208\nRDATE:20261209T230000Z",
        "12-07 23:00/12-08 23:00; 12-09 23:00/12-10 23:00",
        "",
    ),
    (
        "rdate unknown zone",
        "DTSTART;TZID=America/New_York:20261208T100000\nDURATION:PT1H\nRDATE;TZID=Nowhere:20261210T100000",
        "12-08 15:00/16:00; 12-10 09:00/10:00; 12-10 15:00/16:00",
        "TIME_ZONE",
    ),
    (
        "exdate as date in a utc series near midnight",
        "DTSTART:20261207T233000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE;VALUE=DATE:20261209",
        "12-07 23:30/12-08 00:30; 12-08 23:30/12-09 00:30; 12-09 23:30/12-10 00:30",
        "",
    ),
    (
        "start floating, dtend utc, owner west",
        "X-OWNER:America/Los_Angeles\nDTSTART:20261208T100000\nDTEND:20261208T110000Z",
        "12-08 18:00/19:00",
        "",
    ),
    (
        "start zoned, dtend unknown zone",
        "DTSTART;TZID=America/New_York:20261208T100000\nDTEND;TZID=Nowhere:20261208T110000",
        "12-08 15:00/16:00",
        "TIME_ZONE",
    ),
    (
        "start unknown zone, dtend known",
        "DTSTART;TZID=Nowhere:20261208T100000\nDTEND;TZID=Asia/Tokyo:20261208T110000",
        "12-08 09:00/10:00",
        "TIME_ZONE",
    ),
    (
        "start in the gap, end at its end",
        "DTSTART;TZID=Europe/Berlin:20260329T023000\nDTEND;TZID=Europe/Berlin:20260329T030000",
        "03-29 01:30/02:00",
        "",
    ),
    (
        "flight west",
        "DTSTART;TZID=Asia/Tokyo:20261208T110000\nDTEND;TZID=America/Los_Angeles:20261208T040000",
        "12-08 02:00/12:00",
        "",
    ),
    (
        "value date with utc midnight and end",
        "DTSTART;VALUE=DATE:20261208T000000Z\nDTEND;VALUE=DATE:20261209T000000Z",
        "12-07 23:00/12-08 23:00",
        "",
    ),
    (
        "value date with owners midnight utc",
        "DTSTART;VALUE=DATE:20261207T230000Z",
        "12-07 23:00/12-08 23:00",
        "",
    ),
    ("value date with a time", "DTSTART;VALUE=DATE:20261208T100000", "12-07 23:00/12-08 23:00", ""),
    (
        "value date zoned midnight no end",
        "DTSTART;TZID=Europe/Berlin;VALUE=DATE:20261208T000000",
        "12-07 23:00/12-08 23:00",
        "",
    ),
    ("whole day P1DT12H", "DTSTART;VALUE=DATE:20261208\nDURATION:P1DT12H", "12-07 23:00/12-09 23:00", ""),
    (
        "two dtstart",
        "DTSTART:20261208T100000Z\nDTSTART:20261209T100000Z\nDURATION:PT1H",
        "12-08 10:00/11:00; 12-09 10:00/11:00",
        "",
    ),
    (
        "dtstart date and date-time both",
        "DTSTART;VALUE=DATE:20261208\nDTSTART:20261209T100000Z\nDURATION:PT1H",
        "12-07 23:00/12-09 23:00",
        "",
    ),
    (
        "empty dtstart before a good one",
        "DTSTART:\nDTSTART:20261208T100000Z\nDURATION:PT1H",
        "12-08 10:00/11:00",
        "",
    ),
    (
        "second event lost its begin and the first its end",
        "DTSTART:20261208T100000Z\nDURATION:PT1H\nUID:2\nDTSTART:20261209T100000Z\nDURATION:PT1H",
        "12-08 10:00/11:00; 12-09 10:00/11:00",
        "",
    ),
    (
        "zone bare commas",
        "DTSTART;TZID=Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna:20261208T100000\nDURATION:PT1H",
        "12-08 09:00/10:00",
        "",
    ),
    (
        "tzid with comma unquoted and vtimezone",
        "BEGIN:VTIMEZONE\nTZID:Boston\\, Mass\nBEGIN:DAYLIGHT\nDTSTART:20070311T020000\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\nEND:DAYLIGHT\nBEGIN:STANDARD\nDTSTART:20071104T020000\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\nTZOFFSETFROM:-0400\nTZOFFSETTO:-0500\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=Boston, Mass:20261208T100000\nDURATION:PT1H\nEND:VEVENT",
        "12-08 15:00/16:00",
        "",
    ),
    (
        "override without an end",
        "{MASTER}\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20261208T100000\nDTSTART;TZID=Europe/Berlin:20261208T150000\nEND:VEVENT",
        "12-07 09:00/10:00; 12-08 14:00/15:00; 12-09 09:00/10:00; 12-10 09:00/10:00",
        "",
    ),
    (
        "override without an end at the same time",
        "{MASTER}\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20261208T100000\nDTSTART;TZID=Europe/Berlin:20261208T100000\nSUMMARY:x\nEND:VEVENT",
        "12-07 09:00/10:00; 12-08 09:00/10:00; 12-09 09:00/10:00; 12-10 09:00/10:00",
        "",
    ),
    (
        "override range in small letters",
        "{MASTER}\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID;RANGE=thisandfuture;TZID=Europe/Berlin:20261208T100000\nDTSTART;TZID=Europe/Berlin:20261208T150000\nDURATION:PT1H\nEND:VEVENT",
        "12-07 09:00/10:00; 12-08 14:00/15:00; 12-09 14:00/15:00; 12-10 14:00/15:00",
        "",
    ),
    (
        "override thisandprior",
        "{MASTER}\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID;RANGE=THISANDPRIOR;TZID=Europe/Berlin:20261208T100000\nDTSTART;TZID=Europe/Berlin:20261208T150000\nDURATION:PT1H\nEND:VEVENT",
        "12-07 09:00/10:00; 12-08 14:00/15:00; 12-09 09:00/10:00; 12-10 09:00/10:00",
        "RECURRENCE!",
    ),
    (
        "cancelled override without dtstart",
        "{MASTER}\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20261208T100000\nSTATUS:CANCELLED\nEND:VEVENT",
        "12-07 09:00/10:00; 12-09 09:00/10:00; 12-10 09:00/10:00",
        "",
    ),
    (
        "override without dtstart",
        "{MASTER}\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20261208T100000\nSUMMARY:x\nEND:VEVENT",
        "12-07 09:00/10:00; 12-08 09:00/10:00; 12-09 09:00/10:00; 12-10 09:00/10:00",
        "NO_TIMES!",
    ),
    (
        "two overrides same sequence",
        "{MASTER}\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20261208T090000Z\nDTSTART:20261208T140000Z\nDURATION:PT1H\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20261208T090000Z\nDTSTART:20261208T160000Z\nDURATION:PT1H\nEND:VEVENT",
        "12-07 09:00/10:00; 12-08 14:00/15:00; 12-08 16:00/17:00; 12-09 09:00/10:00; 12-10 09:00/10:00",
        "",
    ),
    (
        "two overrides, one cancelled, same sequence",
        "{MASTER}\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20261208T090000Z\nDTSTART:20261208T090000Z\nDURATION:PT1H\nSTATUS:CANCELLED\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20261208T090000Z\nDTSTART:20261208T160000Z\nDURATION:PT1H\nEND:VEVENT",
        "12-07 09:00/10:00; 12-08 16:00/17:00; 12-09 09:00/10:00; 12-10 09:00/10:00",
        "",
    ),
    (
        "two overrides by sequence, later first",
        "{MASTER}\nBEGIN:VEVENT\nUID:1\nSEQUENCE:2\nRECURRENCE-ID:20261208T090000Z\nDTSTART:20261208T140000Z\nDURATION:PT1H\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\nSEQUENCE:1\nRECURRENCE-ID:20261208T090000Z\nDTSTART:20261208T160000Z\nDURATION:PT1H\nEND:VEVENT",
        "12-07 09:00/10:00; 12-08 14:00/15:00; 12-09 09:00/10:00; 12-10 09:00/10:00",
        "",
    ),
    (
        "override with own rule, without master",
        "RECURRENCE-ID:20261208T090000Z\nDTSTART:20261208T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3",
        "12-08 10:00/11:00; 12-09 10:00/11:00; 12-10 10:00/11:00",
        "",
    ),
    (
        "override for the future without master",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20261208T090000Z\nDTSTART:20261208T100000Z\nDURATION:PT1H",
        "12-08 10:00/11:00; 12-09 10:00/11:00; ...",
        "RECURRENCE",
    ),
    (
        "override of whole day by utc",
        "BEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20261208\nRRULE:FREQ=DAILY;COUNT=3\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20261208T230000Z\nDTSTART;VALUE=DATE:20261215\nEND:VEVENT",
        "12-07 23:00/12-08 23:00; 12-09 23:00/12-10 23:00; 12-14 23:00/12-15 23:00",
        "",
    ),
    (
        "override makes a whole day timed",
        "BEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20261208\nRRULE:FREQ=DAILY;COUNT=2\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID;VALUE=DATE:20261209\nDTSTART:20261209T100000Z\nDURATION:PT1H\nEND:VEVENT",
        "12-07 23:00/12-08 23:00; 12-09 10:00/11:00",
        "",
    ),
    (
        "indented inside the event",
        "BEGIN:VEVENT\n UID:1\n DTSTART;TZID=Europe/Berlin:20261208T100000\n DURATION:PT1H\n SUMMARY:x\nEND:VEVENT",
        "",
        "MALFORMED!",
    ),
    ("event without begin", "UID:1\nDTSTART:20261208T100000Z\nDURATION:PT1H\nEND:VEVENT", "", "MALFORMED!"),
    (
        "component misspelt",
        "BEGIN:EVENT\nUID:1\nDTSTART:20261208T100000Z\nDURATION:PT1H\nEND:EVENT",
        "",
        "MALFORMED!",
    ),
    (
        "unclosed participant swallows the rule",
        "BEGIN:PARTICIPANT\nUID:p\nPARTICIPANT-TYPE:ACTIVE\nDTSTART:20261207T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2",
        "12-07 10:00/11:00; 12-08 10:00/11:00",
        "",
    ),
    (
        "unclosed X component swallows the rule",
        "DTSTART:20261207T100000Z\nDURATION:PT1H\nBEGIN:X-NOTE\nX-A:1\nRRULE:FREQ=DAILY;COUNT=2",
        "12-07 10:00/11:00; 12-08 10:00/11:00",
        "",
    ),
];

/// The busy times and unreadable marks of a test case, in the calendar owner's time zone.
fn counts(form: &str) -> (String, String) {
    let (owner, body) = match form.strip_prefix("X-OWNER:").and_then(|rest| rest.split_once('\n')) {
        Some((owner, body)) => (owner, body),
        None => ("Europe/Berlin", form),
    };
    let body =
        match body.contains("BEGIN:VEVENT") || body.contains("END:VEVENT") || body.contains("BEGIN:EVENT") {
            true => body.replace("{MASTER}", MASTER),
            false => format!("BEGIN:VEVENT\nUID:1\n{body}\nEND:VEVENT"),
        };
    let calendar = Calendar::parse(format!("BEGIN:VCALENDAR\n{body}\nEND:VCALENDAR\n").as_bytes()).unwrap();
    let window = match form {
        form if form.contains(":20240229") => window("2026-02-01", "2026-03-10"),
        form if form.contains(":202603") => window("2026-03-28", "2026-03-31"),
        _ => window("2026-12-01", "2026-12-20"),
    };
    let found = expand(
        &calendar,
        window,
        &Zone::from_name(owner).unwrap(),
        &mut ParseBudget::for_provider_response(),
    );
    let instances = found.instances.iter().map(|one| (one.event, one.range));
    let blocked = found.blocked.iter().map(|one| (one.event, one.range));
    let busy = instances.chain(blocked).filter(|(event, _)| busy_kind(event, &[]).is_some());
    let mut ranges: Vec<TimeRange> = busy.filter_map(|(_, range)| range.intersect(&window)).collect();
    ranges.sort_unstable();
    let mark =
        |mark: &UnreadableItem| format!("{}{}", mark.reason.code(), if mark.blocks { "" } else { "!" });
    (shown(&ranges), found.unreadable.iter().map(mark).collect::<Vec<_>>().join(", "))
}

/// Formats the time ranges as one string; of more than five, only the first two.
fn shown(ranges: &[TimeRange]) -> String {
    let mut joined: Vec<TimeRange> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(*range),
        }
    }
    let one = |range: &TimeRange| {
        let (start, end) = (range.start.format("%m-%d %H:%M"), range.end.format("%m-%d %H:%M").to_string());
        let same_day = range.start.date_naive() == range.end.date_naive();
        format!("{start}/{}", if same_day { &end[6..] } else { &end })
    };
    let mut all: Vec<String> = joined.iter().map(one).collect();
    if all.len() > 5 {
        all.splice(2.., ["...".to_owned()]);
    }
    all.join("; ")
}

#[test]
fn odd_forms_are_busy_when_they_may_be_meant() {
    let mut wrong = Vec::new();
    for (about, form, busy, marks) in FORMS {
        let found = counts(form);
        if (found.0.as_str(), found.1.as_str()) != (*busy, *marks) {
            wrong.push(format!("{about}: {found:?}, must be {:?}", (busy, marks)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
