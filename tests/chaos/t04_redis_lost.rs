//! T04: Redis flushed, restarted empty and paused in mid-run.

use std::time::Duration;

use super::{
    judge::judge,
    load::{Load, MIXED},
    stage::{SMALL, Size, Stage},
};

const RUNS: u64 = 120;
/// Few places, so that hints wait in Redis.
const NARROW: Size = Size { steps_at_once: 2, ..SMALL };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t04_redis_flushed_emptied_and_paused_in_mid_run_loses_and_doubles_nothing() {
    let mut stage = Stage::set(NARROW).await;
    let mut load = Load::start(&stage, 4, 8, RUNS, MIXED);
    let mut lost = Vec::new();
    for disaster in 0..3 {
        stage
            .until("a quarter of the work is ordered", async |_| load.orders() >= (disaster + 1) * RUNS / 4)
            .await;
        stage.until("hints are under way", async |stage| stage.redis.hints() >= 3).await;
        lost.push(match disaster {
            0 => stage.redis.flush(),
            1 => stage.redis.restart_empty(Duration::from_millis(800)).await,
            _ => {
                let hints = stage.redis.hints();
                stage.redis.pause(Duration::from_secs(4)).await;
                hints
            }
        });
    }
    while !load.is_over() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ledger = load.ledger().await;
    stage.until("all is quiet", async |stage| stage.database.open_jobs().await == 0).await;
    let verdict = judge(&stage, &ledger).await;
    println!("hints that were lost by flush, restart, pause: {lost:?}; {:?}", verdict.ends);
    verdict.is_clean();
    assert!(lost.iter().all(|lost| *lost > 0), "no hint was under way: {lost:?}");
}
