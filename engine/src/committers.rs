//! Committers: commit the step results of many workers together, and publish the notifications.
//!
//! On PostgreSQL, results of the same kind are committed together. Results without changes have one committer. It
//! writes everything that arrived while it wrote the previous batch, so that batches grow with the load; a step in a
//! large batch costs a third of one in a small batch. Results with changes need statements of their own in any batch,
//! and never delay the others.

use std::{collections::HashMap, sync::Arc};

use runs::{CommitOutcome, StepResult};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::{Change, Context, Engine, commit::PendingNotifications};

/// Maximum number of step results in one commit.
const BATCH: usize = 128;
/// Maximum number of unpublished commits before the committers pause.
const MAX_UNPUBLISHED: usize = 16;
/// Number of committers for results with changes: while one is waiting for the disk, another continues.
const FOR_CHANGES: usize = 2;

/// Channels to the committers of a node. The committers end when all channels are closed. Cheap to clone.
pub(crate) struct Committers<T> {
    /// `None` if all results share one committer.
    plain: Option<Sender<T>>,
    others: Sender<T>,
}

/// A step result to be committed, and the channel that returns its outcome.
type PendingCommit<T> = (StepResult<T>, oneshot::Sender<(StepResult<T>, CommitOutcome)>);
type Sender<T> = mpsc::Sender<PendingCommit<T>>;
type Receiver<T> = mpsc::Receiver<PendingCommit<T>>;

impl<T> Clone for Committers<T> {
    fn clone(&self) -> Self {
        Self { plain: self.plain.clone(), others: self.others.clone() }
    }
}

impl<T: Send + Sync + 'static> Committers<T> {
    /// Starts the committers of a node.
    pub(crate) fn start<C>(engine: &Engine<C>, tracker: &TaskTracker) -> Self
    where
        C: Context,
        C::Writer: runs::ChangeWriter<Change = T>,
    {
        let (publisher, unpublished) = mpsc::channel(MAX_UNPUBLISHED);
        tracker.spawn(engine.clone().run_publisher(unpublished));
        let committers = |many: usize| {
            let (results, inbox) = mpsc::channel(BATCH * 4);
            let inbox = Arc::new(Mutex::new(inbox));
            for _ in 0..many {
                tracker.spawn(engine.clone().run_committer(Arc::clone(&inbox), publisher.clone()));
            }
            results
        };
        match engine.storage().supports_concurrent_writers() {
            true => Self { plain: Some(committers(1)), others: committers(FOR_CHANGES) },
            false => Self { plain: None, others: committers(1) },
        }
    }

    /// Commits a step result; returns it with its outcome, or `None` if the committers have ended.
    pub(crate) async fn commit(&self, result: StepResult<T>) -> Option<(StepResult<T>, CommitOutcome)> {
        let inbox = match &self.plain {
            Some(plain) if result.has_no_changes() => plain,
            _ => &self.others,
        };
        let (back, answer) = oneshot::channel();
        inbox.send((result, back)).await.ok()?;
        answer.await.ok()
    }
}

impl<C: Context> Engine<C> {
    async fn run_committer(
        self,
        inbox: Arc<Mutex<Receiver<Change<C>>>>,
        publisher: mpsc::Sender<PendingNotifications<C>>,
    ) {
        loop {
            let batch = gather(&mut *inbox.lock().await).await;
            if batch.is_empty() {
                return;
            }
            let (batch, backs): (Vec<StepResult<_>>, Vec<_>) = batch.into_iter().unzip();
            let mut backs: HashMap<_, _> = batch.iter().map(StepResult::key).zip(backs).collect();
            let report = self.commit_without_publishing(batch).await;
            for (result, fate) in report.fates {
                if let Some(back) = backs.remove(&result.key()) {
                    // A worker that is gone has no use for the answer: its lease runs out.
                    drop(back.send((result, fate)));
                }
            }
            // The receiver lives as long as any sender does.
            if publisher.send(report.unpublished).await.is_err() {
                return;
            }
        }
    }

    /// Publishes the notifications of committed results, so that no step waits for that. Several commits are published
    /// at once if they accumulate.
    async fn run_publisher(self, mut committed: mpsc::Receiver<PendingNotifications<C>>) {
        let mut waiting = Vec::new();
        while committed.recv_many(&mut waiting, MAX_UNPUBLISHED).await > 0 {
            let mut all = PendingNotifications::empty();
            waiting.drain(..).for_each(|unpublished| all.merge(unpublished));
            all.publish(&self).await;
        }
    }
}

/// Collects the next batch: all pending results, and those of tasks that are ready to send one. `None` if no sender is
/// left.
async fn gather<T>(inbox: &mut Receiver<T>) -> Vec<PendingCommit<T>> {
    let mut batch = Vec::new();
    inbox.recv_many(&mut batch, BATCH).await;
    let mut before = 0;
    while batch.len() > before && batch.len() < BATCH {
        before = batch.len();
        tokio::task::yield_now().await;
        while batch.len() < BATCH
            && let Ok(handed) = inbox.try_recv()
        {
            batch.push(handed);
        }
    }
    batch
}
