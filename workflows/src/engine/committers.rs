//! Committers: commit the results of many workers together, and publish them.
//!
//! On PostgreSQL, results of the same kind are committed together. Results without changes have one committer: it
//! writes everything that arrived while it wrote the previous batch, so that batches grow with the load; a step in
//! a large batch costs a third of one in a small batch. Results with changes need statements of their own in any
//! batch, and never delay the others.

use std::{collections::HashMap, sync::Arc};

use sea_orm::DatabaseBackend;
use services::tx::AfterCommit;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::{
    Engine,
    commit::{CommitOutcome, commit_without_publishing, is_plain, key},
    decide::Transition,
};

/// Maximum number of results in one commit.
const BATCH: usize = 128;
/// Maximum number of commits waiting to be published before the committers wait too.
const MAX_UNPUBLISHED: usize = 16;
/// Number of committers for results with changes: while one waits for its disk, another continues.
const FOR_CHANGES: usize = 2;

/// Channels to the committers of a node, which end when all channels to them are closed.
#[derive(Debug, Clone)]
pub(super) struct Committers {
    /// `None` if all results share one committer.
    plain: Option<mpsc::Sender<PendingCommit>>,
    others: mpsc::Sender<PendingCommit>,
}

/// A result to be committed, and where its outcome is sent.
type PendingCommit = (Transition, oneshot::Sender<(Transition, CommitOutcome)>);

impl Committers {
    /// Starts the committers of a node.
    pub(super) fn start(engine: &Engine, tracker: &TaskTracker) -> Self {
        let (publisher, unpublished) = mpsc::channel(MAX_UNPUBLISHED);
        tracker.spawn(engine.clone().tell_for_ever(unpublished));
        let committers = |many: usize| {
            let (results, inbox) = mpsc::channel(BATCH * 4);
            let inbox = Arc::new(Mutex::new(inbox));
            for _ in 0..many {
                tracker.spawn(engine.clone().run_committer(Arc::clone(&inbox), publisher.clone()));
            }
            results
        };
        // SQLite has one writer: a second committer would wait for the first with its batch in hand.
        match engine.services().store.backend() {
            DatabaseBackend::Postgres => Self { plain: Some(committers(1)), others: committers(FOR_CHANGES) },
            _ => Self { plain: None, others: committers(1) },
        }
    }

    /// Commits a result; returns it with its outcome, or `None` if the committers have ended.
    pub(super) async fn commit(&self, transition: Transition) -> Option<(Transition, CommitOutcome)> {
        let inbox = match &self.plain {
            Some(plain) if is_plain(&transition) => plain,
            _ => &self.others,
        };
        let (back, answer) = oneshot::channel();
        inbox.send((transition, back)).await.ok()?;
        answer.await.ok()
    }
}

impl Engine {
    async fn run_committer(
        self,
        inbox: Arc<Mutex<mpsc::Receiver<PendingCommit>>>,
        publisher: mpsc::Sender<AfterCommit>,
    ) {
        loop {
            let batch = gather(&mut *inbox.lock().await).await;
            if batch.is_empty() {
                return;
            }
            let (batch, backs): (Vec<Transition>, Vec<_>) = batch.into_iter().unzip();
            let mut backs: HashMap<_, _> = batch.iter().map(key).zip(backs).collect();
            let committed = commit_without_publishing(self.services(), self.node(), batch).await;
            for (transition, fate) in committed.fates {
                if let Some(back) = backs.remove(&key(&transition)) {
                    // A worker that is gone has no use for the answer: its lease runs out.
                    drop(back.send((transition, fate)));
                }
            }
            // The receiver lives as long as any sender does.
            if publisher.send(committed.after).await.is_err() {
                return;
            }
        }
    }

    /// Publishes committed results, so that no step waits for that; several commits at once if they accumulate.
    async fn tell_for_ever(self, mut committed: mpsc::Receiver<AfterCommit>) {
        let mut waiting = Vec::new();
        while committed.recv_many(&mut waiting, MAX_UNPUBLISHED).await > 0 {
            let mut all = AfterCommit::default();
            waiting.drain(..).for_each(|after| all.join(after));
            all.publish(self.services()).await;
        }
    }
}

/// Collects the next batch: all waiting results, and those of tasks that are ready to send one. `None` if no sender
/// is left.
async fn gather(inbox: &mut mpsc::Receiver<PendingCommit>) -> Vec<PendingCommit> {
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
