//! Anything that has an id, found by it (Relay).

use std::collections::HashMap;

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
#[derive(Interface, Clone)]
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
            let refusal = Refusal::new("TOO_MANY", format!("Ask for at most {MOST} at once."));
            return Err(refusal.exceeding(MOST, ids.len()).into());
        }
        Ok(each_once(&ids, |id| found(read(ctx, id))).await)
    }
}

/// Looks every distinct id up once; the answer has the length and the order of `ids`.
async fn each_once<'a, T: Clone, F: Future<Output = T>>(
    ids: &'a [ID],
    look_up: impl Fn(&'a ID) -> F,
) -> Vec<T> {
    let mut distinct: Vec<&ID> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let places: Vec<usize> = ids
        .iter()
        .map(|id| {
            *places.entry(id.as_str()).or_insert_with(|| {
                distinct.push(id);
                distinct.len() - 1
            })
        })
        .collect();
    let found = join_all(distinct.into_iter().map(look_up)).await;
    places.into_iter().map(|place| found[place].clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test]
    async fn an_id_that_is_there_twice_is_looked_up_once_and_answered_twice() {
        let ids: Vec<ID> = ["b", "a", "b", "c", "a", "b"].map(ID::from).to_vec();
        let looked_up = RefCell::new(Vec::new());
        let answer = each_once(&ids, |id| {
            looked_up.borrow_mut().push(id.to_string());
            async { id.to_string().to_uppercase() }
        });
        assert_eq!(answer.await, ["B", "A", "B", "C", "A", "B"]);
        assert_eq!(looked_up.into_inner(), ["b", "a", "c"]);
    }
}
