//! Keeps a push channel open for every connection whose provider supports it, and renews channels well before they
//! end.

use services::System;

/// Maximum number of channels of one tenant opened or renewed per round.
const A_ROUND: usize = 100;

pub(super) async fn round(services: &System) -> services::Result<()> {
    if !services.settings.push {
        return Ok(());
    }
    for tenant in super::tenants(services).await? {
        for connection in services.channels().without_channel(services, tenant, A_ROUND).await? {
            // Without a channel the periodic reading still keeps the copy fresh.
            if let Err(error) = services.channels().open_or_renew(services, &connection).await {
                tracing::info!(code = error.code(), connection = %connection.id, "no channel for now");
            }
        }
    }
    Ok(())
}
