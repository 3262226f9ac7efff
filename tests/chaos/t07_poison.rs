//! T07: jobs that abort the process, among healthy ones.

use std::{collections::BTreeMap, time::Duration};

use engine::{Next, nothing};
use serde::{Deserialize, Serialize};
use serde_json::json;
use workflows::{Outcome, Step, StepContext};

use super::engine_cluster::{EngineCluster, size};

engine::workflow! {
    /// Goes two steps, or ends the process with the first.
    Minefield = "minefield" v 1 (StepContext, Memory);

    Tread:  tread | nothing | STANDARD | [Arrive];
    Arrive: arrive | nothing | STANDARD | [];
}

#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    mine: bool,
}

async fn tread(_context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    if at.memory.mine {
        std::process::abort();
    }
    Ok(Next::Go(State::Arrive))
}

async fn arrive(_context: &StepContext, _at: &mut Step<Memory>) -> Outcome<State> {
    Ok(Next::Done)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t07_jobs_that_abort_the_process_are_parked_and_healthy_ones_all_done() {
    if EngineCluster::join(|_| vec![Box::new(Minefield)]).await {
        return;
    }
    let (mines, runs) = (size(3, 20), size(150, 5_000));
    let mut cluster = EngineCluster::lay().await;
    for number in 0..runs {
        cluster.enqueue("minefield", json!({ "mine": number % (runs / mines) == 20 })).await;
    }
    let this = "t07_poison::t07_jobs_that_abort_the_process_are_parked_and_healthy_ones_all_done";
    let (mut node, mut crashes) = (cluster.node(this, "node"), 0);
    while cluster.database.open_jobs().await > 0 {
        if node.process.exit_status().is_some() {
            crashes += 1;
            assert!(crashes <= 3 * mines, "a job was worked on again after its third crash");
            // The fifteen seconds until its leases end are not waited for.
            cluster.database.bury(&node.mark()).await;
            node = cluster.node(this, "node");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rows = cluster
        .database
        .rows(
            "SELECT memory ->> 'mine' AS mine, status, coalesce(reason ->> 'code', '') AS code, count(*) AS n
               FROM run GROUP BY 1, 2, 3",
        )
        .await;
    let text = |row: &sea_orm::QueryResult, name: &str| -> String { row.try_get("", name).unwrap() };
    let ends: BTreeMap<_, _> = rows
        .iter()
        .map(|row| {
            (
                (text(row, "mine"), text(row, "status"), text(row, "code")),
                row.try_get::<i64>("", "n").unwrap(),
            )
        })
        .collect();
    println!("{crashes} crashes; {ends:?}");
    let end = |mine: &str, status: &str, code: &str| (mine.to_owned(), status.to_owned(), code.to_owned());
    let wanted = BTreeMap::from([
        (end("false", "DONE", ""), (runs - mines) as i64),
        (end("true", "QUARANTINED", "RUN_QUARANTINED"), mines as i64),
    ]);
    assert_eq!(ends, wanted);
    assert!(crashes >= mines, "the danger was met only {crashes} times");
}
