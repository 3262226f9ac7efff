//! A step that wants nothing else written waits for nobody's changes.

use entity::Store;
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, Statement, TransactionTrait};
use serde::{Deserialize, Serialize};
use services::change::Change;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use workflows::engine::{Next, Outcome, Step, World, nothing};

use crate::bench;

workflows::workflow! {
    /// Leaves a line in the audit log, if it is told to.
    Clerk = "toy" v 1 (Memory);

    Write: write | nothing | STANDARD | [];
}

#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    mode: String,
}

async fn write(_world: &World, at: &mut Step<Memory>) -> Outcome<State> {
    if at.memory.mode == "audit" {
        let (actor, subject) = ("toy".to_owned(), at.run.to_string());
        at.change(Change::Audit { actor, action: "write", subject, details: serde_json::Value::Null });
    }
    Ok(Next::Done)
}

/// How many transactions wait for the audit log.
async fn stuck(watcher: &DatabaseConnection) -> i64 {
    let sql = "SELECT count(*) AS n FROM pg_locks WHERE relation = 'audit'::regclass AND NOT granted";
    let row = watcher.query_one_raw(Statement::from_string(DatabaseBackend::Postgres, sql)).await;
    row.unwrap().unwrap().try_get("", "n").unwrap()
}

#[tokio::test]
async fn a_plain_step_waits_for_nobodys_changes() {
    let bench = bench::still(true, vec![Box::new(Clerk)]).await;
    let (holder, watcher) =
        (Store::owner(&bench.url).await.unwrap(), Store::owner(&bench.url).await.unwrap());
    let lock = holder.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE audit IN EXCLUSIVE MODE").await.unwrap();
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    bench.engine.start(&tracker, &stop, 8);
    let mut waiting = Vec::new();
    for many in 1..=2 {
        waiting.push(bench.order(bench.tenant, "audit").await);
        while stuck(&watcher).await < many {}
    }
    let plain = bench.order(bench.tenant, "").await;
    let mut looks = 0;
    while bench.run(plain).await.status != "DONE" {
        looks += 1;
        assert!(looks < 3000, "it stands behind the changes of others");
    }
    assert_eq!(stuck(&watcher).await, 2, "which still wait");
    lock.rollback().await.unwrap();
    for run in waiting {
        while bench.run(run).await.status != "DONE" {}
    }
    stop.cancel();
    tracker.close();
    tracker.wait().await;
}
