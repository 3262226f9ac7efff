//! Rooms.

use async_graphql::{Context, Description, ID, InputObject, Object};
use domain::{Allowed, Id, Permission, ids};
use services::{entity::room::Model, rooms::Filter};
use uuid::Uuid;

use super::{
    connection::Connection,
    context::{Ask, named, shown},
    failure::{Result, found},
    page::{args, connection},
    scalar::EmailAddress,
};

/// A resource mailbox of an integration's directory.
#[derive(Description, Debug, Clone)]
pub struct Room(Model);

impl From<Model> for Room {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl Room {
    /// The id; it begins with `rom_`.
    pub(super) async fn id(&self) -> ID {
        shown::<ids::Room>(self.0.id)
    }

    /// The mailbox address.
    async fn address(&self) -> EmailAddress {
        self.0.address.clone().into()
    }

    /// The name, for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How many people it holds; null when the directory does not tell.
    async fn capacity(&self) -> Option<i32> {
        self.0.capacity
    }

    /// The building, as the directory spells it.
    async fn building(&self) -> Option<&str> {
        self.0.building.as_deref()
    }

    /// The floor, as people say it.
    async fn floor(&self) -> Option<&str> {
        self.0.floor.as_deref()
    }

    /// What stands in it.
    async fn equipment(&self) -> Vec<&str> {
        self.0.equipment.as_array().into_iter().flatten().filter_map(|item| item.as_str()).collect()
    }

    /// The connection through which it is reached; null before its first activation. Needs `CONNECTION_VIEW`.
    async fn connection(&self, ctx: &Context<'_>) -> Option<Result<Connection>> {
        found(async {
            ctx.caller().allow(Permission::ConnectionView)?;
            let mailboxes = ctx.loaders().mailboxes.load(self.0.id).await?.unwrap_or_default();
            let of_integration = |row: &&_| same_integration(row, &self.0);
            let row = mailboxes.iter().find(of_integration).cloned();
            Ok(row.ok_or_else(|| services::Error::not_found("connection"))?.into())
        })
        .await
    }
}

fn same_integration(connection: &services::entity::connection::Model, room: &Model) -> bool {
    connection.integration_id == room.integration_id
}

connection!(Room, Model, RoomConnection, RoomEdge, "rooms", |row| row.id);

/// Which rooms are wanted; absent members do not matter.
#[derive(Default, InputObject)]
pub struct RoomFilter {
    /// Only those of this integration.
    integration_id: Option<ID>,
    /// Only those known to hold at least so many people.
    min_capacity: Option<i32>,
    /// Only those in this building, as the directory spells it.
    building: Option<String>,
}

impl RoomFilter {
    fn wanted(self) -> Result<Filter> {
        let of = |id| named::<ids::Integration>(&id, "integration", "integrationId");
        let integration = self.integration_id.map(of).transpose()?;
        Ok(Filter { integration, min_capacity: self.min_capacity, building: self.building })
    }
}

fn may_see(ctx: &Context<'_>) -> Result<Allowed> {
    Ok(ctx.caller().allow_any(&[Permission::ConnectionView, Permission::AvailabilityView])?)
}

/// One room of the tenant.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Room> {
    let by = may_see(ctx)?;
    Ok(ctx.services().rooms().get(&by, named(id, "room", "id")?).await?.into())
}

/// A room that something else refers to; whoever sees that sees the room.
pub(super) async fn referred(ctx: &Context<'_>, id: Option<Uuid>) -> Option<Result<Room>> {
    ctx.loaders().rooms.load_some(id).await.map(|room| room.map(Room)).transpose()
}

/// One page of the rooms of an integration.
pub(super) async fn of_integration(
    ctx: &Context<'_>,
    integration: Uuid,
    page: services::PageArgs,
) -> Result<RoomConnection> {
    let by = may_see(ctx)?;
    let filter = Filter { integration: Some(Id::from_uuid(integration)), ..Filter::default() };
    Ok(RoomConnection::of(ctx.services().rooms().list(&by, filter, page).await?, None))
}

#[derive(Default)]
pub struct RoomQuery;

#[Object]
impl RoomQuery {
    /// One room; null when there is none in the tenant. Needs `CONNECTION_VIEW` or `AVAILABILITY_VIEW`.
    async fn room(&self, ctx: &Context<'_>, #[graphql(desc = "The room.")] id: ID) -> Option<Result<Room>> {
        found(read(ctx, &id)).await
    }

    /// The rooms of the tenant, in the order in which they were found. Needs `CONNECTION_VIEW` or
    /// `AVAILABILITY_VIEW`.
    async fn rooms(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which rooms; all when absent.")] filter: Option<RoomFilter>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<RoomConnection>> {
        Some(
            async {
                let by = may_see(ctx)?;
                let wanted = filter.unwrap_or_default().wanted()?;
                let page =
                    ctx.services().rooms().list(&by, wanted, args(first, last, after, before)?).await?;
                Ok(RoomConnection::of(page, None))
            }
            .await,
        )
    }
}
