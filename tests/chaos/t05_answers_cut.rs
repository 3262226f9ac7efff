//! T05: the provider acted, but its answer was cut.

use std::time::Duration;

use serde_json::json;

use super::{
    cluster::{Cluster, SMALL},
    judge::judge,
    load::{Load, MIXED},
};

const RUNS: u64 = 60;
const MOST: u64 = 2_000;
/// What is done to events, by what request, and how often its answer is cut. The first that fits a request is taken.
const CUTS: [(&str, &str, &str, usize); 3] = [
    ("cancelled", "POST", "/cancel", 2),
    ("updated", "PATCH", "/events", 3),
    ("created", "POST", "/events", 10),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t05_answers_cut_after_the_act_leave_one_live_event_for_each_booking() {
    let mut cluster = Cluster::set(SMALL).await;
    for (_, method, path, times) in CUTS {
        // Every second one, and twice as many as have to be met: the path of a creation begins that of a cancellation, which
        // uses up faults that are meant for creations.
        for skip in 0..2 * times {
            let fault = json!({ "match": { "method": method, "path_contains": path }, "skip": skip, "times": 1,
                "action": "drop_after" });
            cluster.sandbox.fault(fault).await;
        }
    }
    let cut = |cluster: &Cluster, outcome: &str| {
        let journal = cluster.sandbox.journal();
        journal.iter().filter(|entry| entry.status == 0 && entry.outcome == outcome).count()
    };
    let is_met =
        |cluster: &Cluster| CUTS.iter().all(|(outcome, _, _, times)| cut(cluster, outcome) >= *times);
    let load = Load::start(&cluster, 5, 6, MOST, MIXED);
    while load.orders() < RUNS || !is_met(&cluster) {
        let met = CUTS.map(|(outcome, ..)| (outcome, cut(&cluster, outcome)));
        assert!(load.orders() < MOST, "the danger was met too rarely: {met:?}");
        load.hold_back(cluster.database.open_jobs().await > 30);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    load.stop();
    let ledger = load.ledger().await;
    cluster.until("all is quiet", async |cluster| cluster.database.open_jobs().await == 0).await;
    let verdict = judge(&cluster, &ledger).await;
    println!(
        "answers cut: {:?}; {:?}",
        CUTS.map(|(outcome, ..)| (outcome, cut(&cluster, outcome))),
        verdict.ends
    );
    verdict.is_clean();
}
