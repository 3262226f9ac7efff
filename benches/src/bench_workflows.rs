//! The workflows used by the benchmarks. Their steps do nothing, so that only the engine is measured.

use domain::{Id, ids};
use std::{
    collections::HashMap,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// When the last step of each run began, by run; the entry is removed by the task that waits for it.
static LAST: LazyLock<Mutex<HashMap<Id<ids::Run>, Instant>>> = LazyLock::new(Mutex::default);

fn last() -> MutexGuard<'static, HashMap<Id<ids::Run>, Instant>> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When the last step of a run began in this process; `None` if it has not begun.
pub fn take_last_step_time(run: Id<ids::Run>) -> Option<Instant> {
    last().remove(&run)
}

/// Waits until the last step of a run has begun; returns the time at which it began.
pub async fn wait_for_last_step(run: Id<ids::Run>) -> crate::Result<Instant> {
    for _ in 0..10_000 {
        match take_last_step_time(run) {
            Some(at) => return Ok(at),
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
    Err("a step did not begin within ten seconds".into())
}

/// Number of jobs executed in this process.
pub fn executed_jobs() -> u64 {
    SINGLES.load(Ordering::Relaxed)
}

static SINGLES: AtomicU64 = AtomicU64::new(0);

/// Whether the last step of a run has begun in this process.
pub fn has_begun_last_step(run: Id<ids::Run>) -> bool {
    last().contains_key(&run)
}

/// State of the benchmark workflows: none.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {}

/// Three steps that do nothing.
pub mod three_steps {
    use engine::{Next, nothing};
    use workflows::{Outcome, Step, StepContext};

    use super::Memory;

    engine::workflow! {
        /// Goes through three states.
        Three = "three" v 1 (StepContext, Memory);

        One:   one   | nothing | STANDARD | [Two];
        Two:   two   | nothing | STANDARD | [Last];
        Last:  end   | nothing | STANDARD | [];
    }

    async fn one(_context: &StepContext, _at: &mut Step<Memory>) -> Outcome<State> {
        Ok(Next::Go(State::Two))
    }

    async fn two(_context: &StepContext, _at: &mut Step<Memory>) -> Outcome<State> {
        Ok(Next::Go(State::Last))
    }

    async fn end(_context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
        super::last().insert(at.run, std::time::Instant::now());
        Ok(Next::Done)
    }
}

/// One step that does nothing, like a plain job.
pub mod single_step {
    use engine::{Next, nothing};
    use workflows::{Outcome, Step, StepContext};

    use super::Memory;

    engine::workflow! {
        /// Ends after its only step.
        Single = "single" v 1 (StepContext, Memory);

        Only: only | nothing | STANDARD | [];
    }

    async fn only(_context: &StepContext, _at: &mut Step<Memory>) -> Outcome<State> {
        super::SINGLES.fetch_add(1, super::Ordering::Relaxed);
        Ok(Next::Done)
    }
}

/// One step that records when it began.
pub mod timed_step {
    use engine::{Next, nothing};
    use workflows::{Outcome, Step, StepContext};

    use super::Memory;

    engine::workflow! {
        /// Records when its only step began.
        Timed = "timed" v 1 (StepContext, Memory);

        Only: only | nothing | STANDARD | [];
    }

    async fn only(_context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
        super::last().insert(at.run, std::time::Instant::now());
        Ok(Next::Done)
    }
}

/// Waits for a signal, then ends.
pub mod await_signal {
    use engine::{Next, nothing};
    use workflows::{Outcome, Step, StepContext};

    use super::Memory;

    engine::workflow! {
        /// Waits for the signal `bell`.
        Bell = "bell" v 1 (StepContext, Memory);

        Ring: ring | nothing | STANDARD | [];
    }

    async fn ring(_context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
        if at.take_signal("bell").is_none() {
            return Ok(Next::Wait { until: None, or: Some("bell") });
        }
        super::last().insert(at.run, std::time::Instant::now());
        Ok(Next::Done)
    }
}
