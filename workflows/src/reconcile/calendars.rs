//! Copies of calendars are fresh: before a copy is too old its provider is asked whether anything has changed since it was
//! read, and only what has is read again. That finds what a push did not tell, and serves where nobody pushes.

use domain::{Reason, Route, state::ConnectionState};
use services::{
    Change, Services, calendars,
    change::ConnectionChange,
    health::{self, Judgement},
};
use uuid::Uuid;

/// How many calendars of a tenant one round reads: the others are served meanwhile.
const A_ROUND: usize = 200;

pub(super) async fn round(services: &Services) -> services::Result<()> {
    for tenant in super::tenants(services).await? {
        for connection in services.calendars().outdated(tenant, A_ROUND).await? {
            if let Err(error) = reread(services, tenant, &connection).await {
                tracing::warn!(%error, connection = %connection.id, "a calendar could not be read again");
            }
        }
    }
    Ok(())
}

async fn reread(
    services: &Services,
    tenant: Uuid,
    connection: &entity::connection::Model,
) -> services::Result<()> {
    let rows = services.integrations().among(tenant, &[connection.integration_id]).await?;
    let Some(integration) = rows.into_iter().next() else { return Ok(()) };
    if !services::integrations::state(&integration).is_usable() {
        return Ok(());
    }
    let own = connection.user_id.filter(|_| connection.route == Route::Own.as_str());
    let (provider, session) = services.grants().session(&integration, own).await?;
    let window = calendars::window(services);
    let error = match calendars::refresh(&*provider, &session, connection, window, services.now()).await {
        Ok(change) => return services.write(tenant, "calendars", vec![change]).await,
        Err(error) => error,
    };
    let known_good = integration.known_good.as_deref();
    match health::judge(&*provider, &session, known_good, &connection.address, &error).await {
        Judgement::Passing => Ok(()),
        Judgement::Lost => {
            services.write(tenant, "calendars", vec![health::lost(integration.id, &error)]).await
        }
        Judgement::Mailbox => {
            services.write(tenant, "calendars", left_out(connection, integration.id, &error)).await
        }
    }
}

/// A mailbox that was active is not any more: it is marked, and the integration shows it.
fn left_out(
    connection: &entity::connection::Model,
    integration: Uuid,
    error: &providers::Error,
) -> Vec<Change> {
    let reason = Reason::new(error.kind_code(), error.message.clone())
        .act("Add the mailbox to the agreed scope, or let bookings go through the service account.");
    vec![
        Change::Connection(ConnectionChange {
            id: connection.id,
            state: Some(ConnectionState::Unreachable),
            reason: Some(Some(reason)),
            route: Some(Route::ServiceAccount),
            ..ConnectionChange::default()
        }),
        health::degraded(integration),
    ]
}
