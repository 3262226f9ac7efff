//! Our reading of calendars against two that share no code with it: the crate `calcard` and
//! python-recurring-ical-events.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod generated;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use domain::{
    ParseBudget, TimeRange, Timestamp, Zone,
    ical::{Calendar, expand},
};
use serde_json::{Value, json};

/// When a calendar is busy: starts and ends in seconds.
type Times = BTreeSet<(i64, i64)>;

/// A calendar to be read.
struct Question {
    name: String,
    text: String,
    zone: Zone,
    window: TimeRange,
}

fn window() -> TimeRange {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    TimeRange::new(at("2026-11-29T00:00:00Z"), at("2027-01-20T00:00:00Z")).unwrap()
}

/// Our own reading; `None` where something is marked as unreadable.
fn ours(question: &Question) -> Option<Times> {
    let calendar = Calendar::parse(question.text.as_bytes()).ok()?;
    let found = expand(&calendar, question.window, &question.zone, &mut ParseBudget::for_provider_response());
    let times = found.instances.iter().map(|one| (one.range.start.timestamp(), one.range.end.timestamp()));
    found.unreadable.is_empty().then(|| times.collect())
}

fn by_calcard(question: &Question) -> Option<Times> {
    // It leaves many moved occurrences where they were too.
    if question.text.contains("RECURRENCE-ID") {
        return None;
    }
    // It reads a series in UTC in the zone that is meant for times without one.
    let is_utc = |line: &str| line.starts_with("DTSTART:") && line.ends_with('Z');
    let zone = if question.text.lines().any(is_utc) { "UTC" } else { question.zone.name() };
    let calendar = calcard::icalendar::ICalendar::parse(&question.text).ok()?;
    let zone: calcard::common::timezone::Tz = zone.parse().ok()?;
    let found = calendar.expand_dates(zone, 5_000);
    let window = (question.window.start.timestamp(), question.window.end.timestamp());
    let times = found.events.into_iter().map(|event| event.timestamps());
    let inside = times.filter(|(start, end)| *start < window.1 && *end > window.0 && start < end);
    found.errors.is_empty().then(|| inside.collect())
}

fn by_python(questions: &[Question]) -> Vec<Option<Times>> {
    let python = std::env::var("MUSTER_PYTHON").expect("scripts/test says where Python is: MUSTER_PYTHON");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/occurrences.py");
    // With an empty path Python takes the zones of its package `tzdata`, which is newer than many systems'.
    let mut child = Command::new(python)
        .arg(script)
        .env("PYTHONTZPATH", "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Python of MUSTER_PYTHON starts");
    let job = |question: &Question| {
        json!({
            "text": question.text,
            "zone": question.zone.name(),
            "from": question.window.start.timestamp(),
            "until": question.window.end.timestamp(),
        })
        .to_string()
    };
    let input = questions.iter().map(job).collect::<Vec<_>>().join("\n");
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let times = |line: &str| -> Option<Times> {
        serde_json::from_str::<Option<Vec<(i64, i64)>>>(line)
            .unwrap()
            .map(|times| times.into_iter().collect())
    };
    let answers: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(times).collect();
    assert_eq!(answers.len(), questions.len(), "one answer each");
    answers
}

fn shown(times: &Times) -> String {
    let at = |seconds: i64| Timestamp::from_timestamp(seconds, 0).unwrap().format("%m-%d %H:%M").to_string();
    times.iter().map(|(start, end)| format!("{}/{}", at(*start), at(*end))).collect::<Vec<_>>().join(" ")
}

#[test]
fn generated_calendars_are_read_as_two_other_programs_read_them() {
    let questions = generated::calendars(2_000);
    let python = by_python(&questions);
    let (mut wrong, mut compared) = (Vec::new(), [0, 0]);
    for (question, python) in questions.iter().zip(python) {
        let ours = ours(question).unwrap_or_else(|| panic!("everything can be read of\n{}", question.text));
        for (n, (name, theirs)) in
            [("calcard", by_calcard(question)), ("python", python)].into_iter().enumerate()
        {
            let Some(theirs) = theirs else { continue };
            compared[n] += 1;
            if theirs != ours {
                wrong.push(format!(
                    "{}\nours:   {}\n{name}: {}",
                    question.text,
                    shown(&ours),
                    shown(&theirs)
                ));
            }
        }
    }
    assert!(compared[0] > 1_500 && compared[1] > 1_900, "compared {compared:?}");
    assert!(
        wrong.is_empty(),
        "{} differ, such as\n{}",
        wrong.len(),
        wrong[..wrong.len().min(6)].join("\n\n")
    );
}

/// Files of the folder of cases that another program reads differently, with what it does. `tests/cases/README.md` says
/// what is right.
const OTHERWISE: &[(&str, &str, &str)] = &[
    ("canceled-with-one-l.ics", "calcard", "knows the standard's spelling alone"),
    ("canceled-with-one-l.ics", "python", "knows the standard's spelling alone"),
    ("count-0-written-for-for-ever.ics", "python", "takes no occurrence for one"),
    ("date-start-date-time-end-on-the-same-day.ics", "calcard", "ends the day early"),
    ("date-start-date-time-end-on-the-same-day.ics", "python", "begins the day in UTC and ends it early"),
    ("display-name-as-tzid-no-vtimezone.ics", "python", "does not know the name"),
    ("dtend-before-dtstart.ics", "python", "turns the event round"),
    ("exdate-in-utc-on-all-day-series-owner-east.ics", "calcard", "compares a day with an instant"),
    ("exdate-in-utc-on-all-day-series-owner-west.ics", "calcard", "compares a day with an instant"),
    ("prefixed-tzids.ics", "calcard", "knows one of the two prefixes"),
    ("quoted-offset-name-with-vtimezone.ics", "calcard", "does not look at the VTIMEZONE"),
    ("rdate-date-on-timed-event.ics", "calcard", "begins at midnight"),
    ("rdate-date-on-timed-event.ics", "python", "begins at midnight"),
    ("recurrence-id-in-utc-and-as-date.ics", "python", "compares the forms and not what they mean"),
    ("rfc-7529-skip-backward.ics", "calcard", "does not know SKIP"),
    ("rrule-with-until-in-iso-form.ics", "calcard", "drops the rule"),
    ("tzone-microsoft-custom-with-vtimezone.ics", "calcard", "does not look at the VTIMEZONE"),
    ("until-local-midnight-in-utc-on-all-day-series.ics", "calcard", "compares a day with an instant"),
    ("until-local-midnight-in-utc-on-all-day-series.ics", "python", "compares a day with an instant"),
    ("vtimezone-tells-a-newer-rule-of-a-known-zone.ics", "calcard", "carries older zones"),
    ("vtimezone-with-single-onsets-and-no-rule.ics", "calcard", "does not look at the VTIMEZONE"),
    ("zone-changed-its-rules-in-2026-tzdata-2026.ics", "calcard", "carries older zones"),
];

fn cases() -> Vec<Question> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases"));
    let list: Vec<Value> =
        serde_json::from_slice(&std::fs::read(folder.join("calendars.json")).unwrap()).unwrap();
    let case = |case: &Value| {
        let name = case["file"].as_str().unwrap().to_owned();
        let zone = case["calendar_zone"].as_str().or(case["owner_zone"].as_str()).and_then(Zone::from_name);
        let bytes = std::fs::read(folder.join(&name)).unwrap();
        Question {
            text: String::from_utf8_lossy(&bytes).into_owned(),
            name,
            zone: zone.unwrap_or(Zone::UTC),
            window: window(),
        }
    };
    list.iter().map(case).collect()
}

#[test]
fn cases_that_other_programs_read_otherwise_are_known_one_by_one() {
    let questions = cases();
    let python = by_python(&questions);
    let mut differ: BTreeMap<(String, &str), String> = BTreeMap::new();
    for (question, python) in questions.iter().zip(python) {
        let Some(ours) = ours(question) else { continue };
        for (name, theirs) in [("calcard", by_calcard(question)), ("python", python)] {
            if let Some(theirs) = theirs.filter(|theirs| *theirs != ours) {
                differ
                    .insert((question.name.clone(), name), format!("{} | {}", shown(&ours), shown(&theirs)));
            }
        }
    }
    let known: BTreeSet<(String, &str)> =
        OTHERWISE.iter().map(|(file, name, _)| ((*file).to_owned(), *name)).collect();
    let found: BTreeSet<(String, &str)> = differ.keys().cloned().collect();
    let listed: Vec<String> =
        differ.iter().map(|((file, name), what)| format!("{name} {file}: {what}")).collect();
    assert_eq!(found, known, "{}", listed.join("\n"));
}
