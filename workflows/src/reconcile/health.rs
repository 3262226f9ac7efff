//! Consents are still accepted: the status turns by itself when one is revoked, and turns back when it is there again.

use domain::{
    Reason, Route,
    state::{ConnectionState, IntegrationState},
};
use providers::{Error, Provider, Remedy, Session};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use services::{Change, Services, change::IntegrationChange, health};
use uuid::Uuid;

/// How many other mailboxes are asked when the one that is known to work cannot be served any more.
const OTHERS: u64 = 3;

/// Asks every integration in use, and every failing one, whether it is let in.
pub(super) async fn round(services: &Services) -> services::Result<()> {
    for tenant in super::tenants(services).await? {
        for integration in integrations(services, tenant).await? {
            if let Err(error) = check(services, &integration).await {
                tracing::warn!(%error, integration = %integration.id, "the health check failed");
            }
        }
    }
    Ok(())
}

async fn integrations(
    services: &Services,
    tenant: Uuid,
) -> services::Result<Vec<entity::integration::Model>> {
    use entity::integration::{Column, of};
    let asked = [IntegrationState::Active, IntegrationState::Degraded, IntegrationState::Failing];
    let words = asked.iter().map(|state| state.as_str());
    let txn = services.store.read(tenant).await?;
    Ok(of(tenant).filter(Column::State.is_in(words)).all(&txn).await?)
}

/// Only a clear no turns the status: an outage of the provider passes by itself.
async fn check(services: &Services, integration: &entity::integration::Model) -> services::Result<()> {
    let mut changes = Vec::new();
    let error = match services.grants().session(integration, None).await {
        Ok((provider, session)) => match provider.organisation(&session).await {
            Ok(_) => known_good(services, integration, &*provider, &session, &mut changes).await?,
            Err(error) => Some(error),
        },
        Err(services::Error::Provider(error)) => Some(error),
        Err(error) => return Err(error),
    };
    match error {
        None if services::integrations::state(integration) == IntegrationState::Failing => {
            changes.push(health::healed(integration.id));
        }
        None => {
            let degraded = services::integrations::state(integration) == IntegrationState::Degraded;
            if degraded && lost_mailboxes(services, integration).await? == 0 {
                changes.push(health::whole_again(integration.id));
            }
        }
        Some(error) if health::is_refusal(&error) => changes.push(health::lost(integration.id, &error)),
        Some(error) => {
            let reason = Reason::new(error.kind_code(), error.message.clone());
            tracing::info!(code = reason.code, integration = %integration.id, "not asked for now");
            return Ok(());
        }
    }
    if changes.is_empty() { Ok(()) } else { services.write(integration.tenant_id, "health", changes).await }
}

/// Looks into the mailbox that is known to work; answers the error that concerns the integration as a whole. Where
/// that one mailbox cannot be served any more, somebody may have left: another active one takes its place.
async fn known_good(
    services: &Services,
    integration: &entity::integration::Model,
    provider: &dyn Provider,
    session: &Session,
    changes: &mut Vec<Change>,
) -> services::Result<Option<Error>> {
    use entity::connection::{Column, of};
    let Some(known) = &integration.known_good else { return Ok(None) };
    let Err(error) = provider.calendar(session, known).await else { return Ok(None) };
    if error.remedy != Remedy::SkipMailbox {
        return Ok(Some(error));
    }
    let others = {
        let txn = services.store.read(integration.tenant_id).await?;
        let others = of(integration.tenant_id)
            .filter(Column::IntegrationId.eq(integration.id))
            .filter(Column::State.eq(ConnectionState::Active.as_str()))
            .filter(Column::Route.eq(Route::Delegated.as_str()))
            .filter(Column::Address.ne(known.as_str()));
        others.order_by_asc(Column::Id).limit(OTHERS).all(&txn).await?
    };
    for other in others {
        match provider.calendar(session, &other.address).await {
            Ok(_) => {
                changes.push(Change::Integration(IntegrationChange {
                    id: integration.id,
                    known_good: Some(other.address),
                    ..IntegrationChange::default()
                }));
                return Ok(None);
            }
            Err(error) if error.remedy != Remedy::SkipMailbox => return Ok(Some(error)),
            Err(_) => {}
        }
    }
    Ok(Some(error))
}

/// How many mailboxes that were read before cannot be reached now.
async fn lost_mailboxes(
    services: &Services,
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
