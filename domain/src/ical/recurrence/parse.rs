//! Parses recurrence rules.
//!
//! Unknown rule parts are ignored (RFC 5545 section 3.1 on extensions). A part that cannot be parsed is ignored if the
//! rule only becomes longer without it (an end, an interval); otherwise the rule is unusable.

use std::str::FromStr;

use chrono::{Datelike, NaiveDateTime, Timelike, Weekday};

use super::{Frequency, Rule, Skip, Until, vcalendar};
use crate::ical::raw_date_time::{self, RawDateTime};

/// Maximum length of a recurrence rule in bytes.
const LENGTH: usize = 4096;

/// The parts of a recurrence rule that select days and times.
const LISTS: [&str; 9] =
    ["BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY", "BYHOUR", "BYMINUTE", "BYSECOND", "BYSETPOS"];

/// Why a recurrence rule cannot be expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ical) enum RuleError {
    /// The rule cannot be expanded, but all its occurrences have the time of day of the series.
    Daily,
    /// The rule cannot be expanded and may have several occurrences per day.
    Anytime,
}

/// A recurrence rule, and whether its end or interval is unreadable, so that it may have more occurrences than
/// intended.
type Found = (Rule, bool);

impl Rule {
    /// Parses the recurrence rule of a series that begins at the local time `start`.
    pub(in crate::ical) fn parse(text: &str, start: NaiveDateTime) -> Result<Found, RuleError> {
        let parts = Parts::parse(text)?;
        let unusable = parts.unusable();
        let frequency = parts.value("FREQ").and_then(frequency).ok_or(unusable)?;
        if parts.are_strange() {
            return Err(unusable);
        }
        let list = |name: &str, limit: i32| match parts.value(name) {
            None => Ok(Vec::new()),
            Some(text) => numbers(text, limit).ok_or(unusable),
        };
        // Zero is a value of a clock, and no day.
        let days = |name: &str, limit: i32| match list(name, limit)? {
            days if days.contains(&0) => Err(unusable),
            days => Ok(days),
        };
        let unsigned = |name: &str, least: u32, most: u32| {
            let all = list(name, i32::try_from(most).unwrap_or(i32::MAX))?;
            let fits =
                |number: i32| u32::try_from(number).ok().filter(|number| (least..=most).contains(number));
            all.into_iter().map(|number| fits(number).ok_or(unusable)).collect::<Result<Vec<u32>, _>>()
        };
        let (course, doubtful) = Course::parse(&parts);
        let positions = days("BYSETPOS", 366)?;
        let rule = Self {
            frequency,
            interval: course.interval.unwrap_or(1),
            count: course.count,
            until: course.until,
            week_start: course.week_start,
            skip: match parts.value("SKIP").map(str::to_ascii_uppercase).as_deref() {
                Some("BACKWARD") => Skip::Backward,
                Some("FORWARD") => Skip::Forward,
                _ => Skip::Omit,
            },
            months: unsigned("BYMONTH", 1, 12)?,
            week_numbers: days("BYWEEKNO", 53)?,
            year_days: days("BYYEARDAY", 366)?,
            month_days: days("BYMONTHDAY", 31)?,
            weekdays: parts.value("BYDAY").map_or(Some(Vec::new()), weekdays).ok_or(unusable)?,
            hours: unsigned("BYHOUR", 0, 23)?,
            minutes: unsigned("BYMINUTE", 0, 59)?,
            seconds: unsigned("BYSECOND", 0, 60)?,
            positions: if parts.have_positions_alone() { Vec::new() } else { positions },
        };
        Ok((rule.completed(start), doubtful))
    }

    /// Fills in the parts that the recurrence rule omits, from the start of the series.
    fn completed(mut self, start: NaiveDateTime) -> Self {
        let names_days = !(self.week_numbers.is_empty()
            && self.year_days.is_empty()
            && self.month_days.is_empty()
            && self.weekdays.is_empty());
        match self.frequency {
            Frequency::Yearly if !names_days => {
                if self.months.is_empty() {
                    self.months.push(start.month());
                }
                self.month_days.push(start.day().cast_signed());
            }
            Frequency::Yearly
                if self.weekdays.is_empty() && self.year_days.is_empty() && self.month_days.is_empty() =>
            {
                self.weekdays.push((0, start.weekday()));
            }
            Frequency::Monthly if !names_days => self.month_days.push(start.day().cast_signed()),
            Frequency::Weekly if !names_days => self.weekdays.push((0, start.weekday())),
            _ => {}
        }
        let fill = |list: &mut Vec<u32>, unit: Frequency, value: u32| {
            if list.is_empty() && self.frequency > unit {
                list.push(value);
            }
        };
        fill(&mut self.hours, Frequency::Hourly, start.hour());
        fill(&mut self.minutes, Frequency::Minutely, start.minute());
        fill(&mut self.seconds, Frequency::Secondly, start.second());
        for list in [&mut self.months, &mut self.hours, &mut self.minutes, &mut self.seconds] {
            // A leap second is the second before.
            for value in list.iter_mut() {
                *value = (*value).min(59);
            }
            list.sort_unstable();
            list.dedup();
        }
        self
    }
}

/// The end and interval of a recurrence rule.
struct Course {
    interval: Option<u32>,
    count: Option<u32>,
    until: Option<Until>,
    week_start: Weekday,
}

impl Course {
    /// Parses end and interval. The flag is true if one of them is unreadable, so that the rule may be too long.
    fn parse(parts: &Parts) -> (Self, bool) {
        let once = |name: &str| if parts.differ(name) { Some("") } else { parts.value(name) };
        let week_start = once("WKST").map_or(Some(Weekday::Mon), weekday);
        let (interval, is_unread) = counted(once("INTERVAL"));
        // Which weeks an interval counts depends on the day they begin with.
        let is_denser =
            is_unread || (week_start.is_none() && interval > Some(1)) || parts.have_positions_alone();
        let (count, count_is_unread) = counted(once("COUNT"));
        let until = once("UNTIL").map(until);
        let course = Self {
            interval: interval.filter(|_| !is_denser),
            // Among more occurrences than were meant it would be reached too early.
            count: count.filter(|_| !is_denser),
            until: until.flatten(),
            week_start: week_start.unwrap_or(Weekday::Mon),
        };
        (course, is_denser || count_is_unread || until == Some(None))
    }
}

/// The parts of a recurrence rule: names in upper case, with their values.
#[derive(Debug)]
struct Parts(Vec<(String, String)>);

impl Parts {
    /// Splits a recurrence rule into its parts. Some programs repeat the property name or escape the value as TEXT.
    fn parse(text: &str) -> Result<Self, RuleError> {
        if text.len() > LENGTH {
            return Err(RuleError::Anytime);
        }
        let text = text.replace('\\', "");
        let text = text.trim();
        let is_named = text.get(..6).is_some_and(|name| name.eq_ignore_ascii_case("RRULE:"));
        let text = if is_named { &text[6..] } else { text };
        let translated = vcalendar::translate_rule(text).transpose()?;
        let parts = translated.as_deref().unwrap_or(text).trim().split(';').map(str::trim);
        let named = |part: &str| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim().to_ascii_uppercase(), value.trim().trim_end_matches(',').to_owned()))
        };
        let read: Vec<_> = parts.filter(|part| !part.is_empty()).map(named).collect();
        let is_whole = !read.contains(&None);
        let parts = Self(read.into_iter().flatten().collect());
        // What can be taken apart still tells what may be meant.
        if is_whole { Ok(parts) } else { Err(parts.unusable()) }
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a part occurs twice in the rule with different values.
    fn differ(&self, name: &str) -> bool {
        self.0.iter().any(|(key, other)| key == name && self.value(name) != Some(other.as_str()))
    }

    /// The error for a recurrence rule that cannot be expanded. An unreadable frequency may be shorter than a day,
    /// judging by its first letters.
    fn unusable(&self) -> RuleError {
        let is_of_clock = |(name, value): &(String, String)| {
            let value = value.to_ascii_uppercase();
            let is_short = ["S", "H", "MI"].iter().any(|start| value.starts_with(start)) || value == "M";
            (name == "FREQ" && is_short) || matches!(name.as_str(), "BYHOUR" | "BYMINUTE" | "BYSECOND")
        };
        if self.0.iter().any(is_of_clock) { RuleError::Anytime } else { RuleError::Daily }
    }

    /// Whether it is unclear which days the recurrence rule selects: because of an unknown part, a non-Gregorian
    /// calendar, or contradictory parts.
    fn are_strange(&self) -> bool {
        let is_strange = |(name, value): &(String, String)| match name.as_str() {
            "RSCALE" => !value.eq_ignore_ascii_case("GREGORIAN"),
            name => name.starts_with("BY") && !LISTS.contains(&name),
        };
        self.0.iter().any(is_strange) || LISTS.iter().chain(&["FREQ", "SKIP"]).any(|name| self.differ(name))
    }

    /// Whether the rule has a BYSETPOS without any part to select from.
    fn have_positions_alone(&self) -> bool {
        let has = |name: &&str| self.value(name).is_some();
        has(&"BYSETPOS") && !LISTS.iter().filter(|name| **name != "BYSETPOS").any(has)
    }
}

fn frequency(text: &str) -> Option<Frequency> {
    Some(match text.to_ascii_uppercase().as_str() {
        "SECONDLY" => Frequency::Secondly,
        "MINUTELY" => Frequency::Minutely,
        "HOURLY" => Frequency::Hourly,
        "DAILY" => Frequency::Daily,
        "WEEKLY" => Frequency::Weekly,
        "MONTHLY" => Frequency::Monthly,
        "YEARLY" => Frequency::Yearly,
        _ => return None,
    })
}

/// Parses a number of at least 1. The flag is true if a number is present but unreadable. Some programs write `COUNT=0`
/// for a series without an end.
fn counted(text: Option<&str>) -> (Option<u32>, bool) {
    match text.map(u32::from_str) {
        None | Some(Ok(0)) => (None, false),
        Some(Ok(number)) => (Some(number), false),
        Some(Err(_)) => (None, true),
    }
}

/// Parses a list of numbers from `-limit` to `limit`; zero is allowed only for hours, minutes and seconds.
fn numbers(text: &str, limit: i32) -> Option<Vec<i32>> {
    let number = |text: &str| {
        let number: i32 = text.trim().trim_start_matches('+').parse().ok()?;
        (number.abs() <= limit).then_some(number)
    };
    text.split(',').map(number).collect()
}

fn weekdays(text: &str) -> Option<Vec<(i32, Weekday)>> {
    let one = |text: &str| {
        let text = text.trim();
        let (number, name) = text.split_at_checked(text.len().checked_sub(2)?)?;
        let number = match number.trim_start_matches('+') {
            "" => 0,
            number => number.parse().ok().filter(|number: &i32| number.abs() <= 53)?,
        };
        Some((number, weekday(name)?))
    };
    text.split(',').map(one).collect()
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => return None,
    })
}

/// Parses UNTIL; a DATE includes the whole day.
fn until(text: &str) -> Option<Until> {
    Some(match raw_date_time::parse(text)? {
        RawDateTime::Date(day) => Until::Wall(day.and_hms_opt(23, 59, 59)?),
        RawDateTime::Local(at) => Until::Wall(at),
        RawDateTime::Utc(at) => Until::Utc(at),
    })
}
