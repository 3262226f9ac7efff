//! Activates every mailbox of an integration that is not active yet: rooms as listed in the directory, users by
//! their calendar address. Each mailbox has a run of its own; the campaign counts their results.
//!
//! A campaign that was interrupted continues where it stopped: mailboxes are listed once, and a mailbox that
//! another run is activating at the same time contributes its result too.

use domain::state::CampaignState;
use engine::{Next, nothing};
use services::{
    Change,
    change::{ItemResult, NewConnection, RoomList},
    integrations, run_inputs,
};

use crate::{CommittingContext, Outcome, Step, StepContext, StepError, UndoOutcome, messages};

engine::workflow! {
    /// Activates every mailbox of an integration that is not active yet.
    Campaign = "campaign" v 1 (StepContext, run_inputs::Campaign);

    // state       does             undone by   retry      then
    Discover:      discover       | finish    | STANDARD | [Enlist];
    Enlist:        enlist commits | nothing   | STANDARD | [AwaitResults];
    AwaitResults:  count_results  | nothing   | STANDARD | [];
}

/// How long the campaign waits for results before it checks the mailboxes itself.
const LOOK_EVERY: chrono::Duration = chrono::Duration::seconds(3);

async fn discover(context: &StepContext, at: &mut Step<run_inputs::Campaign>) -> Outcome<State> {
    if at.memory.listed_only {
        return Ok(Next::Go(State::Enlist));
    }
    let integration = at.memory.integration;
    let row = context.services.integration(at.tenant, integration).await?;
    let row = row.ok_or_else(|| StepError::fail("NOT_FOUND", messages::integration_removed()))?;
    let (provider, session) = context.services.open_session(&row).await?;
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
    let users = context.services.users_with_mailbox(at.tenant).await?;
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

async fn enlist(context: &CommittingContext, at: &mut Step<run_inputs::Campaign>) -> Outcome<State> {
    context.commits.enqueue_activations(at.tenant, &at.memory, &at.asked_by).await?;
    Ok(Next::Go(State::AwaitResults))
}

async fn count_results(context: &StepContext, at: &mut Step<run_inputs::Campaign>) -> Outcome<State> {
    while at.take_signal("results_complete").is_some() {}
    campaign_state(context, at).await?;
    let open = context.services.unfinished_mailboxes(at.tenant, at.memory.campaign).await?;
    if open.is_empty() {
        at.add_change(Change::CampaignFinished(at.memory.campaign));
        return Ok(Next::Done);
    }
    let mut left = open.len();
    // Another activation was in progress when this campaign enqueued its own.
    for row in context.services.list_unactivated_mailboxes(at.tenant, &open).await? {
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
    let row = context.services.campaign(at.tenant, at.memory.campaign).await?;
    Ok(row.map(|row| row.state.require()).transpose()?)
}
