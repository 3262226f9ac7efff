//! The one source of the present time.
//!
//! Nothing else in Muster reads the time. Instants are cut to microseconds here, once, because PostgreSQL
//! keeps microseconds and SQLite keeps what it is given: uncut values would compare differently on the two.

use std::{
    sync::{Arc, LazyLock, Mutex},
    time::Instant,
};

use chrono::{DateTime, Duration, SubsecRound, Utc};

use crate::time::Timestamp;

/// Tells the time. Shared by every part of a node.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present instant, cut to microseconds.
    fn now(&self) -> Timestamp;

    /// What SQL statements that compare leases and due times bind as "now".
    ///
    /// `None` means: let the database use its own clock, so that nodes with wrong clocks agree with each
    /// other. A test clock answers `Some`, so that the database's time stands still with the test's.
    fn sql(&self) -> Option<Timestamp>;

    /// Time that only ever passes: differences of two values are true whatever happens to [`Clock::now`] between
    /// them, a step backwards for instance.
    fn steady(&self) -> std::time::Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}

/// A clock that many parts hold.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
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

/// A clock that moves only when it is told to.
#[derive(Debug, Clone)]
pub struct TestClock(Arc<Mutex<DateTime<Utc>>>);

impl TestClock {
    /// A clock that stands at `start`.
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
