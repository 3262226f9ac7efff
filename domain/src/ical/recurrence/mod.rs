//! Recurrence rules (RFC 5545 section 3.3.10, RFC 7529 for `SKIP`).
//!
//! Rules are expanded in the local time of their series; the caller converts local times to instants, in one place.
//! Muster has its own implementation because every step must be counted where it is done: a rule that never matches
//! must not keep a worker busy.

mod days;
mod expansion;
mod parse;
#[cfg(test)]
mod tests;
mod vcalendar;

use chrono::{NaiveDateTime, Weekday};

pub(super) use self::{expansion::ExpansionEnd, parse::RuleError};

/// A recurrence rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    frequency: Frequency,
    interval: u32,
    count: Option<u32>,
    until: Option<Until>,
    week_start: Weekday,
    skip: Skip,
    months: Vec<u32>,
    week_numbers: Vec<i32>,
    year_days: Vec<i32>,
    month_days: Vec<i32>,
    weekdays: Vec<(i32, Weekday)>,
    hours: Vec<u32>,
    minutes: Vec<u32>,
    seconds: Vec<u32>,
    positions: Vec<i32>,
}

/// The base period of a rule (FREQ).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Frequency {
    Secondly,
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// What happens to an occurrence on a day that a month lacks (SKIP).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skip {
    Omit,
    Backward,
    Forward,
}

/// The last point in time at which an occurrence may begin (UNTIL).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// An instant in UTC.
    Utc(NaiveDateTime),
    /// A local time of the series.
    Wall(NaiveDateTime),
}

impl Rule {
    /// The end of the recurrence rule, if it is specified as a point in time.
    pub(super) const fn until(&self) -> Option<Until> {
        self.until
    }

    /// The last local time at which an occurrence may begin, for a zone with this offset from UTC; the maximum time if
    /// the rule has no end.
    pub(super) fn last_local_time(&self, offset: chrono::Duration) -> NaiveDateTime {
        match self.until {
            Some(Until::Wall(last)) => last,
            Some(Until::Utc(last)) => last.checked_add_signed(offset).unwrap_or(last),
            None => NaiveDateTime::MAX,
        }
    }

    /// Whether the recurrence rule has a COUNT, so that it must be expanded from its start.
    pub(super) const fn has_count(&self) -> bool {
        self.count.is_some()
    }
}
