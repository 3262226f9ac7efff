//! The occurrences of a resource within a window.

use std::collections::{HashMap, HashSet};

use chrono::{NaiveDate, NaiveDateTime};
use chrono_tz::Tz;

use super::{
    event::{Event, Status},
    moment::{Moment, Span},
    recurrence::Rule,
};
use crate::time::{TimeRange, Timestamp};

/// How far a series is followed. What lies beyond is cut and said, never silently left out.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Occurrences within the window, per series.
    pub instances: usize,
    /// Occurrences looked at, those before the window included, per series.
    pub steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { instances: 2_000, steps: 50_000 }
    }
}

/// One occurrence.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance<'a> {
    /// The event that describes it: the master, or an override.
    pub event: &'a Event,
    /// The original start, where it belongs to a series.
    pub recurrence: Option<Timestamp>,
    /// When it takes place.
    pub range: TimeRange,
    /// Whether it is whole days.
    pub all_day: bool,
}

/// What a resource does within a window.
#[derive(Debug, Default, PartialEq)]
pub struct Expansion<'a> {
    /// The occurrences that overlap the window, in order, without those that are cancelled or take no time.
    pub instances: Vec<Instance<'a>>,
    /// Where a series without bounds was cut: from here on nothing is known of it. Belongs to the first event that
    /// was cut.
    pub cut_at: Option<(Timestamp, &'a Event)>,
}

/// Expands the events of one resource. `owner` is the zone of whole days and of times without a zone.
pub fn expand(events: &[Event], window: TimeRange, owner: Tz, limits: Limits) -> Expansion<'_> {
    let mut found = Expansion::default();
    let mut uids = HashSet::new();
    for uid in events.iter().map(|event| event.uid.as_str()).filter(|uid| uids.insert(*uid)) {
        let series = Series::of(events.iter().filter(|event| event.uid == uid), owner);
        series.overridden(window, owner, &mut found);
        for master in &series.masters {
            series.expand(master, window, owner, limits, &mut found);
        }
    }
    found.instances.sort_by_key(|instance| instance.range);
    found
}

/// The parts of one UID.
struct Series<'a> {
    masters: Vec<&'a Event>,
    overrides: HashMap<Timestamp, &'a Event>,
    onwards: Vec<(Timestamp, &'a Event)>,
}

impl<'a> Series<'a> {
    fn of(events: impl Iterator<Item = &'a Event>, owner: Tz) -> Self {
        let mut series = Self { masters: Vec::new(), overrides: HashMap::new(), onwards: Vec::new() };
        for event in events {
            let Some(original) = &event.recurrence_id else {
                series.masters.push(event);
                continue;
            };
            let Some(original) = original.instant(owner) else {
                continue;
            };
            if event.and_future {
                series.onwards.push((original, event));
            }
            let newer = |other: &&Event| (other.sequence, other.stamp) < (event.sequence, event.stamp);
            if series.overrides.get(&original).is_none_or(newer) {
                series.overrides.insert(original, event);
            }
        }
        series.onwards.sort_by_key(|(original, _)| *original);
        series
    }

    /// Adds the overrides themselves: they may have moved into the window from outside, and may have no master.
    fn overridden(&self, window: TimeRange, owner: Tz, found: &mut Expansion<'a>) {
        for (original, event) in &self.overrides {
            if let Some(range) = event.range(owner) {
                add(event, Some(*original), range, window, found);
            }
        }
    }

    fn expand(
        &self,
        master: &'a Event,
        window: TimeRange,
        owner: Tz,
        limits: Limits,
        found: &mut Expansion<'a>,
    ) {
        let before = found.instances.len();
        let single = master.rules.is_empty() && master.also.is_empty();
        let except = Except::of(master, owner);
        let mut seen = HashSet::new();
        let mut occur = |start: &Moment, span: &Span, found: &mut Expansion<'a>| {
            let Some(original) = start.instant(owner) else {
                return;
            };
            if !seen.insert(original)
                || self.overrides.contains_key(&original)
                || except.covers(start, original)
            {
                return;
            }
            let onwards = self.onwards.iter().rev().find(|(from, _)| *from < original);
            let placed = match onwards {
                None => span.end(&master.start, start, owner).map(|end| (master, original, end)),
                Some((_, event)) => shifted(event, start, owner),
            };
            let Some((event, from, to)) = placed else { return };
            if let Some(range) = TimeRange::new(from, to) {
                add(event, (!single).then_some(original), range, window, found);
            }
        };
        occur(&master.start, &master.span, found);
        for (start, span) in &master.also {
            match span {
                // A length of its own is measured from its own start.
                Some(span) => {
                    let end = span.end(start, start, owner);
                    let range = start.instant(owner).zip(end).and_then(|(from, to)| TimeRange::new(from, to));
                    if let Some((range, original)) = range.zip(start.instant(owner))
                        && !except.covers(start, original)
                    {
                        add(master, Some(original), range, window, found);
                    }
                }
                None => occur(start, &master.span, found),
            }
        }
        for rule in &master.rules {
            let cut = follow(rule, master, window, owner, limits.steps, |start| {
                let room = found.instances.len() - before < limits.instances;
                if room {
                    occur(start, &master.span, found);
                }
                room
            });
            if let Some(at) = cut.filter(|at| *at < window.end)
                && found.cut_at.is_none_or(|(earlier, _)| at < earlier)
            {
                found.cut_at = Some((at.max(window.start), master));
            }
        }
    }
}

/// Walks along a rule until the window is passed; answers where it had to stop before that.
fn follow(
    rule: &str,
    master: &Event,
    window: TimeRange,
    owner: Tz,
    steps: usize,
    mut occur: impl FnMut(&Moment) -> bool,
) -> Option<Timestamp> {
    let rule = match Rule::read(rule, master.start.wall()) {
        Rule::Usable(rule) => rule,
        Rule::Hostile => return master.start.instant(owner),
        Rule::Unreadable => return None,
    };
    let mut reached = master.start.instant(owner)?;
    for (step, wall) in rule.occurrences(&master.start, owner).enumerate() {
        let start = master.start.moved_to(wall);
        let Some(at) = start.instant(owner) else { continue };
        reached = at;
        if at >= window.end {
            return None;
        }
        if step >= steps || !occur(&start) {
            return Some(at);
        }
    }
    rule.is_endless().then_some(reached)
}

/// An occurrence under an override that also holds for the future: moved by as much as the override was.
fn shifted<'a>(event: &'a Event, start: &Moment, owner: Tz) -> Option<(&'a Event, Timestamp, Timestamp)> {
    let moved = event.start.wall() - event.recurrence_id.as_ref()?.wall();
    let start = event.start.moved_to(start.wall().checked_add_signed(moved)?);
    Some((event, start.instant(owner)?, event.span.end(&event.start, &start, owner)?))
}

fn add<'a>(
    event: &'a Event,
    recurrence: Option<Timestamp>,
    range: TimeRange,
    window: TimeRange,
    found: &mut Expansion<'a>,
) {
    if event.status != Status::Cancelled && range.overlaps(&window) {
        found.instances.push(Instance { event, recurrence, range, all_day: event.start.is_date() });
    }
}

/// The occurrences that do not take place.
struct Except {
    instants: HashSet<Timestamp>,
    days: HashSet<NaiveDate>,
    walls: HashSet<NaiveDateTime>,
}

impl Except {
    fn of(master: &Event, owner: Tz) -> Self {
        let days = master.except.iter().filter_map(|at| match at {
            Moment::Date(day) => Some(*day),
            _ => None,
        });
        // A time without a zone means the wall of the series, whatever its zone.
        let walls = master.except.iter().filter_map(|at| match at {
            Moment::Floating(wall) => Some(*wall),
            _ => None,
        });
        Self {
            instants: master.except.iter().filter_map(|at| at.instant(owner)).collect(),
            days: days.collect(),
            walls: walls.collect(),
        }
    }

    fn covers(&self, start: &Moment, original: Timestamp) -> bool {
        let wall = start.wall();
        self.instants.contains(&original) || self.days.contains(&wall.date()) || self.walls.contains(&wall)
    }
}

#[cfg(test)]
mod tests;
