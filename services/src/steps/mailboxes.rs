//! What steps read of campaigns and of sets of mailboxes.

use std::collections::HashSet;

use domain::{AnyId, Id, Route, ids, state::ConnectionState};
use entity::{campaign, connection, integration, tenant_user};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use super::StepServices;
use crate::Result;

/// Number of ids in one statement: a few thousand parameters at most on both stores.
const IDS_PER_STATEMENT: usize = 1000;

impl StepServices {
    /// Users of a tenant who have a calendar address.
    pub async fn users_with_mailbox(&self, tenant: Id<ids::Tenant>) -> Result<Vec<tenant_user::Model>> {
        use tenant_user::{Column, of};
        let txn = self.system.read(tenant).await?;
        Ok(of(tenant).filter(Column::CalendarAddress.is_not_null()).all(&txn).await?)
    }

    /// A campaign of a tenant; `None` if it was removed.
    pub async fn campaign(
        &self,
        tenant: Id<ids::Tenant>,
        id: Id<ids::Campaign>,
    ) -> Result<Option<campaign::Model>> {
        let txn = self.system.read(tenant).await?;
        Ok(campaign::by_id(tenant, id).one(&txn).await?)
    }

    /// Mailboxes of a campaign that have no result yet.
    pub async fn unfinished_mailboxes(
        &self,
        tenant: Id<ids::Tenant>,
        campaign: Id<ids::Campaign>,
    ) -> Result<Vec<Id<ids::Connection>>> {
        use entity::campaign_item::{Column, of};
        let txn = self.system.read(tenant).await?;
        let rows = of(tenant)
            .filter(Column::CampaignId.eq(campaign))
            .filter(Column::Result.is_null())
            .all(&txn)
            .await?;
        Ok(rows.into_iter().map(|row| row.connection_id).collect())
    }

    /// Those of the given connections that no run is activating.
    pub async fn list_unactivated_mailboxes(
        &self,
        tenant: Id<ids::Tenant>,
        connections: &[Id<ids::Connection>],
    ) -> Result<Vec<connection::Model>> {
        let txn = self.system.read(tenant).await?;
        let live: HashSet<AnyId> = entity::run::of(tenant)
            .filter(entity::run::Column::Workflow.eq("activate_mailbox"))
            .filter(entity::run::Column::FinishedAt.is_null())
            .select_only()
            .column(entity::run::Column::Subject)
            .into_tuple::<AnyId>()
            .all(&txn)
            .await?
            .into_iter()
            .collect();
        drop(txn);
        let idle = connections.iter().copied().filter(|connection| !live.contains(&connection.any()));
        let idle: Vec<Id<ids::Connection>> = idle.collect();
        let mut rows = Vec::new();
        for idle in idle.chunks(IDS_PER_STATEMENT) {
            rows.extend(self.system.connections().by_ids(self.system.tenant_scope(tenant), idle).await?);
        }
        Ok(rows)
    }

    /// The connection of an integration's mailbox; `None` if there is none or it is excluded.
    pub async fn included_connection(
        &self,
        integration: &integration::Model,
        address: &str,
    ) -> Result<Option<connection::Model>> {
        use connection::{Column, of};
        let txn = self.system.read(integration.tenant_id).await?;
        let row = of(integration.tenant_id)
            .filter(Column::IntegrationId.eq(integration.id))
            .filter(Column::Address.eq(address.to_lowercase()))
            .filter(Column::State.ne(ConnectionState::Excluded.as_str()));
        Ok(row.one(&txn).await?)
    }

    /// At most `max` mailboxes other than `known` that are active through the service account, those with the fewest
    /// failures first.
    pub async fn other_active_mailboxes(
        &self,
        integration: &integration::Model,
        known: &str,
        max: u64,
    ) -> Result<Vec<connection::Model>> {
        use connection::{Column, of};
        let txn = self.system.read(integration.tenant_id).await?;
        let others = of(integration.tenant_id)
            .filter(Column::IntegrationId.eq(integration.id))
            .filter(Column::State.eq(ConnectionState::Active.as_str()))
            .filter(Column::Route.eq(Route::Delegated.as_str()))
            .filter(Column::Address.ne(known));
        Ok(others.order_by_asc(Column::Failures).order_by_asc(Column::Id).limit(max).all(&txn).await?)
    }

    /// Number of an integration's mailboxes that were readable before and cannot be reached now.
    pub async fn count_lost_mailboxes(&self, integration: &integration::Model) -> Result<u64> {
        use connection::{Column, of};
        let txn = self.system.read(integration.tenant_id).await?;
        let lost = of(integration.tenant_id)
            .filter(Column::IntegrationId.eq(integration.id))
            .filter(Column::State.eq(ConnectionState::Unreachable.as_str()))
            .filter(Column::AsOf.is_not_null());
        Ok(lost.count(&txn).await?)
    }
}
