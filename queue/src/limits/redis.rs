//! Limits that all nodes keep together, by Redis' clock.
//!
//! Only the caller who is next on its node asks Redis, so a long queue is no load. Places are leases: those of a
//! node that died end by themselves. While Redis is away each node keeps its share of the limit by itself; it
//! knows how many nodes there were last.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::Ids;
use redis::Script;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Limit, Limits, Place, Wait,
    gate::{Attempt, Gate, Gates},
};
use crate::{Error, link::Link};

/// How long until a full gate is looked at again, because a place may be free on another node: at least this,
/// and up to twice.
const LOOK_AGAIN_MS: u64 = 20;
/// Places that are given back in one call.
const BATCH: usize = 256;

/// See [`Limits`] and the module.
#[derive(Debug)]
pub struct Redis {
    prefix: String,
    commands: Arc<Link>,
    ids: Ids,
    nodes: Arc<AtomicU32>,
    lease: Duration,
    enter: Script,
    pause: Script,
    gates: Gates,
    left: UnboundedSender<Left>,
}

/// A place that was given back: its set and its name.
struct Left {
    places: String,
    lease: String,
    gate: Arc<Gate>,
}

impl Redis {
    /// Begins to give places back, on `tracker`.
    pub(crate) fn start(
        prefix: &str,
        commands: Arc<Link>,
        ids: Ids,
        nodes: Arc<AtomicU32>,
        lease: Duration,
        tracker: &TaskTracker,
        token: &CancellationToken,
    ) -> Self {
        // Unbounded, because a place is dropped where nobody can wait; there are no more than places.
        let (left, leaving) = unbounded_channel();
        tracker.spawn(give_back(commands.clone(), leaving, token.clone()));
        Self {
            prefix: prefix.to_owned(),
            commands,
            ids,
            nodes,
            lease,
            enter: Script::new(include_str!("enter.lua")),
            pause: Script::new(include_str!("pause.lua")),
            gates: Gates::default(),
            left,
        }
    }

    fn key(&self, key: &str, what: &str) -> String {
        format!("{{{}:limit:{key}}}:{what}", self.prefix)
    }

    async fn attempt(&self, key: &str, gate: &Arc<Gate>, limit: &Limit) -> Attempt {
        let (places, lease) = (self.key(key, "places"), self.ids.uuid().simple().to_string());
        let (interval, ahead) = limit.pace().unwrap_or_default();
        let mut script = self.enter.prepare_invoke();
        script.key(&places).key(self.key(key, "due")).key(self.key(key, "closed"));
        script.arg(limit.concurrency).arg(micros(interval)).arg(micros(ahead));
        script.arg(&lease).arg(micros(self.lease));
        // Made before the answer is known: a caller who stops waiting for it gives the place back as well.
        let place = self.place(Left { places, lease, gate: gate.clone() }, limit);
        let answer: Result<(u8, u64), Error> = self
            .commands
            .ask(|mut connection| async move { script.invoke_async(&mut connection).await })
            .await;
        match answer {
            Ok((0, _)) => Attempt::Inside(place),
            Ok((refusal, wait)) => {
                place.forget();
                let again = LOOK_AGAIN_MS + self.ids.below(LOOK_AGAIN_MS);
                match refusal {
                    1 => Attempt::After(Duration::from_micros(wait.max(1))),
                    _ => Attempt::Full(Some(Duration::from_millis(again))),
                }
            }
            Err(_) => gate.attempt(&limit.share(self.nodes.load(Ordering::Relaxed))),
        }
    }

    fn place(&self, left: Left, limit: &Limit) -> Place {
        if limit.concurrency == 0 {
            return Place::new(|| ());
        }
        let leaving = self.left.clone();
        // When the node's tasks have ended nobody receives, and the lease ends by itself.
        Place::new(move || drop(leaving.send(left)))
    }
}

#[async_trait]
impl Limits for Redis {
    async fn enter(&self, key: &str, limit: &Limit, patience: Duration) -> Result<Place, Wait> {
        let gate = self.gates.of(key);
        gate.enter(patience, || self.attempt(key, &gate, limit)).await
    }

    async fn pause(&self, key: &str, for_: Duration) {
        self.gates.of(key).pause(for_);
        let mut script = self.pause.prepare_invoke();
        script.key(self.key(key, "closed")).arg(micros(for_));
        let told = self
            .commands
            .ask(|mut connection| async move { script.invoke_async::<()>(&mut connection).await })
            .await;
        if let Err(error) = told {
            tracing::debug!(code = error.code(), "a pause is kept on this node alone");
        }
    }
}

/// Gives back what was left, until the node stops.
async fn give_back(commands: Arc<Link>, mut leaving: UnboundedReceiver<Left>, token: CancellationToken) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            count = leaving.recv_many(&mut batch, BATCH) => if count == 0 { return },
            () = token.cancelled() => return,
        }
        let mut removal = redis::pipe();
        for left in &batch {
            removal.zrem(&left.places, &left.lease).ignore();
        }
        let removed: Result<(), Error> =
            commands.ask(|mut connection| async move { removal.query_async(&mut connection).await }).await;
        if let Err(error) = removed {
            tracing::debug!(
                code = error.code(),
                "places were not given back; their leases end by themselves"
            );
        }
        batch.drain(..).for_each(|left| left.gate.freed());
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
