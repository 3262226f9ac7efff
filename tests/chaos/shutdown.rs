//! A node that is asked to stop: it claims nothing more, ends or gives back what it is at, and leaves nothing that
//! another node would have to wait for.

use std::time::Duration;

use serde_json::json;

use super::{
    judge::{accepted, judge},
    load::{Load, MIXED},
    stage::{SMALL, Stage},
};

const RUNS: u64 = 60;
/// What a node says that could not end its work in time.
const TOO_LATE: &str = "not everything was finished in time";

/// Asks the worker to stop and waits until it has. Returns what its log says.
async fn stop_worker(stage: &mut Stage) -> String {
    let mark = stage.nodes[1].mark();
    stage.nodes[1].process.signal("TERM");
    let ended = stage.nodes[1].process.end(Duration::from_secs(40)).await;
    assert!(ended.is_some_and(|status| status.success()), "it ended as {ended:?}");
    assert_eq!(stage.database.held_by(&mark).await, [], "a lease is left that has to run out");
    std::fs::read_to_string(&stage.nodes[1].log).unwrap()
}

async fn under_way(stage: &mut Stage, steps: usize) {
    let mark = stage.nodes[1].mark();
    let is_busy = async |stage: &Stage| stage.database.held_by(&mark).await.len() >= steps;
    stage.until("the worker is at work", is_busy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_asked_to_stop_ends_its_steps_and_another_carries_on() {
    let mut stage = Stage::set(SMALL).await;
    let slow = json!({ "match": { "method": "POST", "path_contains": "/events" }, "times": 1_000_000,
        "action": "slow", "ms": 300 });
    stage.sandbox.fault(slow).await;
    let load = Load::start(&stage, 6, 6, RUNS, MIXED);
    // A rolling restart, twice.
    for _ in 0..2 {
        under_way(&mut stage, 3).await;
        let said = stop_worker(&mut stage).await;
        assert!(said.contains("\"stopping\"") && !said.contains(TOO_LATE), "{said}");
        stage.replace(1);
    }
    let ledger = load.ledger().await;
    stage.until("all is quiet", async |stage| stage.database.open_jobs().await == 0).await;
    let verdict = judge(&stage, &ledger).await;
    println!("{:?}", verdict.ends);
    verdict.is_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_outlasts_the_deadline_is_left_to_another_node_at_once() {
    let mut stage = Stage::set(SMALL).await;
    // One node works, and gives up waiting after a second.
    stage.configure("MUSTER_ROLES", "api");
    stage.configure("MUSTER_STOP_WITHIN_SECONDS", "1");
    for index in 0..2 {
        stage.kill(index);
        stage.replace(index);
    }
    // The provider acts, and says nothing for longer than that.
    let silent = json!({ "match": { "method": "POST", "path_contains": "/events" }, "times": 100,
        "action": "slow", "ms": 25_000 });
    stage.sandbox.fault(silent).await;
    let load = Load::start(&stage, 7, 6, 12, MIXED);
    let waits = async |stage: &Stage| {
        let held = stage.database.held_by(&stage.nodes[1].mark()).await;
        accepted(&held, &stage.sandbox.journal()) > 0
    };
    stage.until("the worker waits for an answer", waits).await;
    let said = stop_worker(&mut stage).await;
    assert!(said.contains(TOO_LATE), "the danger was not met: {said}");
    stage.sandbox.clear_faults().await;
    stage.replace(1);
    let ledger = load.ledger().await;
    stage.until("all is quiet", async |stage| stage.database.open_jobs().await == 0).await;
    let verdict = judge(&stage, &ledger).await;
    println!("{:?}", verdict.ends);
    verdict.is_clean();
}
