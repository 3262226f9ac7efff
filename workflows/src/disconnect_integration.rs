//! Disconnects an integration: stops the runs that work on it, closes its push channels, withdraws the consents that the
//! provider lets Muster withdraw, and deletes its copies and secrets. Bookings stay in the calendars and are kept as
//! records.
//!
//! The integration is out of use from the request on (`RETIRING`). Until its mailboxes are deleted the run can be
//! stopped: the integration is then `FAILING`, and in use again once the next check finds that the provider still
//! accepts its consent. Nothing is deleted while another run still works on it.

use domain::{Reason, Timestamp, state::IntegrationState};
use engine::{Next, nothing};
use serde::{Deserialize, Serialize};
use services::{
    Change,
    change::IntegrationChange,
    departure::{Closing, Departing},
    run_inputs::DisconnectIntegration as Input,
};

use crate::{
    CommittingContext, Outcome, Step, StepContext, StepError, UndoOutcome,
    departure::{PATIENCE, stop_runs, wait_or},
    messages,
};

engine::workflow! {
    /// Disconnects an integration, and deletes its copies and secrets.
    DisconnectIntegration = "disconnect_integration" v 1 (StepContext, Memory);

    // state    does                    undone by       retry      then
    StopRuns:   stop                  | stay_connected | STANDARD | [Close];
    Close:      close commits         | nothing        | PATIENT  | [Revoke];
    Revoke:     revoke commits        | nothing        | PATIENT  | [Delete];
    Delete:     delete commits        | nothing        | STANDARD | [Finish];
    Finish:     finish commits        | nothing        | STANDARD | [];
}

/// State of the run that is kept between steps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    #[serde(flatten)]
    input: Input,
    /// When the run began to stop others.
    #[serde(default)]
    began: Option<Timestamp>,
    /// Until when errors of the provider are waited for.
    #[serde(default)]
    patient_until: Option<Timestamp>,
}

async fn stop(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    if !is_retiring(context, at).await? {
        return Ok(Next::Done);
    }
    let began = *at.memory.began.get_or_insert(at.now);
    let again = stop_runs(context, at, departing(at), began).await?;
    at.memory.patient_until = Some(at.now + PATIENCE);
    Ok(wait_or(again, State::Close))
}

/// Leaves an integration in use whose disconnection was stopped. Its reason says how to go on.
async fn stay_connected(context: &StepContext, at: &mut Step<Memory>) -> UndoOutcome {
    is_retiring(context, at).await?;
    let reason = Reason::new("DISCONNECTION_STOPPED", messages::disconnection_stopped())
        .with_next_action(messages::disconnect_again());
    at.add_change(Change::Integration(IntegrationChange {
        id: at.memory.input.integration,
        state: Some(IntegrationState::Failing),
        reason: Some(Some(reason)),
        only_from: Some(vec![IntegrationState::Retiring]),
        ..IntegrationChange::default()
    }));
    Ok(())
}

async fn close(context: &CommittingContext, at: &mut Step<Memory>) -> Outcome<State> {
    let patient = is_patient(at);
    let closing = context.commits.close_channels(at.tenant, departing(at), patient).await?;
    Ok(again_or(closing, at, State::Revoke))
}

async fn revoke(context: &CommittingContext, at: &mut Step<Memory>) -> Outcome<State> {
    let patient = is_patient(at);
    let closing = context.commits.revoke_consents(at.tenant, departing(at), patient).await?;
    Ok(again_or(closing, at, State::Delete))
}

async fn delete(context: &CommittingContext, at: &mut Step<Memory>) -> Outcome<State> {
    let closing = context.commits.delete_mailboxes(at.tenant, at.memory.input.integration).await?;
    Ok(again_or(closing, at, State::Finish))
}

async fn finish(context: &CommittingContext, at: &mut Step<Memory>) -> Outcome<State> {
    context.commits.finish_disconnection(at.tenant, at.memory.input.integration).await?;
    Ok(Next::Done)
}

fn departing(at: &Step<Memory>) -> Departing {
    Departing::Integration(at.memory.input.integration)
}

fn is_patient(at: &Step<Memory>) -> bool {
    at.memory.patient_until.is_some_and(|until| at.now < until)
}

/// Repeats the state at once while there is more to do in it.
fn again_or(closing: Closing, at: &Step<Memory>, then: State) -> Next<State> {
    match closing {
        Closing::More => Next::Wait { until: Some(at.now), or: None },
        Closing::Complete => Next::Go(then),
    }
}

/// Whether the integration is still being disconnected.
async fn is_retiring(context: &StepContext, at: &Step<Memory>) -> Result<bool, StepError> {
    let row = context.services.integration(at.tenant, at.memory.input.integration).await?;
    let state = row.map(|row| row.state.require()).transpose()?;
    Ok(state == Some(IntegrationState::Retiring))
}
