//! T10: an old and a new binary on one database, with runs in flight.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{Id, Ids, SystemClock, ids};
use engine::Workflow;
use serde_json::json;
use workflows::StepContext;

use super::engine_cluster::{EngineCluster, size};

/// The workflow as the old binary knows it.
mod old {
    use engine::{Next, nothing};
    use serde::{Deserialize, Serialize};
    use workflows::{Outcome, Step, StepContext};

    engine::workflow! {
        /// Waits for a bell.
        Change = "change" v 1 (StepContext, Memory);

        Begin: begin | nothing | STANDARD | [Ring];
        Ring:  ring  | nothing | STANDARD | [];
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Memory {
        path: String,
    }

    async fn begin(_context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
        at.memory.path.push_str("begin");
        Ok(Next::Go(State::Ring))
    }

    async fn ring(_context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
        if at.take_signal("bell").is_none() {
            return Ok(Next::Wait { until: None, or: Some("bell") });
        }
        at.memory.path.push_str(" ring");
        Ok(Next::Done)
    }
}

/// The workflow as the new binary has changed it.
mod new {
    use engine::{Next, nothing};
    use serde::{Deserialize, Serialize};
    use workflows::{Outcome, Step, StepContext};

    engine::workflow! {
        /// Waits for a bell, then looks again.
        Change = "change" v 2 (StepContext, Memory);

        Begin: begin | nothing | STANDARD | [Ring];
        Ring:  ring  | nothing | STANDARD | [Look];
        Look:  look  | nothing | STANDARD | [];
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Memory {
        path: String,
    }

    async fn begin(_context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
        at.memory.path.push_str("begin anew");
        Ok(Next::Go(State::Ring))
    }

    async fn ring(_context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
        if at.take_signal("bell").is_none() {
            return Ok(Next::Wait { until: None, or: Some("bell") });
        }
        at.memory.path.push_str(" ring");
        Ok(Next::Go(State::Look))
    }

    async fn look(_context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
        at.memory.path.push_str(" look");
        Ok(Next::Done)
    }
}

fn flows(kind: &str) -> Vec<Box<dyn Workflow<StepContext>>> {
    match kind {
        "old" => vec![Box::new(old::Change)],
        _ => vec![Box::new(old::Change), Box::new(new::Change)],
    }
}

/// Waits until so many runs wait for their bell, or none is left. The pause before a job is offered again that a node
/// has given back is not waited for.
async fn until_waiting(cluster: &EngineCluster, wanted: usize) {
    let until = Instant::now() + Duration::from_secs(size(60, 600));
    loop {
        let waiting = "SELECT count(*) AS n FROM run WHERE status = 'WAITING'";
        if cluster.database.count(waiting).await == wanted as u64 && cluster.database.open_jobs().await == 0 {
            return;
        }
        assert!(Instant::now() < until, "stuck: {:#?}", cluster.database.what_is_open().await);
        cluster
            .database
            .rows("UPDATE job SET offered_at = NULL WHERE offered_at IS NOT NULL RETURNING 1")
            .await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t10_runs_end_on_the_version_they_began_with_while_two_binaries_share_a_database() {
    if EngineCluster::join(flows).await {
        return;
    }
    let this =
        "t10_two_versions::t10_runs_end_on_the_version_they_began_with_while_two_binaries_share_a_database";
    let each = size(20, 700) as usize;
    let mut cluster = EngineCluster::lay().await;
    let mut runs = Vec::new();
    let first = cluster.node(this, "old");
    for _ in 0..each {
        runs.push(cluster.enqueue("change", json!({ "path": "" })).await);
    }
    until_waiting(&cluster, each).await;
    // The rolling upgrade begins: what is ordered now may begin on either.
    let second = cluster.node(this, "new");
    let anew = "SELECT count(*) AS n FROM run WHERE version = 2";
    while cluster.database.count(anew).await < each as u64 {
        assert!(runs.len() < 30 * each, "the new binary begins nothing");
        runs.push(cluster.enqueue("change", json!({ "path": "" })).await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    until_waiting(&cluster, runs.len()).await;
    // By chance: the nodes take turns, and so would we.
    let draw = Ids::seeded(Arc::new(SystemClock), 10);
    let (now, later): (Vec<Id<ids::Run>>, Vec<Id<ids::Run>>) =
        runs.iter().partition(|_| draw.random_below(2) == 0);
    for run in &now {
        cluster.signal(*run, "bell").await;
    }
    until_waiting(&cluster, later.len()).await;
    let given_back = first.said("no such workflow or status here");
    // It ends: the new one goes on with the old one's runs too.
    first.process.signal("TERM");
    let mut first = first;
    let ended = first.process.wait_for_exit(Duration::from_secs(20)).await;
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    for run in &later {
        cluster.signal(*run, "bell").await;
    }
    until_waiting(&cluster, 0).await;
    let sql = "SELECT version, status, memory ->> 'path' AS path, count(*) AS n FROM run GROUP BY 1, 2, 3 ORDER BY 1";
    let ends: Vec<(i32, String, String)> = cluster
        .database
        .rows(sql)
        .await
        .iter()
        .map(|row| {
            let (version, n): (i32, i64) =
                (row.try_get("", "version").unwrap(), row.try_get("", "n").unwrap());
            println!("{n} runs on version {version}");
            (version, row.try_get("", "status").unwrap(), row.try_get("", "path").unwrap())
        })
        .collect();
    println!("{given_back} claims of the new version were given back by the old binary");
    let done = |version: i32, path: &str| (version, "DONE".to_owned(), path.to_owned());
    assert_eq!(ends, [done(1, "begin ring"), done(2, "begin anew ring look")]);
    assert!(given_back > 0, "the old binary was never offered a run of the new version");
    drop(second);
}
