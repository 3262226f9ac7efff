//! The queue of hints over Redis streams, for many nodes.
//!
//! Each lane has several streams, and a tenant's hints are added to the shorter of two of them. A read takes hints from
//! all streams, so a tenant with many hints fills only its own streams, and hints in other streams are read at the same
//! time. All keys share one hash tag, because a read names all of them. All nodes are one consumer of the group:
//! entries that a dead node had read need not be taken over, because the sweep finds their runs; the length limit of a
//! stream removes the entries.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use domain::{Id, Ids, ids, state::Lane};
use redis::Script;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Hints, JobHint, fair_queue::FairQueue};
use crate::{
    Error,
    link::{MAX_BLOCKING_READ, RedisLink},
};

/// Number of Redis streams per lane.
const SHARDS: usize = 16;
/// Approximate maximum number of entries in a Redis stream.
const BOUND: usize = 50_000;
/// Maximum number of hints pushed with one command.
const BATCH: usize = 500;
/// Maximum number of hints that were read but not acknowledged; the entries of further hints remain in their streams
/// until these are trimmed.
const UNSETTLED: usize = 100_000;
const GROUP: &str = "workers";
const CONSUMER: &str = "node";

/// The response to a stream read: streams, their entries, and the fields of each entry.
type Answer = Option<Vec<(String, Vec<(String, Vec<Vec<u8>>)>)>>;

/// The index of a Redis stream, and the id of an entry in it.
type StreamEntry = (usize, String);

/// See [`Hints`] and the module.
#[derive(Debug)]
pub struct Redis {
    commands: Arc<RedisLink>,
    reader: Arc<RedisLink>,
    /// The Redis keys of the streams, lane by lane.
    streams: Vec<String>,
    push: Script,
    groups: Script,
    ids: Ids,
    token: CancellationToken,
    /// Hints that were read from Redis but not returned yet. Locked while reading, so that one read is executed at a
    /// time.
    read: tokio::sync::Mutex<FairQueue>,
    /// The stream entries of hints that are not acknowledged yet, by run.
    unsettled: Mutex<HashMap<Id<ids::Run>, Vec<StreamEntry>>>,
}

impl Redis {
    pub(crate) fn new(
        prefix: &str,
        commands: Arc<RedisLink>,
        reader: Arc<RedisLink>,
        ids: Ids,
        token: CancellationToken,
    ) -> Self {
        let lane = |lane: &Lane| {
            let name = format!("{{{prefix}:hints}}:{}", lane.as_str().to_lowercase());
            (0..SHARDS).map(move |shard| format!("{name}:{shard:02}"))
        };
        Self {
            commands,
            reader,
            streams: Lane::ALL.iter().flat_map(lane).collect(),
            push: Script::new(include_str!("push.lua")),
            groups: Script::new(include_str!("groups.lua")),
            ids,
            token,
            read: tokio::sync::Mutex::default(),
            unsettled: Mutex::default(),
        }
    }

    /// Reads about `max` pending hints, lane by lane: first an equal number from each stream, then more from streams
    /// that returned the full number.
    async fn fill(&self, read: &mut FairQueue, max: usize) -> Result<(), Error> {
        let share = max.div_ceil(8);
        // Interactive hints are looked for every time, the others only when their stock runs low.
        let low = |lane: &Lane| *lane == Lane::Interactive || read.lane_length(*lane) <= 2 * share;
        let streams: Vec<usize> =
            Lane::ALL.iter().filter(|lane| low(lane)).flat_map(|lane| shards(*lane)).collect();
        let full = self.read_from(read, &streams, max.div_ceil(SHARDS), None).await?;
        for lane in Lane::ALL {
            let more: Vec<usize> =
                full.iter().copied().filter(|stream| shards(*lane).contains(stream)).collect();
            let missing = match lane {
                Lane::Interactive => max.saturating_sub(read.lane_length(*lane)),
                _ => max.saturating_sub(read.len()).max(share.saturating_sub(read.lane_length(*lane))),
            };
            if missing > 0 && !more.is_empty() {
                self.read_from(read, &more, missing.div_ceil(more.len()), None).await?;
            }
        }
        Ok(())
    }

    /// Reads up to `count` hints from each stream; returns the streams from which `count` hints were read.
    async fn read_from(
        &self,
        read: &mut FairQueue,
        streams: &[usize],
        count: usize,
        block: Option<Duration>,
    ) -> Result<Vec<usize>, Error> {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(CONSUMER).arg("COUNT").arg(count);
        if let Some(block) = block {
            command.arg("BLOCK").arg(block.as_millis().max(1) as u64);
        }
        command.arg("STREAMS");
        for stream in streams {
            command.arg(&self.streams[*stream]);
        }
        for _ in streams {
            command.arg(">");
        }
        let answer: Answer = self
            .reader
            .execute(|mut connection| async move { command.query_async(&mut connection).await })
            .await?;
        let mut full = Vec::new();
        for (key, entries) in answer.unwrap_or_default() {
            let Some(stream) = streams.iter().copied().find(|stream| self.streams[*stream] == key) else {
                continue;
            };
            if entries.len() == count {
                full.push(stream);
            }
            self.keep(read, stream, entries);
        }
        Ok(full)
    }

    fn keep(&self, read: &mut FairQueue, stream: usize, entries: Vec<(String, Vec<Vec<u8>>)>) {
        let lane = Lane::ALL[stream / SHARDS];
        let mut unsettled = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner);
        if unsettled.len() > UNSETTLED {
            unsettled.clear();
        }
        for (entry, fields) in entries {
            let id = |index: usize| fields.get(index).and_then(|bytes| Uuid::from_slice(bytes).ok());
            if let (Some(run), Some(tenant)) = (id(1), id(3)) {
                let (run, tenant) = (Id::from_uuid(run), Id::from_uuid(tenant));
                unsettled.entry(run).or_default().push((stream, entry));
                read.push(JobHint { run, tenant, lane });
            }
        }
    }

    /// Creates the consumer groups of the streams; a new Redis server has none.
    async fn make_groups(&self) -> Result<(), Error> {
        let mut script = self.groups.prepare_invoke();
        self.streams.iter().for_each(|stream| {
            script.key(stream);
        });
        script.arg(GROUP);
        self.reader
            .execute(|mut connection| async move { script.invoke_async::<()>(&mut connection).await })
            .await
    }

    /// Waits until a hint arrives.
    async fn wait_for(&self, max: usize, until: Instant) -> Vec<JobHint> {
        let Ok(mut read) = timeout_at(until, self.read.lock()).await else { return Vec::new() };
        let every: Vec<usize> = (0..self.streams.len()).collect();
        loop {
            let mut outcome = self.fill(&mut read, max).await;
            let left = until.saturating_duration_since(Instant::now());
            if outcome.is_ok() && read.len() == 0 && !left.is_zero() {
                let block = Some(left.min(MAX_BLOCKING_READ));
                outcome = self.read_from(&mut read, &every, max.div_ceil(SHARDS), block).await.map(drop);
            }
            if outcome.as_ref().is_err_and(Error::is_missing_consumer_group) {
                outcome = self.make_groups().await;
            }
            let hints = read.take(max);
            if !hints.is_empty() || Instant::now() >= until {
                return hints;
            }
            if outcome.is_err() {
                let pause = Duration::from_millis(50 + self.ids.random_below(100));
                sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
                return Vec::new();
            }
        }
    }
}

#[async_trait]
impl Hints for Redis {
    async fn push(&self, hints: &[JobHint]) -> Result<(), Error> {
        for hints in hints.chunks(BATCH) {
            let mut script = self.push.prepare_invoke();
            self.streams.iter().for_each(|stream| {
                script.key(stream);
            });
            script.arg(BOUND);
            for hint in hints {
                let (one, other) = choices(hint);
                script
                    .arg(one + 1)
                    .arg(other + 1)
                    .arg(hint.run.uuid().as_bytes())
                    .arg(hint.tenant.uuid().as_bytes());
            }
            self.commands
                .execute(|mut connection| async move { script.invoke_async::<()>(&mut connection).await })
                .await?;
        }
        Ok(())
    }

    async fn next(&self, max: usize, wait: Duration) -> Result<Vec<JobHint>, Error> {
        if max == 0 {
            return Ok(Vec::new());
        }
        tokio::select! {
            hints = self.wait_for(max, Instant::now() + wait) => Ok(hints),
            () = self.token.cancelled() => Ok(Vec::new()),
        }
    }

    async fn waiting(&self) -> Result<usize, Error> {
        let mut lengths = redis::pipe();
        for key in &self.streams {
            lengths.cmd("XLEN").arg(key);
        }
        let lengths: Vec<usize> = self
            .commands
            .execute(|mut connection| async move { lengths.query_async(&mut connection).await })
            .await?;
        Ok(lengths.into_iter().sum())
    }

    async fn acknowledge(&self, hints: &[JobHint]) -> Result<(), Error> {
        let mut entries: HashMap<usize, Vec<String>> = HashMap::new();
        {
            let mut unsettled = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner);
            for (stream, entry) in hints.iter().filter_map(|hint| unsettled.remove(&hint.run)).flatten() {
                entries.entry(stream).or_default().push(entry);
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        let mut commands = redis::pipe();
        for (stream, entries) in entries {
            let key = &self.streams[stream];
            commands.cmd("XACK").arg(key).arg(GROUP).arg(&entries).ignore();
            commands.cmd("XDEL").arg(key).arg(&entries).ignore();
        }
        self.commands
            .execute(|mut connection| async move { commands.query_async(&mut connection).await })
            .await
    }
}

/// The streams of a lane.
fn shards(lane: Lane) -> std::ops::Range<usize> {
    let first = lane as usize * SHARDS;
    first..first + SHARDS
}

/// The two streams of a lane between which the hints of one tenant are distributed.
fn choices(hint: &JobHint) -> (usize, usize) {
    // Written out, because it has to be the same on every node and in every version: the halves of the id,
    // mixed by multiplication until every bit hangs on every other.
    let (high, low) = hint.tenant.uuid().as_u64_pair();
    let mix = |word: u64| (word ^ (word >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = mix(mix(high).wrapping_add(mix(mix(low))));
    let one = (hash >> 32) as usize % SHARDS;
    let other = (one + 1 + (hash >> 48) as usize % (SHARDS - 1)) % SHARDS;
    let first = hint.lane as usize * SHARDS;
    (first + one, first + other)
}
