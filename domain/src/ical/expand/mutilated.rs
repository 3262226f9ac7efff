//! Tests with damaged copies of real-world calendar data: time that cannot be parsed never counts as free.

use std::path::PathBuf;

use serde_json::Value;

use super::{tests::window, *};
use crate::ical::{busy_kind, raw_date_time, span};

/// One test case from the folder of real-world calendar data.
struct Case {
    name: String,
    text: Vec<u8>,
    zone: Zone,
    window: TimeRange,
    addresses: Vec<String>,
    busy: Vec<String>,
}

fn cases() -> Vec<Case> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases"));
    let list = std::fs::read(folder.join("calendars.json")).unwrap();
    let list: Vec<Value> = serde_json::from_slice(&list).unwrap();
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect()
    };
    let case = |case: &Value| {
        let name = case["file"].as_str().unwrap().to_owned();
        let zone = case["calendar_zone"].as_str().or(case["owner_zone"].as_str());
        Case {
            text: std::fs::read(folder.join(&name)).unwrap(),
            zone: zone.and_then(Zone::from_name).unwrap_or(Zone::UTC),
            window: window(case["window"][0].as_str().unwrap(), case["window"][1].as_str().unwrap()),
            addresses: strings(&case["owner_addresses"]),
            busy: strings(&case["busy_utc"]),
            name,
        }
    };
    list.iter().map(case).collect()
}

/// The merged busy times of an iCalendar text, and whether any item is marked as unreadable; `None` if the text is not
/// a calendar.
fn read(text: &[u8], case: &Case) -> Option<(Vec<TimeRange>, bool)> {
    let calendar = Calendar::parse(text).ok()?;
    let found = expand(&calendar, case.window, &case.zone, &mut ParseBudget::for_provider_response());
    let addresses: Vec<&str> = case.addresses.iter().map(String::as_str).collect();
    let instances = found.instances.iter().map(|one| (one.event, one.range));
    let blocked = found.blocked.iter().map(|one| (one.event, one.range));
    let mut ranges: Vec<TimeRange> = instances
        .chain(blocked)
        .filter(|(event, _)| busy_kind(event, &addresses).is_some())
        .filter_map(|(_, range)| range.intersect(&case.window))
        .collect();
    ranges.sort_unstable();
    let mut joined: Vec<TimeRange> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    Some((joined, !found.unreadable.is_empty()))
}

/// Formats a time range as in the list of test cases.
fn shown(range: &TimeRange) -> String {
    let (start, end) = (range.start.format("%m-%d %H:%M"), range.end.format("%m-%d %H:%M").to_string());
    let same_day = range.start.date_naive() == range.end.date_naive();
    format!("{start}/{}", if same_day { &end[6..] } else { &end })
}

#[test]
fn every_case_is_busy_when_it_must_be() {
    let mut wrong = Vec::new();
    for case in cases() {
        let found = read(&case.text, &case).map(|(busy, _)| busy).unwrap_or_default();
        let found: Vec<String> = found.iter().map(shown).collect();
        if found != case.busy {
            wrong.push(format!("{}: {found:?}, must be {:?}", case.name, case.busy));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a damaged value is still a valid value of its type, so that no parser can detect the damage.
fn is_valid(name: &str, value: &str) -> bool {
    match name {
        "DTSTART" | "DTEND" | "EXDATE" | "RDATE" | "RECURRENCE-ID" => value
            .split(',')
            .all(|one| raw_date_time::parse(one.split('/').next().unwrap_or_default()).is_some()),
        "DURATION" => span::EventLength::parse(value).is_some(),
        "RRULE" => {
            let start = chrono::NaiveDateTime::default();
            crate::ical::recurrence::Rule::parse(value, start).is_ok_and(|(_, doubtful)| !doubtful)
        }
        // Names of zones and people, and words, are what they are.
        _ => true,
    }
}

/// The damaged variants of one content line.
fn mutilated(line: &str) -> Vec<String> {
    let Some((head, value)) = line.split_once(':') else { return vec![String::new()] };
    let name = head.split(';').next().unwrap_or_default();
    // Nothing can tell that a property is missing which an event need not have.
    let is_optional = matches!(name, "RRULE" | "RDATE" | "DTEND" | "DURATION" | "RECURRENCE-ID");
    let mut all = if is_optional { Vec::new() } else { vec![String::new()] };
    all.push(head.to_owned());
    all.push(format!("{head}:"));
    all.push(format!("{head}:\u{fffd}garbled"));
    for length in 1..value.len() {
        if let Some(short) = value.get(..length).filter(|short| !is_valid(name, short)) {
            all.push(format!("{head}:{short}"));
        }
    }
    if matches!(name, "BEGIN" | "END") {
        all.extend((1..value.len()).map(|length| format!("{head}:{}", &value[..length])));
    }
    all
}

#[test]
fn a_mutilated_calendar_is_never_less_busy_than_the_whole_one_unless_it_is_marked() {
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for case in cases() {
        let text = String::from_utf8_lossy(&case.text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let Some((whole, _)) = read(text.as_bytes(), &case) else { continue };
        for (number, line) in lines.iter().enumerate() {
            for other in mutilated(line) {
                tried += 1;
                let mut copy = lines.clone();
                copy[number] = &other;
                // What is no calendar at all is for the connector to mark.
                let Some((busy, marked)) = read(copy.join("\r\n").as_bytes(), &case) else { continue };
                let covers = |range: &TimeRange| busy.iter().any(|one| one.contains(range));
                if !marked && !whole.iter().all(covers) {
                    wrong.push(format!("{}: {line:?} as {other:?}: {busy:?}", case.name));
                }
            }
        }
    }
    assert!(tried > 3_000, "{tried} mutilations");
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}
