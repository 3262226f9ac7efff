//! Reseals the values in one column of one tenant, a limited number per transaction.

use domain::{AnyId, Id, ids};
use sea_orm::{ConnectionTrait, DatabaseBackend, Iterable, Statement, Value};

use super::{KeyRing, ProgressSink, RotationProgress, RotationReport, Secrets, send_progress};
use crate::{
    Result,
    vault::{Column, HEADER_LEN, KeyId, KeyOwner, key_header},
};

/// Number of values resealed in one transaction.
const BATCH: usize = 200;
/// Maximum number of attempts for a conflicting transaction.
const ATTEMPTS: usize = 20;

/// Counts a tenant's values that are not sealed with its current data key.
pub(crate) async fn count_outdated(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    current: KeyId,
) -> Result<u64> {
    let mut found = 0;
    for column in Column::iter().filter(|column| column.key_owner() == KeyOwner::Tenant) {
        let (table, name) = column.table_and_column();
        let sql = format!(
            "SELECT count(*) AS n FROM {table} WHERE tenant_id = $1 AND substr({name}, 1, {HEADER_LEN}) <> $2"
        );
        let values = [tenant.into(), key_header(current).into()];
        let statement = Statement::from_sql_and_values(txn.get_database_backend(), sql, values);
        let row = txn.query_one_raw(statement).await?;
        let count: i64 = row.map_or(Ok(0), |row| row.try_get("", "n"))?;
        found += u64::try_from(count).unwrap_or_default();
    }
    Ok(found)
}

/// A value to be resealed.
struct SealedValue {
    id: AnyId,
    bound_to: AnyId,
    sealed: Vec<u8>,
}

/// Result of one transaction.
struct BatchResult {
    /// The last row that was visited; `None` if there are no more rows.
    last: Option<AnyId>,
    moved: usize,
    unreadable: usize,
}

/// How the next values are selected.
#[derive(Clone, Copy)]
struct BatchQuery {
    limit: usize,
    /// Whether to skip locked rows for now. A consent is locked while its next token is requested from the provider; a
    /// transaction that waited for the lock would meanwhile block others.
    skips: bool,
}

const PASSES: [BatchQuery; 2] =
    [BatchQuery { limit: BATCH, skips: true }, BatchQuery { limit: 1, skips: false }];

impl Secrets {
    /// Reseals every value of a column that is not sealed with the tenant's current data key.
    pub(super) async fn reseal(
        &self,
        tenant: Id<ids::Tenant>,
        column: Column,
        ring: &KeyRing,
        report: &mut RotationReport,
        sink: ProgressSink<'_>,
    ) -> Result<()> {
        let mut unreadable = 0;
        for pass in PASSES {
            let mut after = AnyId::nil();
            unreadable = 0;
            loop {
                let done = self.batch_in_peace(tenant, column, ring, after, pass).await?;
                unreadable += done.unreadable;
                if done.moved > 0 {
                    report.values += done.moved;
                    send_progress(
                        sink,
                        RotationProgress::Values(tenant, column.table_and_column().0, done.moved),
                    )?;
                }
                let Some(last) = done.last else { break };
                after = last;
            }
        }
        report.unreadable += unreadable;
        Ok(())
    }

    async fn batch_in_peace(
        &self,
        tenant: Id<ids::Tenant>,
        column: Column,
        ring: &KeyRing,
        after: AnyId,
        pass: BatchQuery,
    ) -> Result<BatchResult> {
        let mut attempt = 1;
        loop {
            match self.batch(tenant, column, ring, after, pass).await {
                Err(error) if error.is_contention() && attempt < ATTEMPTS => attempt += 1,
                done => return done,
            }
        }
    }

    async fn batch(
        &self,
        tenant: Id<ids::Tenant>,
        column: Column,
        ring: &KeyRing,
        after: AnyId,
        pass: BatchQuery,
    ) -> Result<BatchResult> {
        let txn = self.services.store.write(tenant).await?;
        // Another rotation may have come in between: what is sealed here is sealed with the key that is held.
        let key = self.held_data_key(&txn, tenant).await?;
        let found = find(&txn, tenant, column, key.id, after, pass).await?;
        let mut done = BatchResult { last: found.last().map(|value| value.id), moved: 0, unreadable: 0 };
        for value in found {
            let context = column.at(tenant, value.bound_to);
            match ring.open(context, &value.sealed) {
                Some(Ok(plain)) => {
                    let sealed = self.services.vault.seal_with(&key, context, &plain)?;
                    done.moved += replace(&txn, tenant, column, &value, sealed).await?;
                }
                _ => done.unreadable += 1,
            }
        }
        txn.commit().await?;
        Ok(done)
    }
}

async fn find(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    column: Column,
    current: KeyId,
    after: AnyId,
    pass: BatchQuery,
) -> Result<Vec<SealedValue>> {
    let ((table, name), bound_to, limit) = (column.table_and_column(), column.bound_id_column(), pass.limit);
    let lock = match (txn.get_database_backend(), pass.skips) {
        (DatabaseBackend::Postgres, true) => "FOR UPDATE SKIP LOCKED",
        (DatabaseBackend::Postgres, false) => "FOR UPDATE",
        _ => "",
    };
    let sql = format!(
        "SELECT id, {bound_to} AS bound_to, {name} AS sealed FROM {table}
         WHERE tenant_id = $1 AND id > $2 AND substr({name}, 1, {HEADER_LEN}) <> $3 ORDER BY id LIMIT {limit} {lock}"
    );
    let values: [Value; 3] = [tenant.into(), after.into(), key_header(current).into()];
    let statement = Statement::from_sql_and_values(txn.get_database_backend(), sql, values);
    let found = txn.query_all_raw(statement).await?.into_iter().map(|row| {
        Ok(SealedValue {
            id: row.try_get("", "id")?,
            bound_to: row.try_get("", "bound_to")?,
            sealed: row.try_get("", "sealed")?,
        })
    });
    found.collect()
}

/// Replaces the value that was read, unless it has changed in the meantime.
async fn replace(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    column: Column,
    value: &SealedValue,
    sealed: Vec<u8>,
) -> Result<usize> {
    let (table, name) = column.table_and_column();
    let sql = format!("UPDATE {table} SET {name} = $1 WHERE tenant_id = $2 AND id = $3 AND {name} = $4");
    let values: [Value; 4] = [sealed.into(), tenant.into(), value.id.into(), value.sealed.clone().into()];
    let statement = Statement::from_sql_and_values(txn.get_database_backend(), sql, values);
    let done = txn.execute_raw(statement).await?;
    Ok(usize::try_from(done.rows_affected()).unwrap_or_default())
}
