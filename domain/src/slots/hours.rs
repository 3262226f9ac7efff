//! Converts working hours from local time to instants.

use chrono::{Datelike, Duration, NaiveDateTime, NaiveTime, Weekday};

use crate::{
    time::{TimeRange, Timestamp},
    zone::Zone,
};

/// One span of working hours in a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeeklySpan {
    /// Day on which the span starts.
    pub weekday: Weekday,
    /// Local time at which the span starts.
    pub from: NaiveTime,
    /// Local time at which the span ends; on the following day unless it is later than `from`.
    pub to: NaiveTime,
}

/// Weekly working hours, in the local time of a zone.
///
/// Working hours last from the first instant at which the clock shows `from` or later to the last at which it shows a
/// time before `to`. An hour repeated by a clock change counts twice, and a skipped hour does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkingHours {
    /// Zone of the local times.
    pub zone: Zone,
    /// The spans of a week. Adjacent spans are merged.
    pub spans: Vec<WeeklySpan>,
}

impl WorkingHours {
    /// Creates working hours that are the same from Monday to Friday.
    pub fn weekdays(zone: Zone, from: NaiveTime, to: NaiveTime) -> Self {
        let days = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
        Self { zone, spans: days.map(|weekday| WeeklySpan { weekday, from, to }).to_vec() }
    }

    /// The ranges of working hours that overlap or touch `window`, in order and disjoint.
    pub fn open_ranges(&self, window: TimeRange) -> Vec<TimeRange> {
        let first = self.zone.local(window.start).date() - Duration::days(2);
        let last = self.zone.local(window.end).date();
        let mut ranges: Vec<TimeRange> = first
            .iter_days()
            .take_while(|day| *day <= last)
            .flat_map(|day| {
                self.spans.iter().filter(move |span| span.weekday == day.weekday()).map(move |span| {
                    let days = Duration::days(i64::from(span.to <= span.from));
                    (day.and_time(span.from), (day + days).and_time(span.to))
                })
            })
            .filter_map(|(from, to)| TimeRange::new(self.instant(from, false), self.instant(to, true)))
            .filter(|range| range.overlaps(&window))
            .collect();
        ranges.sort_unstable();
        merge(ranges)
    }

    /// Converts a local time to an instant. If the time occurs twice, `late` selects the second occurrence; for a
    /// skipped time, returns the instant of the clock change.
    fn instant(&self, local: NaiveDateTime, late: bool) -> Timestamp {
        let (first, last) = self.zone.instant_range(local).unwrap_or((local.and_utc(), local.and_utc()));
        if late { last } else { first }
    }
}

/// Merges time ranges that touch or overlap; the input must be sorted.
pub(super) fn merge(sorted: Vec<TimeRange>) -> Vec<TimeRange> {
    let mut merged: Vec<TimeRange> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// The intersection of two sorted lists of disjoint time ranges.
pub(super) fn intersect(one: &[TimeRange], other: &[TimeRange]) -> Vec<TimeRange> {
    let (mut left, mut right, mut both) = (0, 0, Vec::new());
    while let (Some(a), Some(b)) = (one.get(left), other.get(right)) {
        both.extend(a.intersect(b));
        if a.end < b.end {
            left += 1;
        } else {
            right += 1;
        }
    }
    both
}
