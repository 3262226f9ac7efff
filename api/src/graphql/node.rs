//! Relay's `node` and `nodes`: any object by its id.

use std::collections::HashMap;

use async_graphql::{Context, ID, Interface, Object};
use futures::future::join_all;
use services::Refusal;

use super::{
    booking::{self, Booking},
    campaign::{self, Campaign},
    connection::{self, ConnectedMailbox},
    failure::{Result, null_if_missing},
    integration::{self, Integration},
    role::{self, Role},
    room::{self, Room},
    run::{self, Run},
    tenant::{self, Tenant},
    user::{self, User},
};

/// Maximum number of ids in one `nodes` query.
const MAX: usize = 100;

/// An object with a globally unique id.
#[derive(Interface, Clone)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "Globally unique identifier; its prefix names the type, such as `usr_`."
))]
pub enum Node {
    /// A customer organisation.
    Tenant(Tenant),
    /// A person of a tenant.
    User(User),
    /// A named set of permissions.
    Role(Role),
    /// A connection to a calendar system.
    Integration(Integration),
    /// A mailbox accessed through an integration.
    ConnectedMailbox(ConnectedMailbox),
    /// A meeting room.
    Room(Room),
    /// A bulk activation of mailboxes.
    Campaign(Campaign),
    /// A meeting that Muster writes to a calendar.
    Booking(Booking),
    /// An execution of a workflow.
    Run(Run),
}

/// Reads an object of any type, with the permission that its own query needs. An id with an unknown prefix is not
/// found.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Node> {
    Ok(match id.split_once('_').map(|(prefix, _)| prefix) {
        Some("ten") => Node::Tenant(tenant::read(ctx, id).await?),
        Some("usr") => Node::User(user::read(ctx, id).await?),
        Some("rol") => Node::Role(role::read(ctx, id).await?),
        Some("int") => Node::Integration(integration::read(ctx, id).await?),
        Some("con") => Node::ConnectedMailbox(connection::read(ctx, id).await?),
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
    /// Finds an object by id; null if the tenant has no such object. Needs the same permission as the query for that
    /// type.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Globally unique identifier of the object.")] id: ID,
    ) -> Option<Result<Node>> {
        null_if_missing(read(ctx, &id)).await
    }

    /// Finds several objects by id, in the given order, with null for each that the tenant does not have.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Globally unique identifiers of the objects, up to 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Result<Node>>>> {
        if ids.len() > MAX {
            let refusal = Refusal::new("TOO_MANY", format!("Ask for at most {MAX} at once."));
            return Err(refusal.exceeding(MAX, ids.len()).into());
        }
        Ok(each_once(&ids, |id| null_if_missing(read(ctx, id))).await)
    }
}

/// Looks up every distinct id once; the result has the length and order of `ids`.
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
