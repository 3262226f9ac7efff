//! The only source of the current time.
//!
//! Nothing else in Muster reads the system time. Instants are truncated to microseconds once, in this module:
//! PostgreSQL stores microseconds and SQLite any precision, so values would otherwise compare differently in the two
//! databases.

use std::{
    sync::{Arc, LazyLock, Mutex},
    time::Instant,
};

use chrono::{DateTime, Duration, SubsecRound, Utc};

use crate::time::Timestamp;

/// Source of the current time, shared by all components of a node.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The current time, truncated to microseconds.
    fn now(&self) -> Timestamp;

    /// The value that SQL statements bind as the current time when they compare leases and due times.
    ///
    /// `None` lets the database use its own clock, so that nodes with wrong clocks agree with each other. A test
    /// clock returns `Some`, so that the database's time follows the test's.
    fn sql(&self) -> Option<Timestamp>;

    /// The time of a monotonic clock: the difference of two values is correct even if [`Clock::now`] was set back in
    /// between.
    fn steady(&self) -> std::time::Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}

/// A clock shared by several owners.
pub type SharedClock = Arc<dyn Clock>;

/// The clock of the operating system.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
    fn now(&self) -> Timestamp {
        Utc::now().trunc_subsecs(6)
    }

    fn sql(&self) -> Option<Timestamp> {
        None
    }
}

/// A clock that moves only when a test advances it.
#[derive(Debug, Clone)]
pub struct TestClock(Arc<Mutex<DateTime<Utc>>>);

impl TestClock {
    /// Creates a clock that is set to `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(start.trunc_subsecs(6))))
    }

    /// Moves the clock forward (or, with a negative duration, back).
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn sql(&self) -> Option<Timestamp> {
        Some(self.now())
    }

    fn steady(&self) -> std::time::Duration {
        (self.now() - Timestamp::UNIX_EPOCH).to_std().unwrap_or_default()
    }
}
