//! The occurrences of a resource within a window.

use std::collections::{HashMap, HashSet};

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};

use super::{
    event::{Event, Status},
    moment::{Moment, Span},
    recurrence::Rule,
};
use crate::{
    Zone,
    time::{TimeRange, Timestamp},
};

/// How far a series is followed. What lies beyond is cut and said, never silently left out.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Occurrences within the window, per series.
    pub instances: usize,
    /// Occurrences looked at, those before the window included, per rule.
    pub steps: usize,
    /// Occurrences looked at in the whole resource.
    pub budget: usize,
}

/// How many rules one event may have; the standard advises one.
const RULES: usize = 8;

impl Default for Limits {
    fn default() -> Self {
        Self { instances: 2_000, steps: 50_000, budget: 1_000_000 }
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
pub fn expand<'a>(events: &'a [Event], window: TimeRange, owner: &Zone, limits: Limits) -> Expansion<'a> {
    let mut found = Expansion::default();
    let mut budget = limits.budget;
    let mut uids = HashSet::new();
    for uid in events.iter().map(|event| event.uid.as_str()).filter(|uid| uids.insert(*uid)) {
        let series = Series::of(events.iter().filter(|event| event.uid == uid), owner);
        series.overridden(window, owner, limits, &mut found);
        for master in &series.masters {
            let limits = Limits { steps: limits.steps.min(budget), ..limits };
            budget -= series.expand(master, window, owner, limits, &mut found).min(budget);
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
    fn of(events: impl Iterator<Item = &'a Event>, owner: &Zone) -> Self {
        let mut series = Self { masters: Vec::new(), overrides: HashMap::new(), onwards: Vec::new() };
        let (masters, overrides): (Vec<_>, Vec<_>) = events.partition(|event| event.recurrence_id.is_none());
        for event in overrides {
            let original = event.recurrence_id.as_ref().and_then(|id| original(id, masters.first(), owner));
            let Some(original) = original else { continue };
            if event.and_future {
                series.onwards.push((original, event));
            }
            let newer = |other: &&Event| (other.sequence, other.stamp) < (event.sequence, event.stamp);
            if series.overrides.get(&original).is_none_or(newer) {
                series.overrides.insert(original, event);
            }
        }
        series.masters = masters;
        series.onwards.sort_by_key(|(original, _)| *original);
        series
    }

    /// Adds the overrides themselves: they may have moved into the window from outside, and may have no master.
    fn overridden(&self, window: TimeRange, owner: &Zone, limits: Limits, found: &mut Expansion<'a>) {
        let mut overrides: Vec<_> = self.overrides.iter().collect();
        overrides.sort_by_key(|(original, _)| **original);
        let before = found.instances.len();
        for (original, event) in overrides {
            let Some(range) = event.range(owner) else { continue };
            if found.instances.len() - before >= limits.instances {
                found.cut(range.start, event, window);
                return;
            }
            add(event, Some(*original), range, window, found);
        }
    }

    /// How much earlier than by the rule an occurrence may take place, because an override moved all that follow it.
    fn ahead(&self) -> TimeDelta {
        let moved = |(_, event): &(Timestamp, &Event)| {
            Some(event.recurrence_id.as_ref()?.wall() - event.start.wall())
        };
        self.onwards.iter().filter_map(moved).max().unwrap_or_default().max(TimeDelta::zero())
    }

    /// Answers how many occurrences were looked at.
    fn expand(
        &self,
        master: &'a Event,
        window: TimeRange,
        owner: &Zone,
        limits: Limits,
        found: &mut Expansion<'a>,
    ) -> usize {
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
        let mut also: Vec<_> =
            master.also.iter().filter_map(|one| Some((one.0.instant(owner)?, one))).collect();
        also.sort_by_key(|(original, _)| *original);
        for (original, (start, span)) in also {
            if found.instances.len() - before >= limits.instances {
                found.cut(original, master, window);
                break;
            }
            match span {
                // A length of its own is measured from its own start.
                Some(span) => {
                    let taken = self.overrides.contains_key(&original) || except.covers(start, original);
                    let end = span.end(start, start, owner).filter(|_| !taken);
                    if let Some(range) = end.and_then(|end| TimeRange::new(original, end)) {
                        add(master, Some(original), range, window, found);
                    }
                }
                None => occur(start, &master.span, found),
            }
        }
        if master.rules.len() > RULES {
            found.cut(window.start, master, window);
        }
        let (mut looked, ahead) = (0, self.ahead());
        for rule in master.rules.iter().take(RULES) {
            let steps = limits.steps.saturating_sub(looked);
            let (walked, cut) = follow(rule, master, window.end + ahead, owner, steps, |start| {
                let room = found.instances.len() - before < limits.instances;
                if room {
                    occur(start, &master.span, found);
                }
                room
            });
            looked += walked;
            if let Some(at) = cut {
                found.cut(at - ahead, master, window);
            }
        }
        looked
    }
}

impl<'a> Expansion<'a> {
    /// Nothing is known of an event from here on; the earliest such point is kept.
    fn cut(&mut self, at: Timestamp, event: &'a Event, window: TimeRange) {
        if at < window.end && self.cut_at.is_none_or(|(earlier, _)| at < earlier) {
            self.cut_at = Some((at.max(window.start), event));
        }
    }
}

/// The start of the occurrence that an override is about. Where its form differs from that of the series, it is read
/// as the series is: a time without a zone on the wall of the series, a day as that day's occurrence.
fn original(id: &Moment, master: Option<&&Event>, owner: &Zone) -> Option<Timestamp> {
    let start = master.map(|master| &master.start);
    match (id, start) {
        (Moment::Floating(wall), Some(start)) if !start.is_date() => start.moved_to(*wall).instant(owner),
        (Moment::Date(day), Some(start)) if !start.is_date() => {
            start.moved_to(day.and_time(start.wall().time())).instant(owner)
        }
        (id, Some(Moment::Date(_))) => Moment::Date(id.wall().date()).instant(owner),
        (id, _) => id.instant(owner),
    }
}

/// Walks along a rule until `end` is passed; answers how far it went, and where it had to stop before that.
fn follow(
    rule: &str,
    master: &Event,
    end: Timestamp,
    owner: &Zone,
    steps: usize,
    mut occur: impl FnMut(&Moment) -> bool,
) -> (usize, Option<Timestamp>) {
    let Some(mut reached) = master.start.instant(owner) else { return (0, None) };
    let rule = match Rule::read(rule, master.start.wall()) {
        Rule::Usable(rule) => rule,
        Rule::Hostile => return (0, Some(reached)),
        Rule::Unreadable => return (0, None),
    };
    let mut walked = 0;
    for wall in rule.occurrences(&master.start, owner) {
        let start = master.start.moved_to(wall);
        let Some(at) = start.instant(owner) else { continue };
        reached = at;
        if at >= end {
            return (walked, None);
        }
        if walked >= steps || !occur(&start) {
            return (walked, Some(at));
        }
        walked += 1;
    }
    (walked, rule.is_endless().then_some(reached))
}

/// An occurrence under an override that also holds for the future: moved by as much as the override was.
fn shifted<'a>(event: &'a Event, start: &Moment, owner: &Zone) -> Option<(&'a Event, Timestamp, Timestamp)> {
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
    fn of(master: &Event, owner: &Zone) -> Self {
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
mod real_data;
#[cfg(test)]
mod tests;
