//! Repeats the verification of an integration: at an administrator's request, or to verify a new service mailbox
//! before it becomes the current one.
//!
//! A candidate that fails changes nothing: the current service mailbox stays, and the run gives the reason. A
//! verification that passes heals a failing integration; one that is refused access makes it `FAILING`.

use domain::state::Verdict;
use engine::{Next, nothing};
use serde::{Deserialize, Serialize};
use services::{Change, change::RoomList, health, run_inputs::Verify, verification};
use uuid::Uuid;

use crate::{
    Outcome, Step, StepContext, StepError,
    connect_integration::{check_reason, record_report},
    messages,
};

engine::workflow! {
    /// Repeats the verification of an integration.
    VerifyIntegration = "verify_integration" v 1 (StepContext, Memory);

    // state   does        undone by   retry      then
    Prepare:   mint      | nothing   | STANDARD | [Climb];
    Climb:     climb     | nothing   | STANDARD | [];
}

/// State of the run that is kept between steps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    #[serde(flatten)]
    order: Verify,
    /// Prefix of the keys of the probe events.
    #[serde(default)]
    probe: Option<Uuid>,
}

/// Creates the keys of the probe events and stores them before the first one is written.
async fn mint(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    at.memory.probe = Some(context.services.ids.uuid());
    Ok(Next::Go(State::Climb))
}

async fn climb(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let order = at.memory.order.clone();
    let rows = context
        .services
        .integrations()
        .by_ids(context.services.tenant_scope(at.tenant), &[order.integration])
        .await?;
    let row = rows
        .into_iter()
        .next()
        .ok_or_else(|| StepError::fail("NOT_FOUND", messages::integration_removed()))?;
    row.state.require()?;
    let mailbox = verification::mailbox_to_verify(&row, order.candidate.as_deref());
    let report =
        verification::run(&context.services, &row, mailbox, at.memory.probe.unwrap_or(at.run.uuid())).await?;
    if let Some(error) = report.again {
        return Err(error.into());
    }
    record_report(at, row.id, &report);
    let reached = report.organisation.is_some();
    if report.verdict() == Verdict::Failed {
        let reason = check_reason(&report);
        if !reached {
            at.add_change(health::mark_integration_failing_because(row.id, reason.clone()));
        }
        return match order.candidate {
            Some(_) => Err(StepError::from_reason(reason)),
            None => Ok(Next::Done),
        };
    }
    at.add_change(Change::Rooms(RoomList { integration: row.id, rooms: report.rooms }));
    if let (Some(address), Some(name)) = (mailbox, report.service_name) {
        let (integration, address) = (row.id, address.to_owned());
        at.add_change(Change::ServiceMailbox { integration, address, name });
    }
    at.add_change(health::mark_integration_recovered(row.id));
    Ok(Next::Done)
}
