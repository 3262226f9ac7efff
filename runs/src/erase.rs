//! Deletes every run of a tenant that is being erased, in the transaction that deletes the tenant.

use domain::{Id, ids};
use entity::DatabaseError;
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};

/// The tables of runs, each before the one to which it refers.
pub const ERASED_TABLES: [&str; 4] = ["signal", "job", "run_history", "run"];

/// Deletes all runs of a tenant with their jobs, signals and histories, unfinished ones included: a worker that still
/// executes one cannot commit. Returns the number of deleted rows by table.
pub async fn erase_tenant(
    txn: &DatabaseTransaction,
    tenant: Id<ids::Tenant>,
) -> Result<Vec<(&'static str, u64)>, DatabaseError> {
    let mut deleted = Vec::new();
    for table in ERASED_TABLES {
        let sql = format!("DELETE FROM {table} WHERE tenant_id = $1");
        let statement = Statement::from_sql_and_values(txn.get_database_backend(), sql, [tenant.into()]);
        deleted.push((table, txn.execute_raw(statement).await?.rows_affected()));
    }
    Ok(deleted)
}
