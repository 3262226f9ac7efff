//! A rule as text.
//!
//! Parts of unknown names are passed over (RFC 5545 section 3.1 for extensions). Where what a rule leaves out would only
//! make it longer - an end, an interval - it is left out; everything else that cannot be read makes the rule unusable.

use std::str::FromStr;

use chrono::{Datelike, NaiveDateTime, Timelike, Weekday};

use super::{Frequency, Rule, Skip, Until};
use crate::ical::moment::{self, Written};

/// The longest rule that is read, in bytes.
const LENGTH: usize = 4096;

/// A rule that cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ical) enum Unusable {
    /// Its occurrences have the time of day of the series.
    Daily,
    /// It may have any number of occurrences on one day.
    Anytime,
}

/// A rule, and whether it was longer than it was meant to be, because its end or its interval could not be read.
type Found = (Rule, bool);

impl Rule {
    /// Reads the rule of a series that begins at `start`, a time on the wall.
    pub(in crate::ical) fn read(text: &str, start: NaiveDateTime) -> Result<Found, Unusable> {
        let parts = parts(text)?;
        let value =
            |name: &str| parts.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let frequency = value("FREQ").and_then(frequency).ok_or(Unusable::Daily)?;
        let unusable = match frequency < Frequency::Daily || value("BYHOUR").is_some() {
            true => Unusable::Anytime,
            false => Unusable::Daily,
        };
        if value("RSCALE").is_some_and(|scale| !scale.eq_ignore_ascii_case("GREGORIAN")) {
            return Err(unusable);
        }
        let list = |name: &str, limit: i32| match value(name) {
            None => Ok(Vec::new()),
            Some(text) => numbers(text, limit).ok_or(unusable),
        };
        let unsigned = |name: &str, least: u32, most: u32| {
            let all = list(name, i32::try_from(most).unwrap_or(i32::MAX))?;
            let all: Vec<u32> = all.into_iter().map_while(|number| u32::try_from(number).ok()).collect();
            let fits = all.iter().all(|number| (least..=most).contains(number));
            let is_whole = value(name).is_none_or(|text| text.split(',').count() == all.len());
            if fits && is_whole { Ok(all) } else { Err(unusable) }
        };
        let weekdays = value("BYDAY").map_or(Some(Vec::new()), weekdays).ok_or(unusable)?;
        let (interval, interval_is_doubtful) = counted(value("INTERVAL"));
        let (count, count_is_doubtful) = counted(value("COUNT"));
        let until = value("UNTIL").map(until);
        let doubtful = interval_is_doubtful || count_is_doubtful || until == Some(None);
        let rule = Self {
            frequency,
            interval: interval.unwrap_or(1),
            count,
            until: until.flatten(),
            week_start: value("WKST").and_then(weekday).unwrap_or(Weekday::Mon),
            skip: match value("SKIP").map(str::to_ascii_uppercase).as_deref() {
                Some("BACKWARD") => Skip::Backward,
                Some("FORWARD") => Skip::Forward,
                _ => Skip::Omit,
            },
            months: unsigned("BYMONTH", 1, 12)?,
            week_numbers: list("BYWEEKNO", 53)?,
            year_days: list("BYYEARDAY", 366)?,
            month_days: list("BYMONTHDAY", 31)?,
            weekdays,
            hours: unsigned("BYHOUR", 0, 23)?,
            minutes: unsigned("BYMINUTE", 0, 59)?,
            seconds: unsigned("BYSECOND", 0, 60)?,
            positions: list("BYSETPOS", 366)?,
        };
        Ok((rule.completed(start), doubtful))
    }

    /// Takes from the start of the series what the rule does not say.
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

/// Names in capitals with their values.
fn parts(text: &str) -> Result<Vec<(String, String)>, Unusable> {
    if text.len() > LENGTH {
        return Err(Unusable::Anytime);
    }
    let parts = text.trim().split(';').map(str::trim).filter(|part| !part.is_empty());
    let named = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_ascii_uppercase(), value.trim().trim_end_matches(',').to_owned()))
    };
    parts.map(|part| named(part).ok_or(Unusable::Daily)).collect()
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

/// A number of at least one, and whether there is one that cannot be read. Some programs write `COUNT=0` for a series
/// without an end.
fn counted(text: Option<&str>) -> (Option<u32>, bool) {
    match text.map(u32::from_str) {
        None | Some(Ok(0)) => (None, false),
        Some(Ok(number)) => (Some(number), false),
        Some(Err(_)) => (None, true),
    }
}

/// Numbers up to `limit`, on either side of zero, and not zero unless it is one of the values of a clock.
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

/// A DATE means the whole of that day.
fn until(text: &str) -> Option<Until> {
    Some(match moment::written(text)? {
        Written::Date(day) => Until::Wall(day.and_hms_opt(23, 59, 59)?),
        Written::Local(at) => Until::Wall(at),
        Written::Utc(at) => Until::Utc(at),
    })
}
