//! A zone as a VTIMEZONE describes it (RFC 5545 section 3.6.5).

use chrono::{Datelike, Duration, NaiveDateTime};

use super::{raw_date_time, recurrence::Rule, tree::Component, zone::offset};
use crate::{Budget, time::Timestamp};

/// How many observances of one zone are read.
const OBSERVANCES: usize = 200;
/// How many onsets of one observance are followed.
const ONSETS: usize = 400;
/// How many onsets a zone has at most.
const CHANGES: usize = 4_000;
/// Nobody's calendar is older; rules are followed from here on.
const FIRST_YEAR: i32 = 1970;
/// The last year of onsets.
const LAST_YEAR: i32 = 2100;

/// A zone as a list of changes: from a local time on (read in the old offset), an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    first: Duration,
    changes: Vec<Change>,
    /// For each change the local time until which no later one is in force.
    reached: Vec<NaiveDateTime>,
    /// Whether a part of the description cannot be read.
    pub(super) is_doubtful: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    at: NaiveDateTime,
    to: Duration,
    /// When the observance began that it is an onset of.
    since: NaiveDateTime,
}

impl Described {
    /// Reads the observances; `None` without any that can be read.
    pub(super) fn read(zone: &Component, budget: &mut Budget) -> Option<Self> {
        let mut changes = Vec::new();
        let mut first: Option<(NaiveDateTime, Duration)> = None;
        // An observance without its beginning stands in the zone itself.
        let mut is_doubtful = zone.components.len() > OBSERVANCES || zone.get("TZOFFSETTO").is_some();
        for part in zone.components.iter().take(OBSERVANCES) {
            let (Some(to), Some(start)) = (
                part.value("TZOFFSETTO").and_then(offset),
                part.value("DTSTART").and_then(raw_date_time::local),
            ) else {
                is_doubtful = true;
                continue;
            };
            is_doubtful |= !matches!(part.name.as_str(), "STANDARD" | "DAYLIGHT");
            let from = part.value("TZOFFSETFROM").and_then(offset).unwrap_or(to);
            if first.is_none_or(|(at, _)| start < at) {
                first = Some((start, from));
            }
            let onsets = match part.value("RRULE").map(|rule| onsets(rule, start, from, budget)) {
                None => vec![start],
                Some(Some(onsets)) => onsets,
                Some(None) => {
                    is_doubtful = true;
                    vec![start]
                }
            };
            let listed =
                part.all("RDATE").flat_map(|dates| dates.value.split(',')).filter_map(raw_date_time::local);
            changes.extend(onsets.into_iter().chain(listed).map(|at| Change { at, to, since: start }));
        }
        changes.sort_by_key(|change| change.at);
        is_doubtful |= changes.len() > CHANGES;
        changes.truncate(CHANGES);
        let first = first?.1;
        Some(Self { first, reached: reached(first, &changes), changes, is_doubtful })
    }

    /// The instant of a local time: inside a gap by the offset before it, where clocks are turned back the first one.
    pub(super) fn instant(&self, local: NaiveDateTime) -> Option<Timestamp> {
        let offset = self.in_force(local).map_or(self.first, |change| change.to);
        Some(local.checked_sub_signed(offset)?.and_utc())
    }

    /// The year in which the observance of a local time began; `None` before all of them.
    pub(super) fn onset_year(&self, local: NaiveDateTime) -> Option<i32> {
        self.in_force(local).map(|change| change.since.year())
    }

    fn in_force(&self, local: NaiveDateTime) -> Option<&Change> {
        let count = self.reached.partition_point(|reached| *reached <= local);
        self.changes.get(count.checked_sub(1)?)
    }
}

/// From which local time on each change is in force: inside a gap the old offset is used; at an overlap the first
/// occurrence. No change is before the one in front of it.
fn reached(first: Duration, changes: &[Change]) -> Vec<NaiveDateTime> {
    let (mut offset, mut latest) = (first, NaiveDateTime::MIN);
    let mut reached = Vec::with_capacity(changes.len());
    for change in changes {
        let forward = (change.to - offset).max(Duration::zero());
        latest = latest.max(change.at.checked_add_signed(forward).unwrap_or(NaiveDateTime::MAX));
        reached.push(latest);
        offset = change.to;
    }
    reached
}

/// When an observance begins, on the wall of the offset before; `None` where the rule cannot be read, or followed within
/// the budget.
fn onsets(
    rule: &str,
    start: NaiveDateTime,
    from: Duration,
    budget: &mut Budget,
) -> Option<Vec<NaiveDateTime>> {
    let start = if start.year() < FIRST_YEAR { start.with_year(FIRST_YEAR).unwrap_or(start) } else { start };
    let (rule, _) = Rule::read(rule, start).ok().filter(|(_, is_doubtful)| !is_doubtful)?;
    let last = rule.last_wall(from).min(end_of_calendar());
    let mut onsets = Vec::new();
    let walk = rule.walk(start, (start, last), budget, &mut |at| {
        onsets.push(at);
        onsets.len() < ONSETS
    });
    walk.is_known().then_some(onsets)
}

fn end_of_calendar() -> NaiveDateTime {
    chrono::NaiveDate::from_ymd_opt(LAST_YEAR, 12, 31)
        .and_then(|day| day.and_hms_opt(23, 59, 59))
        .unwrap_or_default()
}
