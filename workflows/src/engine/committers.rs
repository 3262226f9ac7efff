//! The committers: they write together what many workers hand over, and tell of it.
//!
//! On PostgreSQL results of the same kind go together. Plain ones have one committer: it writes whatever has come while
//! it wrote the last batch, so batches grow with the load, and a step in a large batch costs a third of one in a small
//! batch. Results that bring changes cost their own statements in any batch and never hold up the plain ones.

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

/// How many results one commit takes.
const BATCH: usize = 128;
/// How many commits may wait to be told of, before the committers wait too.
const MAX_UNPUBLISHED: usize = 16;
/// How many write results that bring changes: while one waits for its disk, the other goes on.
const FOR_CHANGES: usize = 2;

/// The way to the committers of a node. They end when every way to them is gone.
#[derive(Debug, Clone)]
pub(super) struct Committers {
    /// `None` where everything shares one commit.
    plain: Option<mpsc::Sender<PendingCommit>>,
    others: mpsc::Sender<PendingCommit>,
}

/// A result on its way, and where its fate is told.
type PendingCommit = (Transition, oneshot::Sender<(Transition, CommitOutcome)>);

impl Committers {
    /// Starts a node's committers.
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

    /// Hands a result over; returns it with its fate, or nothing when the committers are gone.
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

    /// Tells the others what was committed, so that no step waits for that: as much at once as has come together.
    async fn tell_for_ever(self, mut committed: mpsc::Receiver<AfterCommit>) {
        let mut waiting = Vec::new();
        while committed.recv_many(&mut waiting, MAX_UNPUBLISHED).await > 0 {
            let mut all = AfterCommit::default();
            waiting.drain(..).for_each(|after| all.join(after));
            all.publish(self.services()).await;
        }
    }
}

/// The next batch: what has come, with what the tasks that are ready now still bring. None when nobody can bring more.
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
