//! Commits all pending step results in one batch.
//!
//! Results that only update their run are committed separately from results with changes, which take longer. If a batch
//! fails, its results are committed one by one, so that one bad result never fails the others.

use std::{collections::HashSet, time::Duration};

use domain::{Id, ids, state::RunStatus};
use runs::{BatchOutcome, ChangeWriter, CommitOutcome, CommittedRuns, StepResult, WriteError};

use crate::{Change, Context, Engine, RUN_LEASE};

/// Maximum number of attempts to commit a result after conflicts or broken connections. The revision of the run
/// prevents the result from being written twice.
const ATTEMPTS: u32 = 5;

/// The outcomes of a committed batch, and the notifications to publish.
pub(crate) struct CommitReport<C: Context> {
    /// Each result with its outcome.
    pub(crate) fates: Vec<(StepResult<Change<C>>, CommitOutcome)>,
    /// Notifications to publish after the commit.
    pub(crate) unpublished: PendingNotifications<C>,
}

impl<C: Context> CommitReport<C> {
    fn empty() -> Self {
        Self { fates: Vec::new(), unpublished: PendingNotifications::empty() }
    }

    fn merge(&mut self, other: Self) {
        self.fates.extend(other.fates);
        self.unpublished.merge(other.unpublished);
    }
}

/// Notifications to be published after commits.
pub(crate) struct PendingNotifications<C: Context> {
    after: Vec<<C::Writer as ChangeWriter>::AfterCommit>,
    runs: CommittedRuns,
}

impl<C: Context> PendingNotifications<C> {
    pub(crate) fn empty() -> Self {
        Self { after: Vec::new(), runs: CommittedRuns::default() }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.after.extend(other.after);
        self.runs.hints.extend(other.runs.hints);
        self.runs.events.extend(other.runs.events);
    }

    pub(crate) async fn publish(self, engine: &Engine<C>) {
        engine.writer().publish(self.after, self.runs).await;
    }
}

impl<C: Context> Engine<C> {
    /// Commits a batch of step results and releases all claims; returns for each run whether its result was written.
    pub async fn commit(&self, mut batch: Vec<StepResult<Change<C>>>) -> Vec<(Id<ids::Run>, bool)> {
        for result in &mut batch {
            result.transition.keep = false;
        }
        let committed = self.commit_and_keep_claims(batch).await;
        committed
            .into_iter()
            .map(|(result, fate)| (result.transition.run, fate != CommitOutcome::TooLate))
            .collect()
    }

    /// Commits a batch of step results and returns each result with its outcome. A claim that its worker wants to keep
    /// is kept unless a signal has arrived in the meantime.
    pub async fn commit_and_keep_claims(
        &self,
        batch: Vec<StepResult<Change<C>>>,
    ) -> Vec<(StepResult<Change<C>>, CommitOutcome)> {
        let CommitReport { fates, unpublished } = self.commit_without_publishing(batch).await;
        unpublished.publish(self).await;
        fates
    }

    /// Like [`Engine::commit_and_keep_claims`], but leaves the publishing of notifications to the caller.
    pub(crate) async fn commit_without_publishing(
        &self,
        batch: Vec<StepResult<Change<C>>>,
    ) -> CommitReport<C> {
        if !self.storage().supports_concurrent_writers() {
            return Box::pin(self.commit_part(batch)).await;
        }
        let (plain, rich): (Vec<_>, Vec<_>) = batch.into_iter().partition(StepResult::has_no_changes);
        let (mut plain, rich) =
            tokio::join!(Box::pin(self.commit_part(plain)), Box::pin(self.commit_part(rich)));
        plain.merge(rich);
        plain
    }

    async fn commit_part(&self, mut batch: Vec<StepResult<Change<C>>>) -> CommitReport<C> {
        if batch.is_empty() {
            return CommitReport::empty();
        }
        // Runs in a stable order: two committers never wait for each other in a circle.
        batch.sort_unstable_by_key(|result| result.transition.run);
        // Where the database forgot a claim in a crash, a second one may have its epoch: of two results one counts.
        let mut known = HashSet::new();
        let (batch, doubles): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|result| known.insert(result.key()));
        let mut report = self.commit_distinct(batch).await;
        report.fates.extend(doubles.into_iter().map(|result| (result, CommitOutcome::TooLate)));
        report
    }

    async fn commit_distinct(&self, batch: Vec<StepResult<Change<C>>>) -> CommitReport<C> {
        match self.write(&batch).await {
            Ok(BatchOutcome { fates, runs, after }) => {
                for (result, fate) in batch.iter().zip(&fates) {
                    complain_if_parked(result, *fate);
                }
                let unpublished = PendingNotifications { after: vec![after], runs };
                CommitReport { fates: batch.into_iter().zip(fates).collect(), unpublished }
            }
            Err(error) if batch.len() == 1 => {
                let run = batch[0].transition.run;
                tracing::error!(%error, %run, "a step's result could not be written; its lease will run out");
                let fates = batch.into_iter().map(|result| (result, CommitOutcome::TooLate)).collect();
                CommitReport { fates, unpublished: PendingNotifications::empty() }
            }
            Err(error) => {
                tracing::warn!(%error, size = batch.len(), "a batch failed and is written one by one");
                let mut report = CommitReport::empty();
                for result in batch {
                    report.merge(Box::pin(self.commit_part(vec![result])).await);
                }
                report
            }
        }
    }

    /// Writes a batch of step results; repeats the attempt for a single result if the failure is transient.
    async fn write(&self, batch: &[StepResult<Change<C>>]) -> Result<Written<C>, WriteError> {
        let write = || self.storage().commit(self.writer(), (self.node(), RUN_LEASE), batch);
        let mut written = write().await;
        for attempt in 1..ATTEMPTS {
            match &written {
                Err(error) if batch.len() == 1 && error.is_transient() => {
                    let pause = 10 * u64::from(attempt) + self.storage().ids().random_below(20);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    written = write().await;
                }
                _ => break,
            }
        }
        written
    }
}

type Written<C> = BatchOutcome<<<C as Context>::Writer as ChangeWriter>::AfterCommit>;

fn complain_if_parked<T>(result: &StepResult<T>, fate: CommitOutcome) {
    let transition = &result.transition;
    if fate != CommitOutcome::TooLate && transition.status == RunStatus::Quarantined {
        let (run, reason) = (transition.run, &transition.reason);
        tracing::error!(%run, ?reason, "a run is parked: it needs somebody");
    }
}
