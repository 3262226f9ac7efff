//! Erases the tenant that owns the run: stops its other runs, closes what is open at the providers, destroys its data
//! keys, and deletes its rows. The last step deletes the run itself in its own transaction, in which the receipt is
//! finished; a worker that dies afterwards leaves nothing to be done.
//!
//! Nobody acts within the tenant from the request on. Channels and consents need the secrets, so they are closed before
//! the keys are destroyed, and given up after a while: channels expire, and an administrator withdraws consents.

use domain::Timestamp;
use engine::{Next, nothing};
use serde::{Deserialize, Serialize};
use services::{
    departure::{Closing, Departing},
    run_inputs::EraseTenant as Input,
};

use crate::{
    CommittingContext, Outcome, Step, StepContext,
    departure::{PATIENCE, stop_runs, wait_or},
};

engine::workflow! {
    /// Erases the tenant that owns the run.
    EraseTenant = "erase_tenant" v 1 (StepContext, Memory);

    // state      does                    undone by   retry      then
    StopRuns:     stop                  | nothing   | STANDARD | [Close];
    Close:        close commits         | nothing   | PATIENT  | [DestroyKeys];
    DestroyKeys:  destroy_keys commits  | nothing   | PATIENT  | [Delete];
    Delete:       delete commits        | nothing   | PATIENT  | [];
}

/// State of the run that is kept between steps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    #[serde(flatten)]
    input: Input,
    /// When the run began to stop others.
    #[serde(default)]
    began: Option<Timestamp>,
    /// Until when errors of the providers are waited for.
    #[serde(default)]
    patient_until: Option<Timestamp>,
}

/// How long the other runs are waited for. Afterwards they lose their rows, and with them what they would commit.
const RUNS_MAY_TAKE: chrono::Duration = chrono::Duration::minutes(15);

async fn stop(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let began = *at.memory.began.get_or_insert(at.now);
    let again = stop_runs(context, at, Departing::Tenant, began).await?;
    at.memory.patient_until = Some(at.now + PATIENCE);
    Ok(wait_or(again.filter(|_| at.now < began + RUNS_MAY_TAKE), State::Close))
}

async fn close(context: &CommittingContext, at: &mut Step<Memory>) -> Outcome<State> {
    let patient = at.memory.patient_until.is_some_and(|until| at.now < until);
    let closed = context.commits.close_channels(at.tenant, Departing::Tenant, patient).await?;
    let closing = match closed {
        Closing::More => Closing::More,
        Closing::Complete => context.commits.revoke_consents(at.tenant, Departing::Tenant, patient).await?,
    };
    Ok(match closing {
        Closing::More => Next::Wait { until: Some(at.now), or: None },
        Closing::Complete => Next::Go(State::DestroyKeys),
    })
}

async fn destroy_keys(context: &CommittingContext, at: &mut Step<Memory>) -> Outcome<State> {
    context.commits.destroy_data_keys(at.tenant).await?;
    Ok(Next::Go(State::Delete))
}

async fn delete(context: &CommittingContext, at: &mut Step<Memory>) -> Outcome<State> {
    Ok(match context.commits.erase_rows(at.tenant).await? {
        Closing::More => Next::Wait { until: Some(at.now), or: None },
        Closing::Complete => Next::Done,
    })
}
