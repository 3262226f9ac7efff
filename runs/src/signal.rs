//! Wakes and cancels runs, always in the transaction that causes it.

use domain::{Id, JobHint, Timestamp, ids};
use entity::{DatabaseError, signal};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseTransaction, EntityTrait, Statement};
use serde_json::Value as Json;

use crate::{hint, is_postgres, postgres, sqlite};

/// Stores a signal for a run and wakes the run. Changes nothing and returns `None` if the run has ended.
pub async fn signal(
    txn: &DatabaseTransaction,
    id: Id<ids::Row>,
    (tenant, run): (Id<ids::Tenant>, Id<ids::Run>),
    name: &str,
    payload: Json,
    at: Timestamp,
) -> Result<Option<JobHint>, DatabaseError> {
    let Some(hint) = wake_job(txn, tenant, run, at).await? else { return Ok(None) };
    let row = signal::ActiveModel {
        id: Set(id),
        tenant_id: Set(tenant),
        run_id: Set(run),
        name: Set(name.to_owned()),
        payload: Set(payload),
        created_at: Set(at),
    };
    signal::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(Some(hint))
}

/// Requests that an unfinished run be stopped and its steps be undone; `None` if the run has ended.
pub async fn request_cancel(
    txn: &DatabaseTransaction,
    tenant: Id<ids::Tenant>,
    run: Id<ids::Run>,
    at: Timestamp,
) -> Result<Option<JobHint>, DatabaseError> {
    let Some(hint) = wake_job(txn, tenant, run, at).await? else { return Ok(None) };
    let sql = "UPDATE run SET cancel_requested = true WHERE tenant_id = $1 AND id = $2";
    let values = [tenant.into(), run.into()];
    txn.execute_raw(Statement::from_sql_and_values(txn.get_database_backend(), sql, values)).await?;
    Ok(Some(hint))
}

/// Makes all waiting runs of a tenant whose reason has this code due immediately.
pub async fn wake_runs_with_reason(
    txn: &DatabaseTransaction,
    tenant: Id<ids::Tenant>,
    code: &str,
    at: Timestamp,
) -> Result<Vec<JobHint>, DatabaseError> {
    let statement = match is_postgres(txn.get_database_backend()) {
        true => postgres::wake_runs_with_reason(tenant, code, at),
        false => sqlite::wake_runs_with_reason(tenant, code, at),
    };
    txn.query_all_raw(statement).await?.iter().map(hint).collect()
}

/// Makes the job of an unfinished run due immediately; `None` if the run has ended.
async fn wake_job(
    txn: &DatabaseTransaction,
    tenant: Id<ids::Tenant>,
    run: Id<ids::Run>,
    at: Timestamp,
) -> Result<Option<JobHint>, DatabaseError> {
    let statement = match is_postgres(txn.get_database_backend()) {
        true => postgres::wake_job(tenant, run, at),
        false => sqlite::wake_job(tenant, run, at),
    };
    txn.query_one_raw(statement).await?.as_ref().map(hint).transpose()
}
