//! Reconcilers: tasks without input that periodically compare the desired with the actual state, one node at a
//! time.
//!
//! A reconciler has a row in `schedule` with a due time and a lease; whichever node finds it due claims it, runs
//! one round, and sets the next time. If the node dies, another one takes over when the lease has expired.
//!
//! A round calls no provider: it finds what is due and enqueues runs, which all nodes execute.

mod retention;

use domain::{Id, ids};
use std::{panic::AssertUnwindSafe, time::Duration};

use entity::DatabaseError;
use futures::FutureExt;
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement, Value};
use services::{System, maintenance::RefreshSelection};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A periodic task that restores a desired state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconciler {
    /// Checks that consents are still accepted.
    Health,
    /// Keeps copies of calendars fresh.
    Calendars,
    /// Keeps push channels open.
    Channels,
    /// Compares bookings with their events.
    Bookings,
    /// Deletes old data.
    Retention,
}

impl Reconciler {
    /// Every reconciler.
    pub const ALL: [Self; 5] =
        [Self::Health, Self::Calendars, Self::Channels, Self::Bookings, Self::Retention];

    const fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Calendars => "calendars",
            Self::Channels => "channels",
            Self::Bookings => "bookings",
            Self::Retention => "retention",
        }
    }

    fn every(self, services: &System) -> Duration {
        match self {
            Self::Health => services.settings.health_every,
            Self::Calendars | Self::Channels | Self::Bookings => services.settings.reread_after / 4,
            Self::Retention => Duration::from_mins(10),
        }
    }

    /// Runs one round now.
    pub async fn run_round(self, services: &System) -> services::Result<()> {
        match self {
            Self::Health => check_integrations(services).await,
            Self::Calendars => refresh_calendars(services).await,
            Self::Channels => open_channels(services).await,
            Self::Bookings => follow_bookings(services).await,
            Self::Retention => retention::run_round(services).await,
        }
    }
}

/// Maximum number of calendars of one tenant that a round enqueues.
const CALENDARS: usize = 10_000;
/// Maximum number of failing calendars of one tenant that a round enqueues, after all others.
const FAILING: usize = 20;
/// Maximum number of activations of one tenant that a round tries again.
const ACTIVATIONS: usize = 200;
/// Maximum number of channels of one tenant that a round opens or renews.
const CHANNELS: usize = 1_000;
/// Maximum number of bookings of one tenant that a round compares with their events.
const BOOKINGS: u64 = 1_000;

async fn refresh_calendars(services: &System) -> services::Result<()> {
    let (upkeep, connections, tenants) =
        (services.maintenance(), services.connections(), tenants(services).await?);
    for (order, max) in [(RefreshSelection::Healthy, CALENDARS), (RefreshSelection::Failing, FAILING)] {
        for tenant in &tenants {
            served(*tenant, upkeep.refresh_calendars(services, *tenant, order, max).await);
        }
    }
    for tenant in tenants {
        served(tenant, connections.retry_failed(services, tenant, ACTIVATIONS).await);
    }
    Ok(())
}

async fn follow_bookings(services: &System) -> services::Result<()> {
    for tenant in tenants(services).await? {
        served(tenant, services.bookings().enqueue_follow_ups(services, tenant, BOOKINGS).await);
    }
    Ok(())
}

async fn check_integrations(services: &System) -> services::Result<()> {
    for tenant in tenants(services).await? {
        served(tenant, services.maintenance().check_integrations(services, tenant).await);
    }
    Ok(())
}

async fn open_channels(services: &System) -> services::Result<()> {
    if !services.settings.push {
        return Ok(());
    }
    for tenant in tenants(services).await? {
        served(tenant, services.maintenance().open_channels(services, tenant, CHANNELS).await);
    }
    Ok(())
}

/// Logs one tenant's failure, so that it does not affect the others.
fn served(tenant: Id<ids::Tenant>, outcome: services::Result<usize>) {
    match outcome {
        Ok(0) => {}
        Ok(runs) => tracing::debug!(%tenant, runs, "runs were enqueued"),
        Err(error) => tracing::warn!(%error, %tenant, "a tenant was not served in this round"),
    }
}

/// Every tenant that is not being erased.
#[expect(clippy::disallowed_methods, reason = "reconcilers serve every tenant")]
async fn tenants(services: &System) -> Result<Vec<Id<ids::Tenant>>, DatabaseError> {
    use sea_orm::EntityTrait;
    let rows = entity::tenant::Entity::find().all(services.store.installation_connection()).await?;
    Ok(rows.into_iter().filter(|row| row.erasing_since.is_none()).map(|row| row.id).collect())
}

/// How long a round may run without a heartbeat before another node takes it over.
const LEASE: Duration = Duration::from_secs(30);

/// Runs all reconcilers until `stop`.
pub fn start(services: &System, node: &str, tracker: &TaskTracker, stop: &CancellationToken) {
    for reconciler in Reconciler::ALL {
        let (services, node, stop) = (services.clone(), node.to_owned(), stop.clone());
        tracker.spawn(async move {
            // An SQLite database belongs to one process: whoever had a round in it is dead.
            if services.store.backend() == DatabaseBackend::Sqlite {
                let sql = "UPDATE schedule SET lease_until = NULL WHERE name = $1";
                if let Err(error) = statement(&services, sql, vec![reconciler.name().into()]).await {
                    tracing::warn!(%error, "an old lease was not ended; it will run out");
                }
            }
            while !stop.is_cancelled() {
                match claim_round(&services, reconciler, &node).await {
                    Ok(true) => {
                        tokio::select! {
                            () = stop.cancelled() => {}
                            () = hold(&services, reconciler, &node) => {}
                            () = guarded(reconciler, &services) => {}
                        }
                        if let Err(error) = leave(&services, reconciler, &node).await {
                            tracing::warn!(%error, "a round was not given back; its lease will run out");
                        }
                    }
                    Ok(false) => {}
                    Err(error) => tracing::warn!(%error, "the schedule could not be read"),
                }
                let nap = reconciler.every(&services).min(Duration::from_secs(5)) / 2;
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(nap) => {}
                }
            }
        });
    }
}

/// Runs one round. A round that panics counts as failed and does not prevent the next one.
async fn guarded(reconciler: Reconciler, services: &System) {
    match AssertUnwindSafe(reconciler.run_round(services)).catch_unwind().await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, reconciler = reconciler.name(), "a round failed"),
        Err(_) => tracing::error!(reconciler = reconciler.name(), "a round panicked"),
    }
}

/// Claims a due round; `false` if it is not due or another node is running it. The next due time is set before the
/// round, so that a crash delays the next round by at most a lease or a period, whichever is longer.
pub async fn claim_round(
    services: &System,
    reconciler: Reconciler,
    node: &str,
) -> Result<bool, DatabaseError> {
    let name = reconciler.name();
    let first = "INSERT INTO schedule (name, due_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    statement(services, first, vec![name.into(), services.now().into()]).await?;
    let due = "UPDATE schedule SET lease_until = {later $4}, due_at = {later $5}, leased_by = $2
        WHERE name = $1 AND due_at <= {now} AND (lease_until IS NULL OR lease_until <= {now})";
    timed(services, due, [name, node], &[LEASE, reconciler.every(services)]).await
}

/// Renews the lease of a round while being polled; ends when the lease is lost.
async fn hold(services: &System, reconciler: Reconciler, node: &str) {
    let renew = "UPDATE schedule SET lease_until = {later $4} WHERE name = $1 AND leased_by = $2";
    loop {
        tokio::time::sleep(LEASE / 4).await;
        match timed(services, renew, [reconciler.name(), node], &[LEASE]).await {
            Ok(true) => {}
            Ok(false) => {
                return tracing::warn!(reconciler = reconciler.name(), "another node took the round over");
            }
            Err(error) => tracing::warn!(%error, "the lease of a round was not renewed"),
        }
    }
}

/// Releases the lease of a round.
async fn leave(services: &System, reconciler: Reconciler, node: &str) -> Result<(), DatabaseError> {
    let sql = "UPDATE schedule SET lease_until = NULL, leased_by = NULL WHERE name = $1 AND leased_by = $2";
    statement(services, sql, vec![reconciler.name().into(), node.into()]).await?;
    Ok(())
}

/// Executes a statement that compares times, all by the clock that decides what is due. After the texts and the
/// current time, the parameters are durations, from `$4` on: `{later $4}` is that long from now. Returns whether
/// the statement changed its row.
async fn timed(
    services: &System,
    sql: &str,
    [name, node]: [&str; 2],
    times: &[Duration],
) -> Result<bool, DatabaseError> {
    let mut values: Vec<Value> = vec![name.into(), node.into()];
    let sql = match services.store.backend() {
        DatabaseBackend::Postgres => {
            values.push(services.clock.sql().into());
            values.extend(times.iter().map(|time| Value::from(time.as_millis() as i64)));
            let now = "coalesce($3, now())";
            let later = format!("{now} + interval '1 millisecond' * ");
            sql.replace("{now}", now).replace("{later ", &later).replace('}', "")
        }
        _ => {
            let now = services.now();
            values.push(now.into());
            values.extend(times.iter().map(|time| Value::from(now + *time)));
            sql.replace("{now}", "$3").replace("{later ", "").replace('}', "")
        }
    };
    Ok(statement(services, &sql, values).await? == 1)
}

async fn statement(services: &System, sql: &str, values: Vec<Value>) -> Result<u64, DatabaseError> {
    let engine = services.store.engine_connection();
    let statement = Statement::from_sql_and_values(engine.get_database_backend(), sql, values);
    Ok(engine.execute_raw(statement).await?.rows_affected())
}
