//! Rooms found in the directories of calendar systems.

use async_graphql::{Context, Description, ID, InputObject, Object};
use domain::{Id, ids, may};
use services::{rooms::Filter, rows::room::Model};

use super::{
    connection::ConnectedMailbox,
    context::{ContextExt, format_id, parse_id},
    failure::{Result, null_if_missing},
    page::{connection, parse_page_args},
    scalar::EmailAddress,
};

/// A meeting room with a mailbox, found in the directory of an integration.
#[derive(Description, Debug, Clone)]
pub struct Room(Model);

impl From<Model> for Room {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl Room {
    /// Identifier; starts with `rom_`.
    pub(super) async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Email address of the mailbox.
    async fn address(&self) -> EmailAddress {
        self.0.address.clone().into()
    }

    /// Display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Number of seats; null if the directory does not list it.
    async fn capacity(&self) -> Option<i32> {
        self.0.capacity
    }

    /// Building, spelled as in the directory; null if the directory does not list it.
    async fn building(&self) -> Option<&str> {
        self.0.building.as_deref()
    }

    /// Floor as people call it, such as `2` or `Ground`; null if the directory does not list it.
    async fn floor(&self) -> Option<&str> {
        self.0.floor.as_deref()
    }

    /// Equipment of the room, as listed in the directory.
    async fn equipment(&self) -> Vec<&str> {
        self.0.equipment.as_array().into_iter().flatten().filter_map(|item| item.as_str()).collect()
    }

    /// The connection through which Muster accesses the room; null before its first activation. Needs
    /// `CONNECTION_VIEW`.
    async fn connected_mailbox(&self, ctx: &Context<'_>) -> Option<Result<ConnectedMailbox>> {
        null_if_missing(async {
            ctx.caller().allow::<may::ConnectionView>()?;
            let mailboxes = ctx.loaders().mailboxes.load(self.0.id.any()).await?.unwrap_or_default();
            let of_integration = |row: &&_| same_integration(row, &self.0);
            let row = mailboxes.iter().find(of_integration).cloned();
            Ok(row.ok_or_else(|| services::Error::not_found("connection"))?.into())
        })
        .await
    }
}

fn same_integration(connection: &services::rows::connection::Model, room: &Model) -> bool {
    connection.integration_id == room.integration_id
}

connection!(Room, Model, RoomConnection, RoomEdge, "rooms", |row| row.id.uuid());

/// Selects rooms. A room must match every field that is given.
#[derive(Default, InputObject)]
pub struct RoomFilter {
    /// Only rooms of this integration.
    integration_id: Option<ID>,
    /// Only rooms known to have at least this many seats.
    min_capacity: Option<i32>,
    /// Only rooms in this building, spelled as in the directory.
    building: Option<String>,
    /// Only rooms on this floor, spelled as in the directory.
    floor: Option<String>,
    /// Only rooms with all of this equipment, spelled as in the directory, up to 20 items.
    #[graphql(default, validator(max_items = 20))]
    equipment: Vec<String>,
}

impl RoomFilter {
    fn wanted(self) -> Result<Filter> {
        let of = |id| parse_id::<ids::Integration>(&id, "integration", "integrationId");
        let integration = self.integration_id.map(of).transpose()?;
        Ok(Filter {
            integration,
            min_capacity: self.min_capacity,
            building: self.building,
            floor: self.floor,
            equipment: self.equipment,
        })
    }
}

/// The room with this id in the caller's tenant. Needs `CONNECTION_VIEW` or `AVAILABILITY_VIEW`.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Room> {
    let by = ctx.caller().allow::<may::SeeRooms>()?;
    Ok(ctx.services().rooms().get(&by, parse_id(id, "room", "id")?).await?.into())
}

/// A room that another object refers to. Whoever may see that object may see the room.
pub(super) async fn load_referenced(ctx: &Context<'_>, id: Option<Id<ids::Room>>) -> Option<Result<Room>> {
    ctx.loaders().rooms.load_optional(id).await.map(|room| room.map(Room)).transpose()
}

/// One page of the rooms of an integration.
pub(super) async fn rooms_of_integration(
    ctx: &Context<'_>,
    integration: Id<ids::Integration>,
    page: services::PageArgs,
) -> Result<RoomConnection> {
    let by = ctx.caller().allow::<may::SeeRooms>()?;
    let filter = Filter { integration: Some(integration), ..Filter::default() };
    Ok(RoomConnection::from_page(ctx.services().rooms().list(&by, filter, page).await?, None))
}

#[derive(Default)]
pub struct RoomQuery;

#[Object]
impl RoomQuery {
    /// Finds a room by id; null if the tenant has no such room. Needs `CONNECTION_VIEW` or `AVAILABILITY_VIEW`.
    async fn room(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the room.")] id: ID,
    ) -> Option<Result<Room>> {
        null_if_missing(read(ctx, &id)).await
    }

    /// Lists the rooms of the tenant, in the order in which Muster found them. Needs `CONNECTION_VIEW` or
    /// `AVAILABILITY_VIEW`.
    async fn rooms(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Selects rooms; defaults to all.")] filter: Option<RoomFilter>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<RoomConnection>> {
        Some(
            async {
                let by = ctx.caller().allow::<may::SeeRooms>()?;
                let wanted = filter.unwrap_or_default().wanted()?;
                let page = ctx
                    .services()
                    .rooms()
                    .list(&by, wanted, parse_page_args(first, last, after, before)?)
                    .await?;
                Ok(RoomConnection::from_page(page, None))
            }
            .await,
        )
    }
}
