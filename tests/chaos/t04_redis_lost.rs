//! T04: Redis flushed, restarted empty and paused in mid-run.

use std::time::Duration;

use super::{
    cluster::{Cluster, SMALL, Size},
    judge::judge,
    load::{Load, MIXED},
    servers::{self, Lane},
};

const RUNS: u64 = 120;
/// Few places, so that hints wait in Redis.
const NARROW: Size = Size { steps_at_once: 2, ..SMALL };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t04_redis_flushed_emptied_and_paused_in_mid_run_loses_and_doubles_nothing() {
    let mut cluster = Cluster::set(NARROW).await;
    let mut load = Load::start(&cluster, 4, 8, RUNS, MIXED);
    let mut lost = Vec::new();
    for disaster in 0..3 {
        cluster
            .until("a quarter of the work is ordered", async |_| load.orders() >= (disaster + 1) * RUNS / 4)
            .await;
        cluster.until("hints are under way", async |cluster| Lane::of(&cluster.redis).hints() >= 3).await;
        lost.push(match disaster {
            0 => servers::flush(&cluster.redis),
            1 => servers::restart_empty(&mut cluster.redis, Duration::from_millis(800)).await,
            _ => {
                let hints = Lane::of(&cluster.redis).hints();
                servers::pause(&cluster.redis, Duration::from_secs(4)).await;
                hints
            }
        });
    }
    while !load.is_over() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ledger = load.ledger().await;
    cluster.until("all is quiet", async |cluster| cluster.database.open_jobs().await == 0).await;
    let verdict = judge(&cluster, &ledger).await;
    println!("hints that were lost by flush, restart, pause: {lost:?}; {:?}", verdict.ends);
    verdict.is_clean();
    assert!(lost.iter().all(|lost| *lost > 0), "no hint was under way: {lost:?}");
}
