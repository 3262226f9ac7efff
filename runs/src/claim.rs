//! Claims jobs, renews their leases, and releases them.

use std::time::Duration;

use domain::{Clock, Id, Timestamp, ids, state::Lane};
use entity::DatabaseError;
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, Statement, Value};

use super::{json_list, lane, now};

/// A job that this node may work on until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The id of the run to execute.
    pub run: Id<ids::Run>,
    /// The tenant that owns the run.
    pub tenant: Id<ids::Tenant>,
    /// The priority of the run's work beside other runs'.
    pub lane: Lane,
    /// The fencing token: a commit with another epoch is refused.
    pub epoch: i64,
    /// Failed attempts at the present state so far.
    pub attempt: i32,
    /// Number of workers that died with the claim since the last commit.
    pub crashes: i32,
    /// Number of signals that had arrived at the claim.
    pub wakes: i64,
    /// When the job was claimed, by the clock that decides what is due: the database's, in production.
    pub at: Timestamp,
}

/// Maximum interval between two crashes that are counted together.
const CRASHES_WITHIN: Duration = Duration::from_hours(72);

// A claim does not wait for the disk. One that a crash of the database takes back is as if it had never been: another
// worker may get the same epoch, and of two results the run's revision lets one through.
const POSTGRES: &str = "
UPDATE job SET epoch = epoch + 1, leased_by = $3,
    lease_until = coalesce($1, now()) + $2 * interval '1 millisecond',
    crashes = CASE WHEN lease_until IS NULL THEN crashes
        WHEN first_crash_at > coalesce($1, now()) - $5 * interval '1 millisecond' THEN crashes + 1 ELSE 1 END,
    first_crash_at = CASE WHEN lease_until IS NULL
        OR first_crash_at > coalesce($1, now()) - $5 * interval '1 millisecond' THEN first_crash_at
        ELSE coalesce($1, now()) END
WHERE (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL AND run_id IN (
    SELECT run_id FROM job
    WHERE run_id = ANY($4) AND due_at <= coalesce($1, now())
      AND (lease_until IS NULL OR lease_until <= coalesce($1, now()))
    FOR UPDATE SKIP LOCKED)
RETURNING run_id, tenant_id, lane, epoch, attempt, crashes, wakes, coalesce($1, now()) AS at";

const SQLITE: &str = "
UPDATE job SET epoch = epoch + 1, leased_by = $3, lease_until = $2,
    crashes = CASE WHEN lease_until IS NULL THEN crashes WHEN first_crash_at > $5 THEN crashes + 1 ELSE 1 END,
    first_crash_at = CASE WHEN lease_until IS NULL OR first_crash_at > $5 THEN first_crash_at ELSE $1 END
WHERE run_id IN (SELECT unhex(value, '-') FROM json_each($4))
  AND due_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
RETURNING run_id, tenant_id, lane, epoch, attempt, crashes, wakes, $1 AS at";

/// Claims those of the given runs that are due and unclaimed.
pub async fn claim(
    engine: &DatabaseConnection,
    clock: &dyn Clock,
    node: &str,
    runs: &[Id<ids::Run>],
    lease: Duration,
) -> Result<Vec<Claimed>, DatabaseError> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let backend = engine.get_database_backend();
    let (sql, values): (_, [Value; 5]) = match backend {
        DatabaseBackend::Postgres => (
            POSTGRES,
            [now(clock, backend), millis(lease), node.into(), runs.to_vec().into(), millis(CRASHES_WITHIN)],
        ),
        _ => {
            let (until, since) = (clock.now() + lease, clock.now() - CRASHES_WITHIN);
            (SQLITE, [now(clock, backend), until.into(), node.into(), json_list(runs).into(), since.into()])
        }
    };
    let rows = engine.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    let read = |row: &sea_orm::QueryResult| {
        Ok(Claimed {
            run: row.try_get("", "run_id")?,
            tenant: row.try_get("", "tenant_id")?,
            lane: lane(row)?,
            epoch: row.try_get("", "epoch")?,
            attempt: row.try_get("", "attempt")?,
            crashes: row.try_get("", "crashes")?,
            wakes: row.try_get("", "wakes")?,
            at: row.try_get("", "at")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Extends the leases of the given claims; returns the runs whose claim this node still holds.
pub async fn renew(
    engine: &DatabaseConnection,
    clock: &dyn Clock,
    held: &[(Id<ids::Run>, i64)],
    lease: Duration,
) -> Result<Vec<Id<ids::Run>>, DatabaseError> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let backend = engine.get_database_backend();
    let (sql, values): (_, Vec<Value>) = match backend {
        DatabaseBackend::Postgres => {
            let (runs, epochs): (Vec<Id<ids::Run>>, Vec<i64>) = held.iter().copied().unzip();
            let sql = "UPDATE job j SET lease_until = coalesce($1, now()) + $2 * interval '1 millisecond'
                FROM unnest($3::uuid[], $4::bigint[]) AS held(run_id, epoch)
                WHERE j.run_id = held.run_id AND j.epoch = held.epoch AND j.lease_until IS NOT NULL
                RETURNING j.run_id";
            (sql, vec![now(clock, backend), millis(lease), runs.into(), epochs.into()])
        }
        _ => {
            let sql = "UPDATE job SET lease_until = $1 WHERE lease_until IS NOT NULL AND (run_id, epoch) IN
                (SELECT unhex(value ->> 0, '-'), value ->> 1 FROM json_each($2)) RETURNING run_id";
            let held: Vec<(String, i64)> =
                held.iter().map(|(run, epoch)| (run.uuid().to_string(), *epoch)).collect();
            (sql, vec![(clock.now() + lease).into(), serde_json::json!(held).to_string().into()])
        }
    };
    let rows = engine.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "run_id")?)).collect()
}

/// A duration as a parameter for PostgreSQL, in milliseconds.
fn millis(time: Duration) -> Value {
    (time.as_millis() as i64).into()
}

/// Gives a claim back unworked, because the node does not know the workflow. The sweep offers the job again after its
/// usual pause, so that this node does not claim it again at once.
pub async fn release(
    engine: &DatabaseConnection,
    run: Id<ids::Run>,
    epoch: i64,
) -> Result<(), DatabaseError> {
    let sql = "UPDATE job SET lease_until = NULL, leased_by = NULL WHERE run_id = $1 AND epoch = $2";
    let backend = engine.get_database_backend();
    engine.execute_raw(Statement::from_sql_and_values(backend, sql, [run.into(), epoch.into()])).await?;
    Ok(())
}

/// Ends every lease and removes every hint; called when the only process of an SQLite database starts. The lease
/// holders are dead, so the next worker need not wait; a lease ended here counts as a crash, like an expired one.
pub async fn end_all_leases(engine: &DatabaseConnection, clock: &dyn Clock) -> Result<(), DatabaseError> {
    let sql = "UPDATE job SET lease_until = CASE WHEN lease_until > $1 THEN $1 ELSE lease_until END, offered_at = NULL
        WHERE offered_at IS NOT NULL OR lease_until > $1";
    let backend = engine.get_database_backend();
    engine.execute_raw(Statement::from_sql_and_values(backend, sql, [clock.now().into()])).await?;
    Ok(())
}

/// Ends the leases that a stopping node still holds, whose steps took too long or could not be committed, and
/// offers their jobs again. The results are unknown, so each counts as a crash, like an expired lease.
pub async fn release_node(
    engine: &DatabaseConnection,
    clock: &dyn Clock,
    node: &str,
) -> Result<(), DatabaseError> {
    let backend = engine.get_database_backend();
    let sql = match backend {
        DatabaseBackend::Postgres => {
            "UPDATE job SET lease_until = coalesce($1, now()), offered_at = NULL
             WHERE leased_by = $2 AND lease_until > coalesce($1, now())"
        }
        _ => "UPDATE job SET lease_until = $1, offered_at = NULL WHERE leased_by = $2 AND lease_until > $1",
    };
    let values = [now(clock, backend), node.into()];
    engine.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(())
}
