//! Deletes what is stored of a mailbox that somebody disconnected: its copy, its push channel, which is closed at the
//! provider, and its owner's own consent, which is withdrawn there if the provider can.
//!
//! The mailbox is disconnected from the request on; nothing brings it back but a person's activation. One that is
//! activated while this run works keeps what the activation stores.

use domain::{Timestamp, state::ConnectionState};
use engine::{Next, nothing};
use serde::{Deserialize, Serialize};
use services::{
    departure::{Closing, Departing},
    run_inputs::DisconnectMailbox as Input,
};

use crate::{
    CommittingContext, Outcome, Step, StepContext, StepError,
    departure::{PATIENCE, stop_runs, wait_or},
};

engine::workflow! {
    /// Deletes what is stored of a disconnected mailbox.
    DisconnectMailbox = "disconnect_mailbox" v 1 (StepContext, Memory);

    // state    does                    undone by   retry      then
    StopRuns:   stop                  | nothing   | STANDARD | [Close];
    Close:      close commits         | nothing   | PATIENT  | [Delete];
    Delete:     delete commits        | nothing   | STANDARD | [];
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
    if !is_left_out(context, at).await? {
        return Ok(Next::Done);
    }
    let began = *at.memory.began.get_or_insert(at.now);
    let departing = Departing::Mailbox(at.memory.input.connection);
    let again = stop_runs(context, at, departing, began).await?;
    at.memory.patient_until = Some(at.now + PATIENCE);
    Ok(wait_or(again, State::Close))
}

async fn close(context: &CommittingContext, at: &mut Step<Memory>) -> Outcome<State> {
    if !is_left_out(&context.plain, at).await? {
        return Ok(Next::Done);
    }
    let departing = Departing::Mailbox(at.memory.input.connection);
    let patient = at.memory.patient_until.is_some_and(|until| at.now < until);
    // One mailbox has one channel and one consent.
    let _: Closing = context.commits.close_channels(at.tenant, departing, patient).await?;
    let _: Closing = context.commits.revoke_consents(at.tenant, departing, patient).await?;
    Ok(Next::Go(State::Delete))
}

async fn delete(context: &CommittingContext, at: &mut Step<Memory>) -> Outcome<State> {
    context.commits.delete_mailbox(at.tenant, at.memory.input.connection).await?;
    Ok(Next::Done)
}

/// Whether the mailbox is still disconnected, or excluded.
async fn is_left_out(context: &StepContext, at: &Step<Memory>) -> Result<bool, StepError> {
    let row = context.services.connection(at.tenant, at.memory.input.connection).await?;
    let state = row.map(|row| row.state.require()).transpose()?;
    Ok(state.is_some_and(|state| ConnectionState::LEFT_OUT.contains(&state)))
}
