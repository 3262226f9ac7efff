//! Measures how long a task has waited for servers outside the installation, such as calendar systems.
//!
//! Such a server may respond late or never, even deliberately. Code that lends a scarce resource to a task uses this
//! module to find out whether the task is using the resource or only waiting for a server.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::SharedClock;

tokio::task_local! {
    static CURRENT: ExternalTime;
}

/// The time that one task has waited for external servers. Clones are cheap and share the measured time.
#[derive(Debug, Clone)]
pub struct ExternalTime {
    clock: SharedClock,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    ended: Duration,
    /// Number of waits in progress. Overlapping waits count once in the total time.
    waits: u32,
    since: Option<Duration>,
}

impl ExternalTime {
    /// Creates a measurement that starts at zero, by the monotonic time of `clock`.
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, inner: Arc::default() }
    }

    /// Executes a task and adds its waits for external servers to this measurement.
    pub async fn measure<F: Future>(&self, task: F) -> F::Output {
        CURRENT.scope(self.clone(), task).await
    }

    /// The measured time so far, including the current wait.
    pub fn total(&self) -> Duration {
        let (inner, now) = (self.inner(), self.clock.steady());
        inner.ended + inner.since.map(|since| now.saturating_sub(since)).unwrap_or_default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) {
        let mut inner = self.inner();
        inner.waits += 1;
        inner.since.get_or_insert_with(|| self.clock.steady());
    }

    fn end(&self) {
        let mut inner = self.inner();
        inner.waits -= 1;
        if inner.waits == 0
            && let Some(since) = inner.since.take()
        {
            inner.ended += self.clock.steady().saturating_sub(since);
        }
    }
}

/// A wait for an external server, which ends when the value is dropped.
#[derive(Debug)]
pub struct ExternalWait(Option<ExternalTime>);

impl ExternalWait {
    /// Begins a wait of the current task. Has no effect unless the task's waits are measured.
    pub fn begin() -> Self {
        let time = CURRENT.try_with(ExternalTime::clone).ok();
        if let Some(time) = &time {
            time.begin();
        }
        Self(time)
    }
}

impl Drop for ExternalWait {
    fn drop(&mut self) {
        if let Some(time) = &self.0 {
            time.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::TestClock;

    use super::*;

    #[tokio::test]
    async fn only_waits_count_and_those_at_the_same_time_count_once() {
        let clock = TestClock::at(domain::Timestamp::UNIX_EPOCH);
        let (time, second) = (ExternalTime::new(Arc::new(clock.clone())), chrono::Duration::seconds(1));
        time.measure(async {
            clock.advance(second);
            let first = ExternalWait::begin();
            clock.advance(second);
            let other = ExternalWait::begin();
            assert_eq!(time.total(), Duration::from_secs(1), "the current wait counts");
            clock.advance(second);
            drop(first);
            clock.advance(second);
            drop(other);
            clock.advance(second);
        })
        .await;
        assert_eq!(time.total(), Duration::from_secs(3));
        let unmeasured = ExternalWait::begin();
        clock.advance(second);
        drop(unmeasured);
        assert_eq!(time.total(), Duration::from_secs(3));
    }
}
