//! The people that a calendar system lists.

use async_graphql::{Context, ID, Object, SimpleObject};
use domain::Permission;

use super::{
    context::{Ask, named},
    failure::{Result, found},
    scalar::EmailAddress,
};

/// One page of a calendar system's people, in the provider's order.
#[derive(SimpleObject)]
pub struct DirectoryPage {
    /// The people.
    people: Vec<DirectoryPerson>,
    /// Where the next page begins, for `after`; null on the last one.
    next: Option<String>,
}

/// A person of a calendar system's directory, who need not be a user.
#[derive(SimpleObject)]
pub struct DirectoryPerson {
    /// The provider's lasting id.
    external_id: String,
    /// The mailbox address.
    address: EmailAddress,
    /// The name, for people.
    name: String,
}

impl From<services::providers::Person> for DirectoryPerson {
    fn from(person: services::providers::Person) -> Self {
        Self { external_id: person.id, address: person.address.into(), name: person.name }
    }
}

#[derive(Default)]
pub struct DirectoryQuery;

#[Object]
impl DirectoryQuery {
    /// The people that a connected calendar system lists, read from it now; to make users of them. Null when there is
    /// no such integration. Needs `USER_CREATE`.
    async fn directory(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration.")] integration_id: ID,
        #[graphql(desc = "Where the page begins: `next` of the page before.")] after: Option<String>,
    ) -> Option<Result<DirectoryPage>> {
        found(async {
            let by = ctx.caller().allow(Permission::UserCreate)?;
            let id = named(&integration_id, "integration", "integrationId")?;
            let page = ctx.services().integrations().directory(&by, id, after.as_deref()).await?;
            let people = page.items.into_iter().map(DirectoryPerson::from).collect();
            Ok(DirectoryPage { people, next: page.next })
        })
        .await
    }
}
