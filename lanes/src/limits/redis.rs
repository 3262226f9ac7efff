//! Rate limits that all nodes enforce together, by the clock of Redis.
//!
//! Only the next caller of a node queries Redis, so a long queue causes no load. Permits are leases that their node
//! renews: those of a dead node expire soon. A permit that could not be released because Redis was unreachable is
//! released later; otherwise a mailbox would remain blocked although no call to it is in progress. Without Redis each
//! node enforces an equal fraction of the limit, based on the last known number of nodes.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::Ids;
use redis::Script;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Limit, Limits, MAX_PAUSE, Permit, Wait,
    gate::{EntryAttempt, Gate, Gates},
};
use crate::{Error, Key, link::RedisLink};

/// Minimum wait before a full gate is tried again, because a permit may be free on another node; the actual wait is up
/// to twice as long.
const LOOK_AGAIN_MS: u64 = 20;
/// Maximum number of permits released with one command.
const BATCH: usize = 256;
/// Wait before another attempt to release permits that could not be released.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// The Redis implementation of [`Limits`].
#[derive(Debug)]
pub struct Redis {
    prefix: String,
    commands: Arc<RedisLink>,
    ids: Ids,
    nodes: Arc<AtomicU32>,
    lease: Duration,
    enter: Script,
    pause: Script,
    gates: Gates,
    left: UnboundedSender<ReturnedPermit>,
    held: Arc<HeldPermits>,
}

/// A permit to be released: its set, its name, and the latest time at which it may still have been renewed.
struct ReturnedPermit {
    places: String,
    lease: String,
    gate: Arc<Gate>,
    since: Instant,
}

/// The permits of this node that are in use: for the name of each permit, the set that contains it.
#[derive(Debug, Default)]
struct HeldPermits(Mutex<HashMap<String, String>>);

impl HeldPermits {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Redis {
    /// Starts the task that releases permits, on `tracker`.
    pub(crate) fn start(
        prefix: &str,
        commands: Arc<RedisLink>,
        ids: Ids,
        nodes: Arc<AtomicU32>,
        lease: Duration,
        tracker: &TaskTracker,
        token: &CancellationToken,
    ) -> Self {
        // Unbounded, because a place is dropped where nobody can wait; there are no more than places.
        let (left, leaving) = unbounded_channel();
        let held = Arc::new(HeldPermits::default());
        let tending = PermitKeeper { commands: commands.clone(), held: held.clone(), lease };
        tracker.spawn(tending.run(leaving, token.clone()));
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
            held,
        }
    }

    fn key(&self, key: &str, what: &str) -> String {
        format!("{{{}:limit:{key}}}:{what}", self.prefix)
    }

    async fn try_enter(&self, key: &str, gate: &Arc<Gate>, limit: &Limit) -> EntryAttempt {
        let (places, lease) = (self.key(key, "places"), self.ids.uuid().simple().to_string());
        let (interval, ahead) = limit.pace().unwrap_or_default();
        let mut script = self.enter.prepare_invoke();
        script.key(&places).key(self.key(key, "due")).key(self.key(key, "closed"));
        script.arg(limit.concurrency).arg(micros(interval)).arg(micros(ahead));
        script.arg(&lease).arg(micros(self.lease));
        // Made before the answer is known: a caller who stops waiting for it gives the place back as well.
        let since = Instant::now();
        let left = ReturnedPermit { places: places.clone(), lease: lease.clone(), gate: gate.clone(), since };
        let place = self.place(left, limit);
        let answer: Result<(u8, u64), Error> = self
            .commands
            .execute(|mut connection| async move { script.invoke_async(&mut connection).await })
            .await;
        match answer {
            Ok((0, _)) => {
                if limit.concurrency > 0 {
                    self.held.lock().insert(lease, places);
                }
                EntryAttempt::Inside(place)
            }
            Ok((refusal, wait)) => {
                place.forget();
                let again = LOOK_AGAIN_MS + self.ids.random_below(LOOK_AGAIN_MS);
                match refusal {
                    1 => EntryAttempt::After(Duration::from_micros(wait.max(1))),
                    _ => EntryAttempt::Full(Some(Duration::from_millis(again))),
                }
            }
            Err(_) => gate.try_enter(&limit.share(self.nodes.load(Ordering::Relaxed))),
        }
    }

    fn place(&self, left: ReturnedPermit, limit: &Limit) -> Permit {
        if limit.concurrency == 0 {
            return Permit::new(|| ());
        }
        let (leaving, held) = (self.left.clone(), self.held.clone());
        Permit::new(move || {
            held.lock().remove(&left.lease);
            let left = ReturnedPermit { since: Instant::now(), ..left };
            // When the node's tasks have ended nobody receives, and the lease ends by itself.
            drop(leaving.send(left));
        })
    }
}

#[async_trait]
impl Limits for Redis {
    async fn enter(&self, key: &Key, limit: &Limit, patience: Duration) -> Result<Permit, Wait> {
        let gate = self.gates.of(key.as_str());
        gate.enter(patience, || self.try_enter(key.as_str(), &gate, limit)).await
    }

    async fn pause(&self, key: &Key, duration: Duration) {
        self.gates.of(key.as_str()).pause(duration);
        let mut script = self.pause.prepare_invoke();
        script.key(self.key(key.as_str(), "closed")).arg(micros(duration.min(MAX_PAUSE)));
        let told = self
            .commands
            .execute(|mut connection| async move { script.invoke_async::<()>(&mut connection).await })
            .await;
        if let Err(error) = told {
            tracing::debug!(code = error.code(), "a pause is kept on this node alone");
        }
    }
}

/// Renews and releases this node's permits in Redis, one after the other, so that a permit is never renewed after its
/// release.
struct PermitKeeper {
    commands: Arc<RedisLink>,
    held: Arc<HeldPermits>,
    lease: Duration,
}

impl PermitKeeper {
    async fn run(self, mut leaving: UnboundedReceiver<ReturnedPermit>, token: CancellationToken) {
        let every = self.lease / 3;
        let mut renewal = Instant::now() + every;
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let again = if batch.is_empty() { renewal } else { renewal.min(Instant::now() + TRY_AGAIN) };
            tokio::select! {
                count = leaving.recv_many(&mut batch, BATCH) => if count == 0 { return },
                () = tokio::time::sleep_until(again) => {}
                () = token.cancelled() => break,
            }
            self.give_back(&mut batch).await;
            if Instant::now() >= renewal {
                self.renew().await;
                renewal = Instant::now() + every;
            }
        }
        // Nobody is inside any more; what was left last is given back before the node ends.
        while let Ok(left) = leaving.try_recv() {
            batch.push(left);
        }
        self.give_back(&mut batch).await;
    }

    /// Releases a batch of permits; keeps them for later if Redis is unreachable.
    async fn give_back(&self, batch: &mut Vec<ReturnedPermit>) {
        if batch.is_empty() {
            return;
        }
        let mut removal = redis::pipe();
        for left in batch.iter() {
            removal.zrem(&left.places, &left.lease).ignore();
        }
        let removed: Result<(), Error> = self
            .commands
            .execute(|mut connection| async move { removal.query_async(&mut connection).await })
            .await;
        match removed {
            Ok(()) => batch.drain(..).for_each(|left| left.gate.notify_next()),
            Err(error) => {
                tracing::debug!(code = error.code(), "places are given back later");
                // Those whose leases are over by now are free without us: a long absence must not fill the memory.
                batch.retain(|left| left.since.elapsed() < self.lease);
            }
        }
    }

    async fn renew(&self) {
        let held: Vec<(String, String)> =
            self.held.lock().iter().map(|(lease, places)| (lease.clone(), places.clone())).collect();
        if held.is_empty() {
            return;
        }
        let script = include_str!("renew.lua");
        let mut renewals = redis::pipe();
        for (lease, places) in &held {
            renewals.cmd("EVAL").arg(script).arg(1).arg(places).arg(lease).arg(micros(self.lease)).ignore();
        }
        let renewed: Result<(), Error> = self
            .commands
            .execute(|mut connection| async move { renewals.query_async(&mut connection).await })
            .await;
        if let Err(error) = renewed {
            tracing::debug!(code = error.code(), "places were not renewed");
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
