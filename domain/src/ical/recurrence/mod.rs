//! Recurrence rules (RFC 5545 section 3.3.10, RFC 7529 for `SKIP`).
//!
//! A rule is followed on the wall clock of its series; what the clock means is decided by the caller, in one place. Our
//! own and not a crate, because every step has to be counted where it is made: a rule that never comes true must not
//! keep anybody busy.

mod days;
mod read;
#[cfg(test)]
mod tests;
mod vcalendar;
mod walk;

use chrono::{NaiveDateTime, Weekday};

pub(super) use self::{read::RuleError, walk::WalkEnd};

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

/// The period that a rule counts.
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

/// What happens to a day of a month that the month does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skip {
    Omit,
    Backward,
    Forward,
}

/// The last point at which an occurrence may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// An instant.
    Utc(NaiveDateTime),
    /// A time on the wall of the series.
    Wall(NaiveDateTime),
}

impl Rule {
    /// When it ends, where it says so by a point in time.
    pub(super) const fn until(&self) -> Option<Until> {
        self.until
    }

    /// The last point on a wall whose offset from UTC is `offset`; the end of time where it has none.
    pub(super) fn last_wall(&self, offset: chrono::Duration) -> NaiveDateTime {
        match self.until {
            Some(Until::Wall(last)) => last,
            Some(Until::Utc(last)) => last.checked_add_signed(offset).unwrap_or(last),
            None => NaiveDateTime::MAX,
        }
    }

    /// Whether it counts its occurrences: then it has to be followed from its start.
    pub(super) const fn is_counted(&self) -> bool {
        self.count.is_some()
    }
}
