//! Integrations: a tenant's connections to its calendar systems.

mod change;
mod evidence;
pub(super) mod guide;
pub(super) mod prerequisites;
pub(super) mod room_rules;

use async_graphql::{Context, Description, ID, Object};
use domain::{Id, ids, may};
use services::{Caller, PageArgs, Services, rows::integration::Model};

pub use self::{change::IntegrationMutation, evidence::ServiceAccount};
use self::{
    evidence::{TermsAcceptance, Verification},
    room_rules::RoomRules,
};
use super::{
    campaign::Campaign,
    connection::{self, ConnectedMailboxConnection},
    context::{ContextExt, format_id, parse_id},
    enums::{AccessLevel, IntegrationKind, IntegrationState, ProviderKind},
    failure::{Result, null_if_missing},
    page::{connection, parse_page_args},
    reason::Reason,
    room::{self, RoomConnection},
    scalar::{DateTime, EmailAddress, Url},
};

/// A tenant's connection to one calendar system.
#[derive(Description, Debug, Clone)]
pub struct Integration(Model);

impl From<Model> for Integration {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl Integration {
    /// Identifier; starts with `int_`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The calendar system; null if a newer server version stored a value unknown to this one.
    async fn provider(&self) -> Option<ProviderKind> {
        self.0.provider.known().map(ProviderKind::from)
    }

    /// Whose calendars the integration gives access to; null if a newer server version stored a value unknown to this
    /// one. Mutations that act for the whole organisation refuse a `PERSONAL` integration with
    /// `INTEGRATION_IS_PERSONAL`.
    async fn kind(&self) -> Option<IntegrationKind> {
        self.0.kind.known().map(IntegrationKind::from)
    }

    /// Current state of the integration.
    async fn state(&self) -> IntegrationState {
        (&self.0.state).into()
    }

    /// Why the integration is in its current state and what to do next; null if there is nothing to explain.
    async fn reason(&self) -> Option<Reason> {
        Reason::from_stored(self.0.reason.as_ref())
    }

    /// Time at which the integration entered its current state.
    async fn since(&self) -> DateTime {
        self.0.since.into()
    }

    /// How much of the calendar system the service account may access; null for a `PERSONAL` integration, and if a newer
    /// server version stored a value unknown to this one.
    async fn access_level(&self) -> Option<AccessLevel> {
        if services::integrations::is_personal(&self.0) {
            return None;
        }
        self.0.access_level.known().map(AccessLevel::from)
    }

    /// The customer's name for the mailbox group to which `RESTRICTED` access is limited; null if access is not
    /// limited.
    async fn scope_group(&self) -> Option<&str> {
        self.0.scope_group.as_deref()
    }

    /// Name of the organisation at the provider; null before the consent.
    async fn organisation(&self) -> Option<&str> {
        self.0.external_name.as_deref()
    }

    /// Identifier of the organisation at the provider; null before the consent.
    async fn organisation_id(&self) -> Option<&str> {
        self.0.external_tenant.as_deref()
    }

    /// URL of the customer's own calendar server; null for cloud providers.
    async fn server_url(&self) -> Option<Url> {
        self.0.server_url.clone().map(Url)
    }

    /// Rules that distinguish rooms from people, as set by `setRoomRules`; null if the operator's default rules
    /// apply.
    async fn room_rules(&self) -> Option<RoomRules> {
        services::integrations::room_rules(&self.0).map(RoomRules::from)
    }

    /// Address of the current service mailbox; null if none has been set.
    async fn service_mailbox(&self) -> Option<EmailAddress> {
        self.0.service_mailbox.clone().map(EmailAddress)
    }

    /// Current and former service mailboxes. Needs `CONNECTION_VIEW`.
    async fn service_accounts(&self, ctx: &Context<'_>) -> Option<Result<Vec<ServiceAccount>>> {
        null_if_missing(async {
            ctx.caller().allow::<may::ConnectionView>()?;
            let rows = ctx.loaders().service_accounts.load(self.0.id).await?;
            Ok(rows.unwrap_or_default().into_iter().map(ServiceAccount::from).collect())
        })
        .await
    }

    /// The provider account that gave the consent; null before the consent.
    async fn consented_by(&self) -> Option<&str> {
        self.0.consented_by.as_deref()
    }

    /// Most recent verifications, newest first.
    async fn verifications(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of verifications to return, 1 to 20.", default = 5)] first: i32,
    ) -> Option<Result<Vec<Verification>>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::SeeIntegrations>()?;
            let max = usize::try_from(first).unwrap_or_default().clamp(1, 20);
            let rows = ctx.services().integrations().verifications(&by, self.0.id, max).await?;
            Ok(rows.into_iter().map(Verification::from).collect())
        })
        .await
    }

    /// Which terms were accepted, by whom and when.
    async fn acceptances(&self, ctx: &Context<'_>) -> Option<Result<Vec<TermsAcceptance>>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::SeeIntegrations>()?;
            let rows = ctx.services().integrations().terms_acceptances(&by, self.0.id).await?;
            Ok(rows.into_iter().map(TermsAcceptance::from).collect())
        })
        .await
    }

    /// Mailboxes of the integration. Needs `CONNECTION_VIEW`.
    async fn connected_mailboxes(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<ConnectedMailboxConnection>> {
        let wanted =
            services::connections::ConnectionFilter { integration: Some(self.0.id), ..Default::default() };
        null_if_missing(async {
            connection::read_page(ctx, wanted, parse_page_args(first, last, after, before)?).await
        })
        .await
    }

    /// Rooms of the integration. Needs `CONNECTION_VIEW` or `AVAILABILITY_VIEW`.
    async fn rooms(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<RoomConnection>> {
        null_if_missing(async {
            room::rooms_of_integration(ctx, self.0.id, parse_page_args(first, last, after, before)?).await
        })
        .await
    }

    /// Campaigns of the integration, oldest first; includes only those among the tenant's 100 most recent campaigns.
    /// Needs `CONNECTION_VIEW`.
    async fn campaigns(&self, ctx: &Context<'_>) -> Option<Result<Vec<Campaign>>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::ConnectionView>()?;
            let last = PageArgs { last: Some(100), ..PageArgs::default() };
            let page = ctx.services().campaigns().list(&by, last).await?;
            let own = page.items.into_iter().filter(|row| row.integration_id == self.0.id);
            Ok(own.map(Campaign::from).collect())
        })
        .await
    }

    /// Return URL to which the browser is redirected after the consent; null if it stays on the connect page.
    async fn return_url(&self) -> Option<Url> {
        self.0.return_url.clone().map(Url)
    }

    /// Who registered the integration: the id of a user, vendor key or invitation.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// Time at which the integration was registered.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Incremented on every change; pass as `ifVersion`.
    async fn version(&self) -> i64 {
        self.0.version
    }
}

connection!(Integration, Model, IntegrationConnection, IntegrationEdge, "integrations", |row| row.id.uuid());

/// The integration with this id in the caller's tenant. Needs `CONNECTION_VIEW` or permission to connect.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Integration> {
    read_for_caller(ctx.services(), &ctx.caller(), parse_id(id, "integration", "id")?).await
}

/// Reads an integration as [`read`] does, for a subscription, which has no query context.
pub(super) async fn read_for_caller(
    services: &Services,
    caller: &Caller,
    id: Id<ids::Integration>,
) -> Result<Integration> {
    let by = caller.allow::<may::SeeIntegrations>()?;
    Ok(services.integrations().get(&by, id).await?.into())
}

/// An integration that another object refers to, with the same permissions as [`read`].
pub(super) async fn load_referenced(
    ctx: &Context<'_>,
    id: Option<Id<ids::Integration>>,
) -> Option<Result<Integration>> {
    let id = id?;
    if let Err(denied) = ctx.caller().allow::<may::SeeIntegrations>() {
        return Some(Err(denied.into()));
    }
    ctx.loaders().integrations.load(id).await.map(|row| row.map(Integration)).transpose()
}

#[derive(Default)]
pub struct IntegrationQuery;

#[Object]
impl IntegrationQuery {
    /// Finds an integration by id; null if the tenant has no such integration. Needs `CONNECTION_VIEW` or permission
    /// to connect (see `createIntegration`).
    async fn integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the integration.")] id: ID,
    ) -> Option<Result<Integration>> {
        null_if_missing(read(ctx, &id)).await
    }

    /// Lists the integrations of the tenant, oldest first. Needs `CONNECTION_VIEW` or permission to connect (see
    /// `createIntegration`).
    async fn integrations(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Whether to include integrations that were disconnected (`REMOVED`).",
            default = false
        )]
        include_removed: bool,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<IntegrationConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::SeeIntegrations>()?;
            let args = parse_page_args(first, last, after, before)?;
            let page = ctx.services().integrations().list(&by, include_removed, args).await?;
            Ok(IntegrationConnection::from_page(page, None))
        })
        .await
    }
}

/// Decodes a stored JSON list. Items that cannot be decoded are left out and logged.
fn stored<T: serde::de::DeserializeOwned>(json: &serde_json::Value, what: &'static str) -> Vec<T> {
    serde_json::from_value(json.clone()).unwrap_or_else(|error| {
        tracing::error!(kind = ?error.classify(), what, "what is stored cannot be read");
        Vec::new()
    })
}
