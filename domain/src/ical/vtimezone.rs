//! Time zones defined by a VTIMEZONE component (RFC 5545 section 3.6.5).

use chrono::{Datelike, Duration, NaiveDateTime};

use super::{raw_date_time, recurrence::Rule, tree::Component, zone::parse_offset};
use crate::{ParseBudget, time::Timestamp};

/// Maximum number of observances parsed per time zone.
const OBSERVANCES: usize = 200;
/// Maximum number of onsets computed per time-zone observance.
const ONSETS: usize = 400;
/// Maximum number of onsets computed per time zone.
const CHANGES: usize = 4_000;
/// Year from which the recurrence rules of time zones are expanded; no calendar is older.
const FIRST_YEAR: i32 = 1970;
/// Last year for which onsets are computed.
const LAST_YEAR: i32 = 2100;

/// A time zone as a list of offset changes. Each change has the local time, in the old offset, from which the new
/// offset applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VTimeZone {
    first: Duration,
    changes: Vec<Change>,
    /// For each offset change, the local time before which no later change is in force.
    reached: Vec<NaiveDateTime>,
    /// Whether a part of the zone definition cannot be parsed.
    pub(super) is_doubtful: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    at: NaiveDateTime,
    to: Duration,
    /// Start of the observance to which this onset belongs.
    since: NaiveDateTime,
}

impl VTimeZone {
    /// Parses the observances of a time zone; `None` if none can be parsed.
    pub(super) fn parse(zone: &Component, budget: &mut ParseBudget) -> Option<Self> {
        let mut changes = Vec::new();
        let mut first: Option<(NaiveDateTime, Duration)> = None;
        // An observance without its beginning stands in the zone itself.
        let mut is_doubtful = zone.components.len() > OBSERVANCES || zone.get("TZOFFSETTO").is_some();
        for part in zone.components.iter().take(OBSERVANCES) {
            let (Some(to), Some(start)) = (
                part.value("TZOFFSETTO").and_then(parse_offset),
                part.value("DTSTART").and_then(raw_date_time::parse_local),
            ) else {
                is_doubtful = true;
                continue;
            };
            is_doubtful |= !matches!(part.name.as_str(), "STANDARD" | "DAYLIGHT");
            let from = part.value("TZOFFSETFROM").and_then(parse_offset).unwrap_or(to);
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
            let listed = part
                .all("RDATE")
                .flat_map(|dates| dates.value.split(','))
                .filter_map(raw_date_time::parse_local);
            changes.extend(onsets.into_iter().chain(listed).map(|at| Change { at, to, since: start }));
        }
        changes.sort_by_key(|change| change.at);
        is_doubtful |= changes.len() > CHANGES;
        changes.truncate(CHANGES);
        let first = first?.1;
        Some(Self { first, reached: reached(first, &changes), changes, is_doubtful })
    }

    /// Converts a local time to an instant. A skipped time is interpreted with the offset before the gap; of a time
    /// that occurs twice, the first occurrence counts.
    pub(super) fn instant(&self, local: NaiveDateTime) -> Option<Timestamp> {
        let offset = self.in_force(local).map_or(self.first, |change| change.to);
        Some(local.checked_sub_signed(offset)?.and_utc())
    }

    /// The year in which the observance at a local time began; `None` before the first observance.
    pub(super) fn onset_year(&self, local: NaiveDateTime) -> Option<i32> {
        self.in_force(local).map(|change| change.since.year())
    }

    fn in_force(&self, local: NaiveDateTime) -> Option<&Change> {
        let count = self.reached.partition_point(|reached| *reached <= local);
        self.changes.get(count.checked_sub(1)?)
    }
}

/// The local time from which each offset change is in force: in a gap the old offset is used, in an overlap the first
/// occurrence. Never earlier than that of the previous change.
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

/// The onsets of an observance, in local time with the previous offset; `None` if its recurrence rule cannot be parsed
/// or exceeds the budget.
fn onsets(
    rule: &str,
    start: NaiveDateTime,
    from: Duration,
    budget: &mut ParseBudget,
) -> Option<Vec<NaiveDateTime>> {
    let start = if start.year() < FIRST_YEAR { start.with_year(FIRST_YEAR).unwrap_or(start) } else { start };
    let (rule, _) = Rule::parse(rule, start).ok().filter(|(_, is_doubtful)| !is_doubtful)?;
    let last = rule.last_local_time(from).min(end_of_calendar());
    let mut onsets = Vec::new();
    let walk = rule.visit_occurrences(start, (start, last), budget, &mut |at| {
        onsets.push(at);
        onsets.len() < ONSETS
    });
    walk.is_complete().then_some(onsets)
}

fn end_of_calendar() -> NaiveDateTime {
    chrono::NaiveDate::from_ymd_opt(LAST_YEAR, 12, 31)
        .and_then(|day| day.and_hms_opt(23, 59, 59))
        .unwrap_or_default()
}
