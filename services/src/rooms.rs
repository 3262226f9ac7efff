//! Rooms: what the directories of the integrations list, for people to choose from.
//!
//! Rooms are read here and written by the change of a workflow that lists a directory; nobody types them in.

use domain::{Allowed, Id, ids};
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{Error, Page, PageArgs, Result, page};

crate::noun! {
    /// Rooms.
    Rooms
}

/// Which rooms are wanted; absent members do not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this integration.
    pub integration: Option<Id<ids::Integration>>,
    /// Only those known to hold at least so many people.
    pub min_capacity: Option<i32>,
    /// Only those in this building, as the directory spells it.
    pub building: Option<String>,
}

impl Rooms {
    /// One page of the rooms. Needs `CONNECTION_VIEW` or `AVAILABILITY_VIEW`.
    pub async fn list(
        &self,
        by: &Allowed,
        filter: Filter,
        args: PageArgs,
    ) -> Result<Page<entity::room::Model>> {
        use entity::room::{Column, of};
        let tenant = by.tenant().uuid();
        let mut rooms = of(tenant);
        if let Some(integration) = filter.integration {
            rooms = rooms.filter(Column::IntegrationId.eq(integration.uuid()));
        }
        if let Some(least) = filter.min_capacity {
            rooms = rooms.filter(Column::Capacity.gte(least));
        }
        if let Some(building) = filter.building {
            rooms = rooms.filter(Column::Building.eq(building));
        }
        let txn = self.services.store.read(tenant).await?;
        page::read(rooms, Column::Id, args, &txn).await
    }

    /// One room. Needs `CONNECTION_VIEW` or `AVAILABILITY_VIEW`.
    pub async fn get(&self, by: &Allowed, id: Id<ids::Room>) -> Result<entity::room::Model> {
        let tenant = by.tenant().uuid();
        let txn = self.services.store.read(tenant).await?;
        entity::room::one(tenant, id.uuid()).one(&txn).await?.ok_or_else(|| Error::not_found("room"))
    }

    /// The rooms of a tenant that have one of these ids, in no order; for loaders.
    pub async fn among(
        &self,
        tenant: Id<ids::Tenant>,
        rooms: &[Id<ids::Room>],
    ) -> Result<Vec<entity::room::Model>> {
        let txn = self.services.store.read(tenant.uuid()).await?;
        Ok(entity::room::among(tenant.uuid(), rooms.iter().map(|room| room.uuid())).all(&txn).await?)
    }
}
