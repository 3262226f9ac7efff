//! Calendars as programs write them, made up: single events and series of every frequency, exceptions, additional and moved
//! occurrences, in zones, in UTC, on whole days.

use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime};
use domain::Zone;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::{Question, window};

/// How the times of an event are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Utc,
    Zoned(&'static str),
    Floating,
    Date,
}

/// What an event is made of.
#[derive(Debug, Clone)]
struct Draft {
    form: Form,
    day: i64,
    hour: i64,
    length_quarters: i64,
    has_end: bool,
    frequency: &'static str,
    interval: u32,
    parts: u8,
    count: Option<u32>,
    until_days: Option<i64>,
    except: Vec<i64>,
    additional: Vec<i64>,
    moved: Option<(i64, i64)>,
}

/// The same calendars every time.
pub(super) fn calendars(number: usize) -> Vec<Question> {
    let mut runner = TestRunner::deterministic();
    let strategy = draft();
    let one = |n: usize| {
        let draft = strategy.new_tree(&mut runner).unwrap().current();
        Question {
            name: n.to_string(),
            text: draft.text(),
            zone: Zone::from_name("Europe/Berlin").unwrap(),
            window: window(),
        }
    };
    (0..number).map(one).collect()
}

fn draft() -> impl Strategy<Value = Draft> {
    let forms = vec![
        Form::Utc,
        Form::Zoned("Europe/Berlin"),
        Form::Zoned("America/New_York"),
        Form::Zoned("Asia/Kolkata"),
        Form::Floating,
        Form::Date,
    ];
    let frequencies = vec!["", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"];
    let when = (prop::sample::select(forms), -400i64..50, 6i64..21, 1i64..200, any::<bool>());
    let rule = (prop::sample::select(frequencies), 1u32..4, any::<u8>());
    let end = (prop::option::of(1u32..60), prop::option::of(1i64..500));
    let lists = (
        prop::collection::vec(1i64..20, 0..3),
        prop::collection::vec(1i64..200, 0..3),
        prop::option::of((1i64..10, -3i64..4)),
    );
    (when, rule, end, lists).prop_map(|(when, rule, end, lists)| Draft {
        form: when.0,
        day: when.1,
        hour: when.2,
        length_quarters: when.3,
        has_end: when.4,
        frequency: rule.0,
        interval: rule.1,
        parts: rule.2,
        count: end.0,
        until_days: end.1,
        except: lists.0,
        additional: lists.1,
        moved: lists.2,
    })
}

impl Draft {
    fn start(&self) -> NaiveDateTime {
        let day = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap() + Duration::days(self.day);
        day.and_hms_opt(u32::try_from(self.hour).unwrap(), 30, 0).unwrap()
    }

    fn length(&self) -> Duration {
        match self.form {
            Form::Date => Duration::days(self.length_quarters % 4 + 1),
            _ => Duration::minutes(15 * self.length_quarters),
        }
    }

    fn time(&self, name: &str, at: NaiveDateTime) -> String {
        match self.form {
            Form::Utc => format!("{name}:{}Z", at.format("%Y%m%dT%H%M%S")),
            Form::Zoned(zone) => format!("{name};TZID={zone}:{}", at.format("%Y%m%dT%H%M%S")),
            Form::Floating => format!("{name}:{}", at.format("%Y%m%dT%H%M%S")),
            Form::Date => format!("{name};VALUE=DATE:{}", at.format("%Y%m%d")),
        }
    }

    /// A rule that its own start fits: the standard leaves open what others mean.
    fn rule(&self) -> Option<String> {
        let start = self.start();
        let weekday =
            ["MO", "TU", "WE", "TH", "FR", "SA", "SU"][start.weekday().num_days_from_monday() as usize];
        let rule = match (self.frequency, self.parts % 4) {
            ("", _) => return None,
            ("WEEKLY", 1) => {
                format!("FREQ=WEEKLY;BYDAY={weekday},{}", if weekday == "TH" { "FR" } else { "TH" })
            }
            ("WEEKLY", 2) => "FREQ=WEEKLY;WKST=SU".to_owned(),
            ("MONTHLY", 1) => format!("FREQ=MONTHLY;BYMONTHDAY={}", start.day()),
            ("MONTHLY", 2) => format!("FREQ=MONTHLY;BYDAY={}{weekday}", start.day0() / 7 + 1),
            ("YEARLY", 1) => format!("FREQ=YEARLY;BYMONTH={};BYMONTHDAY={}", start.month(), start.day()),
            ("DAILY", 1) => format!("FREQ=DAILY;BYMONTH={},12,1", start.month()),
            (frequency, _) => format!("FREQ={frequency}"),
        };
        let interval = if self.interval > 1 { format!(";INTERVAL={}", self.interval) } else { String::new() };
        let end = match (self.count, self.until_days) {
            (Some(count), _) => format!(";COUNT={count}"),
            (None, Some(days)) => {
                let until = start + Duration::days(days);
                match self.form {
                    Form::Date => format!(";UNTIL={}", until.format("%Y%m%d")),
                    Form::Floating => format!(";UNTIL={}", until.format("%Y%m%dT235959")),
                    Form::Utc | Form::Zoned(_) => format!(";UNTIL={}", until.format("%Y%m%dT233000Z")),
                }
            }
            (None, None) => String::new(),
        };
        Some(format!("{rule}{interval}{end}"))
    }

    fn text(&self) -> String {
        let start = self.start();
        let mut lines = vec!["BEGIN:VEVENT".to_owned(), "UID:one@example.test".to_owned()];
        lines.push("DTSTAMP:20261101T080000Z".to_owned());
        lines.push(self.time("DTSTART", start));
        lines.push(match (self.has_end, self.form) {
            (true, _) => self.time("DTEND", start + self.length()),
            (false, Form::Date) => format!("DURATION:P{}D", self.length().num_days()),
            (false, _) => format!("DURATION:PT{}M", self.length().num_minutes()),
        });
        let rule = self.rule();
        let mut moved = Vec::new();
        if let Some(rule) = &rule {
            lines.push(format!("RRULE:{rule}"));
            let step = Duration::days(if self.frequency == "DAILY" { 1 } else { 7 });
            let occurrence = |n: i64| start + step * i32::try_from(n).unwrap() * self.interval.cast_signed();
            if matches!(self.frequency, "DAILY" | "WEEKLY") && self.parts % 4 != 1 {
                lines.extend(self.except.iter().map(|n| self.time("EXDATE", occurrence(*n))));
                let may_move = self.moved.filter(|(n, _)| {
                    !self.except.contains(n)
                        && self.count.is_none_or(|count| *n < i64::from(count))
                        && self.until_days.is_none()
                });
                moved.extend(may_move.map(|(n, days)| {
                    (occurrence(n), occurrence(n) + Duration::days(days) + Duration::hours(2))
                }));
            }
        }
        let additional =
            self.additional.iter().map(|days| start + Duration::days(*days) + Duration::hours(1));
        if self.form != Form::Date && rule.is_some() {
            lines.extend(additional.map(|at| self.time("RDATE", at)));
        }
        lines.push("END:VEVENT".to_owned());
        for (original, at) in moved {
            lines.extend([
                "BEGIN:VEVENT".to_owned(),
                "UID:one@example.test".to_owned(),
                "SEQUENCE:1".to_owned(),
            ]);
            lines.push("DTSTAMP:20261101T080000Z".to_owned());
            lines.push(self.time("RECURRENCE-ID", original));
            lines.push(self.time("DTSTART", at));
            lines.push(self.time("DTEND", at + self.length()));
            lines.push("END:VEVENT".to_owned());
        }
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Muster//oracle//EN\r\n{}\r\nEND:VCALENDAR\r\n",
            lines.join("\r\n")
        )
    }
}
