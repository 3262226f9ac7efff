//! Finds due jobs for which no hint arrived: after a timer, a lost hint, a flushed Redis, or a crashed worker.
//!
//! `offered_at` is the time of a job's last hint. A job scheduled for later has none, so that it is found as soon
//! as it is due; a job that is due now gets its hint when it is written, and is offered again only if it has not
//! been claimed after a while.

use std::time::Duration;

use domain::{Clock, Timestamp};
use entity::DatabaseError;
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, Statement};

use super::{lane, now};
use domain::Hint;

// Tenants are found by jumping from one to the next in the indexes, so that a tenant with a million jobs costs no more
// than one with one. A locked job is being claimed, committed, woken or offered at this moment: waiting for it would
// only bring deadlocks.
const POSTGRES: &str = "
WITH RECURSIVE fresh (tenant_id) AS (
    (SELECT tenant_id FROM job WHERE offered_at IS NULL ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT j.tenant_id FROM job j WHERE j.offered_at IS NULL AND j.tenant_id > t.tenant_id
            ORDER BY j.tenant_id LIMIT 1) FROM fresh t WHERE t.tenant_id IS NOT NULL
), offered (tenant_id) AS (
    (SELECT tenant_id FROM job WHERE offered_at IS NOT NULL ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT j.tenant_id FROM job j WHERE j.offered_at IS NOT NULL AND j.tenant_id > t.tenant_id
            ORDER BY j.tenant_id LIMIT 1) FROM offered t WHERE t.tenant_id IS NOT NULL
), due AS (
    SELECT d.run_id, d.since, row_number() OVER (PARTITION BY t.tenant_id ORDER BY d.since) AS turn
    FROM fresh t CROSS JOIN LATERAL (
        SELECT run_id, due_at AS since FROM job WHERE tenant_id = t.tenant_id AND offered_at IS NULL
            AND due_at <= coalesce($1, now()) AND (lease_until IS NULL OR lease_until <= coalesce($1, now()))
        ORDER BY due_at LIMIT $3) d
    UNION ALL
    SELECT d.run_id, d.since, row_number() OVER (PARTITION BY t.tenant_id ORDER BY d.since) AS turn
    FROM offered t CROSS JOIN LATERAL (
        SELECT run_id, offered_at AS since FROM job WHERE tenant_id = t.tenant_id
            AND offered_at <= coalesce($1, now()) - $2 * interval '1 millisecond'
            AND due_at <= coalesce($1, now()) AND (lease_until IS NULL OR lease_until <= coalesce($1, now()))
        ORDER BY offered_at LIMIT $3) d
    WHERE $2 IS NOT NULL
)
UPDATE job SET offered_at = coalesce($1, now()) WHERE run_id IN (
    SELECT run_id FROM job WHERE run_id IN (SELECT run_id FROM due ORDER BY turn, since LIMIT $3)
    FOR UPDATE SKIP LOCKED)
RETURNING run_id, tenant_id, lane";

const SQLITE: &str = "
UPDATE job SET offered_at = $1 WHERE run_id IN (
    SELECT run_id FROM (
        SELECT run_id, due_at, row_number() OVER (PARTITION BY tenant_id ORDER BY due_at) AS turn
        FROM job
        WHERE due_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
          AND (offered_at IS NULL OR offered_at <= $2)
    ) due ORDER BY turn, due_at LIMIT $3)
RETURNING run_id, tenant_id, lane";

/// Due jobs whose hint was not published yet, and with `again` those whose hint was published at least that long ago:
/// oldest first, tenants taking turns, at most `max`.
pub async fn sweep(
    engine: &DatabaseConnection,
    clock: &dyn Clock,
    again: Option<Duration>,
    max: u32,
) -> Result<Vec<Hint>, DatabaseError> {
    let backend = engine.get_database_backend();
    let statement = match backend {
        DatabaseBackend::Postgres => {
            let again = again.map(|again| again.as_millis() as i64);
            let values = [now(clock, backend), again.into(), i64::from(max).into()];
            Statement::from_sql_and_values(backend, POSTGRES, values)
        }
        _ => {
            let before = again.map(|again| clock.now() - again);
            Statement::from_sql_and_values(
                backend,
                SQLITE,
                [now(clock, backend), before.into(), i64::from(max).into()],
            )
        }
    };
    let rows = engine.query_all_raw(statement).await?;
    let read = |row: &sea_orm::QueryResult| {
        Ok(Hint { run: row.try_get("", "run_id")?, tenant: row.try_get("", "tenant_id")?, lane: lane(row)? })
    };
    rows.iter().map(read).collect()
}

/// The time until the next timer is due, at most `most`; zero if one is overdue. A dispatcher sleeps exactly that long.
pub async fn next_due(
    engine: &DatabaseConnection,
    clock: &dyn Clock,
    most: Duration,
) -> Result<Duration, DatabaseError> {
    let backend = engine.get_database_backend();
    let (sql, values) = match backend {
        DatabaseBackend::Postgres => (
            "SELECT due_at, coalesce($1, now()) AS at FROM job WHERE offered_at IS NULL ORDER BY due_at LIMIT 1",
            [now(clock, backend)],
        ),
        _ => (
            "SELECT due_at, $1 AS at FROM job WHERE offered_at IS NULL ORDER BY due_at LIMIT 1",
            [now(clock, backend)],
        ),
    };
    let Some(row) = engine.query_one_raw(Statement::from_sql_and_values(backend, sql, values)).await? else {
        return Ok(most);
    };
    let (due, at): (Timestamp, Timestamp) = (row.try_get("", "due_at")?, row.try_get("", "at")?);
    Ok((due - at).to_std().unwrap_or(Duration::ZERO).min(most))
}
