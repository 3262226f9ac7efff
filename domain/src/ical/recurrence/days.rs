//! Selects the days on which a recurrence rule has occurrences.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::{Frequency, Rule, Skip};

/// The period in which the ordinal of a weekday is counted, as in `2MO` for the second Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Month,
    Year,
    /// Ordinals of weekdays are ignored.
    None,
}

impl Rule {
    /// Whether a day matches all parts of the recurrence rule that select days.
    pub(super) fn matches_day(&self, day: NaiveDate) -> bool {
        let in_month = self.month_days.is_empty() || {
            let (number, length) = (day.day().cast_signed(), month_length(day.year(), day.month()));
            self.month_days.iter().any(|wanted| *wanted == number || *wanted == number - length - 1)
        };
        in_month && self.includes_month(day.month()) && self.accepts_within_month(day)
    }

    pub(super) fn includes_month(&self, month: u32) -> bool {
        self.months.is_empty() || self.months.contains(&month)
    }

    /// Like [`Self::matches_day`], without the rule parts that select months and days of the month.
    fn accepts_within_month(&self, day: NaiveDate) -> bool {
        self.in_year_days(day) && self.in_weeks(day) && self.in_weekdays(day)
    }

    fn in_year_days(&self, day: NaiveDate) -> bool {
        let (number, length) = (day.ordinal().cast_signed(), year_length(day.year()));
        self.year_days.is_empty()
            || self.year_days.iter().any(|wanted| *wanted == number || *wanted == number - length - 1)
    }

    fn in_weeks(&self, day: NaiveDate) -> bool {
        self.week_numbers.is_empty() || {
            let (number, weeks) = week_of(day, self.week_start);
            self.week_numbers.iter().any(|wanted| *wanted == number || *wanted == number - weeks - 1)
        }
    }

    fn in_weekdays(&self, day: NaiveDate) -> bool {
        let fits = |(number, weekday): &(i32, Weekday)| {
            *weekday == day.weekday() && (*number == 0 || self.is_numbered(day, *number))
        };
        self.weekdays.is_empty() || self.weekdays.iter().any(fits)
    }

    fn is_numbered(&self, day: NaiveDate, wanted: i32) -> bool {
        let (number, length) = match self.scope() {
            Scope::None => return true,
            Scope::Month => (day.day().cast_signed(), month_length(day.year(), day.month())),
            Scope::Year => (day.ordinal().cast_signed(), year_length(day.year())),
        };
        match wanted > 0 {
            true => (number - 1) / 7 + 1 == wanted,
            false => (length - number) / 7 + 1 == -wanted,
        }
    }

    const fn scope(&self) -> Scope {
        match self.frequency {
            Frequency::Monthly => Scope::Month,
            Frequency::Yearly if !self.months.is_empty() => Scope::Month,
            Frequency::Yearly if self.week_numbers.is_empty() => Scope::Year,
            _ => Scope::None,
        }
    }

    /// The days of a month that the recurrence rule selects, in order. A day that the month lacks may be moved to the
    /// next month.
    pub(super) fn days_of_month(&self, year: i32, month: u32) -> Vec<NaiveDate> {
        let length = month_length(year, month);
        let date = |day: i32| NaiveDate::from_ymd_opt(year, month, day.try_into().ok()?);
        if self.month_days.is_empty() {
            let days = (1..=length).filter_map(date);
            return days.filter(|day| self.accepts_within_month(*day)).collect();
        }
        let meant = |wanted: &i32| match *wanted {
            day if day > length => match self.skip {
                Skip::Omit => None,
                Skip::Backward => date(length),
                Skip::Forward => date(length)?.succ_opt(),
            },
            day if day < 0 => date(length + 1 + day),
            day => date(day),
        };
        let mut days: Vec<NaiveDate> = self.month_days.iter().filter_map(meant).collect();
        days.retain(|day| self.accepts_within_month(*day));
        days.sort_unstable();
        days.dedup();
        days
    }

    /// Number of days that [`Self::days_of_month`] examines, for the budget.
    pub(super) fn days_examined(&self) -> u64 {
        if self.month_days.is_empty() { 31 } else { self.month_days.len() as u64 }
    }
}

/// The first day of the week that contains a day.
pub(super) fn week_start(day: NaiveDate, first: Weekday) -> NaiveDate {
    day.checked_sub_days(Days::new(day.weekday().days_since(first).into())).unwrap_or(NaiveDate::MIN)
}

/// The number of the week that contains a day, and the number of weeks in its year. The first week of a year is the
/// first with at least four days in it.
fn week_of(day: NaiveDate, first: Weekday) -> (i32, i32) {
    let begins =
        |year: i32| NaiveDate::from_ymd_opt(year, 1, 4).map_or(day, |fourth| week_start(fourth, first));
    let year = day.year();
    let year = match day {
        day if day >= begins(year + 1) => year + 1,
        day if day < begins(year) => year - 1,
        _ => year,
    };
    let weeks = |days: i64| i32::try_from(days / 7).unwrap_or_default();
    let begin = begins(year);
    (weeks((day - begin).num_days()) + 1, weeks((begins(year + 1) - begin).num_days()))
}

fn month_length(year: i32, month: u32) -> i32 {
    let next = if month == 12 {
        NaiveDate::from_ymd_opt(year + 1, 1, 1)
    } else {
        NaiveDate::from_ymd_opt(year, month + 1, 1)
    };
    next.and_then(|next| next.pred_opt()).map_or(31, |last| last.day().cast_signed())
}

fn year_length(year: i32) -> i32 {
    NaiveDate::from_ymd_opt(year, 12, 31).map_or(365, |last| last.ordinal().cast_signed())
}
