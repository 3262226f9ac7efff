//! The engine on both stores: fences, leases, signals, batches, poison.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bench;
mod committers;
mod cost;
mod model;
mod poison;
mod relays;
mod shares;
mod time;

use std::{sync::Arc, time::Duration};

use domain::{Message, TestClock, Timestamp, state::RunStatus};
use engine::{Next, Outcome, StepError, UndoOutcome, nothing};
use entity::Store;
use sea_orm::{ConnectionTrait, Statement};
use serde::{Deserialize, Serialize};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::bench::{Bench, Note, Step, TestContext, Wrong, new_tenant};
use crate::committers::of_a_claim_that_the_database_forgot_and_the_next_one_result_is_written;
use crate::poison::{
    a_run_parked_while_undoing_goes_on_undoing, crashes_that_lie_days_apart_park_nothing,
    what_crashes_three_workers_is_quarantined_and_its_writer_hears_of_it,
};

engine::workflow! {
    /// Waits for a bell, then ends; or does what its memory says.
    Toy = "toy" v 1 (TestContext, Memory);

    Begin:  begin | undo_begin | STANDARD | [Ring];
    Ring:   ring  | nothing    | STANDARD | [];
}

#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    mode: String,
    #[serde(default)]
    undone: bool,
}

async fn begin(_context: &TestContext, at: &mut Step<Memory>) -> Outcome<State> {
    match at.memory.mode.as_str() {
        "note" => {
            at.add_change(Note(1));
            Ok(Next::Go(State::Ring))
        }
        "done" => Ok(Next::Done),
        "panic" | "panic twice" => {
            PANICKING.notify_one();
            panic!("this step is broken");
        }
        "fail" | "stuck" => Err(StepError::fail("TOY_FAILED", Message::verbatim("It failed."))),
        "poison" => {
            // A row that cannot be stored.
            at.add_change(Note(-1));
            Ok(Next::Go(State::Ring))
        }
        _ => Ok(Next::Go(State::Ring)),
    }
}

/// Tells that a step is about to panic.
static PANICKING: tokio::sync::Notify = tokio::sync::Notify::const_new();

async fn undo_begin(_context: &TestContext, at: &mut Step<Memory>) -> UndoOutcome {
    if at.memory.mode == "stuck" {
        return Err(StepError::fail("TOY_STUCK", Message::verbatim("It cannot be taken back.")));
    }
    assert_ne!(at.memory.mode, "panic twice", "this undo is broken");
    at.memory.undone = true;
    Ok(())
}

async fn ring(_context: &TestContext, at: &mut Step<Memory>) -> Outcome<State> {
    if at.take_signal("bell").is_some() {
        Ok(Next::Done)
    } else {
        Ok(Next::Wait { until: None, or: Some("bell") })
    }
}

async fn bench(postgres: bool) -> Bench {
    bench::still(postgres, vec![Box::new(Toy)]).await
}

async fn a_run_waits_for_its_signal_and_ends(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "").await;
    bench.engine.run_until_idle().await.unwrap();
    let row = bench.run(run).await;
    assert_eq!(
        (row.status.as_str(), row.wait_signal.as_deref(), row.version),
        ("WAITING", Some("bell"), Some(1))
    );
    assert!(bench.signal(run).await);
    bench.engine.run_until_idle().await.unwrap();
    assert_eq!(bench.run(run).await.status, RunStatus::Done);
    assert!(!bench.signal(run).await, "a signal to a finished run changes nothing");
    assert_eq!(bench.engine.run_until_idle().await.unwrap(), 0);
}

async fn a_signal_that_comes_early_is_kept(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "").await;
    assert!(bench.signal(run).await);
    bench.engine.run_until_idle().await.unwrap();
    assert_eq!(bench.run(run).await.status, RunStatus::Done);
}

async fn a_signal_during_the_step_is_not_slept_through(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "").await;
    // The first step goes to Ring; the second begins without a signal.
    for _ in 0..2 {
        let works = bench.engine.claim(&bench.sweep().await).await.unwrap();
        let results = bench.work(&works).await;
        bench.signal(run).await;
        bench.engine.commit(results).await;
    }
    bench.engine.run_until_idle().await.unwrap();
    assert_eq!(bench.run(run).await.status, RunStatus::Done, "the signal woke the run after its commit");
}

async fn a_worker_that_lost_its_lease_cannot_commit(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "").await;
    let zombie = bench.engine.claim(&bench.sweep().await).await.unwrap().pop().unwrap();
    assert!(bench.sweep().await.is_empty(), "a leased job is not offered");
    bench.clock.advance(chrono::Duration::seconds(16));
    let second = bench.engine.claim(&bench.sweep().await).await.unwrap().pop().unwrap();
    let (late, good) = (bench.engine.execute_step(&zombie).await, bench.engine.execute_step(&second).await);
    assert_eq!(bench.engine.commit(vec![late]).await, [(run, false)]);
    assert_eq!(bench.run(run).await.revision, 0, "nothing of the zombie is written");
    assert_eq!(bench.engine.commit(vec![good]).await, [(run, true)]);
    assert_eq!(bench.run(run).await.revision, 1);
}

async fn a_leased_job_is_not_claimed_by_a_hint_that_comes_twice(bench: Bench) {
    bench.enqueue(bench.tenant, "").await;
    let hints = bench.sweep().await;
    assert_eq!(bench.engine.claim(&hints).await.unwrap().len(), 1);
    bench.clock.advance(chrono::Duration::seconds(14));
    assert_eq!(bench.engine.claim(&hints).await.unwrap().len(), 0, "the lease is still in force");
    bench.clock.advance(chrono::Duration::seconds(2));
    assert_eq!(bench.engine.claim(&hints).await.unwrap().len(), 1);
}

async fn a_zombie_beside_its_successor_in_one_batch_writes_nothing(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "note").await;
    let zombie = bench.engine.claim(&bench.sweep().await).await.unwrap().pop().unwrap();
    bench.clock.advance(chrono::Duration::seconds(16));
    let second = bench.engine.claim(&bench.sweep().await).await.unwrap().pop().unwrap();
    let (late, good) = (bench.engine.execute_step(&zombie).await, bench.engine.execute_step(&second).await);
    let mut written = bench.engine.commit(vec![late, good]).await;
    written.sort_unstable();
    assert_eq!(written, [(run, false), (run, true)]);
    assert_eq!(bench.notes(run).await, [1], "only one of them changed something");
}

async fn a_zombie_from_before_a_retry_cannot_take_the_new_job_away(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "done").await;
    let zombie = bench.engine.claim(&bench.sweep().await).await.unwrap().pop().unwrap();
    for _ in 0..2 {
        bench.clock.advance(chrono::Duration::seconds(16));
        assert_eq!(bench.engine.claim(&bench.sweep().await).await.unwrap().len(), 1);
    }
    bench.clock.advance(chrono::Duration::seconds(16));
    bench.engine.run_until_idle().await.unwrap();
    assert_eq!(bench.run(run).await.status, RunStatus::Quarantined);
    assert!(bench.node.revive(bench.tenant, run).await);
    let second = bench.engine.claim(&bench.sweep().await).await.unwrap().pop().unwrap();
    assert_eq!(second.claimed.epoch, zombie.claimed.epoch, "the danger is there");
    let (late, good) = (bench.engine.execute_step(&zombie).await, bench.engine.execute_step(&second).await);
    assert_eq!(bench.engine.commit(vec![late]).await, [(run, false)]);
    assert_eq!(bench.engine.commit(vec![good]).await, [(run, true)]);
    assert_eq!(bench.run(run).await.status, RunStatus::Done);
}

async fn signals_that_cannot_be_read_are_not_slept_through(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "").await;
    bench.engine.run_until_idle().await.unwrap();
    bench.signal(run).await;
    let owner = Store::connect_as_owner(&bench.url).await.unwrap();
    owner.execute_unprepared("ALTER TABLE signal RENAME TO elsewhere").await.unwrap();
    assert!(bench.engine.claim(&bench.sweep().await).await.is_err());
    owner.execute_unprepared("ALTER TABLE elsewhere RENAME TO signal").await.unwrap();
    owner.close().await.unwrap();
    bench.clock.advance(chrono::Duration::seconds(16));
    bench.engine.run_until_idle().await.unwrap();
    assert_eq!(bench.run(run).await.status, RunStatus::Done);
}

async fn a_step_that_panics_ends_its_run_and_says_so(bench: Bench) {
    let (run, other) =
        (bench.enqueue(bench.tenant, "panic").await, bench.enqueue(bench.tenant, "done").await);
    bench.engine.run_until_idle().await.unwrap();
    let row = bench.run(run).await;
    let code = row.reason.clone().unwrap()["code"].clone();
    assert_eq!((row.status.as_str(), code), ("FAILED", "STEP_PANICKED".into()));
    assert_eq!(row.memory["undone"], true, "what it had done was taken back");
    assert_eq!(bench.run(other).await.status, RunStatus::Done, "nobody else is touched");
    // A panic while a step is taken back parks the run: a person has to look.
    let run = bench.enqueue(bench.tenant, "panic twice").await;
    bench.engine.run_until_idle().await.unwrap();
    let row = bench.run(run).await;
    let code = row.reason.unwrap()["code"].clone();
    assert_eq!((row.status.as_str(), code, row.undoing), ("QUARANTINED", "STEP_PANICKED".into(), true));
}

async fn a_step_that_panics_does_not_keep_its_lease(bench: Bench) {
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    bench.engine.start(&tracker, &stop, 2);
    let run = bench.enqueue(bench.tenant, "panic").await;
    PANICKING.notified().await;
    stop.cancel();
    tracker.close();
    // The heartbeat ends only when no claim is left that it would renew.
    let ended = tokio::time::timeout(Duration::from_secs(30), tracker.wait()).await;
    assert!(ended.is_ok(), "the claim of the broken step was kept for ever");
    bench.clock.advance(chrono::Duration::seconds(16));
    bench.engine.run_until_idle().await.unwrap();
    assert_eq!(bench.run(run).await.status, RunStatus::Failed);
}

async fn a_run_goes_through_its_states_under_one_claim(bench: Bench) {
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let mut heard = bench.subscribe(&bench.node);
    let run = bench.enqueue(bench.tenant, "").await;
    bench.engine.start(&tracker, &stop, 2);
    let waits = async {
        while bench.run(run).await.status != RunStatus::Waiting {
            heard.next().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waits).await.expect("the run came to its wait");
    stop.cancel();
    tracker.close();
    tracker.wait().await;
    assert_eq!(bench.run(run).await.revision, 2, "two steps");
    let engine = bench.node.store.engine_connection();
    let sql = "SELECT epoch, lease_until IS NULL AS free FROM job";
    let job = engine.query_one_raw(Statement::from_string(engine.get_database_backend(), sql)).await;
    let job = job.unwrap().unwrap();
    assert_eq!(job.try_get::<i64>("", "epoch").unwrap(), 1, "one claim");
    assert!(job.try_get::<bool>("", "free").unwrap(), "a run that waits is nobody's");
}

/// SQLite has no clock of its own.
#[tokio::test]
async fn a_node_whose_clock_is_ahead_does_not_wait_for_itself() {
    let bench =
        bench::at(true, TestClock::at(Timestamp::UNIX_EPOCH), Arc::new(Wrong(1)), vec![Box::new(Toy)]).await;
    let run = bench.enqueue(bench.tenant, "").await;
    assert_eq!(bench.engine.run_until_idle().await.unwrap(), 2, "both steps were due at once");
    bench.signal(run).await;
    bench.engine.run_until_idle().await.unwrap();
    assert_eq!(bench.run(run).await.status, RunStatus::Done);
}

async fn one_bad_result_never_fails_its_neighbours(bench: Bench) {
    let (good, bad) = (bench.enqueue(bench.tenant, "").await, bench.enqueue(bench.tenant, "poison").await);
    let works = bench.engine.claim(&bench.sweep().await).await.unwrap();
    assert_eq!(works.len(), 2);
    let results = bench.work(&works).await;
    let mut written = bench.engine.commit(results).await;
    written.sort_by_key(|(run, _)| *run != good);
    assert_eq!(written, [(good, true), (bad, false)]);
    assert_eq!((bench.run(good).await.revision, bench.run(bad).await.revision), (1, 0));
}

async fn a_failed_run_is_undone_and_says_why(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "fail").await;
    bench.engine.run_until_idle().await.unwrap();
    let row = bench.run(run).await;
    assert_eq!(row.status, RunStatus::Failed);
    assert_eq!(row.reason.unwrap()["code"], "TOY_FAILED");
    assert_eq!(row.memory["undone"], true);
    assert!(row.finished_at.is_some());
}

async fn what_a_node_holds_when_it_leaves_is_there_for_the_others_at_once(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "note").await;
    let left = bench.engine.claim(&bench.sweep().await).await.unwrap().pop().unwrap();
    let late = bench.engine.execute_step(&left).await;
    assert!(bench.sweep().await.is_empty(), "a leased job is not offered");
    bench.engine.release_leases().await;
    // No time has passed.
    let next = bench.engine.claim(&bench.sweep().await).await.unwrap().pop().unwrap();
    assert_eq!((next.row.id, next.claimed.crashes), (run, 1), "what came of it is not known");
    assert_eq!(bench.engine.commit(vec![late]).await, [(run, false)]);
}

async fn one_tenants_many_jobs_do_not_hide_anothers_single_one(bench: Bench) {
    for _ in 0..50 {
        bench.enqueue(bench.tenant, "").await;
    }
    let other = new_tenant(&bench.node).await;
    let single = bench.enqueue(other, "").await;
    let first = bench.node.storage.sweep(Some(Duration::ZERO), 8).await.unwrap();
    assert!(first.iter().any(|hint| hint.run == single), "the single job is among the first eight");
}

async fn a_run_asked_to_stop_undoes_what_it_did(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "").await;
    bench.engine.run_until_idle().await.unwrap();
    assert!(bench.node.cancel(bench.tenant, run).await);
    bench.engine.run_until_idle().await.unwrap();
    let row = bench.run(run).await;
    assert_eq!((row.status.as_str(), &row.memory["undone"]), ("CANCELLED", &serde_json::Value::Bool(true)));
}

async fn the_history_holds_one_line_per_commit_and_no_job_is_left(bench: Bench) {
    let run = bench.enqueue(bench.tenant, "").await;
    bench.signal(run).await;
    let steps = bench.engine.run_until_idle().await.unwrap();
    let txn = bench.node.store.read(bench.tenant).await.unwrap();
    let history = entity::run_history::of(bench.tenant);
    let lines = sea_orm::PaginatorTrait::count(history, &txn).await.unwrap();
    assert_eq!((steps as u64, lines), (2, 2));
    drop(txn);
    assert_eq!(bench.count("SELECT count(*) AS n FROM job").await, 0);
}

macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod sqlite { $(#[tokio::test] async fn $name() { super::$name(super::bench(false).await).await; })* }
        mod postgres { $(#[tokio::test] async fn $name() { super::$name(super::bench(true).await).await; })* }
    };
}

both! {
    a_run_waits_for_its_signal_and_ends,
    a_signal_that_comes_early_is_kept,
    a_signal_during_the_step_is_not_slept_through,
    a_worker_that_lost_its_lease_cannot_commit,
    a_leased_job_is_not_claimed_by_a_hint_that_comes_twice,
    a_zombie_beside_its_successor_in_one_batch_writes_nothing,
    a_zombie_from_before_a_retry_cannot_take_the_new_job_away,
    signals_that_cannot_be_read_are_not_slept_through,
    a_step_that_panics_ends_its_run_and_says_so,
    a_step_that_panics_does_not_keep_its_lease,
    a_run_goes_through_its_states_under_one_claim,
    crashes_that_lie_days_apart_park_nothing,
    one_bad_result_never_fails_its_neighbours,
    a_failed_run_is_undone_and_says_why,
    what_crashes_three_workers_is_quarantined_and_its_writer_hears_of_it,
    a_run_parked_while_undoing_goes_on_undoing,
    what_a_node_holds_when_it_leaves_is_there_for_the_others_at_once,
    one_tenants_many_jobs_do_not_hide_anothers_single_one,
    a_run_asked_to_stop_undoes_what_it_did,
    the_history_holds_one_line_per_commit_and_no_job_is_left,
    of_a_claim_that_the_database_forgot_and_the_next_one_result_is_written,
}
