//! Tests of the transitions that follow from the results of steps.

use domain::{Id, Ids, Message, state::Lane};
use serde_json::Value as Json;

use super::*;

const TABLE: Table = Table {
    name: "walk",
    version: 1,
    since: 1,
    about: "Walks through three states.",
    rows: &[
        row("Begin", "begin", "undo", &["Middle"]),
        row("Middle", "go_on", "undo", &["End"]),
        row("End", "end", "nothing", &[]),
    ],
};

const fn row(
    state: &'static str,
    does: &'static str,
    undone_by: &'static str,
    then: &'static [&'static str],
) -> Row {
    let (step_commits, undo_commits) = (false, false);
    Row { state, does, step_commits, undone_by, undo_commits, retry: Retry::STANDARD, then }
}

fn work(status: RunStatus, state: &str, trail: &[&str], attempt: i32) -> (ClaimedRun, Timestamp) {
    let clock = std::sync::Arc::new(domain::TestClock::at(Timestamp::UNIX_EPOCH));
    let ids = Ids::seeded(clock, 1);
    let now = ids.now();
    let (run, tenant) = (ids.make(), ids.make());
    let row = Run {
        id: run,
        tenant_id: tenant,
        workflow: TABLE.name.to_owned(),
        version: Some(1),
        state: Some(state.into()),
        memory: Json::Null,
        trail: serde_json::json!(trail),
        revision: 3,
        status: status.into(),
        lane: Lane::Bulk.into(),
        business_key: "k".to_owned(),
        subject: tenant.any(),
        asked_by: "x".to_owned(),
        wait_signal: None,
        cancel_requested: false,
        undoing: status == RunStatus::Undoing,
        reason: None,
        created_at: now,
        updated_at: now,
        finished_at: None,
    };
    let claimed =
        JobClaim { run, tenant, lane: Lane::Bulk, epoch: 5, attempt, crashes: 0, wakes: 0, at: now };
    (ClaimedRun { claimed, row, table: &TABLE, signals: Vec::new(), since: Duration::ZERO }, now)
}

fn output(outcome: Result<Next<&'static str>, StepError>) -> StepOutput<u8> {
    let changes = vec![7];
    StepOutput {
        memory: Some(serde_json::json!({ "new": true })),
        consumed: vec![Id::nil()],
        changes,
        outcome,
    }
}

#[test]
fn a_step_that_goes_on_keeps_its_memory_and_changes() {
    let (work, now) = work(RunStatus::Running, "Begin", &[], 0);
    let StepResult { transition, changes } = work.build_result(output(Ok(Next::Go("Middle"))), now, 0);
    assert_eq!((transition.state.as_str(), transition.status), ("Middle", RunStatus::Running));
    assert_eq!(transition.trail, ["Begin"]);
    assert_eq!((changes.len(), transition.consumed.len()), (1, 1));
    assert_eq!(transition.memory, serde_json::json!({ "new": true }));
}

#[test]
fn a_step_cannot_leave_its_table() {
    let (work, now) = work(RunStatus::Running, "Begin", &[], 0);
    let transition = work.build_result(output(Ok(Next::Go("End"))), now, 0).transition;
    assert_eq!(transition.status, RunStatus::Undoing);
    assert_eq!(transition.reason.unwrap().code, "SUCCESSOR_UNKNOWN");
}

#[test]
fn a_failing_step_leaves_nothing_and_waits_longer_each_time_until_it_turns_round() {
    let trouble = || StepError::Retry { reason: Reason::new("X", Message::verbatim("x")), after: None };
    let mut waits = Vec::new();
    for attempt in 0..8 {
        let (work, now) = work(RunStatus::Running, "Begin", &["Begin"], attempt);
        let StepResult { transition, changes } = work.build_result(output(Err(trouble())), now, 0);
        assert!(changes.is_empty() && transition.consumed.is_empty(), "a failed step writes nothing");
        if transition.status == RunStatus::Undoing {
            assert_eq!(attempt, 7, "the last of eight attempts turns it round");
        }
        waits.push((transition.due - now).num_seconds());
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 0]);
}

#[test]
fn no_provider_makes_a_run_wait_for_more_than_a_day() {
    for endless in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_hours(876_000)] {
        let reason = || Reason::new("X", Message::verbatim("x"));
        for trouble in [
            StepError::Retry { reason: reason(), after: Some(endless) },
            StepError::Later { reason: reason(), after: endless },
        ] {
            let (work, now) = work(RunStatus::Running, "Begin", &["Begin"], 0);
            let transition = work.build_result(output(Err(trouble)), now, 0).transition;
            assert_eq!(
                (transition.status, transition.due - now),
                (RunStatus::Waiting, chrono::Duration::days(1))
            );
        }
    }
}

#[test]
fn waiting_for_our_own_limits_never_turns_a_run_round() {
    let (work, now) = work(RunStatus::Running, "Begin", &["Begin"], 7);
    let (reason, after) = (Reason::new("X", Message::verbatim("x")), Duration::from_secs(3));
    let StepResult { transition, changes } =
        work.build_result(output(Err(StepError::Later { reason, after })), now, 0);
    assert_eq!(
        (transition.status, transition.attempt),
        (RunStatus::Waiting, 8),
        "though this was the last attempt"
    );
    assert_eq!((transition.due - now).num_seconds(), 3);
    assert!(changes.is_empty());
}

#[test]
fn undoing_goes_back_state_by_state_and_ends_as_failed() {
    let (first, now) = work(RunStatus::Undoing, "Middle", &["Begin", "Middle"], 0);
    let transition = first.build_result(output(Ok(Next::Done)), now, 0).transition;
    assert_eq!((transition.state.as_str(), transition.status), ("Begin", RunStatus::Undoing));
    let (last, now) = work(RunStatus::Undoing, "Begin", &["Begin"], 0);
    let transition = last.build_result(output(Ok(Next::Done)), now, 0).transition;
    assert_eq!(transition.status, RunStatus::Failed);
    assert!(transition.trail.is_empty());
}

#[test]
fn a_run_that_had_come_back_to_an_earlier_state_undoes_the_later_one_first() {
    let (back, now) = work(RunStatus::Running, "Begin", &["Begin", "Middle"], 0);
    let transition =
        back.build_result(output(Err(StepError::fail("X", Message::verbatim("x")))), now, 0).transition;
    assert_eq!((transition.state.as_str(), transition.status), ("Middle", RunStatus::Undoing));
    assert_eq!((transition.line.state.as_str(), transition.line.next.as_deref()), ("Begin", Some("Middle")));
}

#[test]
fn an_undo_that_cannot_be_done_is_parked_in_sight() {
    let (work, now) = work(RunStatus::Undoing, "Begin", &["Begin"], 0);
    let transition =
        work.build_result(output(Err(StepError::fail("LEFT", Message::verbatim("left")))), now, 0).transition;
    assert_eq!(transition.status, RunStatus::Quarantined);
    assert!(transition.reason.unwrap().next_action.is_some());
}

#[test]
fn work_that_kills_its_workers_is_parked_and_asked_for_stops_turn_round() {
    let (mut dead, now) = work(RunStatus::Running, "Begin", &[], 0);
    dead.claimed.crashes = MAX_CRASHES;
    assert_eq!(dead.decide_before_step(now).unwrap().status, RunStatus::Quarantined);
    let (mut stopped, now) = work(RunStatus::Running, "Begin", &[], 0);
    stopped.row.cancel_requested = true;
    assert_eq!(stopped.decide_before_step(now).unwrap().status, RunStatus::Undoing);
}

#[test]
fn a_wait_must_be_named() {
    let (unnamed, now) = work(RunStatus::Running, "End", &[], 0);
    let transition =
        unnamed.build_result(output(Ok(Next::Wait { until: None, or: None })), now, 0).transition;
    assert_eq!(transition.reason.unwrap().code, "WAIT_UNNAMED");
    let (named, now) = work(RunStatus::Running, "End", &[], 0);
    let transition =
        named.build_result(output(Ok(Next::Wait { until: None, or: Some("x") })), now, 0).transition;
    assert_eq!((transition.status, transition.wait_signal), (RunStatus::Waiting, Some("x")));
}
