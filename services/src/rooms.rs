//! Rooms listed in the directories of integrations.
//!
//! This module only reads rooms; workflows write them after listing a directory. Rooms cannot be entered manually.

use domain::{Id, ids, may, state::IntegrationState};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseBackend, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Expr, SelectStatement},
};

use crate::{
    Error, Page, PageArgs, Result, page,
    proof::{Allowed, TenantScope},
};

crate::noun! {
    /// Rooms of the tenant.
    Rooms
}

/// Selects rooms. A room must match every criterion that is specified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only rooms of this integration.
    pub integration: Option<Id<ids::Integration>>,
    /// Only rooms known to have at least this many seats.
    pub min_capacity: Option<i32>,
    /// Only rooms in this building, spelled as in the directory.
    pub building: Option<String>,
    /// Only rooms on this floor, spelled as in the directory.
    pub floor: Option<String>,
    /// Only rooms with all of this equipment, spelled as in the directory.
    pub equipment: Vec<String>,
}

impl Rooms {
    /// One page of the rooms. Needs `CONNECTION_VIEW` or `AVAILABILITY_VIEW`.
    pub async fn list(
        &self,
        by: &Allowed<may::SeeRooms>,
        filter: Filter,
        args: PageArgs,
    ) -> Result<Page<entity::room::Model>> {
        use entity::room::{Column, of};
        let tenant = by.tenant();
        let mut rooms = of(tenant).filter(Column::IntegrationId.not_in_subquery(removed(tenant)));
        if let Some(integration) = filter.integration {
            rooms = rooms.filter(Column::IntegrationId.eq(integration));
        }
        if let Some(least) = filter.min_capacity {
            rooms = rooms.filter(Column::Capacity.gte(least));
        }
        if let Some(building) = filter.building {
            rooms = rooms.filter(Column::Building.eq(building));
        }
        if let Some(floor) = filter.floor {
            rooms = rooms.filter(Column::Floor.eq(floor));
        }
        let txn = self.services.read(tenant).await?;
        for item in filter.equipment {
            rooms = rooms.filter(has_equipment(txn.get_database_backend(), item));
        }
        page::read_page(rooms, Column::Id, args, &txn).await
    }

    /// One room. Needs `CONNECTION_VIEW` or `AVAILABILITY_VIEW`.
    pub async fn get(&self, by: &Allowed<may::SeeRooms>, id: Id<ids::Room>) -> Result<entity::room::Model> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        entity::room::by_id(tenant, id).one(&txn).await?.ok_or_else(|| Error::not_found("room"))
    }

    /// The tenant's rooms with these ids, in no particular order, for a data loader.
    pub async fn by_ids(
        &self,
        scope: TenantScope,
        rooms: &[Id<ids::Room>],
    ) -> Result<Vec<entity::room::Model>> {
        let txn = self.services.read(scope.tenant()).await?;
        Ok(entity::room::by_ids(scope.tenant(), rooms.iter().copied()).all(&txn).await?)
    }
}

/// The condition that a room has a piece of equipment; the column is a JSON list of texts.
fn has_equipment(backend: DatabaseBackend, item: String) -> Expr {
    match backend {
        DatabaseBackend::Postgres => {
            Expr::cust_with_values("room.equipment @> jsonb_build_array($1::text)", [item])
        }
        _ => Expr::cust_with_values(
            "EXISTS (SELECT 1 FROM json_each(room.equipment) WHERE json_each.value = ?)",
            [item],
        ),
    }
}

/// The ids of the integrations that were disconnected: their rooms are kept only for bookings that refer to them.
fn removed(tenant: Id<ids::Tenant>) -> SelectStatement {
    use entity::integration::{Column, of};
    let removed = of(tenant).filter(Column::State.eq(IntegrationState::Removed.as_str()));
    removed.select_only().column(Column::Id).into_query()
}
