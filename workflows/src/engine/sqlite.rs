//! Moves runs on SQLite: one after the other, in the transaction of their batch.

use entity::DatabaseError;
use entity::event_log::Model as Event;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseTransaction, EntityTrait, IntoActiveModel, Statement, Value,
    prelude::Json,
};
use services::System;

use super::{
    commit::{Job, MovedJobs, job},
    decide::Transition,
    worker::LEASE,
};

/// Moves the runs of a batch one after the other: on SQLite there is one writer and no network, and the batch still
/// shares one commit.
pub(super) async fn move_one_by_one(
    services: &System,
    txn: &DatabaseTransaction,
    node: &str,
    batch: &[Transition],
    events: &[Event],
) -> Result<MovedJobs, DatabaseError> {
    let run = async |sql: &str, values: Vec<Value>| {
        let done =
            txn.execute_raw(Statement::from_sql_and_values(DatabaseBackend::Sqlite, sql, values)).await?;
        Ok::<_, DatabaseError>(done.rows_affected())
    };
    let json = |reason: &Option<domain::Reason>| -> Option<Json> {
        reason.as_ref().and_then(|reason| serde_json::to_value(reason).ok())
    };
    // The step's own time may lie back: its result may have waited for its batch, or the clock may have been set.
    let now = services.now();
    let mut moved = MovedJobs::new();
    for (s, event) in batch.iter().zip(events) {
        let held: [Value; 3] = [s.run.into(), s.epoch.into(), s.revision.into()];
        let armed = match s.status.is_over() {
            true => (run(DELETE_JOB, held.into()).await? == 1).then(Job::default),
            false => {
                let (until, is_due) = (s.keep.then(|| now + LEASE), s.due <= s.at);
                let arm: [Value; 7] = [
                    s.due.into(),
                    s.attempt.into(),
                    s.wakes.into(),
                    now.into(),
                    until.into(),
                    is_due.into(),
                    (now + LEASE / 2).into(),
                ];
                let arm = Statement::from_sql_and_values(
                    DatabaseBackend::Sqlite,
                    UPDATE_JOB,
                    held.into_iter().chain(arm),
                );
                txn.query_one_raw(arm).await?.as_ref().map(job).transpose()?
            }
        };
        let Some(armed) = armed else { continue };
        let finished = s.status.is_over().then_some(s.at);
        let values = vec![
            s.run.into(),
            s.revision.into(),
            s.version.into(),
            s.state.clone().into(),
            s.status.as_str().into(),
            s.memory.clone().into(),
            serde_json::json!(s.trail).into(),
            s.wait_signal.into(),
            json(&s.reason).into(),
            s.at.into(),
            finished.into(),
            s.undoing.into(),
        ];
        if run(UPDATE_RUN, values).await? == 0 {
            continue;
        }
        let line = &s.line;
        let values = vec![
            services.ids.uuid().into(),
            s.tenant.into(),
            s.run.into(),
            (s.revision + 1).into(),
            line.state.clone().into(),
            line.outcome.as_str().into(),
            line.next.clone().into(),
            line.attempt.into(),
            json(&line.reason).into(),
            node.into(),
            s.at.into(),
        ];
        run(INSERT_HISTORY, values).await?;
        for id in &s.consumed {
            run("DELETE FROM signal WHERE id = $1", vec![(*id).into()]).await?;
        }
        entity::event_log::Entity::insert(event.clone().into_active_model())
            .exec_without_returning(txn)
            .await?;
        moved.insert((s.run, s.epoch, s.revision), armed);
    }
    Ok(moved)
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

const UPDATE_RUN: &str = "UPDATE run SET version = $3, state = $4, status = $5, memory = $6, trail = $7, wait_signal = $8,
    reason = $9, revision = revision + 1, updated_at = $10, finished_at = $11, undoing = $12 WHERE id = $1 AND revision = $2";

const INSERT_HISTORY: &str = "INSERT INTO run_history
    (id, tenant_id, run_id, revision, state, outcome, next_state, attempt, reason, node, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
