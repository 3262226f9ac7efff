//! Benchmark of the queue of hints, compared with the maximum throughput of Redis for the same entries.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use domain::JobHint;
use domain::{Id, ids, state::Lane};
use redis::{AsyncCommands, aio::MultiplexedConnection};

use crate::{Result, node::Node};

/// Number of entries read and acknowledged at a time.
const BATCH: usize = 100;
const STREAM: &str = "limit";
const GROUP: &str = "workers";

type Entries = Option<Vec<(String, Vec<(String, Vec<Vec<u8>>)>)>>;

/// The maximum throughput of Redis: entries added, and entries read, acknowledged and deleted, per second.
pub async fn measure_redis_throughput(redis: &str, count: usize) -> Result<(f64, f64)> {
    let mut connection = connect(redis).await?;
    connection.del::<_, ()>(STREAM).await?;
    redis::cmd("XGROUP").arg(&["CREATE", STREAM, GROUP, "0", "MKSTREAM"]).exec_async(&mut connection).await?;
    let began = Instant::now();
    for _ in 0..count / BATCH {
        let mut pipe = redis::pipe();
        for _ in 0..BATCH {
            pipe.cmd("XADD")
                .arg(STREAM)
                .arg("*")
                .arg("r")
                .arg(&[0_u8; 16])
                .arg("t")
                .arg(&[1_u8; 16])
                .ignore();
        }
        pipe.exec_async(&mut connection).await?;
    }
    let added = count as f64 / began.elapsed().as_secs_f64();
    let (mut read, mut last) = (0, Vec::<String>::new());
    let began = Instant::now();
    loop {
        // The last batch is settled in the round trip that reads the next.
        let mut pipe = redis::pipe();
        if !last.is_empty() {
            pipe.cmd("XACK").arg(STREAM).arg(GROUP).arg(&last).ignore();
            pipe.cmd("XDEL").arg(STREAM).arg(&last).ignore();
        }
        pipe.cmd("XREADGROUP")
            .arg(&["GROUP", GROUP, "node", "COUNT"])
            .arg(BATCH)
            .arg(&["STREAMS", STREAM, ">"]);
        let (entries,): (Entries,) = pipe.query_async(&mut connection).await?;
        last = entries.into_iter().flatten().flat_map(|(_, entries)| entries).map(|(id, _)| id).collect();
        if last.is_empty() {
            break;
        }
        read += last.len();
    }
    let drained = read as f64 / began.elapsed().as_secs_f64();
    if read != count / BATCH * BATCH || connection.xlen::<_, usize>(STREAM).await? != 0 {
        return Err("entries were lost".into());
    }
    Ok((added, drained))
}

async fn connect(redis: &str) -> Result<MultiplexedConnection> {
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(10)));
    Ok(redis::Client::open(redis)?.get_multiplexed_async_connection_with_config(&config).await?)
}

/// Hints pushed, and hints read and acknowledged, per second, for 64 tenants.
pub async fn measure_lane_throughput(node: &Node, count: usize) -> Result<(f64, f64)> {
    let hints = hints(node, count);
    let began = Instant::now();
    for hints in hints.chunks(BATCH) {
        node.services.queue.hints.push(hints).await?;
    }
    let pushed = count as f64 / began.elapsed().as_secs_f64();
    let mut seen = HashSet::with_capacity(count);
    let began = Instant::now();
    while seen.len() < count {
        let hints = node.services.queue.hints.next(BATCH, Duration::from_secs(5)).await?;
        if hints.is_empty() {
            return Err(format!("{} of {count} hints came", seen.len()).into());
        }
        node.services.queue.hints.acknowledge(&hints).await?;
        seen.extend(hints.iter().map(|hint| hint.run));
    }
    Ok((pushed, count as f64 / began.elapsed().as_secs_f64()))
}

fn hints(node: &Node, count: usize) -> Vec<JobHint> {
    let tenants: Vec<Id<ids::Tenant>> = (0..64).map(|_| node.services.ids.make()).collect();
    let hint =
        |n: usize| JobHint { run: node.services.ids.make(), tenant: tenants[n % 64], lane: Lane::Bulk };
    (0..count).map(hint).collect()
}

/// Delays from XADD to the return of a blocked XREADGROUP, in sorted microseconds.
pub async fn measure_redis_wake(redis: &str, iterations: usize) -> Result<Vec<u64>> {
    let (mut writer, mut reader) = (connect(redis).await?, connect(redis).await?);
    writer.del::<_, ()>(STREAM).await?;
    redis::cmd("XGROUP").arg(&["CREATE", STREAM, GROUP, "0", "MKSTREAM"]).exec_async(&mut writer).await?;
    let mut took = Vec::new();
    for _ in 0..iterations {
        let read = async {
            let mut command = redis::cmd("XREADGROUP");
            command.arg(&["GROUP", GROUP, "node", "COUNT", "1", "BLOCK", "5000", "STREAMS", STREAM, ">"]);
            let entries: Entries = command.query_async(&mut reader).await?;
            let at = Instant::now();
            entries.is_some_and(|entries| !entries.is_empty()).then_some(at).ok_or_else(|| "no entry".into())
        };
        let write = async {
            tokio::time::sleep(Duration::from_millis(3)).await;
            let at = Instant::now();
            let run = [0_u8; 16];
            writer.xadd::<_, _, _, _, ()>(STREAM, "*", &[("r", &run), ("t", &run)]).await?;
            Ok::<_, crate::Error>(at)
        };
        let (read, written) = tokio::join!(read, write);
        let read: Instant = match read {
            Ok(read) => read,
            Err(error) => return Err(error),
        };
        took.push((read - written?).as_micros() as u64);
    }
    took.sort_unstable();
    Ok(took)
}

/// Delays from a push to the return of a waiting reader, in sorted microseconds.
pub async fn measure_lane_wake(node: &Node, iterations: usize) -> Result<Vec<u64>> {
    let lane = &node.services.queue.hints;
    let mut took = Vec::new();
    for hint in hints(node, iterations) {
        let read = async {
            let hints = lane.next(1, Duration::from_secs(5)).await?;
            let at = Instant::now();
            lane.acknowledge(&hints).await?;
            if hints == [hint] { Ok::<_, crate::Error>(at) } else { Err("another hint came".into()) }
        };
        let write = async {
            tokio::time::sleep(Duration::from_millis(3)).await;
            let at = Instant::now();
            lane.push(&[hint]).await?;
            Ok::<_, crate::Error>(at)
        };
        let (read, written) = tokio::join!(read, write);
        took.push((read? - written?).as_micros() as u64);
    }
    took.sort_unstable();
    Ok(took)
}
