//! Campaigns, the bulk activations of mailboxes: preview, execution, results by mailbox, and retry of the failed
//! mailboxes.

use domain::{
    Id, ids, may,
    state::{CampaignState, ConnectionState, Lane},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select, sea_query::Expr,
};
use serde_json::json;

use crate::{
    Error, Page, PageArgs, Result, Services, System, Tx, connections,
    events::topic,
    integrations, page,
    proof::Allowed,
    run_inputs::{self, RunInput},
};

/// The states of mailboxes that a campaign does not activate.
const SETTLED: [ConnectionState; 3] =
    [ConnectionState::Active, ConnectionState::Excluded, ConnectionState::Disconnected];

crate::noun! {
    /// Bulk activations of mailboxes.
    Campaigns
}

/// What a campaign would do if it were started now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preview {
    /// Number of users with a calendar address who would be activated.
    pub users: usize,
    /// Number of rooms that would be activated.
    pub rooms: usize,
    /// Number of mailboxes that are already active.
    pub active: usize,
    /// Number of mailboxes that an administrator has excluded.
    pub excluded: usize,
}

/// Progress of a campaign, as numbers of mailboxes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Mailboxes in the campaign.
    pub total: usize,
    /// Mailboxes that have a result.
    pub finished: usize,
    /// Mailboxes that became active.
    pub active: usize,
    /// Mailboxes that can be read but not written.
    pub free_busy_only: usize,
    /// Mailboxes that Muster cannot access.
    pub unreachable: usize,
}

impl Campaigns {
    /// Starts activating every mailbox of an integration that is not active yet.
    pub async fn start(
        &self,
        by: &Allowed<may::UserEdit>,
        integration: Id<ids::Integration>,
    ) -> Result<entity::campaign::Model> {
        let mut tx = self.services.begin(by.tenant()).await?;
        let row = integrations::find(&tx, integration).await?;
        integrations::require_organisation_wide(&row)?;
        integrations::require_consent_in_force(&row)?;
        let campaign = start(&self.services, &mut tx, row.id, &by.actor()).await?;
        let facts = json!({ "integration": row.id });
        tx.audit(&by.actor(), "campaign.start", shown(campaign.id), facts);
        tx.commit().await?;
        Ok(campaign)
    }

    /// Starts a new campaign for the mailboxes that a finished campaign did not activate.
    pub async fn retry(
        &self,
        by: &Allowed<may::UserEdit>,
        id: Id<ids::Campaign>,
    ) -> Result<entity::campaign::Model> {
        use entity::campaign_item::{Column, Entity, of};
        let mut tx = self.services.begin(by.tenant()).await?;
        let old = entity::campaign::by_id(tx.tenant(), id).one(tx.conn()).await?;
        let old = old.ok_or_else(|| Error::not_found("campaign"))?;
        if old.state.require()? == CampaignState::Running {
            let message = "This campaign has not finished yet. Wait until it has finished, then retry.";
            return Err(Error::refuse("CAMPAIGN_RUNS", message));
        }
        let failed = of(tx.tenant())
            .filter(Column::CampaignId.eq(old.id))
            .filter(Column::Result.is_null().or(Column::Result.ne(ConnectionState::Active.as_str())))
            .all(tx.conn())
            .await?;
        if failed.is_empty() {
            let message = "Every mailbox of this campaign is active: there is nothing to retry.";
            return Err(Error::refuse("NOTHING_TO_RETRY", message));
        }
        let campaign = insert(&self.services, &mut tx, old.integration_id, &by.actor()).await?;
        let rows = failed.into_iter().map(|item| new_item_row(tx.tenant(), campaign.id, item.connection_id));
        let rows: Vec<_> = rows.collect();
        for rows in rows.chunks(200) {
            Entity::insert_many(rows.to_vec()).exec_without_returning(tx.conn()).await?;
        }
        enqueue(&mut tx, &campaign, true, &by.actor()).await?;
        tx.audit(&by.actor(), "campaign.retry", shown(campaign.id), json!({ "of": shown(old.id) }));
        tx.commit().await?;
        Ok(campaign)
    }

    /// Returns what a campaign would do if it were started now.
    pub async fn preview(
        &self,
        by: &Allowed<may::ConnectionView>,
        integration: Id<ids::Integration>,
    ) -> Result<Preview> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        let known = entity::integration::by_id(tenant, integration).one(&txn).await?;
        integrations::require_organisation_wide(&known.ok_or_else(|| Error::not_found("integration"))?)?;
        let mailboxes = || {
            use entity::connection::{Column, of};
            of(tenant).filter(Column::IntegrationId.eq(integration))
        };
        // What this version does not know is not for it to activate.
        let open = ConnectionState::ALL.iter().filter(|state| !SETTLED.contains(state));
        let open: Vec<&str> = open.map(|state| state.as_str()).collect();
        let rooms = {
            use entity::connection::Column;
            mailboxes().filter(Column::RoomId.is_not_null()).filter(Column::State.is_in(open.iter().copied()))
        };
        let users = {
            use entity::{connection::Column as Mailbox, tenant_user::Column};
            let settled = mailboxes()
                .filter(Mailbox::UserId.is_not_null())
                .filter(Mailbox::State.is_not_in(open))
                .select_only()
                .column(Mailbox::UserId);
            entity::tenant_user::of(tenant)
                .filter(Column::CalendarAddress.is_not_null())
                .filter(Column::Id.not_in_subquery(settled.into_query()))
        };
        let states = count_by(mailboxes(), entity::connection::Column::State, &txn).await?;
        let count = |state: ConnectionState| counted(&states, |word| word == Some(state.as_str()));
        Ok(Preview {
            users: users.count(&txn).await? as usize,
            rooms: rooms.count(&txn).await? as usize,
            active: count(ConnectionState::Active),
            excluded: count(ConnectionState::Excluded),
        })
    }

    /// The campaign with this id.
    pub async fn get(
        &self,
        by: &Allowed<may::ConnectionView>,
        id: Id<ids::Campaign>,
    ) -> Result<entity::campaign::Model> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        let row = entity::campaign::by_id(tenant, id).one(&txn).await?;
        row.ok_or_else(|| Error::not_found("campaign"))
    }

    /// The campaigns of the tenant.
    pub async fn list(
        &self,
        by: &Allowed<may::ConnectionView>,
        args: PageArgs,
    ) -> Result<Page<entity::campaign::Model>> {
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        page::read_page(entity::campaign::of(tenant), entity::campaign::Column::Id, args, &txn).await
    }

    /// One page of the results of a campaign, one for each mailbox, by the ids of the mailboxes.
    pub async fn items(
        &self,
        by: &Allowed<may::ConnectionView>,
        campaign: Id<ids::Campaign>,
        args: PageArgs,
    ) -> Result<Page<entity::campaign_item::Model>> {
        use entity::campaign_item::{Column, of};
        let tenant = by.tenant();
        let txn = self.services.read(tenant).await?;
        let rows = of(tenant).filter(Column::CampaignId.eq(campaign));
        page::read_page(rows, Column::ConnectionId, args, &txn).await
    }

    /// Counts the mailboxes of a campaign by result.
    pub async fn progress(
        &self,
        by: &Allowed<may::ConnectionView>,
        campaign: Id<ids::Campaign>,
    ) -> Result<Progress> {
        use entity::campaign_item::{Column, of};
        let txn = self.services.read(by.tenant()).await?;
        let items = of(by.tenant()).filter(Column::CampaignId.eq(campaign));
        let results = count_by(items, Column::Result, &txn).await?;
        let count = |state: ConnectionState| counted(&results, |word| word == Some(state.as_str()));
        Ok(Progress {
            total: counted(&results, |_| true),
            finished: counted(&results, |word| word.is_some()),
            active: count(ConnectionState::Active),
            free_busy_only: count(ConnectionState::FreeBusyOnly),
            unreachable: count(ConnectionState::Unreachable),
        })
    }
}

/// Number of selected rows for each value of a column. The database counts: a tenant may have tens of thousands.
async fn count_by<E: EntityTrait>(
    rows: Select<E>,
    column: impl ColumnTrait,
    txn: &impl ConnectionTrait,
) -> Result<Vec<(Option<String>, i64)>> {
    let counts = rows.select_only().column(column).column_as(Expr::cust("count(*)"), "rows").group_by(column);
    Ok(counts.into_tuple().all(txn).await?)
}

/// Sum of the counts whose value is chosen.
fn counted(counts: &[(Option<String>, i64)], is_chosen: impl Fn(Option<&str>) -> bool) -> usize {
    let chosen = counts.iter().filter(|(word, _)| is_chosen(word.as_deref()));
    chosen.map(|(_, count)| usize::try_from(*count).unwrap_or(0)).sum()
}

/// Starts a campaign within an existing transaction.
pub async fn start(
    services: &Services,
    tx: &mut Tx,
    integration: Id<ids::Integration>,
    actor: &str,
) -> Result<entity::campaign::Model> {
    let running = entity::campaign::of(tx.tenant())
        .filter(entity::campaign::Column::IntegrationId.eq(integration))
        .filter(entity::campaign::Column::State.eq(CampaignState::Running.as_str()))
        .one(tx.conn())
        .await?;
    if let Some(running) = running {
        return Ok(running);
    }
    let campaign = insert(services, tx, integration, actor).await?;
    enqueue(tx, &campaign, false, actor).await?;
    Ok(campaign)
}

async fn insert(
    services: &Services,
    tx: &mut Tx,
    integration: Id<ids::Integration>,
    actor: &str,
) -> Result<entity::campaign::Model> {
    let row = new_row(services, tx.tenant(), integration, actor, tx.now());
    entity::campaign::Entity::insert(entity::campaign::ActiveModel::from(row.clone()))
        .exec_without_returning(tx.conn())
        .await?;
    tx.add_event(topic::CAMPAIGN, row.id);
    Ok(row)
}

pub(crate) fn new_row(
    services: &Services,
    tenant: Id<ids::Tenant>,
    integration: Id<ids::Integration>,
    actor: &str,
    at: domain::Timestamp,
) -> entity::campaign::Model {
    entity::campaign::Model {
        id: services.ids.make::<ids::Campaign>(),
        tenant_id: tenant,
        integration_id: integration,
        state: CampaignState::Running.into(),
        total: 0,
        asked_by: actor.to_owned(),
        started_at: at,
        finished_at: None,
    }
}

async fn enqueue(
    tx: &mut Tx,
    campaign: &entity::campaign::Model,
    listed_only: bool,
    actor: &str,
) -> Result<()> {
    let (campaign, integration) = (campaign.id, campaign.integration_id);
    let order = RunInput::Campaign(run_inputs::Campaign { campaign, integration, listed_only });
    tx.enqueue(order, actor, Lane::Bulk).await?;
    Ok(())
}

/// Creates the row of a mailbox that has no result yet.
pub fn new_item_row(
    tenant: Id<ids::Tenant>,
    campaign: Id<ids::Campaign>,
    connection: Id<ids::Connection>,
) -> entity::campaign_item::ActiveModel {
    let row = entity::campaign_item::Model {
        tenant_id: tenant,
        campaign_id: campaign,
        connection_id: connection,
        result: None,
        reason: None,
        finished_at: None,
    };
    row.into()
}

/// Lists the mailboxes that a campaign must activate and enqueues their activation runs, in one transaction.
/// Idempotent.
pub async fn enqueue_activations(
    system: &System,
    tenant: Id<ids::Tenant>,
    campaign: &run_inputs::Campaign,
    actor: &str,
) -> Result<usize> {
    use entity::campaign_item::{Column, Entity};
    use sea_orm::sea_query::OnConflict;
    let mut tx = system.begin(tenant).await?;
    if !campaign.listed_only {
        let found = waiting(tx.conn(), tenant, campaign.integration).await?;
        let rows: Vec<_> = found.into_iter().map(|id| new_item_row(tenant, campaign.campaign, id)).collect();
        for rows in rows.chunks(200) {
            Entity::insert_many(rows.to_vec())
                .on_conflict(OnConflict::new().do_nothing().to_owned())
                .exec_without_returning(tx.conn())
                .await?;
        }
    }
    let items = entity::campaign_item::of(tenant)
        .filter(Column::CampaignId.eq(campaign.campaign))
        .order_by_asc(Column::ConnectionId)
        .all(tx.conn())
        .await?;
    let open = items.iter().filter(|item| item.result.is_none());
    let activate = |item: &entity::campaign_item::Model| {
        RunInput::Activate(run_inputs::Activate {
            connection: item.connection_id,
            campaign: Some(campaign.campaign),
        })
    };
    tx.enqueue_runs(open.map(activate), actor, Lane::Bulk).await?;
    entity::campaign::update(tenant)
        .filter(entity::campaign::Column::Id.eq(campaign.campaign))
        .col_expr(entity::campaign::Column::Total, sea_orm::sea_query::Expr::value(items.len() as i32))
        .exec(tx.conn())
        .await?;
    tx.add_event(topic::CAMPAIGN, campaign.campaign);
    tx.commit().await?;
    Ok(items.len())
}

/// Mailboxes of an integration that have a user or a room and are neither active nor excluded.
async fn waiting(
    conn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    integration: Id<ids::Integration>,
) -> Result<Vec<Id<ids::Connection>>> {
    use entity::connection::{Column, of};
    let open = ConnectionState::ALL.iter().filter(|state| !SETTLED.contains(state));
    let rows = of(tenant)
        .filter(Column::IntegrationId.eq(integration))
        .filter(Column::State.is_in(open.map(|state| state.as_str())))
        .filter(connections::has_owner())
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

fn shown(id: Id<ids::Campaign>) -> String {
    id.to_string()
}
