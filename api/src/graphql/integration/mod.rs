//! Links between a tenant and its calendar systems.

mod change;
mod evidence;
pub(super) mod prerequisites;
pub(super) mod room_rules;

use async_graphql::{Context, Description, ID, Object};
use domain::{Caller, Id, Permission, ids};
use services::{PageArgs, Services, entity::integration::Model, integrations};
use uuid::Uuid;

pub use self::{change::IntegrationMutation, evidence::ServiceAccount};
use self::{
    evidence::{TermsAcceptance, Verification},
    room_rules::RoomRules,
};
use super::{
    campaign::Campaign,
    connection::{self, ConnectionConnection},
    context::{Ask, named, sees_integrations, shown},
    failure::{Result, found},
    page::{args, connection},
    reason::Reason,
    room::{self, RoomConnection},
    scalar::{DateTime, EmailAddress, Url},
    words::{AccessLevel, IntegrationState, ProviderKind},
};

/// A tenant's link to one calendar system.
#[derive(Description, Debug, Clone)]
pub struct Integration(Model);

impl From<Model> for Integration {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl Integration {
    /// The id; it begins with `int_`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        shown::<ids::Integration>(self.0.id)
    }

    /// The name, for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The calendar system. Null for one that this server does not know.
    async fn provider(&self) -> Option<ProviderKind> {
        domain::ProviderKind::parse(&self.0.provider).map(ProviderKind::from)
    }

    /// Where it stands.
    async fn state(&self) -> IntegrationState {
        integrations::state(&self.0).into()
    }

    /// Why, and what to do; null when there is nothing to say.
    async fn reason(&self) -> Option<Reason> {
        Reason::stored(self.0.reason.as_ref())
    }

    /// Since when it is in this state.
    async fn since(&self) -> DateTime {
        self.0.since.into()
    }

    /// How much the service account may reach.
    async fn access_level(&self) -> Option<AccessLevel> {
        domain::AccessLevel::parse(&self.0.access_level).map(AccessLevel::from)
    }

    /// The group that restricted access is limited to, as the customer calls it.
    async fn scope_group(&self) -> Option<&str> {
        self.0.scope_group.as_deref()
    }

    /// The organisation's name at the provider; null before the consent.
    async fn organisation(&self) -> Option<&str> {
        self.0.external_name.as_deref()
    }

    /// The organisation's id at the provider; null before the consent.
    async fn organisation_id(&self) -> Option<&str> {
        self.0.external_tenant.as_deref()
    }

    /// Where the customer's own server is; null for cloud providers.
    async fn server_url(&self) -> Option<Url> {
        self.0.server_url.clone().map(Url)
    }

    /// How rooms are told from people by `setRoomRules`; null where the installation's own rule serves.
    async fn room_rules(&self) -> Option<RoomRules> {
        services::integrations::room_rules(&self.0).map(RoomRules::from)
    }

    /// The current service mailbox; null when none is chosen.
    async fn service_mailbox(&self) -> Option<EmailAddress> {
        self.0.service_mailbox.clone().map(EmailAddress)
    }

    /// The service mailboxes, current and former. Needs `CONNECTION_VIEW`.
    async fn service_accounts(&self, ctx: &Context<'_>) -> Option<Result<Vec<ServiceAccount>>> {
        found(async {
            ctx.caller().allow(Permission::ConnectionView)?;
            let rows = ctx.loaders().service_accounts.load(self.0.id).await?;
            Ok(rows.unwrap_or_default().into_iter().map(ServiceAccount::from).collect())
        })
        .await
    }

    /// The account that consented at the provider; null before the consent.
    async fn consented_by(&self) -> Option<&str> {
        self.0.consented_by.as_deref()
    }

    /// The last climbed ladders of checks, newest first.
    async fn verifications(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 20.", default = 5)] first: i32,
    ) -> Option<Result<Vec<Verification>>> {
        found(async {
            let by = sees_integrations(ctx.caller())?;
            let max = usize::try_from(first).unwrap_or_default().clamp(1, 20);
            let rows = ctx.services().integrations().verifications(&by, self.0.id, max).await?;
            Ok(rows.into_iter().map(Verification::from).collect())
        })
        .await
    }

    /// Who accepted which terms, and when.
    async fn acceptances(&self, ctx: &Context<'_>) -> Option<Result<Vec<TermsAcceptance>>> {
        found(async {
            let by = sees_integrations(ctx.caller())?;
            let rows = ctx.services().integrations().acceptances(&by, self.0.id).await?;
            Ok(rows.into_iter().map(TermsAcceptance::from).collect())
        })
        .await
    }

    /// Its mailboxes. Needs `CONNECTION_VIEW`.
    async fn connections(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<ConnectionConnection>> {
        let wanted = services::connections::Wanted { integration: Some(self.0.id), ..Default::default() };
        found(async { connection::list(ctx, wanted, args(first, last, after, before)?).await }).await
    }

    /// Its rooms. Needs `CONNECTION_VIEW` or `AVAILABILITY_VIEW`.
    async fn rooms(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<RoomConnection>> {
        found(async { room::of_integration(ctx, self.0.id, args(first, last, after, before)?).await }).await
    }

    /// Its bulk activations, the newest last: those among the last hundred of the tenant. Needs `CONNECTION_VIEW`.
    async fn campaigns(&self, ctx: &Context<'_>) -> Option<Result<Vec<Campaign>>> {
        found(async {
            let by = ctx.caller().allow(Permission::ConnectionView)?;
            let last = PageArgs { last: Some(100), ..PageArgs::default() };
            let page = ctx.services().campaigns().list(&by, last).await?;
            let own = page.items.into_iter().filter(|row| row.integration_id == self.0.id);
            Ok(own.map(Campaign::from).collect())
        })
        .await
    }

    /// Where the browser lands when the consent is over; null when nowhere.
    async fn return_url(&self) -> Option<Url> {
        self.0.return_url.clone().map(Url)
    }

    /// Who registered it: the id of a user, a key or a link.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// When it was registered.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Grows with every change.
    async fn version(&self) -> i64 {
        self.0.version
    }
}

connection!(Integration, Model, IntegrationConnection, IntegrationEdge, "integrations", |row| row.id);

/// One integration of the tenant.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Integration> {
    visible(ctx.services(), ctx.caller(), named(id, "integration", "id")?).await
}

/// The same, for a subscription.
pub(super) async fn visible(
    services: &Services,
    caller: &Caller,
    id: Id<ids::Integration>,
) -> Result<Integration> {
    let by = sees_integrations(caller)?;
    Ok(services.integrations().get(&by, id).await?.into())
}

/// An integration that something else refers to. Needs what reading it by its own field needs.
pub(super) async fn referred(ctx: &Context<'_>, id: Option<Uuid>) -> Option<Result<Integration>> {
    let id = id?;
    if let Err(failure) = sees_integrations(ctx.caller()) {
        return Some(Err(failure));
    }
    ctx.loaders().integrations.load(id).await.map(|row| row.map(Integration)).transpose()
}

#[derive(Default)]
pub struct IntegrationQuery;

#[Object]
impl IntegrationQuery {
    /// One integration; null when there is none in the tenant. Needs `CONNECTION_VIEW`, or the right to connect.
    async fn integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration.")] id: ID,
    ) -> Option<Result<Integration>> {
        found(read(ctx, &id)).await
    }

    /// The tenant's integrations, in the order in which they were registered. Needs `CONNECTION_VIEW`, or the right to
    /// connect.
    async fn integrations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<IntegrationConnection>> {
        found(async {
            let by = sees_integrations(ctx.caller())?;
            let page = ctx.services().integrations().list(&by, args(first, last, after, before)?).await?;
            Ok(IntegrationConnection::of(page, None))
        })
        .await
    }
}

/// What a stored list of things cannot be read as is left out, and the log says so.
fn stored<T: serde::de::DeserializeOwned>(json: &serde_json::Value, what: &'static str) -> Vec<T> {
    serde_json::from_value(json.clone()).unwrap_or_else(|error| {
        tracing::error!(kind = ?error.classify(), what, "what is stored cannot be read");
        Vec::new()
    })
}
