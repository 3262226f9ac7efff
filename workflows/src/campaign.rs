//! Activates every mailbox of an integration that is not active yet: rooms as listed in the directory, users by
//! their calendar address. Each mailbox has a run of its own; the campaign counts their results.
//!
//! A campaign that was interrupted continues where it stopped: mailboxes are listed once, and a mailbox that
//! another run is activating at the same time contributes its result too.

use domain::{AnyId, Id, ids};
use std::collections::HashSet;

use domain::state::CampaignState;
use engine::{Next, nothing};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect};
use services::{
    Change, campaigns,
    change::{ItemResult, NewConnection, RoomList},
    integrations, run_inputs,
};

use crate::{Outcome, Step, StepContext, StepError, UndoOutcome, messages};

engine::workflow! {
    /// Activates every mailbox of an integration that is not active yet.
    Campaign = "campaign" v 1 (StepContext, run_inputs::Campaign);

    // state       does             undone by   retry      then
    Discover:      discover       | finish    | STANDARD | [Enlist];
    Enlist:        enlist         | nothing   | STANDARD | [AwaitResults];
    AwaitResults:  count_results  | nothing   | STANDARD | [];
}

/// How long the campaign waits for results before it checks the mailboxes itself.
const LOOK_EVERY: chrono::Duration = chrono::Duration::seconds(3);

async fn discover(context: &StepContext, at: &mut Step<run_inputs::Campaign>) -> Outcome<State> {
    if at.memory.listed_only {
        return Ok(Next::Go(State::Enlist));
    }
    let integration = at.memory.integration;
    let rows = context
        .services
        .integrations()
        .by_ids(context.services.tenant_scope(at.tenant), &[integration])
        .await?;
    let row = rows
        .into_iter()
        .next()
        .ok_or_else(|| StepError::fail("NOT_FOUND", messages::integration_removed()))?;
    let (provider, session) = context.services.grants().open_session(&context.services, &row, None).await?;
    let (mut rooms, mut after) = (Vec::new(), None);
    loop {
        let page = provider.rooms(&session, after.as_deref()).await?;
        rooms.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    at.add_change(Change::Rooms(RoomList { integration, rooms }));
    let txn = context.services.store.read(at.tenant).await?;
    let users = entity::tenant_user::of(at.tenant)
        .filter(entity::tenant_user::Column::CalendarAddress.is_not_null())
        .all(&txn)
        .await?;
    let found = users.into_iter().filter_map(|user| {
        let address = user.calendar_address?;
        Some(NewConnection { integration, user: Some(user.id), room: None, address })
    });
    at.add_change(Change::NewConnections(found.collect()));
    Ok(Next::Go(State::Enlist))
}

/// Ends a campaign that cannot continue; the remaining mailboxes can be activated by the next one.
async fn finish(context: &StepContext, at: &mut Step<run_inputs::Campaign>) -> UndoOutcome {
    campaign_state(context, at).await?;
    at.add_change(Change::CampaignFinished(at.memory.campaign));
    Ok(())
}

async fn enlist(context: &StepContext, at: &mut Step<run_inputs::Campaign>) -> Outcome<State> {
    campaigns::enqueue_activations(&context.services, at.tenant, &at.memory, &at.asked_by).await?;
    Ok(Next::Go(State::AwaitResults))
}

async fn count_results(context: &StepContext, at: &mut Step<run_inputs::Campaign>) -> Outcome<State> {
    while at.take_signal("results_complete").is_some() {}
    campaign_state(context, at).await?;
    let open = open_items(context, at).await?;
    if open.is_empty() {
        at.add_change(Change::CampaignFinished(at.memory.campaign));
        return Ok(Next::Done);
    }
    let mut left = open.len();
    for row in settled_elsewhere(context, at.tenant, &open).await? {
        let (campaign, connection, result) = (at.memory.campaign, row.id, row.state.require()?);
        let reason = integrations::parse_reason(row.reason.as_ref());
        at.add_change(Change::Item(ItemResult { campaign, connection, result, reason }));
        left -= 1;
    }
    let until = if left == 0 { at.now } else { at.now + LOOK_EVERY };
    Ok(Next::Wait { until: Some(until), or: Some("results_complete") })
}

/// Returns the campaign's state; the run waits while this version does not know it.
async fn campaign_state(
    context: &StepContext,
    at: &Step<run_inputs::Campaign>,
) -> Result<Option<CampaignState>, StepError> {
    let txn = context.services.store.read(at.tenant).await?;
    let row = entity::campaign::by_id(at.tenant, at.memory.campaign).one(&txn).await?;
    Ok(row.map(|row| row.state.require()).transpose()?)
}

async fn open_items(
    context: &StepContext,
    at: &Step<run_inputs::Campaign>,
) -> Result<Vec<Id<ids::Connection>>, StepError> {
    use entity::campaign_item::{Column, of};
    let txn = context.services.store.read(at.tenant).await?;
    let rows = of(at.tenant)
        .filter(Column::CampaignId.eq(at.memory.campaign))
        .filter(Column::Result.is_null())
        .all(&txn)
        .await?;
    Ok(rows.into_iter().map(|row| row.connection_id).collect())
}

/// Finds mailboxes without a result that no run is working on, because another activation was in progress when this
/// campaign enqueued its own.
async fn settled_elsewhere(
    context: &StepContext,
    tenant: Id<ids::Tenant>,
    open: &[Id<ids::Connection>],
) -> Result<Vec<entity::connection::Model>, StepError> {
    let txn = context.services.store.read(tenant).await?;
    let live: HashSet<AnyId> = entity::run::of(tenant)
        .filter(entity::run::Column::Workflow.eq("activate_mailbox"))
        .filter(entity::run::Column::FinishedAt.is_null())
        .select_only()
        .column(entity::run::Column::Subject)
        .into_tuple::<AnyId>()
        .all(&txn)
        .await?
        .into_iter()
        .collect();
    drop(txn);
    let idle: Vec<Id<ids::Connection>> =
        open.iter().copied().filter(|connection| !live.contains(&connection.any())).collect();
    let mut rows = Vec::new();
    // One statement holds a few thousand parameters at most on both stores.
    for idle in idle.chunks(1000) {
        rows.extend(
            context.services.connections().by_ids(context.services.tenant_scope(tenant), idle).await?,
        );
    }
    Ok(rows)
}
