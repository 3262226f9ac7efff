//! Expands a recurrence rule period by period.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

use super::{Frequency, Rule, days::week_start};
use crate::ParseBudget;

/// Why the expansion of a recurrence rule ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ical) enum ExpansionEnd {
    /// The rule or the requested range ended.
    Done,
    /// The visitor stopped the expansion.
    Stopped,
    /// The budget ran out; occurrences after this local time are unknown.
    Exhausted(NaiveDateTime),
}

impl ExpansionEnd {
    /// Whether all occurrences up to the end of the expansion are known.
    pub(in crate::ical) const fn is_complete(self) -> bool {
        !matches!(self, Self::Exhausted(_))
    }
}

/// State of the expansion of a recurrence rule, with its remaining budget.
struct Walker<'a> {
    rule: &'a Rule,
    start: NaiveDateTime,
    last: NaiveDateTime,
    left: Option<u32>,
    budget: &'a mut ParseBudget,
    visit: &'a mut dyn FnMut(NaiveDateTime) -> bool,
}

impl Rule {
    /// Calls the visitor for each occurrence from `first` to `last`, in order within each period, until the visitor
    /// returns `false`. A few occurrences before `first` may be included. All times are local times of the series,
    /// which begins at `start`.
    pub(in crate::ical) fn visit_occurrences(
        &self,
        start: NaiveDateTime,
        (first, last): (NaiveDateTime, NaiveDateTime),
        budget: &mut ParseBudget,
        visit: &mut dyn FnMut(NaiveDateTime) -> bool,
    ) -> ExpansionEnd {
        // Who counts has to count from the start.
        let first = if self.has_count() { start } else { first.max(start) };
        let mut walker = Walker { rule: self, start, last, left: self.count, budget, visit };
        let mut period = self.period_before(start, first);
        loop {
            let Some(begin) = self.begin_of(start, period) else { return ExpansionEnd::Done };
            if begin > last {
                return ExpansionEnd::Done;
            }
            match walker.period(begin, &mut period) {
                Ok(true) => {}
                Ok(false) if walker.left == Some(0) => return ExpansionEnd::Done,
                Ok(false) => return ExpansionEnd::Stopped,
                Err(BudgetExhausted) => return ExpansionEnd::Exhausted(begin.max(start)),
            }
            period += 1;
        }
    }

    /// A period no later than the one that contains `first`, if there is one.
    fn period_before(&self, start: NaiveDateTime, first: NaiveDateTime) -> i64 {
        let days = (first.date() - start.date()).num_days();
        let units = match self.frequency {
            Frequency::Yearly => i64::from(first.year()) - i64::from(start.year()),
            Frequency::Monthly => months(first) - months(start),
            Frequency::Weekly => days / 7,
            Frequency::Daily => days,
            Frequency::Hourly => days * 24,
            Frequency::Minutely => days * 24 * 60,
            Frequency::Secondly => days * 24 * 60 * 60,
        };
        (units / i64::from(self.interval) - 1).max(0)
    }

    /// The start of a recurrence period; `None` beyond the supported range of dates.
    fn begin_of(&self, start: NaiveDateTime, period: i64) -> Option<NaiveDateTime> {
        let units = period.checked_mul(self.interval.into())?;
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN);
        let later =
            |seconds: i64| start.checked_add_signed(TimeDelta::try_seconds(units.checked_mul(seconds)?)?);
        match self.frequency {
            Frequency::Yearly => {
                let year = i32::try_from(i64::from(start.year()).checked_add(units)?).ok()?;
                NaiveDate::from_ymd_opt(year, 1, 1).map(midnight)
            }
            Frequency::Monthly => {
                let month = months(start).checked_add(units)?;
                let year = i32::try_from(month.div_euclid(12)).ok()?;
                NaiveDate::from_ymd_opt(year, u32::try_from(month.rem_euclid(12)).ok()? + 1, 1).map(midnight)
            }
            Frequency::Weekly => {
                let days = Days::new(u64::try_from(units.checked_mul(7)?).ok()?);
                week_start(start.date(), self.week_start).checked_add_days(days).map(midnight)
            }
            Frequency::Daily => {
                start.date().checked_add_days(Days::new(u64::try_from(units).ok()?)).map(midnight)
            }
            Frequency::Hourly => later(3600)?.with_minute(0)?.with_second(0),
            Frequency::Minutely => later(60)?.with_second(0),
            Frequency::Secondly => later(1),
        }
    }

    /// The first recurrence period that begins at or after `at`.
    fn period_from(&self, start: NaiveDateTime, at: NaiveDateTime) -> i64 {
        let unit = match self.frequency {
            Frequency::Hourly => 3600,
            Frequency::Minutely => 60,
            _ => 1,
        };
        let base = self.begin_of(start, 0).unwrap_or(start);
        let every = i64::from(self.interval).saturating_mul(unit);
        let seconds = (at - base).num_seconds();
        seconds.div_euclid(every) + i64::from(seconds.rem_euclid(every) != 0)
    }
}

/// Error: the budget ran out.
struct BudgetExhausted;

impl Walker<'_> {
    /// Visits the occurrences of one recurrence period; `false` ends the expansion. Skips periods that cannot contain
    /// an occurrence.
    fn period(&mut self, begin: NaiveDateTime, period: &mut i64) -> Result<bool, BudgetExhausted> {
        let rule = self.rule;
        if rule.frequency < Frequency::Daily {
            return self.part_of_day(begin, period);
        }
        let days = self.days(begin.date())?;
        if rule.positions.is_empty() {
            for day in days {
                for time in self.times(day)? {
                    if !self.tell(time) {
                        return Ok(false);
                    }
                }
            }
            return Ok(true);
        }
        let mut all = Vec::new();
        for day in days {
            all.extend(self.times(day)?);
        }
        Ok(self.tell_positions(&all))
    }

    fn days(&mut self, begin: NaiveDate) -> Result<Vec<NaiveDate>, BudgetExhausted> {
        let rule = self.rule;
        let (year, month) = (begin.year(), begin.month());
        match rule.frequency {
            Frequency::Yearly => {
                let mut days = Vec::new();
                for month in (1..=12).filter(|month| rule.includes_month(*month)) {
                    self.spend(rule.days_examined())?;
                    days.extend(rule.days_of_month(year, month));
                }
                Ok(days)
            }
            Frequency::Monthly if !rule.includes_month(month) => self.spend(1).map(|()| Vec::new()),
            Frequency::Monthly => {
                self.spend(rule.days_examined())?;
                Ok(rule.days_of_month(year, month))
            }
            frequency => {
                let length = if frequency == Frequency::Weekly { 7 } else { 1 };
                self.spend(length as u64)?;
                Ok(begin.iter_days().take(length).filter(|day| rule.matches_day(*day)).collect())
            }
        }
    }

    /// The times of a day at which occurrences begin, in order.
    fn times(&mut self, day: NaiveDate) -> Result<Vec<NaiveDateTime>, BudgetExhausted> {
        let rule = self.rule;
        self.spend((rule.hours.len() * rule.minutes.len() * rule.seconds.len()) as u64)?;
        let mut times = Vec::new();
        for hour in &rule.hours {
            for minute in &rule.minutes {
                times.extend(
                    rule.seconds.iter().filter_map(|second| day.and_hms_opt(*hour, *minute, *second)),
                );
            }
        }
        Ok(times)
    }

    /// Visits the occurrences of a recurrence period of an hour, a minute or a second.
    fn part_of_day(&mut self, begin: NaiveDateTime, period: &mut i64) -> Result<bool, BudgetExhausted> {
        let rule = self.rule;
        self.spend(1)?;
        let fits = |list: &[u32], value: u32| list.is_empty() || list.contains(&value);
        let next = if !rule.matches_day(begin.date()) {
            begin.date().succ_opt().map(|day| day.and_time(NaiveTime::MIN))
        } else if !fits(&rule.hours, begin.hour()) {
            begin.with_minute(0).and_then(|at| at.with_second(0)?.checked_add_signed(TimeDelta::hours(1)))
        } else if rule.frequency < Frequency::Hourly && !fits(&rule.minutes, begin.minute()) {
            begin.with_second(0).and_then(|at| at.checked_add_signed(TimeDelta::minutes(1)))
        } else {
            None
        };
        if let Some(next) = next {
            *period = (rule.period_from(self.start, next) - 1).max(*period);
            return Ok(true);
        }
        let minutes =
            if rule.frequency == Frequency::Hourly { rule.minutes.clone() } else { vec![begin.minute()] };
        let seconds =
            if rule.frequency == Frequency::Secondly { vec![begin.second()] } else { rule.seconds.clone() };
        if rule.frequency == Frequency::Secondly && !fits(&rule.seconds, begin.second()) {
            return Ok(true);
        }
        self.spend((minutes.len() * seconds.len()) as u64)?;
        let mut all = Vec::new();
        for minute in minutes {
            let at = |second: &u32| begin.with_minute(minute)?.with_second(*second);
            all.extend(seconds.iter().filter_map(at));
        }
        if rule.positions.is_empty() {
            Ok(all.into_iter().all(|time| self.tell(time)))
        } else {
            Ok(self.tell_positions(&all))
        }
    }

    /// Visits the times selected by BYSETPOS within a period.
    fn tell_positions(&mut self, all: &[NaiveDateTime]) -> bool {
        let count = all.len();
        let index = |position: &i32| match usize::try_from(*position) {
            Ok(position) => position.checked_sub(1),
            Err(_) => count.checked_sub(position.unsigned_abs() as usize),
        };
        let mut chosen: Vec<usize> = self.rule.positions.iter().filter_map(index).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen.into_iter().filter_map(|index| all.get(index)).all(|time| self.tell(*time))
    }

    /// Visits one occurrence; `false` ends the expansion.
    fn tell(&mut self, time: NaiveDateTime) -> bool {
        if time < self.start || time > self.last {
            return true;
        }
        if let Some(left) = &mut self.left {
            match left.checked_sub(1) {
                None => return false,
                Some(rest) => *left = rest,
            }
        }
        (self.visit)(time) && self.left != Some(0)
    }

    fn spend(&mut self, steps: u64) -> Result<(), BudgetExhausted> {
        if self.budget.spend(steps) { Ok(()) } else { Err(BudgetExhausted) }
    }
}

fn months(at: NaiveDateTime) -> i64 {
    i64::from(at.year()) * 12 + i64::from(at.month0())
}
