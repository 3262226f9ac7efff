//! Keeps a push channel open for every connection whose provider supports it, and renews channels well before they
//! end.

use std::time::Duration;

use services::System;

use super::Share;

/// Maximum number of channels of one tenant opened or renewed per round.
const A_ROUND: usize = 100;
/// How long one channel may take.
const LONGEST: Duration = Duration::from_mins(2);

pub(super) async fn round(services: &System) -> services::Result<()> {
    if !services.settings.push {
        return Ok(());
    }
    super::each_tenant(services, open_all).await
}

async fn open_all(share: Share<'_>) -> services::Result<()> {
    let (services, period) = (share.services, super::Reconciler::Channels.every(share.services));
    let channels = services.channels();
    let missing = channels.without_channel(services, share.tenant).await?;
    for connection in share.in_turn(missing, period).into_iter().take(A_ROUND) {
        if share.is_used_up() {
            break;
        }
        let opening = channels.open_or_renew(services, &connection);
        // Without a channel the periodic reading still keeps the copy fresh.
        match tokio::time::timeout(LONGEST, opening).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::info!(code = error.code(), connection = %connection.id, "no channel for now");
            }
            Err(_) => tracing::info!(connection = %connection.id, "opening a channel takes too long"),
        }
    }
    Ok(())
}
