//! T03: PostgreSQL killed and restarted in mid-run.

use std::time::Duration;

use super::{
    cluster::{Cluster, SMALL},
    judge::judge,
    load::{Load, MIXED},
};

const RUNS: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t03_postgres_restarted_in_mid_run_loses_and_doubles_nothing() {
    let mut cluster = Cluster::set(SMALL).await;
    let mut load = Load::start(&cluster, 3, 6, RUNS, MIXED);
    let mut caught = 0;
    for part in 1..=2 {
        cluster.until("a third of the work is ordered", async |_| load.orders() >= part * RUNS / 3).await;
        // Steps that are in somebody's hands when the database goes.
        cluster
            .until("steps are under way", async |cluster| !cluster.database.held("true").await.is_empty())
            .await;
        caught += cluster.database.held("true").await.len();
        cluster.postgres.crash(Duration::from_millis(500)).await;
    }
    while !load.is_over() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ledger = load.ledger().await;
    cluster.until("all is quiet", async |cluster| cluster.database.open_jobs().await == 0).await;
    let verdict = judge(&cluster, &ledger).await;
    println!("2 restarts, {caught} steps were under way; {:?}", verdict.ends);
    verdict.is_clean();
    assert!(caught >= 2, "the restarts met only {caught} steps");
}
