//! The parts of one UID: a master, its rules, and what overrides single occurrences.

use std::collections::{HashMap, HashSet};

use chrono::{Duration, NaiveDate, NaiveDateTime, TimeDelta};

use super::{INSTANCES, Work};
use crate::{
    UnreadableReason, Zone,
    ical::{
        event::{Defect, Event},
        moment::{Moment, Span},
        recurrence::{Rule, Until, Unusable, Walk},
    },
    time::{TimeRange, Timestamp},
};

/// How many rules one event may have; the standard advises one.
const RULES: usize = 8;
/// A rule that takes place at its time every day; stands for one that cannot be read.
const EVERY_DAY: &str = "FREQ=DAILY";

/// The parts of one UID.
pub(super) struct Series<'a> {
    masters: Vec<&'a Event>,
    overrides: HashMap<Timestamp, &'a Event>,
    onwards: Vec<(Timestamp, &'a Event)>,
}

/// How the occurrences of a rule count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    /// As what they are.
    Occurrences,
    /// As time that may be taken.
    Blocked,
}

impl<'a> Series<'a> {
    pub(super) fn of(events: impl Iterator<Item = &'a Event>, owner: &Zone) -> Self {
        let mut series = Self { masters: Vec::new(), overrides: HashMap::new(), onwards: Vec::new() };
        // An override of nobody knows what stands for itself.
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

    pub(super) fn expand(&self, work: &mut Work<'a, '_>) {
        self.overridden(work);
        for master in &self.masters {
            Expander::new(self, master, work).run();
        }
    }

    /// Adds the overrides themselves: they may have moved into the window from outside, and may have no master.
    fn overridden(&self, work: &mut Work<'a, '_>) {
        let mut overrides: Vec<_> = self.overrides.iter().collect();
        overrides.sort_by_key(|(original, _)| **original);
        let mut told = 0;
        for (original, event) in overrides {
            let Some(range) = event.range(work.owner) else { continue };
            if told >= INSTANCES {
                work.block_from(event, range.start);
                return work.mark(event, UnreadableReason::TooCostly, true);
            }
            told += usize::from(range.overlaps(&work.window));
            work.add(event, Some(*original), range);
        }
    }

    /// How far an override that holds for the future moves occurrences, at most, in either direction.
    fn farthest_move(&self) -> TimeDelta {
        let moved = |(_, event): &(Timestamp, &Event)| {
            Some((event.recurrence_id.as_ref()?.wall() - event.start.wall()).abs())
        };
        self.onwards.iter().filter_map(moved).max().unwrap_or_default()
    }
}

/// The expansion of one master.
struct Expander<'a, 'b, 'c, 'd> {
    series: &'b Series<'a>,
    master: &'a Event,
    work: &'c mut Work<'a, 'd>,
    except: Except,
    seen: HashSet<Timestamp>,
    told: usize,
}

impl<'a, 'b, 'c, 'd> Expander<'a, 'b, 'c, 'd> {
    fn new(series: &'b Series<'a>, master: &'a Event, work: &'c mut Work<'a, 'd>) -> Self {
        let except = Except::of(master, work.owner);
        Self { series, master, work, except, seen: HashSet::new(), told: 0 }
    }

    fn run(&mut self) {
        let master = self.master;
        self.occur(&master.start, &master.span);
        self.additional();
        if master.has(Defect::Additional) {
            self.every_day();
        }
        if master.rules.len() > RULES {
            self.too_costly(self.work.window.start);
        }
        for rule in master.rules.iter().take(RULES) {
            match Rule::read(rule, master.start.wall()) {
                Ok((rule, is_doubtful)) => {
                    if is_doubtful && !master.is_free() {
                        self.work.mark(master, UnreadableReason::Recurrence, true);
                    }
                    self.follow(&rule, Counts::Occurrences);
                }
                Err(Unusable::Daily) => self.every_day(),
                Err(Unusable::Anytime) => {
                    let from = master.start.instant(self.work.owner).unwrap_or(self.work.window.start);
                    self.blocked_from(from, UnreadableReason::Recurrence);
                }
            }
        }
    }

    /// RDATE: occurrences beside the rule's, some with a length of their own.
    fn additional(&mut self) {
        let master = self.master;
        let at = |one: &'a (Moment, Option<Span>)| {
            Some((self.additional_start(&one.0).instant(self.work.owner)?, one))
        };
        let mut also: Vec<_> = master.also.iter().filter_map(at).collect();
        also.sort_by_key(|(original, _)| *original);
        for (original, (start, span)) in also {
            if self.told >= INSTANCES {
                return self.too_costly(original);
            }
            let start = self.additional_start(start);
            match span {
                // A length of its own is measured from its own start.
                Some(span) if !self.is_taken(&start, original) => {
                    let end = span.end(&start, &start, self.work.owner);
                    if let Some(range) = end.and_then(|end| TimeRange::new(original, end)) {
                        self.add(master, Some(original), range);
                    }
                }
                Some(_) => {}
                None => self.occur(&start, &master.span),
            }
        }
    }

    /// A day without a time in a series that has times means its time on that day.
    fn additional_start(&self, start: &Moment) -> Moment {
        match (start, &self.master.start) {
            (Moment::Date(day), of_series) if !of_series.is_date() => {
                of_series.moved_to(day.and_time(of_series.wall().time()))
            }
            (start, _) => start.clone(),
        }
    }

    fn is_taken(&self, start: &Moment, original: Timestamp) -> bool {
        self.series.overrides.contains_key(&original) || self.except.covers(start, original)
    }

    /// One occurrence that begins at `start`.
    fn occur(&mut self, start: &Moment, span: &Span) {
        let Some(original) = start.instant(self.work.owner) else { return };
        if !self.seen.insert(original) || self.is_taken(start, original) {
            return;
        }
        let onwards = self.series.onwards.iter().rev().find(|(from, _)| *from < original);
        let placed = match onwards {
            None => {
                span.end(&self.master.start, start, self.work.owner).map(|end| (self.master, original, end))
            }
            Some((_, event)) => shifted(event, start, self.work.owner),
        };
        let Some((event, from, to)) = placed else { return };
        let is_single = self.master.rules.is_empty() && self.master.also.is_empty();
        if let Some(range) = TimeRange::new(from, to) {
            self.add(event, (!is_single).then_some(original), range);
        }
    }

    fn add(&mut self, event: &'a Event, recurrence: Option<Timestamp>, range: TimeRange) {
        self.told += usize::from(range.overlaps(&self.work.window));
        self.work.add(event, recurrence, range);
    }

    /// Walks along a rule through the window.
    fn follow(&mut self, rule: &Rule, counts: Counts) {
        let master = self.master;
        let Some(stretch) = self.stretch() else { return };
        // The budget is lent, so that the visitor may use everything else.
        let mut budget = self.work.budget.clone();
        let mut cut = None;
        let walk = rule.walk(master.start.wall(), stretch, &mut budget, &mut |wall| {
            let start = master.start.moved_to(wall);
            if !lies_before_end(rule, &start, self.work.owner) {
                return false;
            }
            if self.told >= INSTANCES {
                cut = start.instant(self.work.owner);
                return false;
            }
            match counts {
                Counts::Occurrences => self.occur(&start, &master.span),
                Counts::Blocked => self.block(&start),
            }
            true
        });
        *self.work.budget = budget;
        if let Walk::Exhausted(wall) = walk {
            cut =
                Some(master.start.moved_to(wall).instant(self.work.owner).unwrap_or(self.work.window.start));
        }
        if let Some(at) = cut {
            self.too_costly(at - self.series.farthest_move());
        }
    }

    /// What of the wall of the series may reach into the window.
    fn stretch(&self) -> Option<(NaiveDateTime, NaiveDateTime)> {
        // Clocks are changed by less than three hours; a described zone is not asked what its clock shows.
        let slack = Duration::hours(if self.master.start.is_described() { 27 } else { 3 });
        let slack = slack.checked_add(&self.series.farthest_move())?;
        let length = self.length().checked_add(&slack)?;
        let wall = |at| self.master.start.wall_at(at, self.work.owner);
        let (first, last) = (wall(self.work.window.start), wall(self.work.window.end));
        let first = first.checked_sub_signed(length).unwrap_or(self.master.start.wall());
        Some((first, last.checked_add_signed(slack)?))
    }

    fn length(&self) -> TimeDelta {
        let start = self.master.start.instant(self.work.owner);
        let end = self.master.span.end(&self.master.start, &self.master.start, self.work.owner);
        let own = start.zip(end).map_or(TimeDelta::zero(), |(start, end)| end - start);
        let of =
            |(_, event): &(Timestamp, &Event)| event.range(self.work.owner).map(|range| range.duration());
        self.series.onwards.iter().filter_map(of).fold(own, TimeDelta::max).max(TimeDelta::zero())
    }

    /// What cannot be read of a series takes its time of day on every day.
    fn every_day(&mut self) {
        if self.master.is_free() {
            return;
        }
        if let Ok((rule, _)) = Rule::read(EVERY_DAY, self.master.start.wall()) {
            self.follow(&rule, Counts::Blocked);
        }
        self.work.mark(self.master, UnreadableReason::Recurrence, true);
    }

    fn block(&mut self, start: &Moment) {
        let owner = self.work.owner;
        let (from, to) = (start.instant(owner), self.master.span.end(&self.master.start, start, owner));
        let range =
            from.zip(to).and_then(|(from, to)| TimeRange::new(from, to)?.intersect(&self.work.window));
        if let Some(range) = range {
            self.told += 1;
            self.work.found.blocked.push(super::Blocked { event: self.master, range });
        }
    }

    fn too_costly(&mut self, at: Timestamp) {
        self.blocked_from(at, UnreadableReason::TooCostly);
    }

    fn blocked_from(&mut self, at: Timestamp, reason: UnreadableReason) {
        if at < self.work.window.end && !self.master.is_free() {
            self.work.block_from(self.master, at);
            self.work.mark(self.master, reason, true);
        }
    }
}

/// Whether an occurrence does not begin after its rule's end. In a series of whole days an end in UTC may be meant as a
/// day, or as the owner's midnight.
fn lies_before_end(rule: &Rule, start: &Moment, owner: &Zone) -> bool {
    match rule.until() {
        None => true,
        Some(Until::Wall(last)) => start.wall() <= last,
        Some(Until::Utc(last)) => {
            start.instant(owner).is_some_and(|at| at.naive_utc() <= last)
                || (start.is_date() && start.wall().date() <= last.date())
        }
    }
}

/// The start of the occurrence that an override is about. Where its form differs from that of the series, it is read
/// as the series is: a time without a zone on the wall of the series, a day as that day's occurrence.
fn original(id: &Moment, master: Option<&&Event>, owner: &Zone) -> Option<Timestamp> {
    let start = master.map(|master| &master.start);
    match (id, start) {
        (Moment::Floating(wall) | Moment::Unzoned(wall), Some(start)) if !start.is_date() => {
            start.moved_to(*wall).instant(owner)
        }
        (Moment::Date(day), Some(start)) if !start.is_date() => {
            start.moved_to(day.and_time(start.wall().time())).instant(owner)
        }
        (id, Some(Moment::Date(_))) => Moment::Date(id.day(owner)).instant(owner),
        (id, _) => id.instant(owner),
    }
}

/// An occurrence under an override that also holds for the future: moved by as much as the override was.
fn shifted<'a>(event: &'a Event, start: &Moment, owner: &Zone) -> Option<(&'a Event, Timestamp, Timestamp)> {
    let moved = event.start.wall() - event.recurrence_id.as_ref()?.wall();
    let start = event.start.moved_to(start.wall().checked_add_signed(moved)?);
    Some((event, start.instant(owner)?, event.span.end(&event.start, &start, owner)?))
}

/// The occurrences that do not take place.
struct Except {
    instants: HashSet<Timestamp>,
    days: HashSet<NaiveDate>,
    walls: HashSet<NaiveDateTime>,
}

impl Except {
    fn of(master: &Event, owner: &Zone) -> Self {
        let mut except = Self { instants: HashSet::new(), days: HashSet::new(), walls: HashSet::new() };
        for at in &master.except {
            match at {
                at if master.start.is_date() => drop(except.days.insert(at.day(owner))),
                Moment::Date(day) => drop(except.days.insert(*day)),
                // A time without a zone means the wall of the series, whatever its zone.
                Moment::Floating(wall) | Moment::Unzoned(wall) => drop(except.walls.insert(*wall)),
                at => except.instants.extend(at.instant(owner)),
            }
        }
        except
    }

    fn covers(&self, start: &Moment, original: Timestamp) -> bool {
        let wall = start.wall();
        self.instants.contains(&original) || self.days.contains(&wall.date()) || self.walls.contains(&wall)
    }
}
