//! Bitmaps of busy times: one bit per cell of a fixed time grid.
//!
//! A calendar's bitmap is stored beside its events, so that a search for common free time reads and ORs a few kilobytes
//! instead of merging every event. The bitmap is inexact in one direction only: a cell is marked if any part of it is
//! busy. Where the grid is too coarse to decide, [`crate::slots`] uses the exact times.
//!
//! Cell `i` is bit `i % 8` of byte `i / 8`. Bits after the last cell are always zero.

use chrono::Duration;

use crate::time::{TimeRange, Timestamp};

/// The length of a grid cell in stored bitmaps, in minutes.
pub const GRID_MINUTES: u32 = 5;

/// Length of the header of a serialised bitmap, in bytes: start in seconds (8), cell length in minutes (4), number of
/// cells (4).
const HEADER: usize = 16;

/// Marks which cells of a time window are busy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitmap {
    start_micros: i64,
    grid_minutes: u32,
    cells: usize,
    bits: Vec<u8>,
}

/// A half-open time range in microseconds since 1970. The slot search uses it because integers are cheaper to compare
/// than dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MicrosRange {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl From<TimeRange> for MicrosRange {
    fn from(range: TimeRange) -> Self {
        Self { from: range.start.timestamp_micros(), to: range.end.timestamp_micros() }
    }
}

impl MicrosRange {
    pub(crate) fn range(self) -> TimeRange {
        TimeRange { start: instant(self.from), end: instant(self.to) }
    }
}

/// The grid cells of a time range, as half-open ranges of cell numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CellRange {
    /// Cells that the time range touches.
    pub(crate) touched: (i64, i64),
    /// Cells that lie entirely inside the time range; may be empty.
    pub(crate) inside: (i64, i64),
}

/// Error: two bitmaps cannot be combined because their cells have different lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bitmaps of {left} and {right} minutes cannot be laid over each other")]
pub struct GridMismatch {
    /// The cell length of the first bitmap, in minutes.
    pub left: u32,
    /// The cell length of the second bitmap, in minutes.
    pub right: u32,
}

impl Bitmap {
    /// Creates a bitmap over `window`, extended to whole cells, in which every cell is free. A grid of 0 minutes counts
    /// as 1.
    pub fn all_free(window: TimeRange, grid_minutes: u32) -> Self {
        let grid_minutes = grid_minutes.max(1);
        let grid = grid_micros(grid_minutes);
        let first = window.start.timestamp_micros().div_euclid(grid);
        let last = ceil(window.end.timestamp_micros(), grid);
        let cells = usize::try_from(last - first).unwrap_or_default();
        Self { start_micros: first * grid, grid_minutes, cells, bits: vec![0; cells.div_ceil(8)] }
    }

    /// The bitmap of a calendar whose busy times are unknown: it covers no time.
    pub fn unknown() -> Self {
        Self { start_micros: 0, grid_minutes: GRID_MINUTES, cells: 0, bits: Vec::new() }
    }

    /// Creates a bitmap over `window` in which every cell touched by one of the `busy` ranges is marked.
    pub fn from_busy(
        window: TimeRange,
        grid_minutes: u32,
        busy: impl IntoIterator<Item = TimeRange>,
    ) -> Self {
        let mut bitmap = Self::all_free(window, grid_minutes);
        for range in busy {
            bitmap.mark_busy(range);
        }
        bitmap
    }

    /// The time range that the bitmap covers; `None` if it covers none.
    pub fn window(&self) -> Option<TimeRange> {
        TimeRange::new(instant(self.start_micros), instant(self.cell_micros(self.cells as i64)))
    }

    /// The cell length, in minutes.
    pub const fn grid_minutes(&self) -> u32 {
        self.grid_minutes
    }

    /// Marks every grid cell that `range` touches. Ignores the part of `range` outside the bitmap's window.
    pub fn mark_busy(&mut self, range: TimeRange) {
        let (from, to) = self.cells(range.into()).touched;
        let (from, to) = (clamp(from, self.cells), clamp(to, self.cells));
        if from >= to {
            return;
        }
        let (first, last) = (from / 8, (to - 1) / 8);
        let head = 0xff << (from % 8);
        let tail = 0xff >> (7 - (to - 1) % 8);
        if first == last {
            self.bits[first] |= head & tail;
        } else {
            self.bits[first] |= head;
            self.bits[first + 1..last].fill(0xff);
            self.bits[last] |= tail;
        }
    }

    /// Whether no marked grid cell touches `range`. Time outside the bitmap's window counts as busy.
    pub fn is_free(&self, range: TimeRange) -> bool {
        let (from, to) = self.cells(range.into()).touched;
        from >= 0 && to <= self.cells as i64 && self.last_busy_cell(from, to).is_none()
    }

    /// Adds the busy cells of `other` to this bitmap; the two windows may differ. Fails without changing the bitmap if
    /// the cell lengths differ.
    pub fn union(&mut self, other: &Self) -> Result<(), GridMismatch> {
        if self.grid_minutes != other.grid_minutes {
            return Err(GridMismatch { left: self.grid_minutes, right: other.grid_minutes });
        }
        let ahead = (self.start_micros - other.start_micros) / self.grid();
        if ahead >= 0 && ahead % 8 == 0 {
            let skipped = clamp(ahead / 8, other.bits.len());
            for (mine, theirs) in self.bits.iter_mut().zip(&other.bits[skipped..]) {
                *mine |= theirs;
            }
        } else {
            self.or_shifted(other, ahead);
        }
        self.clear_rest();
        Ok(())
    }

    /// Returns a bitmap of the same window in which every busy time starts earlier by `before` and ends later by
    /// `after`, both rounded up to whole cells. Negative durations count as zero.
    #[must_use]
    pub fn widened(&self, before: Duration, after: Duration) -> Self {
        let mut wide = self.clone();
        wide.spread(ceil(before.num_microseconds().unwrap_or_default(), self.grid()), 1);
        wide.spread(ceil(after.num_microseconds().unwrap_or_default(), self.grid()), -1);
        wide
    }

    /// Serialises the bitmap, big-endian: start, cell length, number of cells, bits.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.bits.len());
        bytes.extend((self.start_micros / 1_000_000).to_be_bytes());
        bytes.extend(self.grid_minutes.to_be_bytes());
        bytes.extend((self.cells as u32).to_be_bytes());
        bytes.extend(&self.bits);
        bytes
    }

    /// Parses the output of [`Bitmap::to_bytes`]; `None` for any other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (header, bits) = bytes.split_at_checked(HEADER)?;
        let seconds = i64::from_be_bytes(header[..8].try_into().ok()?);
        let grid_minutes = u32::from_be_bytes(header[8..12].try_into().ok()?);
        let cells = u32::from_be_bytes(header[12..].try_into().ok()?) as usize;
        let start_micros = Timestamp::from_timestamp(seconds, 0)?.timestamp_micros();
        let lies_on_grid = grid_minutes > 0 && seconds.rem_euclid(i64::from(grid_minutes) * 60) == 0;
        let mut bitmap = Self { start_micros, grid_minutes, cells, bits: bits.to_vec() };
        let end = seconds.checked_add(i64::from(grid_minutes).checked_mul(60 * cells as i64)?)?;
        Timestamp::from_timestamp(end, 0)?;
        bitmap.clear_rest();
        (lies_on_grid && bits.len() == cells.div_ceil(8) && bitmap.bits == bits).then_some(bitmap)
    }

    /// The grid cells of a time range; they may lie outside the bitmap's window.
    pub(crate) fn cells(&self, range: MicrosRange) -> CellRange {
        let (from, to) = (range.from - self.start_micros, range.to - self.start_micros);
        // A constant divisor is some times faster, and this is what a search spends its time on.
        let divide = |micros: i64| match self.grid_minutes {
            GRID_MINUTES => parts(micros, grid_micros(GRID_MINUTES)),
            _ => parts(micros, self.grid()),
        };
        let ((from, into), (to, over)) = (divide(from), divide(to));
        CellRange { touched: (from, to + i64::from(over)), inside: (from + i64::from(into), to) }
    }

    /// The last marked cell in the cell numbers `from..to`. Cells outside the bitmap's window are not marked.
    pub(crate) fn last_busy_cell(&self, from: i64, to: i64) -> Option<i64> {
        let mut end = to;
        while end > from {
            let begin = (end - 64).max(from);
            let word = self.word(begin) & (u64::MAX >> (64 - (end - begin)));
            if word != 0 {
                return Some(begin + 63 - i64::from(word.leading_zeros()));
            }
            end = begin;
        }
        None
    }

    /// The start of a grid cell, in microseconds since 1970.
    pub(crate) const fn cell_micros(&self, cell: i64) -> i64 {
        self.start_micros + cell * self.grid()
    }

    /// The bits of the 64 cells from cell `at` on, as a word; cells outside the window are not marked.
    fn word(&self, at: i64) -> u64 {
        let (byte, shift) = (at.div_euclid(8), at.rem_euclid(8));
        if let Some(nine) = usize::try_from(byte).ok().and_then(|byte| self.bits.get(byte..byte + 9)) {
            let mut low = [0; 8];
            low.copy_from_slice(&nine[..8]);
            let high = if shift == 0 { 0 } else { u64::from(nine[8]) << (64 - shift) };
            return (u64::from_le_bytes(low) >> shift) | high;
        }
        (0..64).filter(|cell| self.is_marked(at + cell)).fold(0, |word, cell| word | (1 << cell))
    }

    fn is_marked(&self, cell: i64) -> bool {
        usize::try_from(cell)
            .ok()
            .and_then(|cell| self.bits.get(cell / 8).map(|byte| byte & (1 << (cell % 8)) != 0))
            .unwrap_or(false)
    }

    /// ORs `other` into this bitmap, beginning with cell `ahead` of `other`.
    fn or_shifted(&mut self, other: &Self, ahead: i64) {
        for (index, bytes) in self.bits.chunks_mut(8).enumerate() {
            let word = other.word(ahead.saturating_add(index as i64 * 64)).to_le_bytes();
            for (mine, theirs) in bytes.iter_mut().zip(word) {
                *mine |= theirs;
            }
        }
    }

    /// Extends every run of marked cells by `cells`: towards earlier cells if `direction` is 1, towards later ones if
    /// -1. Doubles its stride in each pass.
    fn spread(&mut self, cells: i64, direction: i64) {
        let mut done = 0;
        let cells = cells.min(self.cells as i64);
        while done < cells {
            let stride = (done + 1).min(cells - done);
            let before = self.clone();
            self.or_shifted(&before, stride * direction);
            done += stride;
        }
        self.clear_rest();
    }

    /// Clears the padding bits after the last cell.
    fn clear_rest(&mut self) {
        if let (used @ 1.., Some(last)) = (self.cells % 8, self.bits.last_mut()) {
            *last &= 0xff >> (8 - used);
        }
    }

    const fn grid(&self) -> i64 {
        grid_micros(self.grid_minutes)
    }
}

const fn grid_micros(minutes: u32) -> i64 {
    minutes as i64 * 60_000_000
}

/// Divides `value` by `unit`; returns the quotient and whether there is a remainder.
#[inline]
const fn parts(value: i64, unit: i64) -> (i64, bool) {
    let whole = value.div_euclid(unit);
    (whole, whole * unit != value)
}

const fn ceil(value: i64, unit: i64) -> i64 {
    -(-value).div_euclid(unit)
}

fn clamp(cell: i64, cells: usize) -> usize {
    usize::try_from(cell).unwrap_or_default().min(cells)
}

fn instant(micros: i64) -> Timestamp {
    Timestamp::from_timestamp_micros(micros).unwrap_or(Timestamp::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn minute(minutes: i64) -> Timestamp {
        instant(1_760_000_100_000_000 + minutes * 60_000_000)
    }

    fn range(from: i64, to: i64) -> TimeRange {
        TimeRange::new(minute(from), minute(to)).unwrap()
    }

    fn ranges() -> impl Strategy<Value = Vec<TimeRange>> {
        let one = (-200i64..2_000, 1i64..400).prop_map(|(from, length)| range(from, from + length));
        proptest::collection::vec(one, 0..12)
    }

    #[test]
    fn a_cell_that_is_touched_is_taken_and_its_neighbours_are_not() {
        let bitmap = Bitmap::from_busy(range(0, 60), 5, [range(12, 16)]);
        assert!(bitmap.is_free(range(0, 10)));
        assert!(!bitmap.is_free(range(9, 11)), "the cell from 10 on is touched");
        assert!(!bitmap.is_free(range(19, 20)), "the cell to 20 is touched");
        assert!(bitmap.is_free(range(20, 60)));
        assert!(!bitmap.is_free(range(20, 61)), "what is not covered is not free");
    }

    #[test]
    fn bytes_that_are_not_a_bitmap_are_refused() {
        let bytes = Bitmap::from_busy(range(0, 50), 5, [range(0, 5)]).to_bytes();
        assert!(Bitmap::from_bytes(&bytes).is_some());
        assert_eq!(Bitmap::from_bytes(&bytes[..bytes.len() - 1]), None, "cut");
        assert_eq!(Bitmap::from_bytes(&bytes[..7]), None, "cut in the header");
        let mut odd = bytes.clone();
        odd[7] ^= 1;
        assert_eq!(Bitmap::from_bytes(&odd), None, "start off the grid");
        let mut beyond = bytes;
        *beyond.last_mut().unwrap() = 0xff;
        assert_eq!(Bitmap::from_bytes(&beyond), None, "bits after the last cell");
    }

    #[test]
    fn grids_that_differ_are_not_laid_over_each_other() {
        let mut five = Bitmap::all_free(range(0, 60), 5);
        assert_eq!(five.union(&Bitmap::all_free(range(0, 60), 15)), Err(GridMismatch { left: 5, right: 15 }));
    }

    proptest! {
        #[test]
        fn every_cell_says_what_the_ranges_say(busy in ranges(), length in 1i64..1_500) {
            let bitmap = Bitmap::from_busy(range(0, length), 5, busy.clone());
            for cell in 0..length.div_euclid(5) {
                let cell = range(cell * 5, cell * 5 + 5);
                prop_assert_eq!(bitmap.is_free(cell), !busy.iter().any(|busy| busy.overlaps(&cell)));
            }
            prop_assert_eq!(Bitmap::from_bytes(&bitmap.to_bytes()), Some(bitmap));
        }

        #[test]
        fn a_union_is_what_both_have_marked(one in ranges(), other in ranges(), at in -100i64..100) {
            let window = range(0, 1_400);
            let theirs = Bitmap::from_busy(range(at * 5, at * 5 + 900), 5, other.clone());
            let mut both = Bitmap::from_busy(window, 5, one.clone());
            both.union(&theirs).unwrap();
            let seen = other.iter().filter_map(|busy| busy.intersect(&range(at * 5, at * 5 + 900)));
            prop_assert_eq!(both, Bitmap::from_busy(window, 5, one.iter().copied().chain(seen)));
        }

        #[test]
        fn widening_marks_what_widened_ranges_mark(busy in ranges(), before in 0i64..90, after in 0i64..90) {
            let (window, longest) = (range(0, 1_400), Duration::minutes(90));
            let far = window.widened(longest, longest);
            let (before, after) = (Duration::minutes(before * 5), Duration::minutes(after * 5));
            let busy: Vec<_> = busy.iter().filter_map(|busy| busy.intersect(&window)).collect();
            let wide = Bitmap::from_busy(far, 5, busy.clone()).widened(before, after);
            let floor = |busy: &TimeRange| {
                let cell = |at: Timestamp| (at - minute(0)).num_minutes().div_euclid(5) * 5;
                range(cell(busy.start), cell(busy.end + Duration::minutes(4))).widened(before, after)
            };
            prop_assert_eq!(wide, Bitmap::from_busy(far, 5, busy.iter().map(floor)));
        }

        #[test]
        fn the_last_mark_is_found(busy in ranges(), from in -100i64..300, length in 0i64..300) {
            let bitmap = Bitmap::from_busy(range(0, 1_400), 5, busy);
            let slow = (from..from + length).rev().find(|cell| bitmap.is_marked(*cell));
            prop_assert_eq!(bitmap.last_busy_cell(from, from + length), slow);
        }
    }
}
