//! T02: `kill -9` of workers during runs.

use std::time::Duration;

use serde_json::json;

use super::{
    cluster::{Cluster, SMALL},
    judge::{accepted, judge},
    load::{Load, MIXED},
};

/// Kills that meet a step between the provider's acceptance and our commit.
const DANGEROUS: usize = 6;
const RUNS: u64 = 80;
const MOST: u64 = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t02_workers_killed_between_acceptance_and_commit_lose_and_double_nothing() {
    let mut cluster = Cluster::set(SMALL).await;
    // The provider answers a while after it has acted: in between is the danger.
    for method in ["POST", "PATCH"] {
        let fault = json!({ "match": { "method": method, "path_contains": "/events" }, "times": 1_000_000,
            "action": "slow", "ms": 150 });
        cluster.sandbox.fault(fault).await;
    }
    let load = Load::start(&cluster, 2, 6, MOST, MIXED);
    let (mut kills, mut hits) = (0, 0);
    while hits < DANGEROUS || load.orders() < RUNS {
        assert!(load.orders() < MOST, "{hits} of {kills} kills met the danger");
        load.hold_back(cluster.database.open_jobs().await > 30);
        // The API's node is spared: that its callers repeat themselves is shown by the soak.
        let held = cluster.database.held_by(&cluster.nodes[1].mark()).await;
        if hits < DANGEROUS && accepted(&held, &cluster.sandbox.journal()) > 0 {
            let mark = cluster.kill(1);
            kills += 1;
            let held = cluster.database.held_by(&mark).await;
            hits += accepted(&held, &cluster.sandbox.journal());
            cluster.database.bury(&mark).await;
            cluster.replace(1);
            // A run that is met by each of three kills is parked, as it should be.
            let survived = "SELECT count(*) AS n FROM job WHERE crashes > 0 OR lease_until <= now()";
            cluster
                .until("what was hit has moved on", async |cluster| {
                    cluster.database.count(survived).await == 0
                })
                .await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    load.stop();
    let ledger = load.ledger().await;
    cluster.until("all is quiet", async |cluster| cluster.database.open_jobs().await == 0).await;
    let verdict = judge(&cluster, &ledger).await;
    println!("{kills} kills, {hits} between acceptance and commit; {:?}", verdict.ends);
    verdict.is_clean();
}
