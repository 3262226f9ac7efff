//! The combined busy times of several participants: bitmaps first, exact times where the grid is too coarse to decide.

use std::cell::OnceCell;

use super::{Obstacle, Participant, Participants, Query, Refusal, hours::merge};
use crate::{
    bitmap::{Bitmap, GRID_MINUTES, MicrosRange},
    time::{BusyKind, BusyTime, TimeRange},
};

/// The combined busy times of several participants.
pub(super) struct CombinedCalendar<'a, K> {
    pub(super) members: Vec<&'a Participant<K>>,
    reach: TimeRange,
    tentative_is_taken: bool,
    bitmap: Bitmap,
    exact: OnceCell<Vec<TimeRange>>,
}

/// Whether a time range is free in a layer.
pub(super) enum AvailabilityVerdict {
    Free,
    /// Busy. Every later range of the same length that begins at or before this time is busy too.
    Taken(i64),
}

impl<'a, K> CombinedCalendar<'a, K> {
    pub(super) fn combine(query: &Query, members: Vec<&'a Participant<K>>) -> Self {
        let reach = query.required_range();
        let mut bitmap = Bitmap::all_free(reach, GRID_MINUTES);
        for member in &members {
            if bitmap.union(&member.taken).is_err() {
                member
                    .busy
                    .iter()
                    .filter(|busy| query.counts(busy))
                    .for_each(|busy| bitmap.mark_busy(busy.range));
            }
            uncovered(reach, &member.taken).for_each(|range| bitmap.mark_busy(range));
        }
        let tentative_is_taken = query.tentative_is_taken;
        Self { members, reach, tentative_is_taken, bitmap, exact: OnceCell::new() }
    }

    pub(super) fn for_groups(query: &Query, who: &'a Participants<K>) -> Vec<Vec<Self>> {
        let group = |group: &'a Vec<Participant<K>>| {
            group.iter().map(|one| Self::combine(query, vec![one])).collect()
        };
        who.any_of.iter().map(group).collect()
    }

    /// The conflict of each participant with `needed`; a busy time takes precedence over a tentative one.
    pub(super) fn refusals(&self, needed: TimeRange, group: Option<usize>) -> Vec<Obstacle<'a, K>> {
        if matches!(self.check(needed.into()), AvailabilityVerdict::Free) {
            return Vec::new();
        }
        let refusal = |member: &Participant<K>| {
            let busy = member.busy.iter().filter(|busy| self.counts(busy) && busy.range.overlaps(&needed));
            match busy.max_by_key(|busy| busy.kind == BusyKind::Busy) {
                _ if uncovered(needed, &member.taken).next().is_some() => Refusal::Unknown,
                Some(busy) => Refusal::Taken(busy.kind, Some(busy.range)),
                None => Refusal::Taken(BusyKind::Busy, None),
            }
        };
        self.members
            .iter()
            .map(|one| Obstacle { key: Some(&one.key), group, refusal: refusal(one) })
            .collect()
    }

    fn counts(&self, busy: &BusyTime) -> bool {
        self.tentative_is_taken || busy.kind == BusyKind::Busy
    }

    /// Whether `needed` is free. A marked cell entirely inside `needed` decides without exact times; only a marked cell
    /// at an edge requires them.
    pub(super) fn check(&self, needed: MicrosRange) -> AvailabilityVerdict {
        let cells = self.bitmap.cells(needed);
        let (inner_from, inner_to) = cells.inside;
        if let Some(cell) = self.bitmap.last_busy_cell(inner_from, inner_to) {
            return AvailabilityVerdict::Taken(self.bitmap.cell_micros(cell));
        }
        let (from, to) = cells.touched;
        if cells.touched == cells.inside {
            return AvailabilityVerdict::Free;
        }
        for cell in [from, to - 1] {
            let is_edge = cell < inner_from || cell >= inner_to;
            if is_edge
                && self.bitmap.last_busy_cell(cell, cell + 1).is_some()
                && !self.is_free_at(needed, cell)
            {
                return AvailabilityVerdict::Taken(needed.from);
            }
        }
        AvailabilityVerdict::Free
    }

    /// Whether the exact busy times leave `needed` free and also explain why `cell` is marked. A mark without an
    /// explanation counts as busy.
    fn is_free_at(&self, needed: MicrosRange, cell: i64) -> bool {
        let exact = self.exact.get_or_init(|| self.merged());
        let cell = MicrosRange { from: self.bitmap.cell_micros(cell), to: self.bitmap.cell_micros(cell + 1) };
        !touches(exact, needed.range()) && touches(exact, cell.range())
    }

    /// The exact busy times of all participants, sorted and merged, including unknown times.
    fn merged(&self) -> Vec<TimeRange> {
        let every = self.members.iter().flat_map(|member| &member.busy);
        let busy = every.filter(|busy| self.counts(busy)).map(|busy| busy.range);
        let unknown = self.members.iter().flat_map(|member| uncovered(self.reach, &member.taken));
        let mut ranges: Vec<TimeRange> = busy.chain(unknown).collect();
        ranges.sort_unstable();
        merge(ranges)
    }
}

/// The parts of the time range `reach` that a bitmap does not cover.
fn uncovered(reach: TimeRange, bitmap: &Bitmap) -> impl Iterator<Item = TimeRange> {
    let covered = bitmap.window().and_then(|window| window.intersect(&reach));
    let (before, after) = match covered {
        Some(covered) => (TimeRange::new(reach.start, covered.start), TimeRange::new(covered.end, reach.end)),
        None => (Some(reach), None),
    };
    before.into_iter().chain(after)
}

/// Whether one of the time ranges, sorted and disjoint, overlaps `range`.
fn touches(sorted: &[TimeRange], range: TimeRange) -> bool {
    let next = sorted.partition_point(|one| one.end <= range.start);
    sorted.get(next).is_some_and(|one| one.overlaps(&range))
}
