//! Checks whether a provider still accepts an integration's consent: a revoked consent changes the integration's state,
//! and a restored one changes it back.

use std::time::Duration;

use domain::{
    Route,
    state::{ConnectionState, IntegrationState},
};
use engine::{Next, nothing};
use providers::{Error, ErrorKind, Provider, Remedy, Session};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use services::{Change, System, change::IntegrationChange, health, run_inputs::CheckIntegration as Input};

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
    let rows = services
        .integrations()
        .by_ids(services.tenant_scope(at.tenant), &[at.memory.input.integration])
        .await?;
    let Some(integration) = rows.into_iter().next() else { return Ok(Next::Done) };
    let state = integration.state.require()?;
    // It may have been disconnected since the run was enqueued.
    if !matches!(state, IntegrationState::Active | IntegrationState::Degraded | IntegrationState::Failing) {
        return Ok(Next::Done);
    }
    let mut changes = Vec::new();
    let probed = match services.grants().open_session(services, &integration, None).await {
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
            if is_degraded && lost_mailboxes(services, &integration).await? == 0 {
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
    services: &System,
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
    services: &System,
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
            let row = known_row(services, integration, known).await?;
            refused.extend(row.map(|row| health::record_mailbox_failure(services, &row, &error, true)));
        }
        Err(error) => return Ok(Probe::Failed(error)),
    }
    for other in others(services, integration, known).await? {
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
                refused.push(health::record_mailbox_failure(services, &other, &error, true));
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

/// The connection of the mailbox that is known to work, unless it is excluded.
async fn known_row(
    services: &System,
    integration: &entity::integration::Model,
    known: &str,
) -> services::Result<Option<entity::connection::Model>> {
    use entity::connection::{Column, of};
    let txn = services.store.read(integration.tenant_id).await?;
    let row = of(integration.tenant_id)
        .filter(Column::IntegrationId.eq(integration.id))
        .filter(Column::Address.eq(known.to_lowercase()))
        .filter(Column::State.ne(ConnectionState::Excluded.as_str()));
    Ok(row.one(&txn).await?)
}

/// Other mailboxes that are active through the service account.
async fn others(
    services: &System,
    integration: &entity::integration::Model,
    known: &str,
) -> services::Result<Vec<entity::connection::Model>> {
    use entity::connection::{Column, of};
    let txn = services.store.read(integration.tenant_id).await?;
    let others = of(integration.tenant_id)
        .filter(Column::IntegrationId.eq(integration.id))
        .filter(Column::State.eq(ConnectionState::Active.as_str()))
        .filter(Column::Route.eq(Route::Delegated.as_str()))
        .filter(Column::Address.ne(known));
    Ok(others.order_by_asc(Column::Failures).order_by_asc(Column::Id).limit(OTHERS).all(&txn).await?)
}

/// Number of mailboxes that were readable before and cannot be reached now.
async fn lost_mailboxes(
    services: &System,
    integration: &entity::integration::Model,
) -> services::Result<u64> {
    use entity::connection::{Column, of};
    let txn = services.store.read(integration.tenant_id).await?;
    let lost = of(integration.tenant_id)
        .filter(Column::IntegrationId.eq(integration.id))
        .filter(Column::State.eq(ConnectionState::Unreachable.as_str()))
        .filter(Column::AsOf.is_not_null());
    Ok(lost.count(&txn).await?)
}
