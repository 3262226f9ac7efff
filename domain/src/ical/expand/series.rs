//! Series: the events with one UID, which are a master, its recurrence rules, and overrides of single occurrences.

use std::collections::{HashMap, HashSet};

use chrono::{Duration, NaiveDateTime, TimeDelta};

use super::{INSTANCES, Work, except::ExceptionDates};
use crate::{
    UnreadableReason, Zone,
    ical::{
        event::{Defect, Event},
        moment::Moment,
        recurrence::{ExpansionEnd, Rule, RuleError, Until},
        span::EventLength,
    },
    time::{TimeRange, Timestamp},
};

/// Maximum number of recurrence rules per event; RFC 5545 recommends one.
const RULES: usize = 8;
/// Recurrence rule for a daily occurrence; replaces a rule that cannot be parsed.
const EVERY_DAY: &str = "FREQ=DAILY";

/// All events with one UID.
pub(super) struct Series<'a> {
    masters: Vec<&'a Event>,
    /// Overrides by original start. Several overrides of one start remain only if none of them is the newest.
    overrides: HashMap<Timestamp, Vec<&'a Event>>,
    /// Overrides that begin a series of their own because the master event is missing.
    heads: Vec<&'a Event>,
    onwards: Vec<(Timestamp, &'a Event)>,
}

/// How the occurrences of a recurrence rule are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    /// Each occurrence counts as busy or free, as its event specifies.
    Occurrences,
    /// Each occurrence counts as possibly occupied time.
    Blocked,
}

impl<'a> Series<'a> {
    pub(super) fn from_events(events: impl Iterator<Item = &'a Event>, owner: &Zone) -> Self {
        let mut series =
            Self { masters: Vec::new(), overrides: HashMap::new(), heads: Vec::new(), onwards: Vec::new() };
        // An override of nobody knows what stands for itself.
        let (masters, overrides): (Vec<_>, Vec<_>) = events.partition(|event| event.recurrence_id.is_none());
        for event in overrides {
            let original = event.recurrence_id.as_ref().and_then(|id| original(id, masters.first(), owner));
            let Some(original) = original else { continue };
            if masters.is_empty() {
                let begins_series = event.and_future || !event.rules.is_empty() || !event.also.is_empty();
                series.heads.extend(begins_series.then_some(event));
            } else if event.and_future {
                series.onwards.push((original, event));
            }
            let same = series.overrides.entry(original).or_default();
            let version = |event: &Event| (event.sequence, event.stamp);
            if same.first().is_some_and(|other| version(other) < version(event)) {
                same.clear();
            }
            if same.first().is_none_or(|other| version(other) == version(event)) {
                same.push(event);
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
        for head in &self.heads {
            let mut expander = Expander::new(self, head, work);
            // It is told as an override.
            expander.seen.extend(head.start.instant(expander.work.owner));
            expander.run();
            if head.and_future && head.rules.is_empty() {
                expander.every_day();
            }
        }
    }

    /// Adds the overrides. An override may have been moved into the time range, and may have no master event.
    fn overridden(&self, work: &mut Work<'a, '_>) {
        let mut overrides: Vec<_> = self.overrides.iter().collect();
        overrides.sort_by_key(|(original, _)| **original);
        let mut told = 0;
        let one_by_one = overrides
            .into_iter()
            .flat_map(|(original, events)| events.iter().map(move |event| (original, *event)));
        for (original, event) in one_by_one {
            let Some(range) = self.range(event, &event.start, work.owner) else { continue };
            if told >= INSTANCES {
                work.block_from(event, range.start);
                return work.mark(event, UnreadableReason::TooCostly, true);
            }
            told += usize::from(range.overlaps(&work.window));
            work.add(event, Some(*original), range);
        }
    }

    /// The time range of an override that begins at `start`. An override without an end or duration has the length of
    /// the other occurrences.
    fn range(&self, event: &Event, start: &Moment, owner: &Zone) -> Option<TimeRange> {
        let is_silent = !event.has_length && !event.start.is_date();
        let of_length = self.masters.first().copied().filter(|_| is_silent).unwrap_or(event);
        TimeRange::new(start.instant(owner)?, of_length.span.end(&of_length.start, start, owner)?)
    }

    /// The time range of an occurrence to which an override for all later occurrences applies: shifted by the same
    /// amount as the overridden occurrence.
    fn shifted(&self, event: &Event, start: &Moment, owner: &Zone) -> Option<TimeRange> {
        let moved = event.start.wall_time() - event.recurrence_id.as_ref()?.wall_time();
        self.range(event, &event.start.with_wall_time(start.wall_time().checked_add_signed(moved)?), owner)
    }

    /// The override for all later occurrences that applies to this occurrence.
    fn onwards_at(&self, original: Timestamp) -> Option<&'a Event> {
        let before = self.onwards.partition_point(|(from, _)| *from < original);
        self.onwards.get(before.checked_sub(1)?).map(|(_, event)| *event)
    }

    /// The maximum amount, in either direction, by which an override for all later occurrences moves them.
    fn farthest_move(&self) -> TimeDelta {
        let moved = |(_, event): &(Timestamp, &Event)| {
            Some((event.recurrence_id.as_ref()?.wall_time() - event.start.wall_time()).abs())
        };
        self.onwards.iter().filter_map(moved).max().unwrap_or_default()
    }
}

/// State of the expansion of one master event.
struct Expander<'a, 'b, 'c, 'd> {
    series: &'b Series<'a>,
    master: &'a Event,
    work: &'c mut Work<'a, 'd>,
    except: ExceptionDates,
    seen: HashSet<Timestamp>,
    told: usize,
}

impl<'a, 'b, 'c, 'd> Expander<'a, 'b, 'c, 'd> {
    fn new(series: &'b Series<'a>, master: &'a Event, work: &'c mut Work<'a, 'd>) -> Self {
        let except = ExceptionDates::from_master(master, work.owner);
        Self { series, master, work, except, seen: HashSet::new(), told: 0 }
    }

    fn run(&mut self) {
        let master = self.master;
        self.occur(&master.start, &master.span);
        self.additional();
        if master.has_defect(Defect::Additional) {
            self.every_day();
        }
        if master.rules.len() > RULES {
            self.too_costly(self.work.window.start);
        }
        for rule in master.rules.iter().take(RULES) {
            match Rule::parse(rule, master.start.wall_time()) {
                Ok((rule, is_doubtful)) => {
                    if is_doubtful && !master.is_free() {
                        self.work.mark(master, UnreadableReason::Recurrence, true);
                    }
                    self.follow(&rule, Counts::Occurrences);
                }
                Err(RuleError::Daily) => self.every_day(),
                Err(RuleError::Anytime) => {
                    let from = master.start.instant(self.work.owner).unwrap_or(self.work.window.start);
                    self.blocked_from(from, UnreadableReason::Recurrence);
                }
            }
        }
    }

    /// Adds the occurrences from RDATE, some of which have a length of their own.
    fn additional(&mut self) {
        let master = self.master;
        let (owner, series) = (self.work.owner, &master.start);
        let all = master.also.iter().flat_map(|(start, span)| {
            let starts = additional_starts(start, series, span.is_some(), owner).into_iter().flatten();
            starts.filter_map(move |start| Some((start.instant(owner)?, start, span)))
        });
        let mut also: Vec<_> = all.collect();
        also.sort_by_key(|(original, ..)| *original);
        for (original, start, span) in also {
            if self.told >= INSTANCES {
                return self.too_costly(original);
            }
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

    fn is_taken(&self, start: &Moment, original: Timestamp) -> bool {
        self.series.overrides.contains_key(&original) || self.except.excludes(start, original)
    }

    /// Adds the occurrence that begins at `start`.
    fn occur(&mut self, start: &Moment, span: &EventLength) {
        let Some(original) = start.instant(self.work.owner) else { return };
        if !self.seen.insert(original) || self.is_taken(start, original) {
            return;
        }
        let placed = match self.series.onwards_at(original) {
            None => {
                let end = span.end(&self.master.start, start, self.work.owner);
                end.and_then(|end| Some((self.master, TimeRange::new(original, end)?)))
            }
            Some(event) => self.series.shifted(event, start, self.work.owner).map(|range| (event, range)),
        };
        let is_single = self.master.rules.is_empty() && self.master.also.is_empty();
        if let Some((event, range)) = placed {
            self.add(event, (!is_single).then_some(original), range);
        }
    }

    fn add(&mut self, event: &'a Event, recurrence: Option<Timestamp>, range: TimeRange) {
        self.told += usize::from(range.overlaps(&self.work.window));
        self.work.add(event, recurrence, range);
    }

    /// Expands a recurrence rule within the time range.
    fn follow(&mut self, rule: &Rule, counts: Counts) {
        let master = self.master;
        let Some(stretch) = self.stretch() else { return };
        // The budget is lent, so that the visitor may use everything else.
        let mut budget = self.work.budget.clone();
        let mut cut = None;
        let walk = rule.visit_occurrences(master.start.wall_time(), stretch, &mut budget, &mut |wall| {
            let start = master.start.with_wall_time(wall);
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
        if let ExpansionEnd::Exhausted(wall) = walk {
            cut = Some(
                master.start.with_wall_time(wall).instant(self.work.owner).unwrap_or(self.work.window.start),
            );
        }
        if let Some(at) = cut {
            self.too_costly(at - self.series.farthest_move());
        }
    }

    /// The range of local times in which occurrences of the series may reach into the time range.
    fn stretch(&self) -> Option<(NaiveDateTime, NaiveDateTime)> {
        // Clocks are changed by less than three hours; a described zone is not asked what its clock shows.
        let slack = Duration::hours(if self.master.start.has_embedded_zone() { 27 } else { 3 });
        let slack = slack.checked_add(&self.series.farthest_move())?;
        let length = self.length().checked_add(&slack)?;
        let wall = |at| self.master.start.wall_time_at(at, self.work.owner);
        let (first, last) = (wall(self.work.window.start), wall(self.work.window.end));
        let first = first.checked_sub_signed(length).unwrap_or(self.master.start.wall_time());
        Some((first, last.checked_add_signed(slack)?))
    }

    fn length(&self) -> TimeDelta {
        let start = self.master.start.instant(self.work.owner);
        let end = self.master.span.end(&self.master.start, &self.master.start, self.work.owner);
        let own = start.zip(end).map_or(TimeDelta::zero(), |(start, end)| end - start);
        let of = |(_, event): &(Timestamp, &Event)| {
            self.series.range(event, &event.start, self.work.owner).map(|range| range.duration())
        };
        self.series.onwards.iter().filter_map(of).fold(own, TimeDelta::max).max(TimeDelta::zero())
    }

    /// Blocks the time of day of the series on every day, because its recurrence rule cannot be parsed.
    fn every_day(&mut self) {
        if self.master.is_free() {
            return;
        }
        if let Ok((rule, _)) = Rule::parse(EVERY_DAY, self.master.start.wall_time()) {
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
            self.work.found.blocked.push(super::BlockedTime { event: self.master, range });
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

/// Whether an occurrence begins no later than its recurrence rule ends. For a series of whole days, an end in UTC may
/// mean either a day or midnight in the owner's time zone.
fn lies_before_end(rule: &Rule, start: &Moment, owner: &Zone) -> bool {
    match rule.until() {
        None => true,
        // In a series in UTC a time without a zone may be the owner's.
        Some(Until::Wall(last)) => {
            start.wall_time() <= last || matches!(start, Moment::Utc(at) if owner.local(*at) <= last)
        }
        Some(Until::Utc(last)) => {
            start.instant(owner).is_some_and(|at| at.naive_utc() <= last)
                || (start.is_date() && start.wall_time().date() <= last.date())
        }
    }
}

/// The possible starts of an additional occurrence. In a timed series, a date means the time of the series on that
/// date; in a whole-day series, a time means its date, unless it has a length of its own. A time without a zone may be
/// in the zone of the series or of the owner.
fn additional_starts(
    start: &Moment,
    series: &Moment,
    is_measured: bool,
    owner: &Zone,
) -> [Option<Moment>; 2] {
    match start {
        Moment::Date(day) if !series.is_date() => {
            [Some(series.with_wall_time(day.and_time(series.wall_time().time()))), None]
        }
        start if series.is_date() && !is_measured => [Some(Moment::Date(start.day(owner))), None],
        Moment::Floating(wall) | Moment::Unzoned(wall) if series.has_zone() => {
            [Some(series.with_wall_time(*wall)), Some(start.clone())]
        }
        start => [Some(start.clone()), None],
    }
}

/// The original start to which an override refers. If its form differs from that of the series, it is interpreted in
/// the form of the series: a time without a zone in the zone of the series, a date as the occurrence on that day.
fn original(id: &Moment, master: Option<&&Event>, owner: &Zone) -> Option<Timestamp> {
    let start = master.map(|master| &master.start);
    match (id, start) {
        (Moment::Floating(wall) | Moment::Unzoned(wall), Some(start)) if !start.is_date() => {
            start.with_wall_time(*wall).instant(owner)
        }
        (Moment::Date(day), Some(start)) if !start.is_date() => {
            start.with_wall_time(day.and_time(start.wall_time().time())).instant(owner)
        }
        (id, Some(Moment::Date(_))) => Moment::Date(id.day(owner)).instant(owner),
        (id, _) => id.instant(owner),
    }
}
