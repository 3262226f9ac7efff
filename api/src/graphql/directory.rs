//! The people listed in the directory of a calendar system.

use async_graphql::{Context, ID, Object, SimpleObject};
use domain::may;

use super::{
    context::{ContextExt, parse_id},
    failure::{Result, null_if_missing},
    scalar::EmailAddress,
};

/// One page of the people in a calendar system's directory, in the provider's order.
#[derive(SimpleObject)]
pub struct DirectoryPage {
    /// The people on this page, in the provider's order.
    people: Vec<DirectoryPerson>,
    /// Cursor of the next page, to pass as `after`; null on the last page.
    next: Option<String>,
}

/// A person in a calendar system's directory, whether or not a Muster user exists for that person.
#[derive(SimpleObject)]
pub struct DirectoryPerson {
    /// Permanent identifier of the person at the provider.
    external_id: String,
    /// Email address of the mailbox.
    address: EmailAddress,
    /// Display name.
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
    /// Lists the people in the directory of a connected calendar system, read from the provider now; use it to create
    /// users. Null if the tenant has no such integration. Needs `USER_CREATE`.
    async fn directory(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the integration.")] integration_id: ID,
        #[graphql(desc = "Cursor from `DirectoryPage.next` of the previous page; omit for the first page.")]
        after: Option<String>,
    ) -> Option<Result<DirectoryPage>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::UserCreate>()?;
            let id = parse_id(&integration_id, "integration", "integrationId")?;
            let page = ctx.services().integrations().directory(&by, id, after.as_deref()).await?;
            let people = page.items.into_iter().map(DirectoryPerson::from).collect();
            Ok(DirectoryPage { people, next: page.next })
        })
        .await
    }
}
