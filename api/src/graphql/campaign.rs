//! Bulk activations.

use async_graphql::{Context, Description, ID, InputObject, Object, SimpleObject};
use domain::{Caller, Id, Permission, ids};
use services::{
    Services, campaigns,
    entity::{campaign::Model, campaign_item},
};

use super::{
    connection::Connection,
    context::{Ask, named, seen, shown},
    failure::{Result, found},
    integration::{self, Integration},
    page::{args, connection, slice},
    payload::{answer, payload},
    reason::Reason,
    scalar::DateTime,
    words::{CampaignState, ConnectionState},
};

/// One bulk activation of an integration's mailboxes.
#[derive(Description, Debug, Clone)]
pub struct Campaign(Model);

impl From<Model> for Campaign {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl Campaign {
    /// The id; it begins with `cmp_`.
    pub(super) async fn id(&self) -> ID {
        shown::<ids::Campaign>(self.0.id)
    }

    /// Where it stands.
    async fn state(&self) -> CampaignState {
        use domain::state::CampaignState as S;
        S::parse(&self.0.state).unwrap_or(S::Running).into()
    }

    /// The integration whose mailboxes it activates.
    async fn integration(&self, ctx: &Context<'_>) -> Option<Result<Integration>> {
        integration::referred(ctx, Some(self.0.integration_id)).await
    }

    /// How far it is.
    async fn progress(&self, ctx: &Context<'_>) -> Option<Result<CampaignProgress>> {
        found(async {
            let by = ctx.caller().allow(Permission::ConnectionView)?;
            Ok(ctx.services().campaigns().progress(&by, self.0.id).await?.into())
        })
        .await
    }

    /// Its results, mailbox by mailbox.
    async fn items(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<CampaignItemConnection>> {
        found(async {
            let by = ctx.caller().allow(Permission::ConnectionView)?;
            let items = ctx.services().campaigns().items(&by, self.0.id).await?;
            let total = items.len() as u64;
            let page = slice(items, |item| item.connection_id, args(first, last, after, before)?)?;
            Ok(CampaignItemConnection::of(page, Some(total)))
        })
        .await
    }

    /// Who started it: the id of a user, a key or a link.
    async fn asked_by(&self) -> &str {
        &self.0.asked_by
    }

    /// When it was started.
    async fn started_at(&self) -> DateTime {
        self.0.started_at.into()
    }

    /// When every mailbox had its result; null while it goes on.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }
}

connection!(Campaign, Model, CampaignConnection, CampaignEdge, "campaigns", |row| row.id);

/// The result of one mailbox of a campaign.
#[derive(Description, Debug, Clone)]
pub struct CampaignItem(campaign_item::Model);

impl From<campaign_item::Model> for CampaignItem {
    fn from(model: campaign_item::Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl CampaignItem {
    /// The mailbox.
    async fn connection(&self, ctx: &Context<'_>) -> Option<Result<Connection>> {
        let row = ctx.loaders().connections.load(self.0.connection_id).await;
        row.map(|row| row.map(Connection::from)).transpose()
    }

    /// The state in which the activation left it; null before there is a result.
    async fn result(&self) -> Option<ConnectionState> {
        domain::state::ConnectionState::parse(self.0.result.as_deref()?).map(ConnectionState::from)
    }

    /// Why, and what to do; null when there is nothing to say.
    async fn reason(&self) -> Option<Reason> {
        Reason::stored(self.0.reason.as_ref())
    }

    /// When there was a result; null before.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }
}

connection!(
    CampaignItem,
    campaign_item::Model,
    CampaignItemConnection,
    CampaignItemEdge,
    "results of a campaign",
    |row| row.connection_id
);

/// How far a campaign is.
#[derive(SimpleObject)]
pub struct CampaignProgress {
    /// Mailboxes in it.
    total: usize,
    /// Mailboxes that have a result.
    finished: usize,
    /// Mailboxes that became active.
    active: usize,
    /// Mailboxes that can only be read.
    free_busy_only: usize,
    /// Mailboxes that cannot be reached.
    unreachable: usize,
}

impl From<campaigns::Progress> for CampaignProgress {
    fn from(progress: campaigns::Progress) -> Self {
        let campaigns::Progress { total, finished, active, free_busy_only, unreachable } = progress;
        Self { total, finished, active, free_busy_only, unreachable }
    }
}

/// What a campaign would do now.
#[derive(SimpleObject)]
pub struct CampaignPreview {
    /// Users with a calendar address who would be activated.
    users: usize,
    /// Rooms that would be activated.
    rooms: usize,
    /// Mailboxes that are active already.
    active: usize,
    /// Mailboxes that are left out on purpose.
    excluded: usize,
}

impl From<campaigns::Preview> for CampaignPreview {
    fn from(preview: campaigns::Preview) -> Self {
        let campaigns::Preview { users, rooms, active, excluded } = preview;
        Self { users, rooms, active, excluded }
    }
}

/// One campaign of the tenant.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Campaign> {
    visible(ctx.services(), ctx.caller(), named(id, "campaign", "id")?).await
}

/// The same, for a subscription.
pub(super) async fn visible(services: &Services, caller: &Caller, id: Id<ids::Campaign>) -> Result<Campaign> {
    let by = caller.allow(Permission::ConnectionView)?;
    Ok(services.campaigns().get(&by, id).await?.into())
}

#[derive(Default)]
pub struct CampaignQuery;

#[Object]
impl CampaignQuery {
    /// One campaign; null when there is none in the tenant. Needs `CONNECTION_VIEW`.
    async fn campaign(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The campaign.")] id: ID,
    ) -> Option<Result<Campaign>> {
        found(read(ctx, &id)).await
    }

    /// The campaigns of the tenant, in the order in which they were started. Needs `CONNECTION_VIEW`.
    async fn campaigns(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<CampaignConnection>> {
        found(async {
            let by = ctx.caller().allow(Permission::ConnectionView)?;
            let page = ctx.services().campaigns().list(&by, args(first, last, after, before)?).await?;
            Ok(CampaignConnection::of(page, None))
        })
        .await
    }

    /// What a campaign of an integration would do now. Null when there is no such integration. Needs
    /// `CONNECTION_VIEW`.
    async fn campaign_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration.")] integration_id: ID,
    ) -> Option<Result<CampaignPreview>> {
        found(async {
            let by = ctx.caller().allow(Permission::ConnectionView)?;
            let id = named(&integration_id, "integration", "integrationId")?;
            Ok(ctx.services().campaigns().preview(&by, id).await?.into())
        })
        .await
    }
}

/// A campaign to be started.
#[derive(InputObject)]
pub struct StartCampaignInput {
    /// The integration whose mailboxes are to be activated.
    integration_id: ID,
}

/// A campaign to be repeated.
#[derive(InputObject)]
pub struct RetryCampaignInput {
    /// The finished campaign whose failed mailboxes are to be tried again.
    id: ID,
}

payload! {
    /// What `startCampaign` answers.
    StartCampaignPayload {
        /// The campaign; the one that goes on already, if there is one.
        campaign: Campaign,
    }
}
payload! {
    /// What `retryCampaign` answers.
    RetryCampaignPayload {
        /// The new campaign; null without `CONNECTION_VIEW`.
        campaign: Campaign,
    }
}

#[derive(Default)]
pub struct CampaignMutation;

#[Object]
impl CampaignMutation {
    /// Starts the activation of everybody who is not active yet. Needs `USER_EDIT`.
    async fn start_campaign(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The campaign.")] input: StartCampaignInput,
    ) -> Result<StartCampaignPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::UserEdit)?;
            let id = named(&input.integration_id, "integration", "integrationId")?;
            let campaign = ctx.services().campaigns().start(&by, id).await?;
            Ok(StartCampaignPayload::done(Campaign(campaign)))
        })
        .await
    }

    /// Tries the mailboxes of a finished campaign again that did not become active. Needs `USER_EDIT`.
    async fn retry_campaign(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The campaign.")] input: RetryCampaignInput,
    ) -> Result<RetryCampaignPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::UserEdit)?;
            let campaign = ctx.services().campaigns().retry(&by, named(&input.id, "campaign", "id")?).await?;
            Ok(RetryCampaignPayload::done(seen(ctx, Permission::ConnectionView, Campaign(campaign))))
        })
        .await
    }
}
