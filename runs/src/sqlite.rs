//! The SQL statements for SQLite: there is one writer and no network, so results are written one after the other, in
//! the transaction of their batch. The current time is that of the passed clock.

use std::{collections::HashSet, time::Duration};

use domain::{Clock, Id, JobHint, Timestamp, ids, state::RunStatus};
use entity::{DatabaseError, event_log};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DatabaseBackend, DatabaseTransaction, EntityTrait, IntoActiveModel,
    Statement, Value, sea_query::OnConflict,
};
use serde_json::{Value as Json, json};

use crate::{
    NewRun, Transition,
    claim::CRASH_WINDOW,
    commit::{Job, JobsAfterCommit, NewTransition, parse_job},
    json,
};

fn statement(sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(DatabaseBackend::Sqlite, sql, values)
}

/// Inserts runs and their jobs; returns the runs inserted.
pub(crate) async fn enqueue(
    txn: &DatabaseTransaction,
    runs: &[NewRun],
    at: Timestamp,
) -> Result<HashSet<Id<ids::Run>>, DatabaseError> {
    let inserted = entity::run::Entity::insert_many(runs.iter().map(|run| row(run, at)))
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_with_returning_keys(txn)
        .await?;
    let inserted: HashSet<Id<ids::Run>> = inserted.into_iter().collect();
    let jobs = runs.iter().filter(|run| inserted.contains(&run.id));
    let jobs: Vec<JobHint> =
        jobs.map(|run| JobHint { run: run.id, tenant: run.tenant, lane: run.lane }).collect();
    if !jobs.is_empty() {
        txn.execute_raw(insert_jobs(&jobs, at)).await?;
    }
    Ok(inserted)
}

fn row(run: &NewRun, at: Timestamp) -> entity::run::ActiveModel {
    entity::run::ActiveModel {
        id: Set(run.id),
        tenant_id: Set(run.tenant),
        workflow: Set(run.workflow.to_owned()),
        version: Set(None),
        state: Set(None),
        memory: Set(run.memory.clone()),
        trail: Set(Json::Array(Vec::new())),
        revision: Set(0),
        status: Set(RunStatus::Ordered.into()),
        lane: Set(run.lane.into()),
        business_key: Set(run.business_key.clone()),
        subject: Set(run.subject),
        asked_by: Set(run.asked_by.clone()),
        wait_signal: Set(None),
        cancel_requested: Set(false),
        undoing: Set(false),
        reason: Set(None),
        created_at: Set(at),
        updated_at: Set(at),
        finished_at: Set(None),
    }
}

/// Inserts jobs for existing runs, due immediately.
pub(crate) fn insert_jobs(jobs: &[JobHint], at: Timestamp) -> Statement {
    let row = "(?, ?, ?, ?, ?, 0, 0, 0, 0)";
    let sql = format!(
        "INSERT INTO job (run_id, tenant_id, lane, due_at, offered_at, epoch, attempt, crashes, wakes) VALUES {}",
        vec![row; jobs.len()].join(", ")
    );
    let values = jobs.iter().flat_map(|job| -> [Value; 5] {
        [job.run.into(), job.tenant.into(), job.lane.as_str().into(), at.into(), at.into()]
    });
    statement(sql, values)
}

/// Makes a job due now.
pub(crate) fn wake_job(tenant: Id<ids::Tenant>, run: Id<ids::Run>, at: Timestamp) -> Statement {
    let sql = "UPDATE job SET wakes = wakes + 1, offered_at = $3,
        due_at = CASE WHEN due_at > $3 THEN $3 ELSE due_at END
        WHERE tenant_id = $1 AND run_id = $2 RETURNING run_id, tenant_id, lane";
    statement(sql, [tenant.into(), run.into(), at.into()])
}

/// Makes the jobs of all waiting runs whose reason has this code due immediately.
pub(crate) fn wake_runs_with_reason(tenant: Id<ids::Tenant>, code: &str, at: Timestamp) -> Statement {
    let sql = "UPDATE job SET wakes = wakes + 1, offered_at = $3,
        due_at = CASE WHEN due_at > $3 THEN $3 ELSE due_at END
        WHERE tenant_id = $1 AND run_id IN (
            SELECT id FROM run WHERE tenant_id = $1 AND finished_at IS NULL AND json_extract(reason, '$.code') = $2)
        RETURNING run_id, tenant_id, lane";
    statement(sql, [tenant.into(), code.into(), at.into()])
}

const CLAIM: &str = "
UPDATE job SET epoch = epoch + 1, leased_by = $3, lease_until = $2,
    crashes = CASE WHEN lease_until IS NULL THEN crashes WHEN first_crash_at > $5 THEN crashes + 1 ELSE 1 END,
    first_crash_at = CASE WHEN lease_until IS NULL OR first_crash_at > $5 THEN first_crash_at ELSE $1 END
WHERE run_id IN (SELECT unhex(value, '-') FROM json_each($4))
  AND due_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
RETURNING run_id, tenant_id, lane, epoch, attempt, crashes, wakes, $1 AS at";

/// Claims due jobs that are not claimed yet.
pub(crate) fn claim(clock: &dyn Clock, node: &str, runs: &[Id<ids::Run>], lease: Duration) -> Statement {
    let now = clock.now();
    // UUIDs as SQLite takes them: a JSON array of their hyphenated text.
    let runs: Vec<String> = runs.iter().map(|run| run.uuid().to_string()).collect();
    let values: [Value; 5] = [
        now.into(),
        (now + lease).into(),
        node.into(),
        json!(runs).to_string().into(),
        (now - CRASH_WINDOW).into(),
    ];
    statement(CLAIM, values)
}

/// Extends leases.
pub(crate) fn renew(clock: &dyn Clock, claims: &[(Id<ids::Run>, i64)], lease: Duration) -> Statement {
    let sql = "UPDATE job SET lease_until = $1 WHERE lease_until IS NOT NULL AND (run_id, epoch) IN
        (SELECT unhex(value ->> 0, '-'), value ->> 1 FROM json_each($2)) RETURNING run_id";
    let claims: Vec<(String, i64)> =
        claims.iter().map(|(run, epoch)| (run.uuid().to_string(), *epoch)).collect();
    statement(sql, [(clock.now() + lease).into(), json!(claims).to_string().into()])
}

/// Statement that ends the leases of a node.
pub(crate) fn end_node_leases(clock: &dyn Clock, node: &str) -> Statement {
    let sql = "UPDATE job SET lease_until = $1, offered_at = NULL WHERE leased_by = $2 AND lease_until > $1";
    statement(sql, [clock.now().into(), node.into()])
}

const SWEEP: &str = "
UPDATE job SET offered_at = $1 WHERE run_id IN (
    SELECT run_id FROM (
        SELECT run_id, due_at, row_number() OVER (PARTITION BY tenant_id ORDER BY due_at) AS turn
        FROM job
        WHERE due_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
          AND (offered_at IS NULL OR offered_at <= $2)
    ) due ORDER BY turn, due_at LIMIT $3)
RETURNING run_id, tenant_id, lane";

/// Statement that selects due jobs and marks them as offered.
pub(crate) fn sweep(clock: &dyn Clock, again: Option<Duration>, max: u32) -> Statement {
    let before = again.map(|again| clock.now() - again);
    statement(SWEEP, [clock.now().into(), before.into(), i64::from(max).into()])
}

/// Statement that reads the earliest due time of a job that has not been offered.
pub(crate) fn next_due(clock: &dyn Clock) -> Statement {
    let sql = "SELECT due_at, $1 AS at FROM job WHERE offered_at IS NULL ORDER BY due_at LIMIT 1";
    statement(sql, [clock.now().into()])
}

/// Writes the results of a batch one after the other, including the events of their runs.
pub(crate) async fn commit(
    txn: &DatabaseTransaction,
    clock: &dyn Clock,
    (node, lease): (&str, Duration),
    rows: &[NewTransition<'_>],
) -> Result<JobsAfterCommit, DatabaseError> {
    // The step's own time may lie back: its result may have waited for its batch, or the clock may have been set.
    let now = clock.now();
    let mut moved = JobsAfterCommit::new();
    for row in rows {
        let transition = row.transition;
        let Some(job) = write_job(txn, transition, now, lease).await? else { continue };
        if txn.execute_raw(update_run(transition)).await?.rows_affected() == 0 {
            continue;
        }
        txn.execute_raw(insert_history(row, node)).await?;
        for id in &transition.consumed {
            txn.execute_raw(statement("DELETE FROM signal WHERE id = $1", [(*id).into()])).await?;
        }
        if let Some(event) = row.event {
            event_log::Entity::insert(event.clone().into_active_model()).exec_without_returning(txn).await?;
        }
        moved.insert(transition.key(), job);
    }
    Ok(moved)
}

/// Updates the job of a run, or deletes it if the run has ended; `None` if the claim was lost.
async fn write_job(
    txn: &DatabaseTransaction,
    transition: &Transition,
    now: Timestamp,
    lease: Duration,
) -> Result<Option<Job>, DatabaseError> {
    let claim: [Value; 3] = [transition.run.into(), transition.epoch.into(), transition.revision.into()];
    if transition.status.is_over() {
        let deleted = txn.execute_raw(statement(DELETE_JOB, claim)).await?.rows_affected();
        return Ok((deleted == 1).then(Job::default));
    }
    let until = transition.keep.then(|| now + lease);
    let values: [Value; 7] = [
        transition.due.into(),
        transition.attempt.into(),
        transition.wakes.into(),
        now.into(),
        until.into(),
        transition.is_due().into(),
        (now + lease / 2).into(),
    ];
    let row = txn.query_one_raw(statement(UPDATE_JOB, claim.into_iter().chain(values))).await?;
    row.as_ref().map(parse_job).transpose()
}

// A claim that is kept is made longer when half of its lease is gone, as on PostgreSQL.
const UPDATE_JOB: &str = "UPDATE job SET attempt = $5, crashes = 0, first_crash_at = NULL,
    lease_until = CASE WHEN wakes = $6 AND $8 IS NOT NULL AND attempt = $5 AND crashes = 0 AND lease_until > $10
        THEN lease_until WHEN wakes = $6 THEN $8 END,
    leased_by = CASE WHEN wakes = $6 AND $8 IS NOT NULL THEN leased_by END,
    offered_at = CASE WHEN wakes = $6 AND $8 IS NOT NULL THEN offered_at WHEN wakes <> $6 OR $9 THEN $7 END,
    due_at = CASE WHEN wakes = $6 AND $8 IS NOT NULL THEN due_at WHEN wakes <> $6 OR $9 THEN min($4, $7) ELSE $4 END
    WHERE run_id = $1 AND epoch = $2 AND EXISTS (SELECT 1 FROM run WHERE id = $1 AND revision = $3)
    RETURNING lease_until IS NOT NULL AS kept, offered_at IS NOT NULL AS hint_due";

const DELETE_JOB: &str = "DELETE FROM job
    WHERE run_id = $1 AND epoch = $2 AND EXISTS (SELECT 1 FROM run WHERE id = $1 AND revision = $3)";

fn update_run(transition: &Transition) -> Statement {
    let sql =
        "UPDATE run SET version = $3, state = $4, status = $5, memory = $6, trail = $7, wait_signal = $8,
        reason = $9, revision = revision + 1, updated_at = $10, finished_at = $11, undoing = $12
        WHERE id = $1 AND revision = $2";
    let values: [Value; 12] = [
        transition.run.into(),
        transition.revision.into(),
        transition.version.into(),
        transition.state.clone().into(),
        transition.status.as_str().into(),
        transition.memory.clone().into(),
        json!(transition.trail).into(),
        transition.wait_signal.into(),
        json(transition.reason.as_ref()).into(),
        transition.at.into(),
        transition.status.is_over().then_some(transition.at).into(),
        transition.undoing.into(),
    ];
    statement(sql, values)
}

fn insert_history(row: &NewTransition<'_>, node: &str) -> Statement {
    let sql = "INSERT INTO run_history
        (id, tenant_id, run_id, revision, state, outcome, next_state, attempt, reason, node, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let (transition, line) = (row.transition, &row.transition.line);
    let values: [Value; 11] = [
        row.line.into(),
        transition.tenant.into(),
        transition.run.into(),
        (transition.revision + 1).into(),
        line.state.clone().into(),
        line.outcome.as_str().into(),
        line.next.clone().into(),
        line.attempt.into(),
        json(line.reason.as_ref()).into(),
        node.into(),
        transition.at.into(),
    ];
    statement(sql, values)
}
