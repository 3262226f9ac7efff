//! Enqueues, wakes and cancels runs, always in the transaction of the change that requires it.

use std::collections::HashSet;

use domain::{
    AnyId, Id, Timestamp, ids,
    state::{Lane, RunStatus},
};
use entity::DatabaseError;
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DatabaseBackend, DatabaseTransaction, EntityTrait, Statement, Value,
    prelude::Json, sea_query::OnConflict,
};

use super::lane;
use domain::Hint;

/// The number of runs inserted by one statement: SQLite accepts a few thousand parameters at most.
const AT_ONCE: usize = 200;

/// A run to enqueue. Version and state are set by the first worker that claims it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// A new UUIDv7, which becomes the primary key.
    pub id: Id<ids::Run>,
    /// The tenant that owns the run.
    pub tenant: Id<ids::Tenant>,
    /// The name of the workflow to execute.
    pub workflow: &'static str,
    /// What the run works on: at most one unfinished run exists per tenant, workflow and key.
    pub business_key: String,
    /// The id of the integration, connection, campaign or booking that the run is about.
    pub subject: AnyId,
    /// The actor recorded as the run's initiator: the id of a user, key or link.
    pub asked_by: String,
    /// The priority of the run's work.
    pub lane: Lane,
    /// The workflow's input, which becomes the run's first memory.
    pub memory: Json,
}

/// Inserts runs with their jobs, due at once; the caller publishes the hints after its commit. A run is skipped if
/// an unfinished run has the same key. Returns one hint per inserted run.
pub async fn enqueue(
    txn: &DatabaseTransaction,
    runs: &[NewRun],
    at: Timestamp,
) -> Result<Vec<Hint>, DatabaseError> {
    let mut hints = Vec::new();
    for runs in runs.chunks(AT_ONCE) {
        let is_postgres = txn.get_database_backend() == DatabaseBackend::Postgres;
        let inserted = match is_postgres {
            true => order_together(txn, runs, at).await?,
            false => insert_runs(txn, runs, at).await?,
        };
        let hint = |run: &NewRun| Hint { run: run.id, tenant: run.tenant, lane: run.lane };
        let ordered: Vec<Hint> = runs.iter().filter(|run| inserted.contains(&run.id)).map(hint).collect();
        if !is_postgres && !ordered.is_empty() {
            insert_jobs(txn, &ordered, at).await?;
        }
        hints.extend(ordered);
    }
    Ok(hints)
}

/// Inserts runs and their jobs with one statement, the same for any number of runs.
async fn order_together(
    txn: &DatabaseTransaction,
    runs: &[NewRun],
    at: Timestamp,
) -> Result<HashSet<Id<ids::Run>>, DatabaseError> {
    fn list<T: Into<Value>>(runs: &[NewRun], column: impl Fn(&NewRun) -> T) -> Vec<T> {
        runs.iter().map(column).collect()
    }
    let values: [Value; 10] = [
        list(runs, |run| run.id).into(),
        list(runs, |run| run.tenant).into(),
        list(runs, |run| run.workflow.to_owned()).into(),
        list(runs, |run| run.memory.clone()).into(),
        list(runs, |run| run.lane.to_string()).into(),
        list(runs, |run| run.business_key.clone()).into(),
        list(runs, |run| run.subject).into(),
        list(runs, |run| run.asked_by.clone()).into(),
        RunStatus::Ordered.as_str().into(),
        at.into(),
    ];
    let statement = Statement::from_sql_and_values(DatabaseBackend::Postgres, TOGETHER, values);
    txn.query_all_raw(statement).await?.iter().map(|row| Ok(row.try_get("", "run_id")?)).collect()
}

/// The statement that inserts runs and jobs. Jobs are due by the database's clock: a node whose own clock is ahead
/// would have to wait.
const TOGETHER: &str = "
WITH ordered AS (
    INSERT INTO run (id, tenant_id, workflow, memory, trail, revision, status, lane, business_key, subject, asked_by,
        cancel_requested, undoing, created_at, updated_at)
    SELECT id, tenant_id, workflow, memory, '[]', 0, $9, lane, business_key, subject, asked_by, false, false, $10, $10
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[], $5::text[], $6::text[], $7::uuid[], $8::text[])
        AS i(id, tenant_id, workflow, memory, lane, business_key, subject, asked_by)
    ON CONFLICT DO NOTHING RETURNING id, tenant_id, lane
)
INSERT INTO job (run_id, tenant_id, lane, due_at, offered_at, epoch, attempt, crashes, wakes)
SELECT id, tenant_id, lane, least($10, now()), least($10, now()), 0, 0, 0, 0 FROM ordered RETURNING run_id";

async fn insert_runs(
    txn: &DatabaseTransaction,
    runs: &[NewRun],
    at: Timestamp,
) -> Result<HashSet<Id<ids::Run>>, DatabaseError> {
    let rows = runs.iter().map(|run| entity::run::ActiveModel {
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
    });
    let inserted = entity::run::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_with_returning_keys(txn)
        .await?;
    Ok(inserted.into_iter().collect())
}

async fn insert_jobs(txn: &DatabaseTransaction, hints: &[Hint], at: Timestamp) -> Result<(), DatabaseError> {
    let due = at_once(txn);
    let mut values = Vec::with_capacity(hints.len() * 4);
    let mut rows = Vec::with_capacity(hints.len());
    for hint in hints {
        let n = values.len();
        let due = due.replace('?', &format!("${}", n + 4));
        rows.push(format!("(${}, ${}, ${}, {due}, {due}, 0, 0, 0, 0)", n + 1, n + 2, n + 3));
        values.extend([hint.run.into(), hint.tenant.into(), hint.lane.as_str().into(), at.into()]);
    }
    let sql = format!(
        "INSERT INTO job (run_id, tenant_id, lane, due_at, offered_at, epoch, attempt, crashes, wakes) VALUES {}",
        rows.join(", ")
    );
    txn.execute_raw(Statement::from_sql_and_values(txn.get_database_backend(), sql, values)).await?;
    Ok(())
}

/// The SQL for "due at once", with a placeholder for the clock's value. On PostgreSQL the database's clock decides
/// what is due: a node whose own clock is ahead would have to wait.
fn at_once(txn: &DatabaseTransaction) -> &'static str {
    match txn.get_database_backend() {
        DatabaseBackend::Postgres => "least(?, now())",
        _ => "?",
    }
}

/// Stores a signal for a run and wakes the run. Changes nothing and returns `None` if the run has ended.
pub async fn signal(
    txn: &DatabaseTransaction,
    id: Id<ids::Row>,
    (tenant, run): (Id<ids::Tenant>, Id<ids::Run>),
    name: &str,
    payload: Json,
    at: Timestamp,
) -> Result<Option<Hint>, DatabaseError> {
    let Some(hint) = wake(txn, tenant, run, at).await? else { return Ok(None) };
    let row = entity::signal::ActiveModel {
        id: Set(id),
        tenant_id: Set(tenant),
        run_id: Set(run),
        name: Set(name.to_owned()),
        payload: Set(payload),
        created_at: Set(at),
    };
    entity::signal::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(Some(hint))
}

/// Makes an unfinished run's job due now; `None` if the run has ended.
async fn wake(
    txn: &DatabaseTransaction,
    tenant: Id<ids::Tenant>,
    run: Id<ids::Run>,
    at: Timestamp,
) -> Result<Option<Hint>, DatabaseError> {
    let due = at_once(txn).replace('?', "$3");
    let sql = format!(
        "UPDATE job SET wakes = wakes + 1, offered_at = {due},
         due_at = CASE WHEN due_at > {due} THEN {due} ELSE due_at END
         WHERE tenant_id = $1 AND run_id = $2 RETURNING lane"
    );
    let values = [tenant.into(), run.into(), at.into()];
    let statement = Statement::from_sql_and_values(txn.get_database_backend(), sql, values);
    let Some(row) = txn.query_one_raw(statement).await? else { return Ok(None) };
    Ok(Some(Hint { run, tenant, lane: lane(&row)? }))
}

/// Asks an unfinished run to stop and to undo its steps; `None` if the run has ended.
pub async fn request_cancel(
    txn: &DatabaseTransaction,
    tenant: Id<ids::Tenant>,
    run: Id<ids::Run>,
    at: Timestamp,
) -> Result<Option<Hint>, DatabaseError> {
    let Some(hint) = wake(txn, tenant, run, at).await? else { return Ok(None) };
    let sql = "UPDATE run SET cancel_requested = true WHERE tenant_id = $1 AND id = $2";
    let statement =
        Statement::from_sql_and_values(txn.get_database_backend(), sql, [tenant.into(), run.into()]);
    txn.execute_raw(statement).await?;
    Ok(Some(hint))
}

/// Gives a parked run (failed while undoing, or quarantined) a new job, due now, with fresh attempts. The caller has
/// checked that the run is parked and has revived it.
pub async fn requeue(txn: &DatabaseTransaction, hint: &Hint, at: Timestamp) -> Result<(), DatabaseError> {
    insert_jobs(txn, std::slice::from_ref(hint), at).await
}
