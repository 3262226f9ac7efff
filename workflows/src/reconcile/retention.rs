//! Deletes old data by policy: finished runs with their histories, events, idempotency keys, expired sessions, and
//! unused data keys.
//!
//! Rows are deleted in small transactions, oldest first, so that nobody waits long for a lock; the rest is left to
//! the next round. Live runs are never deleted.

use chrono::Duration;
use domain::{
    Id, Timestamp, ids,
    state::{Lane, RunStatus},
};
use entity::DatabaseError;
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement, Value};
use services::System;
use uuid::Uuid;

/// Number of rows deleted in one transaction.
const BATCH: u64 = 500;
/// Maximum number of transactions per kind of row and round, over all tenants.
const BATCHES: usize = 200;

/// Deletes old data once.
pub(super) async fn run_round(services: &System) -> services::Result<()> {
    runs(services).await?;
    services.keys().maintain_signing_keys(services).await?;
    let mut left = BATCHES;
    for tenant in super::tenants(services).await? {
        of_tenant(services, tenant, &mut left).await?;
    }
    Ok(())
}

/// How long successful background runs are kept; short, because they are numerous.
const KEEP_BACKGROUND: std::time::Duration = std::time::Duration::from_hours(1);

/// Deletes old runs: successful ones sooner than failed ones, which may still be examined or retried.
async fn runs(services: &System) -> Result<(), DatabaseError> {
    let (now, settings) = (services.now(), &services.settings);
    let well = [RunStatus::Done, RunStatus::Cancelled];
    let badly = [RunStatus::Failed, RunStatus::Quarantined];
    let background = format!("AND lane = '{}'", Lane::Background);
    for (statuses, keep, of_lane) in [
        (well, KEEP_BACKGROUND.min(settings.keep_runs), background.as_str()),
        (well, settings.keep_runs, ""),
        (badly, settings.keep_failed_runs, ""),
    ] {
        let engine = services.store.engine_connection();
        let backend = engine.get_database_backend();
        let locking = if backend == DatabaseBackend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
        // A history goes with its run.
        let sql = format!(
            "DELETE FROM run WHERE id IN (SELECT id FROM run WHERE finished_at < $1 AND status IN ($2, $3) {of_lane}
             ORDER BY finished_at LIMIT {BATCH} {locking})"
        );
        for _ in 0..BATCHES {
            let values: [Value; 3] =
                [(now - keep).into(), statuses[0].as_str().into(), statuses[1].as_str().into()];
            let done = engine.execute_raw(Statement::from_sql_and_values(backend, &sql, values)).await?;
            if done.rows_affected() < BATCH {
                break;
            }
        }
    }
    Ok(())
}

async fn of_tenant(services: &System, tenant: Id<ids::Tenant>, left: &mut usize) -> services::Result<()> {
    let now = services.now();
    let events: Value = first_id_at(now - services.settings.keep_events).into();
    // A consent may lie in its session for as long as the permission takes to spread at the provider.
    let sessions: Value = (now - Duration::days(7)).into();
    let kinds = [
        ("event_log", "id", events),
        ("idempotency", "expires_at", now.into()),
        ("connect_session", "expires_at", sessions),
        ("access_token", "expires_at", (now - Duration::days(1)).into()),
        // Whoever read what it sealed has opened it by then.
        ("former_data_key", "unused_since", (now - Duration::hours(1)).into()),
        ("sign_in", "expires_at", (now - Duration::days(1)).into()),
    ];
    for (table, column, before) in kinds {
        let sql = format!(
            "DELETE FROM {table} WHERE tenant_id = $1 AND id IN
             (SELECT id FROM {table} WHERE tenant_id = $1 AND {column} < $2 ORDER BY id LIMIT {BATCH})"
        );
        while *left > 0 {
            *left -= 1;
            let txn = services.store.write(tenant).await?;
            let values = [tenant.into(), before.clone()];
            let done = txn
                .execute_raw(Statement::from_sql_and_values(services.store.backend(), &sql, values))
                .await?;
            txn.commit().await?;
            if done.rows_affected() < BATCH {
                break;
            }
        }
    }
    Ok(())
}

/// The lowest id created at or after a time: ids begin with their time, so the index of ids is also one of times.
fn first_id_at(at: Timestamp) -> Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    Uuid::from_u64_pair(millis << 16 | 0x7000, 1 << 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_id_of_a_time_divides_earlier_ids_from_later_ones() {
        let clock = domain::TestClock::at(Timestamp::UNIX_EPOCH + Duration::days(20_000));
        let ids = domain::Ids::random(std::sync::Arc::new(clock.clone()));
        let before: Vec<Uuid> = (0..50).map(|_| ids.uuid()).collect();
        clock.advance(Duration::milliseconds(1));
        let bound = first_id_at(ids.now());
        assert!(before.iter().all(|id| *id < bound));
        assert!((0..50).all(|_| ids.uuid() > bound));
    }
}
