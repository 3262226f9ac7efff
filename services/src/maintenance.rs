//! Periodic maintenance of connections: reading calendars again, checking consents, and renewing push channels.
//!
//! This module finds due work and enqueues the runs for it, on all nodes and within the limits of tenants and
//! providers. There is at most one unfinished run per workflow and subject, so that slow work is not started twice.

use std::collections::HashSet;

use domain::{
    AnyId, Id, ids,
    state::{ConnectionState, IntegrationState, Lane},
};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    Result, System, connections, integrations,
    run_inputs::{
        CHECK_INTEGRATION, CheckIntegration, OPEN_CHANNEL, OpenChannel, REFRESH_CALENDAR, RefreshCalendar,
        RunInput,
    },
};

crate::noun! {
    /// Periodic maintenance of connections.
    Maintenance
}

/// Which calendars are to be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshSelection {
    /// Calendars whose last attempt succeeded, oldest copies first.
    Healthy,
    /// Failing calendars whose next attempt is due, those with the fewest failures first.
    Failing,
}

impl Maintenance {
    /// Enqueues runs that read calendars whose copies are due to be read again. Returns the number of runs.
    pub async fn refresh_calendars(
        &self,
        _by: &System,
        tenant: Id<ids::Tenant>,
        order: RefreshSelection,
        max: usize,
    ) -> Result<usize> {
        let connections = self.outdated(tenant, order, max).await?;
        let refresh = |connection| RunInput::RefreshCalendar(RefreshCalendar { connection });
        self.enqueue(tenant, connections.into_iter().map(refresh).collect()).await
    }

    /// Connections of usable integrations whose calendar copy is due to be read again and is not being read.
    async fn outdated(
        &self,
        tenant: Id<ids::Tenant>,
        order: RefreshSelection,
        max: usize,
    ) -> Result<Vec<Id<ids::Connection>>> {
        use entity::connection::{Column, of};
        let txn = self.services.read(tenant).await?;
        let usable = integrations::usable_integrations(&txn, tenant).await?;
        let at_work = at_work(&txn, tenant, REFRESH_CALENDAR).await?;
        let (now, states) = (self.services.now(), ConnectionState::READABLE.map(ConnectionState::as_str));
        let before = now - self.services.settings.reread_after;
        let old = Condition::any().add(Column::AsOf.is_null()).add(Column::AsOf.lt(before));
        let rows = of(tenant)
            .filter(Column::IntegrationId.is_in(usable))
            .filter(Column::State.is_in(states))
            .filter(connections::has_owner())
            .filter(old);
        let rows = match order {
            RefreshSelection::Healthy => rows.filter(Column::RetryAt.is_null()),
            RefreshSelection::Failing => rows.filter(Column::RetryAt.lte(now)).order_by_asc(Column::Failures),
        };
        // Those that are being read are the oldest too.
        let most = max.saturating_add(at_work.len());
        let ids = rows.order_by_asc(Column::AsOf).limit(most as u64).select_only().column(Column::Id);
        let ids: Vec<Id<ids::Connection>> = ids.into_tuple().all(&txn).await?;
        Ok(ids.into_iter().filter(|id| !at_work.contains(&id.any())).take(max).collect())
    }

    /// Enqueues a check of every organisation-wide integration that is in use or failing. Returns the number of checks.
    /// Of a personal integration, each mailbox has its own consent, whose loss shows when the calendar is read.
    pub async fn check_integrations(&self, _by: &System, tenant: Id<ids::Tenant>) -> Result<usize> {
        use entity::integration::{Column, of};
        let checked = [IntegrationState::Active, IntegrationState::Degraded, IntegrationState::Failing];
        let txn = self.services.read(tenant).await?;
        let ids = of(tenant)
            .filter(integrations::organisation_wide())
            .filter(Column::State.is_in(checked.map(IntegrationState::as_str)))
            .order_by_asc(Column::Id)
            .select_only()
            .column(Column::Id);
        let ids: Vec<Id<ids::Integration>> = ids.into_tuple().all(&txn).await?;
        let at_work = at_work(&txn, tenant, CHECK_INTEGRATION).await?;
        drop(txn);
        let check = |integration| RunInput::CheckIntegration(CheckIntegration { integration });
        let due = ids.into_iter().filter(|id| !at_work.contains(&id.any()));
        self.enqueue(tenant, due.map(check).collect()).await
    }

    /// Enqueues runs that open push channels that are missing or expire soon. Returns the number of runs.
    pub async fn open_channels(&self, by: &System, tenant: Id<ids::Tenant>, max: usize) -> Result<usize> {
        let missing = self.services.channels().find_without_channel(by, tenant).await?;
        let at_work = at_work(&self.services.read(tenant).await?, tenant, OPEN_CHANNEL).await?;
        let due = missing.into_iter().filter(|row| !at_work.contains(&row.id.any())).take(max);
        let open = |row: entity::connection::Model| RunInput::OpenChannel(OpenChannel { connection: row.id });
        self.enqueue(tenant, due.map(open).collect()).await
    }

    async fn enqueue(&self, tenant: Id<ids::Tenant>, runs: Vec<RunInput>) -> Result<usize> {
        let count = runs.len();
        if count > 0 {
            let mut tx = self.services.begin(tenant).await?;
            tx.enqueue_runs(runs, "upkeep", Lane::Background).await?;
            tx.commit().await?;
        }
        Ok(count)
    }
}

/// The subjects of a workflow's unfinished runs.
async fn at_work(
    conn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    workflow: &str,
) -> Result<HashSet<AnyId>> {
    use entity::run::{Column, of};
    let live = of(tenant).filter(Column::Workflow.eq(workflow)).filter(Column::FinishedAt.is_null());
    let subjects: Vec<AnyId> = live.select_only().column(Column::Subject).into_tuple().all(conn).await?;
    Ok(subjects.into_iter().collect())
}
