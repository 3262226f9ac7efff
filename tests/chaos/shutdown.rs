//! A node that is asked to stop: it claims nothing more, ends or gives back what it is at, and leaves nothing that
//! another node would have to wait for.

use std::time::Duration;

use serde_json::json;

use super::{
    cluster::{Cluster, SMALL},
    judge::{accepted, judge},
    load::{Load, MIXED},
};

const RUNS: u64 = 60;
/// What a node says that could not end its work in time.
const TOO_LATE: &str = "not everything was finished in time";

/// Asks the worker to stop and waits until it has. Returns what its log says.
async fn stop_worker(cluster: &mut Cluster) -> String {
    let mark = cluster.nodes[1].mark();
    cluster.nodes[1].process.signal("TERM");
    let ended = cluster.nodes[1].process.wait_for_exit(Duration::from_secs(40)).await;
    assert!(ended.is_some_and(|status| status.success()), "it ended as {ended:?}");
    assert_eq!(cluster.database.held_by(&mark).await, [], "a lease is left that has to run out");
    std::fs::read_to_string(&cluster.nodes[1].log).unwrap()
}

async fn under_way(cluster: &mut Cluster, steps: usize) {
    let mark = cluster.nodes[1].mark();
    let is_busy = async |cluster: &Cluster| cluster.database.held_by(&mark).await.len() >= steps;
    cluster.until("the worker is at work", is_busy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_asked_to_stop_ends_its_steps_and_another_carries_on() {
    let mut cluster = Cluster::set(SMALL).await;
    let slow = json!({ "match": { "method": "POST", "path_contains": "/events" }, "times": 1_000_000,
        "action": "slow", "ms": 300 });
    cluster.sandbox.fault(slow).await;
    let load = Load::start(&cluster, 6, 6, RUNS, MIXED);
    // A rolling restart, twice.
    for _ in 0..2 {
        under_way(&mut cluster, 3).await;
        let said = stop_worker(&mut cluster).await;
        assert!(said.contains("\"stopping\"") && !said.contains(TOO_LATE), "{said}");
        cluster.replace(1);
    }
    let ledger = load.ledger().await;
    cluster.until("all is quiet", async |cluster| cluster.database.open_jobs().await == 0).await;
    let verdict = judge(&cluster, &ledger).await;
    println!("{:?}", verdict.ends);
    verdict.is_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_outlasts_the_deadline_is_left_to_another_node_at_once() {
    let mut cluster = Cluster::set(SMALL).await;
    // One node works, and gives up waiting after a second.
    cluster.configure("MUSTER_ROLES", "api");
    cluster.configure("MUSTER_STOP_WITHIN_SECONDS", "1");
    for index in 0..2 {
        cluster.kill(index);
        cluster.replace(index);
    }
    // The provider acts, and says nothing for longer than that.
    let silent = json!({ "match": { "method": "POST", "path_contains": "/events" }, "times": 100,
        "action": "slow", "ms": 25_000 });
    cluster.sandbox.fault(silent).await;
    let load = Load::start(&cluster, 7, 6, 12, MIXED);
    let waits = async |cluster: &Cluster| {
        let held = cluster.database.held_by(&cluster.nodes[1].mark()).await;
        accepted(&held, &cluster.sandbox.journal()) > 0
    };
    cluster.until("the worker waits for an answer", waits).await;
    let said = stop_worker(&mut cluster).await;
    assert!(said.contains(TOO_LATE), "the danger was not met: {said}");
    cluster.sandbox.clear_faults().await;
    cluster.replace(1);
    let ledger = load.ledger().await;
    cluster.until("all is quiet", async |cluster| cluster.database.open_jobs().await == 0).await;
    let verdict = judge(&cluster, &ledger).await;
    println!("{:?}", verdict.ends);
    verdict.is_clean();
}
