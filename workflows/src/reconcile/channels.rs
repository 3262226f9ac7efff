//! Providers push what changes: every connection that can has a live channel, renewed well before it ends.

use services::System;

/// How many channels of a tenant one round makes or renews.
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
