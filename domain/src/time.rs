//! Instants and half-open ranges of time.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

/// An instant in UTC, with microsecond precision at most.
pub type Timestamp = DateTime<Utc>;

/// A half-open time range `[start, end)` that is never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimeRange {
    /// The first instant inside.
    pub start: Timestamp,
    /// The first instant after the range.
    pub end: Timestamp,
}

impl TimeRange {
    /// Creates a range; `None` unless `end` is after `start`.
    pub fn new(start: Timestamp, end: Timestamp) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// The time between start and end.
    pub fn duration(&self) -> Duration {
        self.end - self.start
    }

    /// Whether the two ranges share an instant. Ranges that only touch do not.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether `other` lies entirely inside.
    pub fn contains(&self, other: &Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The part that both ranges share; `None` when there is none.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// The time range extended at its start and end.
    #[must_use]
    pub fn widened(&self, before: Duration, after: Duration) -> Self {
        Self { start: self.start - before, end: self.end + after }
    }
}

/// Adds a wait to an instant; the result is limited to the last supported instant.
pub fn add_wait(at: Timestamp, wait: std::time::Duration) -> Timestamp {
    let wait = Duration::from_std(wait).ok();
    wait.and_then(|wait| at.checked_add_signed(wait)).unwrap_or(Timestamp::MAX_UTC)
}

crate::words! {
    /// Whether a busy time is definite.
    BusyKind {
        /// The time is tentatively busy and may become free.
        Tentative = "TENTATIVE",
        /// The time is definitely busy.
        Busy = "BUSY",
    }
}

/// A busy time of one calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusyTime {
    /// The time that is taken.
    pub range: TimeRange,
    /// Whether the time is definitely taken or tentative.
    pub kind: BusyKind,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_overflows() {
        let now: Timestamp = "2026-11-29T12:00:00Z".parse().unwrap();
        assert_eq!(add_wait(now, std::time::Duration::from_mins(1)), now + Duration::minutes(1));
        for endless in [std::time::Duration::MAX, std::time::Duration::from_secs(u64::MAX)] {
            assert_eq!(add_wait(now, endless), Timestamp::MAX_UTC);
        }
    }
}
