//! What committers owe: a plain step waits for nobody's changes, a claim that was not on the disk when the database
//! crashed does no harm, and a connection that broke while it lay in the pool costs no result.

use domain::state::RunStatus;
use engine::{Next, Outcome, nothing};
use entity::Store;
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, Statement, TransactionTrait};
use serde::{Deserialize, Serialize};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::bench::{self, Bench, Note, Step, TestContext};

engine::workflow! {
    /// Writes a note, if it is told to.
    Clerk = "toy" v 1 (TestContext, Memory);

    Write: write | nothing | STANDARD | [];
}

#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    mode: String,
}

async fn write(_context: &TestContext, at: &mut Step<Memory>) -> Outcome<State> {
    if at.memory.mode == "note" {
        at.add_change(Note(1));
    }
    Ok(Next::Done)
}

/// How many transactions wait to write a note.
async fn stuck(watcher: &DatabaseConnection) -> i64 {
    let sql = "SELECT count(*) AS n FROM pg_locks WHERE relation = 'note'::regclass AND NOT granted";
    let row = watcher.query_one_raw(Statement::from_string(DatabaseBackend::Postgres, sql)).await;
    row.unwrap().unwrap().try_get("", "n").unwrap()
}

#[tokio::test]
async fn a_plain_step_waits_for_nobodys_changes() {
    let bench = bench::still(true, vec![Box::new(Clerk)]).await;
    let (holder, watcher) = (
        Store::connect_as_owner(&bench.url).await.unwrap(),
        Store::connect_as_owner(&bench.url).await.unwrap(),
    );
    let lock = holder.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE note IN EXCLUSIVE MODE").await.unwrap();
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    bench.engine.start(&tracker, &stop, 8);
    let mut waiting = Vec::new();
    for many in 1..=2 {
        waiting.push(bench.enqueue(bench.tenant, "note").await);
        while stuck(&watcher).await < many {}
    }
    let plain = bench.enqueue(bench.tenant, "").await;
    let mut looks = 0;
    while bench.run(plain).await.status != RunStatus::Done {
        looks += 1;
        assert!(looks < 3000, "it stands behind the changes of others");
    }
    assert_eq!(stuck(&watcher).await, 2, "which still wait");
    lock.rollback().await.unwrap();
    for run in waiting {
        while bench.run(run).await.status != RunStatus::Done {}
    }
    stop.cancel();
    tracker.close();
    tracker.wait().await;
}

pub async fn of_a_claim_that_the_database_forgot_and_the_next_one_result_is_written(bench: Bench) {
    for is_together in [false, true] {
        let run = bench.enqueue(bench.tenant, "note").await;
        let hints = bench.sweep().await;
        let claim = async || bench.engine.claim(&hints).await.unwrap().pop().unwrap();
        let forgotten = claim().await;
        let forget =
            "UPDATE job SET epoch = epoch - 1, lease_until = NULL, leased_by = NULL WHERE leased_by = 'here'";
        bench.tamper(forget).await;
        let next = claim().await;
        assert_eq!(forgotten.claimed.epoch, next.claimed.epoch);
        let (one, other) =
            (bench.engine.execute_step(&forgotten).await, bench.engine.execute_step(&next).await);
        let written = if is_together {
            bench.engine.commit(vec![one, other]).await
        } else {
            let mut written = bench.engine.commit(vec![other]).await;
            written.extend(bench.engine.commit(vec![one]).await);
            written
        };
        assert_eq!(written.iter().filter(|(_, written)| *written).count(), 1, "{written:?}");
        let done = bench.run(run).await;
        assert_eq!((done.revision, done.state), (1, Some("Ring".into())));
        bench.engine.run_until_idle().await.unwrap();
        assert!(bench.signal(run).await);
        bench.engine.run_until_idle().await.unwrap();
        assert_eq!(bench.run(run).await.status, RunStatus::Done, "and the run goes on");
    }
}

#[tokio::test]
async fn a_result_whose_connection_broke_is_written_over_another() {
    let bench = crate::bench(true).await;
    let run = bench.enqueue(bench.tenant, "").await;
    let work = bench.engine.claim(&bench.sweep().await).await.unwrap().pop().unwrap();
    let transition = bench.engine.execute_step(&work).await;
    let owner = Store::connect_as_owner(&bench.url).await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    owner.execute_unprepared(cut).await.unwrap();
    assert_eq!(bench.engine.commit(vec![transition]).await, [(run, true)]);
}
