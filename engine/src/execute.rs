//! Executes the steps of claimed runs.

use std::panic::AssertUnwindSafe;

use domain::Timestamp;
use futures::FutureExt;
use runs::{CommitOutcome, StepResult};

use crate::{Change, ClaimedRun, Context, Engine, StepInput, StepOutput, resources::Resources};

/// Maximum number of steps that a worker executes under one claim before other runs are executed.
const MAX_STEPS_PER_CLAIM: usize = 16;

impl<C: Context> Engine<C> {
    /// Executes a claimed run until it is released.
    pub(crate) async fn execute_run(&self, work: ClaimedRun, resources: &Resources<C>) {
        let claim = (work.claimed.run, work.claimed.epoch);
        // Steps are guarded by themselves. Whatever else panics lets the lease run out, so that the next claim counts it
        // as a crash.
        if AssertUnwindSafe(self.run_steps(work, resources)).catch_unwind().await.is_err() {
            tracing::error!(run = %claim.0, "working on a run panicked; its lease will run out");
        }
        resources.held_leases.remove(claim);
    }

    /// Executes the steps of a run under one lease, for as long as the next step is due immediately.
    async fn run_steps(&self, mut work: ClaimedRun, resources: &Resources<C>) {
        for turn in 1..=MAX_STEPS_PER_CLAIM {
            let mut result = self.execute_step(&work).await;
            let may_continue = turn < MAX_STEPS_PER_CLAIM && !resources.stop.is_cancelled();
            result.transition.keep = result.transition.is_due() && may_continue;
            match resources.committers.commit(result).await {
                Some((result, CommitOutcome::Kept)) => work.advance(result.transition),
                Some((result, CommitOutcome::TooLate)) => {
                    let run = result.transition.run;
                    return tracing::warn!(%run, "a step came too late and was not written");
                }
                Some((_, CommitOutcome::Written)) | None => return,
            }
        }
    }

    /// Executes one step or undo.
    pub async fn execute_step(&self, work: &ClaimedRun) -> StepResult<Change<C>> {
        let now = work.now(&**self.clock());
        if let Some(transition) = work.decide_before_step(now) {
            return StepResult { transition, changes: Vec::new() };
        }
        let output = self.step(work, now).await;
        let jitter = self.storage().ids().random_below(100) as u32;
        work.build_result(output, work.now(&**self.clock()), jitter)
    }

    async fn step(&self, work: &ClaimedRun, now: Timestamp) -> StepOutput<Change<C>> {
        let flow =
            self.workflow(work.table.name, work.table.version).expect("the table was found by its flow");
        // A worker that died over this state may have done its deed: to the step that is a failed attempt too.
        let attempt = u32::try_from(work.claimed.attempt + work.claimed.crashes).unwrap_or_default();
        let signals = work.signals.clone();
        let input = StepInput { row: &work.row, state: work.state(), attempt, signals, now };
        let step = self.context().execute(work.claimed.run, async {
            match work.is_undoing() {
                false => flow.step(self.context(), input).await,
                true => flow.undo(self.context(), input).await,
            }
        });
        // A panic is a failure like any other: what was done is undone, and whoever looks sees why the run ended.
        AssertUnwindSafe(step).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(run = %work.claimed.run, state = work.state(), "a step panicked");
            StepOutput::panicked()
        })
    }
}
