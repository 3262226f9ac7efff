//! Activates one mailbox: checks that it exists, measures what Muster can do with it, and reads its calendar.
//!
//! A mailbox that cannot be used is a result and not a failure, because partial access is a normal state. It is
//! marked `UNREACHABLE` with the reason, and bookings for its owner are written through the service account. A
//! temporary error never changes an active connection.

use domain::{Reason, Route, provider::Capabilities, state::ConnectionState};
use engine::{Next, nothing};
use providers::{Provider, Session};
use serde::{Deserialize, Serialize};
use services::{
    Change, calendars,
    change::{ConnectionChange, IntegrationChange, ItemResult},
    connections,
    health::{self, Diagnosis},
    integrations,
    run_inputs::Activate,
};

use crate::{Outcome, Step, StepContext, StepError, UndoOutcome, messages};

engine::workflow! {
    /// Activates one mailbox.
    ActivateMailbox = "activate_mailbox" v 1 (StepContext, Memory);

    // state   does              undone by   retry      then
    Look:      look            | give_up   | STANDARD | [Read];
    Read:      read_the_window | nothing   | STANDARD | [];
}

/// State of the run that is kept between steps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    #[serde(flatten)]
    order: Activate,
    /// The measured capabilities.
    #[serde(default)]
    capabilities: Capabilities,
}

struct Mailbox {
    connection: entity::connection::Model,
    state: ConnectionState,
    integration: entity::integration::Model,
    provider: std::sync::Arc<dyn Provider>,
    session: Session,
}

async fn open(context: &StepContext, at: &Step<Memory>) -> Result<Mailbox, StepError> {
    let gone = || StepError::fail("NOT_FOUND", messages::mailbox_removed());
    let services = &context.services;
    let connection = services.connection(at.tenant, at.memory.order.connection).await?.ok_or_else(gone)?;
    let state = connection.state.require()?;
    let integration = services.integration(at.tenant, connection.integration_id).await?.ok_or_else(gone)?;
    let (provider, session) = services.open_for_mailbox(&integration, &connection).await?;
    Ok(Mailbox { connection, state, integration, provider, session })
}

async fn look(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let mailbox = open(context, at).await?;
    if left_out(at, &mailbox) {
        return Ok(Next::Done);
    }
    let address = mailbox.connection.address.as_str();
    let seen = mailbox.provider.mailbox(&mailbox.session, address).await;
    let seen = match seen {
        Ok(seen) => {
            mailbox.provider.calendar(&mailbox.session, address).await.map(|calendar| (seen, calendar))
        }
        Err(error) => Err(error),
    };
    let (seen, calendar) = match seen {
        Ok(seen) => seen,
        Err(error) => return cannot(context, at, &mailbox, error).await,
    };
    at.memory.capabilities = calendar.capabilities;
    let route = if mailbox.session.own { Route::Own } else { Route::Delegated };
    let was_active = mailbox.state == ConnectionState::Active;
    at.add_change(Change::Connection(ConnectionChange {
        id: mailbox.connection.id,
        state: (!was_active).then_some(ConnectionState::Verifying),
        reason: Some(None),
        route: Some(route),
        capabilities: Some(calendar.capabilities),
        time_zone: seen.zone,
        calendars: listed(&mailbox).await,
    }));
    Ok(Next::Go(State::Read))
}

/// The mailbox's calendars. If they cannot be listed, the mailbox is activated nevertheless and keeps its previous
/// list.
async fn listed(mailbox: &Mailbox) -> Option<serde_json::Value> {
    match mailbox.provider.calendars(&mailbox.session, &mailbox.connection.address).await {
        Ok(calendars) => Some(connections::calendars_to_json(&calendars)),
        Err(error) => {
            tracing::debug!(code = error.code, connection = %mailbox.connection.id, "calendars are not listed");
            None
        }
    }
}

async fn read_the_window(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let mailbox = open(context, at).await?;
    if left_out(at, &mailbox) {
        return Ok(Next::Done);
    }
    let window = context.services.calendar_copy_range();
    let read = calendars::read_calendar_copy(
        &*mailbox.provider,
        &mailbox.session,
        &mailbox.connection,
        window,
        at.now,
    )
    .await;
    let copy = match read {
        Ok(copy) => copy,
        Err(error) => return cannot(context, at, &mailbox, error).await,
    };
    at.add_change(Change::Calendar(Box::new(copy)));
    let (state, reason) = match at.memory.capabilities.can_write() {
        true => (ConnectionState::Active, None),
        false => {
            let reason = Reason::new("READ_ONLY", messages::read_only());
            (ConnectionState::FreeBusyOnly, Some(reason.with_next_action(messages::grant_writing())))
        }
    };
    if state == ConnectionState::Active && mailbox.integration.known_good.is_none() {
        at.add_change(Change::Integration(IntegrationChange {
            id: mailbox.integration.id,
            known_good: Some(mailbox.connection.address.clone()),
            ..IntegrationChange::default()
        }));
    }
    settle(at, &mailbox.integration, state, reason);
    Ok(Next::Done)
}

/// Whether the mailbox was excluded or lost its user since the run was enqueued; if so, it stays as it is.
fn left_out(at: &mut Step<Memory>, mailbox: &Mailbox) -> bool {
    let (row, state) = (&mailbox.connection, mailbox.state);
    let is_left_out = ConnectionState::LEFT_OUT.contains(&state) || connections::is_without_owner(row);
    if is_left_out {
        record_item(at, state, integrations::parse_reason(row.reason.as_ref()));
    }
    is_left_out
}

/// Handles an error: it may be temporary, concern only this mailbox, or concern the whole integration.
async fn cannot(
    context: &StepContext,
    at: &mut Step<Memory>,
    mailbox: &Mailbox,
    error: providers::Error,
) -> Outcome<State> {
    let (connection, own) = (&mailbox.connection, mailbox.session.own);
    let (known_good, state) = (mailbox.integration.known_good.as_deref(), mailbox.state);
    let address = &connection.address;
    match health::diagnose(&*mailbox.provider, &mailbox.session, known_good, address, &error).await {
        Diagnosis::Passing(error) => return Err(error.into()),
        Diagnosis::Lost(error) => {
            at.add_change(health::mark_integration_failing(mailbox.integration.id, &error));
            let state = if state == ConnectionState::Verifying { ConnectionState::Pending } else { state };
            at.add_change(context.services.record_mailbox_failure(connection, &error, false));
            settle(at, &mailbox.integration, state, Some(health::provider_failure_reason(&error)));
            return Ok(Next::Done);
        }
        Diagnosis::Refused => {
            at.add_change(context.services.record_mailbox_failure(connection, &error, true));
            // One that is in use stays so until the refusal lasts.
            if state.is_readable() && !context.services.is_persistent_failure(connection, &error) {
                settle(
                    at,
                    &mailbox.integration,
                    state,
                    integrations::parse_reason(connection.reason.as_ref()),
                );
                return Ok(Next::Done);
            }
        }
        Diagnosis::Mailbox => {}
    }
    if state == ConnectionState::Active {
        at.add_change(health::mark_integration_degraded(mailbox.integration.id));
    }
    let reason = health::mailbox_failure_reason(&error, own);
    settle(at, &mailbox.integration, ConnectionState::Unreachable, Some(reason));
    Ok(Next::Done)
}

/// Records that the mailbox could not be activated, although nothing shows that it is unusable. An active mailbox
/// stays active.
async fn give_up(context: &StepContext, at: &mut Step<Memory>) -> UndoOutcome {
    let row = context.services.connection(at.tenant, at.memory.order.connection).await?;
    let Some(row) = row else { return Ok(()) };
    let Some(integration) = context.services.integration(at.tenant, row.integration_id).await? else {
        return Ok(());
    };
    let state = match row.state.require()? {
        ConnectionState::Active => ConnectionState::Active,
        ConnectionState::FreeBusyOnly => ConnectionState::FreeBusyOnly,
        state @ (ConnectionState::Excluded | ConnectionState::Disconnected) => state,
        _ => ConnectionState::Unreachable,
    };
    let reason =
        at.failure.clone().map(|reason| reason.with_next_action(messages::try_the_activation_again()));
    if let Some(reason) = &reason {
        at.add_change(context.services.record_mailbox_failure_because(&row, reason));
    }
    settle(at, &integration, state, reason);
    Ok(())
}

/// Records the result in the connection and in the campaign that counts it.
fn settle(
    at: &mut Step<Memory>,
    integration: &entity::integration::Model,
    state: ConnectionState,
    reason: Option<Reason>,
) {
    let connection = at.memory.order.connection;
    // A personal integration has no service account.
    let is_replaced = state == ConnectionState::Unreachable && !integrations::is_personal(integration);
    let route = is_replaced.then_some(Route::ServiceAccount);
    at.add_change(Change::Connection(ConnectionChange {
        id: connection,
        state: Some(state),
        reason: Some(reason.clone()),
        route,
        ..ConnectionChange::default()
    }));
    record_item(at, state, reason);
}

/// Records the result in the campaign that counts it.
fn record_item(at: &mut Step<Memory>, state: ConnectionState, reason: Option<Reason>) {
    let connection = at.memory.order.connection;
    if let Some(campaign) = at.memory.order.campaign {
        at.add_change(Change::Item(ItemResult { campaign, connection, result: state, reason }));
    }
}
