//! Checks whether a provider still accepts an integration's consent: a revoked consent changes the integration's state,
//! and a restored one changes it back.

use std::time::Duration;

use domain::state::IntegrationState;
use engine::{Next, nothing};
use providers::{Error, ErrorKind, Provider, Remedy, Session};
use serde::{Deserialize, Serialize};
use services::{
    Change, StepServices, change::IntegrationChange, health, run_inputs::CheckIntegration as Input,
};

use crate::{Outcome, Step, StepContext, messages};

engine::workflow! {
    /// Checks whether the provider still accepts an integration's consent.
    CheckIntegration = "check_integration" v 1 (StepContext, Memory);

    // state   does     undone by   retry      then
    Ask:       check  | nothing   | STANDARD | [];
}

/// State of the run that is kept between steps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    #[serde(flatten)]
    input: Input,
}

/// Number of other mailboxes that are tried if the known mailbox can no longer be reached.
const OTHERS: u64 = 3;
/// Maximum duration of a check.
const LONGEST: Duration = Duration::from_secs(30);

/// What the mailboxes of an integration with an accessible directory show.
enum Probe {
    /// A mailbox can be read.
    Works,
    /// All tried mailboxes refuse; whether the integration is at fault is decided by their counted failures.
    Refused(Vec<Change>),
    /// The directory, the token or the network failed.
    Failed(Error),
}

/// Only a definite refusal changes the integration's state; an outage of the provider is temporary.
async fn check(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let services = &context.services;
    let integration = services.integration(at.tenant, at.memory.input.integration).await?;
    let Some(integration) = integration else { return Ok(Next::Done) };
    let state = integration.state.require()?;
    // It may have been disconnected since the run was enqueued.
    if !matches!(state, IntegrationState::Active | IntegrationState::Degraded | IntegrationState::Failing) {
        return Ok(Next::Done);
    }
    let mut changes = Vec::new();
    let probed = match services.open_session(&integration).await {
        Ok((provider, session)) => {
            let asked = ask(services, &integration, &*provider, &session, &mut changes);
            tokio::time::timeout(LONGEST, asked).await.unwrap_or_else(|_| Ok(Probe::Failed(too_slow())))?
        }
        Err(services::Error::Provider(error)) => Probe::Failed(error),
        Err(error) => return Err(error.into()),
    };
    match probed {
        Probe::Works if state == IntegrationState::Failing => {
            changes.push(health::mark_integration_recovered(integration.id));
        }
        Probe::Works => {
            let is_degraded = state == IntegrationState::Degraded;
            if is_degraded && services.count_lost_mailboxes(&integration).await? == 0 {
                changes.push(health::mark_mailboxes_recovered(integration.id));
            }
        }
        Probe::Refused(_) if state == IntegrationState::Failing => {}
        Probe::Refused(failures) => changes.extend(failures),
        Probe::Failed(error) if health::is_refusal(&error) => {
            changes.push(health::mark_integration_failing(integration.id, &error));
        }
        Probe::Failed(error) if services::is_unsent(&error) => return Err(error.into()),
        Probe::Failed(error) => {
            tracing::info!(code = error.kind_code(), integration = %integration.id, "not asked for now");
            return Ok(Next::Done);
        }
    }
    at.add_changes(changes);
    Ok(Next::Done)
}

fn too_slow() -> Error {
    let remedy = Remedy::RetryAfter(Duration::ZERO);
    Error::new(ErrorKind::Unavailable, remedy, "too_slow", messages::calendar_system_too_slow())
}

/// Queries the directory, then a mailbox.
async fn ask(
    services: &StepServices,
    integration: &entity::integration::Model,
    provider: &dyn Provider,
    session: &Session,
    changes: &mut Vec<Change>,
) -> services::Result<Probe> {
    match provider.organisation(session).await {
        Ok(_) => probe(services, integration, provider, session, changes).await,
        Err(error) => Ok(Probe::Failed(error)),
    }
}

/// Tries the mailbox that is known to work. If it refuses, its owner may have left, so other active mailboxes are
/// tried.
async fn probe(
    services: &StepServices,
    integration: &entity::integration::Model,
    provider: &dyn Provider,
    session: &Session,
    changes: &mut Vec<Change>,
) -> services::Result<Probe> {
    let Some(known) = &integration.known_good else { return Ok(Probe::Works) };
    let mut refused = Vec::new();
    match provider.calendar(session, known).await {
        Ok(_) => return Ok(Probe::Works),
        Err(error) if is_clear(&error) => {
            let row = services.included_connection(integration, known).await?;
            refused.extend(row.map(|row| services.record_mailbox_failure(&row, &error, true)));
        }
        Err(error) => return Ok(Probe::Failed(error)),
    }
    for other in services.other_active_mailboxes(integration, known, OTHERS).await? {
        match provider.calendar(session, &other.address).await {
            Ok(_) => {
                changes.push(Change::Integration(IntegrationChange {
                    id: integration.id,
                    known_good: Some(other.address),
                    ..IntegrationChange::default()
                }));
                return Ok(Probe::Works);
            }
            Err(error) if is_clear(&error) => {
                refused.push(services.record_mailbox_failure(&other, &error, true));
            }
            Err(error) => return Ok(Probe::Failed(error)),
        }
    }
    Ok(Probe::Refused(refused))
}

/// Whether the error is a definite refusal, by one mailbox or for all.
fn is_clear(error: &Error) -> bool {
    matches!(error.remedy, Remedy::SkipMailbox | Remedy::Never) || health::is_refusal(error)
}
