//! Working hours, given in local time and answered as instants.

use chrono::{Datelike, Duration, NaiveDateTime, NaiveTime, Weekday};

use crate::{
    time::{TimeRange, Timestamp},
    zone::Zone,
};

/// A piece of a week in which somebody can be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The local day on which it begins.
    pub weekday: Weekday,
    /// When it begins.
    pub from: NaiveTime,
    /// When it ends; on the next day unless this is after `from`.
    pub to: NaiveTime,
}

/// When somebody can be met, in the local time of a zone.
///
/// A span is open from the first instant at which the clock shows `from` or more to the last at which it
/// shows less than `to`: the hour that a switch repeats is inside twice, the hour it leaves out never was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkingHours {
    /// The zone of the spans.
    pub zone: Zone,
    /// The spans of a week. Those that touch are one.
    pub spans: Vec<Span>,
}

impl WorkingHours {
    /// The same hours from Monday to Friday.
    pub fn weekdays(zone: Zone, from: NaiveTime, to: NaiveTime) -> Self {
        let days = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
        Self { zone, spans: days.map(|weekday| Span { weekday, from, to }).to_vec() }
    }

    /// The open ranges that touch `window`, in order and apart from each other.
    pub fn open(&self, window: TimeRange) -> Vec<TimeRange> {
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

    /// The instant of a local time; of two, the later when `late`; of none, where the clock jumps.
    fn instant(&self, local: NaiveDateTime, late: bool) -> Timestamp {
        let (first, last) = self.zone.instants(local).unwrap_or((local.and_utc(), local.and_utc()));
        if late { last } else { first }
    }
}

/// Makes one range of those that touch or overlap. They come sorted.
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

/// The parts of `one` that also lie in `other`. Both come sorted and apart.
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
