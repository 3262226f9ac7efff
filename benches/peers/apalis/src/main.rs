//! Adds jobs in bulk, then processes them, with every optional feature that costs time switched off:
//! `muster-bench-apalis REDIS_URL COUNT`. Prints jobs added and jobs processed per second.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use apalis::{layers::WorkerBuilderExt, prelude::*};
use apalis_redis::{Config, RedisStorage};
use tokio::sync::Notify;

#[derive(Clone)]
struct Tally {
    done: Arc<AtomicUsize>,
    count: usize,
    all: Arc<Notify>,
}

async fn nothing(_job: u64, tally: Data<Tally>) -> Result<(), BoxDynError> {
    if tally.done.fetch_add(1, Ordering::Relaxed) + 1 == tally.count {
        tally.all.notify_one();
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxDynError> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("the URL of Redis is the first argument")?;
    let count: usize = arguments.next().ok_or("how many jobs is the second argument")?.parse()?;
    let config = Config::default()
        .queue(&format!("bench-{}", std::process::id()))
        .batch_size(100)
        .lock_tasks(false)
        .persist_results(false)
        .emit_events(false);
    let storage = RedisStorage::new(apalis_redis::connect(url).await?).with_config(config);
    let began = Instant::now();
    let mut sink = storage.clone();
    for first in (0..count).step_by(1_000) {
        let jobs = (first..count.min(first + 1_000)).map(|n| n as u64).collect();
        sink.push_bulk(jobs).await.map_err(|error| format!("{error:?}"))?;
    }
    let added = count as f64 / began.elapsed().as_secs_f64();
    let tally = Tally { done: Arc::default(), count, all: Arc::default() };
    let worker =
        WorkerBuilder::new("bench").backend(storage).data(tally.clone()).concurrency(100).build(nothing);
    let began = Instant::now();
    let all = tally.all.notified();
    tokio::select! {
        ended = worker.run() => ended?,
        () = all => {}
    }
    println!("{added:.0} {:.0}", count as f64 / began.elapsed().as_secs_f64());
    Ok(())
}
