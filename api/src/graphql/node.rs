//! Anything that has an id, found by it (Relay).

use async_graphql::{Context, ID, Interface, Object};
use futures::future::join_all;
use services::Refusal;

use super::{
    booking::{self, Booking},
    campaign::{self, Campaign},
    connection::{self, Connection},
    failure::{Result, found},
    integration::{self, Integration},
    role::{self, Role},
    room::{self, Room},
    run::{self, Run},
    tenant::{self, Tenant},
    user::{self, User},
};

/// The most ids of one `nodes`.
const MOST: usize = 100;

/// Anything that has an id.
#[derive(Interface)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "The id, unique in the whole installation. It begins with its kind."
))]
pub enum Node {
    /// A customer organisation.
    Tenant(Tenant),
    /// A person.
    User(User),
    /// A role.
    Role(Role),
    /// An integration.
    Integration(Integration),
    /// A mailbox.
    Connection(Connection),
    /// A room.
    Room(Room),
    /// A bulk activation.
    Campaign(Campaign),
    /// An appointment.
    Booking(Booking),
    /// A run.
    Run(Run),
}

/// Reads anything, with the permission that reading it by its own field needs. An id of no known kind is not found.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Node> {
    Ok(match id.split_once('_').map(|(prefix, _)| prefix) {
        Some("ten") => Node::Tenant(tenant::read(ctx, id).await?),
        Some("usr") => Node::User(user::read(ctx, id).await?),
        Some("rol") => Node::Role(role::read(ctx, id).await?),
        Some("int") => Node::Integration(integration::read(ctx, id).await?),
        Some("con") => Node::Connection(connection::read(ctx, id).await?),
        Some("rom") => Node::Room(room::read(ctx, id).await?),
        Some("cmp") => Node::Campaign(campaign::read(ctx, id).await?),
        Some("bkg") => Node::Booking(booking::read(ctx, id).await?),
        Some("run") => Node::Run(run::read(ctx, id).await?),
        _ => return Err(Refusal::new("NOT_FOUND", "There is no such node.").into()),
    })
}

#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Anything by its id. Null when there is no such thing in the tenant. Needs what reading it by its own field
    /// needs.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "The id.")] id: ID) -> Option<Result<Node>> {
        found(read(ctx, &id)).await
    }

    /// Many things by their ids, in the order asked; null for each that does not exist in the tenant.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ids, up to 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Result<Node>>>> {
        if ids.len() > MOST {
            return Err(Refusal::new("TOO_MANY", format!("Ask for at most {MOST} at once.")).into());
        }
        Ok(join_all(ids.iter().map(|id| found(read(ctx, id)))).await)
    }
}
