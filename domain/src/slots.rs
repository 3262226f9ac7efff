//! Finds times at which a set of participants can meet, and explains why other times are not offered.
//!
//! `services::availability` calls this module with the stored calendars. [`find`] ORs the participants' bitmaps and
//! examines the candidate slots. If the grid is too coarse, because a candidate begins or ends inside a marked cell, it
//! uses the exact times. The result equals that of merging the exact times; a property test compares the two, including
//! days with a daylight-saving change.
//!
//! The search fails closed: time that a participant's bitmap does not cover is not offered.

mod combined_calendar;
mod hours;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

use chrono::Duration;

pub use self::hours::{WeeklySpan, WorkingHours};
use self::{
    combined_calendar::{AvailabilityVerdict, CombinedCalendar},
    hours::intersect,
};
use crate::{
    bitmap::{Bitmap, GRID_MINUTES, MicrosRange},
    time::{BusyKind, BusyTime, TimeRange, Timestamp},
    zone::Zone,
};

/// Parameters of a slot search. The first candidate begins at the start of the window, and a further one after every
/// step. Each candidate, without its buffers, lies entirely inside the window and inside all working hours of the
/// query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Time range in which slots must lie.
    pub window: TimeRange,
    /// Length of a slot in minutes.
    pub duration_minutes: NonZeroU32,
    /// Interval between the starts of two candidates in minutes.
    pub step_minutes: NonZeroU32,
    /// Minutes before a slot that must also be free.
    pub before_minutes: u32,
    /// Minutes after a slot that must also be free.
    pub after_minutes: u32,
    /// Working hours within which a slot must lie; empty for any time.
    pub hours: Vec<WorkingHours>,
    /// Whether tentative events count as busy. If not, the bitmaps must not contain them.
    pub tentative_is_taken: bool,
    /// Maximum number of slots to return.
    pub limit: usize,
}

/// A participant's calendar. `busy` may extend beyond the window and need not be sorted; it may be empty if
/// [`Query::needs_exact_times`] is false.
#[derive(Debug, Clone)]
pub struct Participant<K> {
    /// Identifies the participant to the caller.
    pub key: K,
    /// Exact busy times of the participant.
    pub busy: Vec<BusyTime>,
    /// The busy times that count, as a bitmap. Time that the bitmap does not cover is unknown.
    pub taken: Bitmap,
}

/// The participants of a search.
#[derive(Debug, Clone)]
pub struct Participants<K> {
    /// Participants who must all be free.
    pub required: Vec<Participant<K>>,
    /// Groups of which one member must be free, such as any one of three rooms.
    pub any_of: Vec<Vec<Participant<K>>>,
}

/// A slot that is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot<'a, K> {
    /// The slot, without buffers.
    pub range: TimeRange,
    /// The free members of each any-of group, in the order of the groups. Never empty.
    pub free: Vec<Vec<&'a K>>,
}

/// One reason why a slot is not offered: there is one entry for each unavailable participant, or one for the time
/// itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle<'a, K> {
    /// The participant; `None` if the time itself is not allowed.
    pub key: Option<&'a K>,
    /// Index of the any-of group in which nobody is free.
    pub group: Option<usize>,
    /// Why the participant or time is refused.
    pub refusal: Refusal,
}

/// Why a participant or time is not available for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The participant is busy; the range is `None` if no exact times were passed.
    Taken(BusyKind, Option<TimeRange>),
    /// The participant's calendar is unknown at that time.
    Unknown,
    /// The slot lies outside the working hours in this zone.
    OutsideHours(Zone),
    /// The slot lies outside the search window.
    OutsideWindow,
    /// The any-of group has no members.
    NobodyToChoose,
}

impl Refusal {
    /// Stable, machine-readable code of the refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Taken(BusyKind::Busy, _) => "BUSY",
            Self::Taken(BusyKind::Tentative, _) => "TENTATIVE",
            Self::Unknown => "CALENDAR_UNKNOWN",
            Self::OutsideHours(_) => "OUTSIDE_WORKING_HOURS",
            Self::OutsideWindow => "OUTSIDE_WINDOW",
            Self::NobodyToChoose => "NOBODY_TO_CHOOSE",
        }
    }
}

/// A candidate that is not offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedSlot<'a, K> {
    /// The candidate slot, without buffers.
    pub range: TimeRange,
    /// The reasons for the refusal; never empty.
    pub why: Vec<Obstacle<'a, K>>,
}

impl Query {
    /// The time range that every bitmap must cover: the window with the buffers.
    pub fn required_range(&self) -> TimeRange {
        self.widened(self.window)
    }

    /// Whether the search needs exact busy times because candidates begin or end between cell boundaries.
    pub fn needs_exact_times(&self) -> bool {
        let grid = i64::from(GRID_MINUTES) * 60_000_000;
        let odd = |minutes: u32| !minutes.is_multiple_of(GRID_MINUTES);
        odd(self.step_minutes.get())
            || odd(self.before_minutes)
            || odd(self.duration_minutes.get() + self.after_minutes)
            || self.window.start.timestamp_micros().rem_euclid(grid) != 0
    }

    fn widened(&self, range: TimeRange) -> TimeRange {
        range.widened(minutes(self.before_minutes), minutes(self.after_minutes))
    }

    /// The slot that begins at `start`.
    fn slot(&self, start: Timestamp) -> TimeRange {
        TimeRange { start, end: start + minutes(self.duration_minutes.get()) }
    }

    /// The parts of the window that lie inside all working hours of the query.
    fn open(&self) -> Vec<TimeRange> {
        self.hours
            .iter()
            .fold(vec![self.window], |open, hours| intersect(&open, &hours.open_ranges(self.window)))
    }

    fn counts(&self, busy: &BusyTime) -> bool {
        self.tentative_is_taken || busy.kind == BusyKind::Busy
    }
}

/// The slots, in order, at which all required participants and one member of each group are free.
pub fn find<'a, K>(query: &Query, who: &'a Participants<K>) -> Vec<Slot<'a, K>> {
    let required = CombinedCalendar::combine(query, who.required.iter().collect());
    let groups = CombinedCalendar::for_groups(query, who);
    let (pace, mut slots) = (QueryLengths::of(query), Vec::new());
    for open in query.open().into_iter().map(MicrosRange::from) {
        let mut start = pace.candidate(open.from);
        while start + pace.duration <= open.to && slots.len() < query.limit {
            let next = start + pace.step;
            let needed = pace.needed(start);
            start = match required.check(needed) {
                AvailabilityVerdict::Taken(from) => pace.candidate(from + pace.before + 1).max(next),
                AvailabilityVerdict::Free => {
                    slots.extend(choose(&groups, needed).map(|free| Slot { range: pace.slot(start), free }));
                    next
                }
            };
        }
    }
    slots
}

/// The durations of a query, in microseconds.
struct QueryLengths {
    first: i64,
    step: i64,
    duration: i64,
    before: i64,
    after: i64,
}

impl QueryLengths {
    fn of(query: &Query) -> Self {
        let micros = |minutes: u32| i64::from(minutes) * 60_000_000;
        Self {
            first: query.window.start.timestamp_micros(),
            step: micros(query.step_minutes.get()),
            duration: micros(query.duration_minutes.get()),
            before: micros(query.before_minutes),
            after: micros(query.after_minutes),
        }
    }

    /// The first candidate slot that begins at or after `at`.
    fn candidate(&self, at: i64) -> i64 {
        let behind = (at - self.first).max(0);
        self.first - (-behind).div_euclid(self.step) * self.step
    }

    fn needed(&self, start: i64) -> MicrosRange {
        MicrosRange { from: start - self.before, to: start + self.duration + self.after }
    }

    fn slot(&self, start: i64) -> TimeRange {
        MicrosRange { from: start, to: start + self.duration }.range()
    }
}

/// Up to `limit` candidates that are not offered, in order, each with its reasons.
pub fn explain_refusals<'a, K>(
    query: &Query,
    who: &'a Participants<K>,
    limit: usize,
) -> Vec<RefusedSlot<'a, K>> {
    let apart = PerParticipant::of(query, who);
    std::iter::successors(Some(query.window.start), |start| Some(*start + minutes(query.step_minutes.get())))
        .map(|start| query.slot(start))
        .take_while(|range| range.end <= query.window.end)
        .map(|range| RefusedSlot { range, why: apart.explain(range) })
        .filter(|refused| !refused.why.is_empty())
        .take(limit)
        .collect()
}

/// Why the slot that begins at `start` is not offered; empty when it is. `start` need not be a candidate.
pub fn explain_refusal<'a, K>(
    query: &Query,
    who: &'a Participants<K>,
    start: Timestamp,
) -> Vec<Obstacle<'a, K>> {
    PerParticipant::of(query, who).explain(query.slot(start))
}

/// The free members of each group; `None` if a group has none.
fn choose<'a, K>(groups: &[Vec<CombinedCalendar<'a, K>>], needed: MicrosRange) -> Option<Vec<Vec<&'a K>>> {
    let free = |group: &Vec<CombinedCalendar<'a, K>>| -> Option<Vec<&'a K>> {
        let free: Vec<&K> = group
            .iter()
            .filter(|layer| matches!(layer.check(needed), AvailabilityVerdict::Free))
            .flat_map(|layer| layer.members.iter().map(|member| &member.key))
            .collect();
        (!free.is_empty()).then_some(free)
    };
    groups.iter().map(free).collect()
}

/// Evaluates every participant separately to determine who is not available.
struct PerParticipant<'a, 'q, K> {
    query: &'q Query,
    required: Vec<CombinedCalendar<'a, K>>,
    groups: Vec<Vec<CombinedCalendar<'a, K>>>,
}

impl<'a, 'q, K> PerParticipant<'a, 'q, K> {
    fn of(query: &'q Query, who: &'a Participants<K>) -> Self {
        let required = who.required.iter().map(|one| CombinedCalendar::combine(query, vec![one])).collect();
        Self { query, required, groups: CombinedCalendar::for_groups(query, who) }
    }

    fn explain(&self, range: TimeRange) -> Vec<Obstacle<'a, K>> {
        let query = self.query;
        let needed = query.widened(range);
        let mut why = Vec::new();
        let time = |refusal| Obstacle { key: None, group: None, refusal };
        if !query.window.contains(&range) {
            why.push(time(Refusal::OutsideWindow));
        }
        for hours in &query.hours {
            if !hours.open_ranges(range).iter().any(|open| open.contains(&range)) {
                why.push(time(Refusal::OutsideHours(hours.zone.clone())));
            }
        }
        why.extend(self.required.iter().flat_map(|layer| layer.refusals(needed, None)));
        for (index, group) in self.groups.iter().enumerate() {
            let refusals: Vec<_> =
                group.iter().flat_map(|layer| layer.refusals(needed, Some(index))).collect();
            if group.is_empty() {
                why.push(Obstacle { group: Some(index), ..time(Refusal::NobodyToChoose) });
            } else if refusals.len() == group.len() {
                why.extend(refusals);
            }
        }
        why
    }
}

fn minutes(minutes: u32) -> Duration {
    Duration::minutes(i64::from(minutes))
}
