//! When a set of participants can meet, and why not at other times.
//!
//! `services::availability` calls it with what it keeps of each calendar. [`find`] ORs the participants'
//! bitmaps and walks over the candidates; where the grid cannot tell - a candidate that begins or ends inside
//! a marked cell - it looks into the exact times. Its answer equals that of a merge of the exact times; a
//! property test holds the two against each other, days of daylight-saving switches included.
//!
//! It fails closed: time that a participant's bitmap does not cover is not offered.

mod hours;
mod layer;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

use chrono::Duration;

pub use self::hours::{Span, WorkingHours};
use self::{
    hours::intersect,
    layer::{Layer, LayerVerdict},
};
use crate::{
    bitmap::{Bitmap, GRID_MINUTES, MicrosRange},
    time::{Busy, BusyKind, TimeRange, Timestamp},
    zone::Zone,
};

/// What is searched. The candidates begin at the window's start and every step after it; each lies, without
/// its buffers, wholly inside the window and inside the working hours of every zone named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Where slots may lie.
    pub window: TimeRange,
    /// How long a slot is.
    pub duration_minutes: NonZeroU32,
    /// From one candidate's start to the next's.
    pub step_minutes: NonZeroU32,
    /// What must also be free before a slot.
    pub before_minutes: u32,
    /// What must also be free after a slot.
    pub after_minutes: u32,
    /// The working hours that a slot must keep; none means any time.
    pub hours: Vec<WorkingHours>,
    /// Whether tentative times count as taken. When not, bitmaps must be made without them.
    pub tentative_is_taken: bool,
    /// How many slots are answered at most.
    pub limit: usize,
}

/// One calendar that takes part. `busy` may hold more than the window and needs no order; it may be left
/// empty when [`Query::needs_exact_times`] says so.
#[derive(Debug, Clone)]
pub struct Participant<K> {
    /// What the caller calls it.
    pub key: K,
    /// Its exact times.
    pub busy: Vec<Busy>,
    /// The same, as far as it counts, on the grid. What it does not cover is unknown.
    pub taken: Bitmap,
}

/// Who must be free.
#[derive(Debug, Clone)]
pub struct Participants<K> {
    /// All of these.
    pub required: Vec<Participant<K>>,
    /// One of each of these groups, such as any one of three rooms.
    pub any_of: Vec<Vec<Participant<K>>>,
}

/// A slot that is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot<'a, K> {
    /// The slot, without buffers.
    pub range: TimeRange,
    /// Per any-of group, in its order, those that are free. Never empty.
    pub free: Vec<Vec<&'a K>>,
}

/// Why a slot is not offered: one of these per participant that is in the way, or one about the time itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle<'a, K> {
    /// Who; `None` when the time itself is wrong.
    pub key: Option<&'a K>,
    /// The any-of group of which nobody is free.
    pub group: Option<usize>,
    /// What is in the way.
    pub refusal: Refusal,
}

/// What is in the way of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The participant is taken; the range is absent when the exact times were not given.
    Taken(BusyKind, Option<TimeRange>),
    /// Nothing is known of the participant's calendar at that time.
    Unknown,
    /// Outside the working hours in this zone.
    OutsideHours(Zone),
    /// Before or after what is searched.
    OutsideWindow,
    /// The any-of group has nobody in it.
    NobodyToChoose,
}

impl Refusal {
    /// The stable code.
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
pub struct Refused<'a, K> {
    /// The candidate, without buffers.
    pub range: TimeRange,
    /// Why; never empty.
    pub why: Vec<Obstacle<'a, K>>,
}

impl Query {
    /// What every bitmap must cover: the window and the buffers.
    pub fn required_range(&self) -> TimeRange {
        self.widened(self.window)
    }

    /// Whether bitmaps alone cannot decide, because candidates begin or end off the grid.
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

    /// The parts of the window in which everybody works.
    fn open(&self) -> Vec<TimeRange> {
        self.hours.iter().fold(vec![self.window], |open, hours| intersect(&open, &hours.open(self.window)))
    }

    fn counts(&self, busy: &Busy) -> bool {
        self.tentative_is_taken || busy.kind == BusyKind::Busy
    }
}

/// The slots at which everybody required and one of each group is free, in order.
pub fn find<'a, K>(query: &Query, who: &'a Participants<K>) -> Vec<Slot<'a, K>> {
    let required = Layer::over(query, who.required.iter().collect());
    let groups = Layer::groups(query, who);
    let (pace, mut slots) = (QueryLengths::of(query), Vec::new());
    for open in query.open().into_iter().map(MicrosRange::from) {
        let mut start = pace.candidate(open.from);
        while start + pace.duration <= open.to && slots.len() < query.limit {
            let next = start + pace.step;
            let needed = pace.needed(start);
            start = match required.look(needed) {
                LayerVerdict::Taken(from) => pace.candidate(from + pace.before + 1).max(next),
                LayerVerdict::Free => {
                    slots.extend(choose(&groups, needed).map(|free| Slot { range: pace.slot(start), free }));
                    next
                }
            };
        }
    }
    slots
}

/// The lengths of a query, in microseconds.
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

    /// The first candidate that begins at or after `at`.
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

/// The candidates that are not offered, with the reasons, in order; at most `limit`.
pub fn refused<'a, K>(query: &Query, who: &'a Participants<K>, limit: usize) -> Vec<Refused<'a, K>> {
    let apart = PerParticipant::of(query, who);
    std::iter::successors(Some(query.window.start), |start| Some(*start + minutes(query.step_minutes.get())))
        .map(|start| query.slot(start))
        .take_while(|range| range.end <= query.window.end)
        .map(|range| Refused { range, why: apart.explain(range) })
        .filter(|refused| !refused.why.is_empty())
        .take(limit)
        .collect()
}

/// Why the slot that begins at `start` is not offered; empty when it is. `start` need not be a candidate.
pub fn explain<'a, K>(query: &Query, who: &'a Participants<K>, start: Timestamp) -> Vec<Obstacle<'a, K>> {
    PerParticipant::of(query, who).explain(query.slot(start))
}

/// Per group those that are free; `None` when a group has nobody.
fn choose<'a, K>(groups: &[Vec<Layer<'a, K>>], needed: MicrosRange) -> Option<Vec<Vec<&'a K>>> {
    let free = |group: &Vec<Layer<'a, K>>| -> Option<Vec<&'a K>> {
        let free: Vec<&K> = group
            .iter()
            .filter(|layer| matches!(layer.look(needed), LayerVerdict::Free))
            .flat_map(|layer| layer.members.iter().map(|member| &member.key))
            .collect();
        (!free.is_empty()).then_some(free)
    };
    groups.iter().map(free).collect()
}

/// Every participant by itself, to say who is in the way.
struct PerParticipant<'a, 'q, K> {
    query: &'q Query,
    required: Vec<Layer<'a, K>>,
    groups: Vec<Vec<Layer<'a, K>>>,
}

impl<'a, 'q, K> PerParticipant<'a, 'q, K> {
    fn of(query: &'q Query, who: &'a Participants<K>) -> Self {
        let required = who.required.iter().map(|one| Layer::over(query, vec![one])).collect();
        Self { query, required, groups: Layer::groups(query, who) }
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
            if !hours.open(range).iter().any(|open| open.contains(&range)) {
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
