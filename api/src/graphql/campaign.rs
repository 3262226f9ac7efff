//! Campaigns, which activate many mailboxes of an integration at once.

use async_graphql::{Context, Description, ID, InputObject, Object, SimpleObject};
use domain::{Id, Permission, ids, may};
use services::{
    Caller, Services, campaigns,
    rows::{campaign::Model, campaign_item},
};

use super::{
    connection::ConnectedMailbox,
    context::{ContextExt, format_id, if_visible, parse_id},
    enums::{CampaignState, ConnectedMailboxState},
    failure::{Result, null_if_missing},
    integration::{self, Integration},
    page::{connection, parse_page_args},
    payload::{catch_refusals, payload},
    reason::Reason,
    scalar::DateTime,
};

/// A bulk activation of an integration's mailboxes.
#[derive(Description, Debug, Clone)]
pub struct Campaign(Model);

impl From<Model> for Campaign {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl Campaign {
    /// Identifier; starts with `cmp_`.
    pub(super) async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Current state of the campaign.
    async fn state(&self) -> CampaignState {
        (&self.0.state).into()
    }

    /// The integration whose mailboxes the campaign activates.
    async fn integration(&self, ctx: &Context<'_>) -> Option<Result<Integration>> {
        integration::load_referenced(ctx, Some(self.0.integration_id)).await
    }

    /// Number of mailboxes by result so far.
    async fn progress(&self, ctx: &Context<'_>) -> Option<Result<CampaignProgress>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::ConnectionView>()?;
            Ok(ctx.services().campaigns().progress(&by, self.0.id).await?.into())
        })
        .await
    }

    /// Results of the campaign, one for each mailbox.
    async fn items(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<CampaignItemConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::ConnectionView>()?;
            let campaigns = ctx.services().campaigns();
            let page = campaigns.items(&by, self.0.id, parse_page_args(first, last, after, before)?).await?;
            let total = campaigns.progress(&by, self.0.id).await?.total as u64;
            Ok(CampaignItemConnection::from_page(page, Some(total)))
        })
        .await
    }

    /// Who started the campaign: the id of a user, vendor key or invitation.
    async fn asked_by(&self) -> &str {
        &self.0.asked_by
    }

    /// Time at which the campaign started.
    async fn started_at(&self) -> DateTime {
        self.0.started_at.into()
    }

    /// Time at which the result of the last mailbox was known; null while mailboxes are being activated.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }
}

connection!(Campaign, Model, CampaignConnection, CampaignEdge, "campaigns", |row| row.id.uuid());

/// The result of a campaign for one mailbox.
#[derive(Description, Debug, Clone)]
pub struct CampaignItem(campaign_item::Model);

impl From<campaign_item::Model> for CampaignItem {
    fn from(model: campaign_item::Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl CampaignItem {
    /// The mailbox that the campaign activates.
    async fn connected_mailbox(&self, ctx: &Context<'_>) -> Option<Result<ConnectedMailbox>> {
        let row = ctx.loaders().connections.load(self.0.connection_id).await;
        row.map(|row| row.map(ConnectedMailbox::from)).transpose()
    }

    /// State of the mailbox after the activation; null until there is a result.
    async fn result(&self) -> Option<ConnectedMailboxState> {
        self.0.result.as_ref().map(ConnectedMailboxState::from)
    }

    /// Why the mailbox is in this state and what to do next; null if there is nothing to explain.
    async fn reason(&self) -> Option<Reason> {
        Reason::from_stored(self.0.reason.as_ref())
    }

    /// Time at which the result became known; null until there is a result.
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
    |row| row.connection_id.uuid()
);

/// Progress of a campaign, as numbers of mailboxes.
#[derive(SimpleObject)]
pub struct CampaignProgress {
    /// Number of mailboxes in the campaign.
    total: usize,
    /// Number of mailboxes that have a result.
    finished: usize,
    /// Number of mailboxes that became `ACTIVE`.
    active: usize,
    /// Number of mailboxes that can be read but not written.
    free_busy_only: usize,
    /// Number of mailboxes that Muster cannot access.
    unreachable: usize,
}

impl From<campaigns::Progress> for CampaignProgress {
    fn from(progress: campaigns::Progress) -> Self {
        let campaigns::Progress { total, finished, active, free_busy_only, unreachable } = progress;
        Self { total, finished, active, free_busy_only, unreachable }
    }
}

/// The number of mailboxes that a campaign would activate or skip if it started now.
#[derive(SimpleObject)]
pub struct CampaignPreview {
    /// Number of users with a calendar address who would be activated.
    users: usize,
    /// Number of rooms that would be activated.
    rooms: usize,
    /// Number of mailboxes that are already active.
    active: usize,
    /// Number of mailboxes that an administrator has excluded.
    excluded: usize,
}

impl From<campaigns::Preview> for CampaignPreview {
    fn from(preview: campaigns::Preview) -> Self {
        let campaigns::Preview { users, rooms, active, excluded } = preview;
        Self { users, rooms, active, excluded }
    }
}

/// The campaign with this id in the caller's tenant. Needs `CONNECTION_VIEW`.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Campaign> {
    read_for_caller(ctx.services(), &ctx.caller(), parse_id(id, "campaign", "id")?).await
}

/// Reads a campaign as [`read`] does, for a subscription, which has no query context.
pub(super) async fn read_for_caller(
    services: &Services,
    caller: &Caller,
    id: Id<ids::Campaign>,
) -> Result<Campaign> {
    let by = caller.allow::<may::ConnectionView>()?;
    Ok(services.campaigns().get(&by, id).await?.into())
}

#[derive(Default)]
pub struct CampaignQuery;

#[Object]
impl CampaignQuery {
    /// Finds a campaign by id; null if the tenant has no such campaign. Needs `CONNECTION_VIEW`.
    async fn campaign(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the campaign.")] id: ID,
    ) -> Option<Result<Campaign>> {
        null_if_missing(read(ctx, &id)).await
    }

    /// Lists the campaigns of the tenant, oldest first. Needs `CONNECTION_VIEW`.
    async fn campaigns(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<CampaignConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::ConnectionView>()?;
            let page =
                ctx.services().campaigns().list(&by, parse_page_args(first, last, after, before)?).await?;
            Ok(CampaignConnection::from_page(page, None))
        })
        .await
    }

    /// Counts the mailboxes that a campaign of this integration would activate or skip now; null if the tenant has no
    /// such integration. Needs `CONNECTION_VIEW`.
    async fn campaign_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the integration.")] integration_id: ID,
    ) -> Option<Result<CampaignPreview>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::ConnectionView>()?;
            let id = parse_id(&integration_id, "integration", "integrationId")?;
            Ok(ctx.services().campaigns().preview(&by, id).await?.into())
        })
        .await
    }
}

/// Selects the integration for a new campaign.
#[derive(InputObject)]
pub struct StartCampaignInput {
    /// Identifier of the integration whose mailboxes are to be activated.
    integration_id: ID,
}

/// Selects the campaign to repeat.
#[derive(InputObject)]
pub struct RetryCampaignInput {
    /// Identifier of the finished campaign whose failed mailboxes are to be tried again.
    id: ID,
}

payload! {
    /// Result of `startCampaign`.
    StartCampaignPayload {
        /// The new campaign, or the running one if the integration already has one.
        campaign: Campaign,
    }
}
payload! {
    /// Result of `retryCampaign`.
    RetryCampaignPayload {
        /// The new campaign; null if the caller lacks `CONNECTION_VIEW`.
        campaign: Campaign,
    }
}

#[derive(Default)]
pub struct CampaignMutation;

#[Object]
impl CampaignMutation {
    /// Starts activating every mailbox of an integration that is not active yet. Needs `USER_EDIT`.
    async fn start_campaign(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `startCampaign`.")] input: StartCampaignInput,
    ) -> Result<StartCampaignPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserEdit>()?;
            let id = parse_id(&input.integration_id, "integration", "integrationId")?;
            let campaign = ctx.services().campaigns().start(&by, id).await?;
            Ok(StartCampaignPayload::done(Campaign(campaign)))
        })
        .await
    }

    /// Starts a new campaign for the mailboxes that did not become active in a finished one. Needs `USER_EDIT`.
    async fn retry_campaign(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `retryCampaign`.")] input: RetryCampaignInput,
    ) -> Result<RetryCampaignPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserEdit>()?;
            let campaign =
                ctx.services().campaigns().retry(&by, parse_id(&input.id, "campaign", "id")?).await?;
            Ok(RetryCampaignPayload::done(if_visible(ctx, Permission::ConnectionView, Campaign(campaign))))
        })
        .await
    }
}
