//! Keeps copies of calendars fresh: before a copy is too old, the provider is asked whether anything has changed,
//! and only changed calendars are read again. This finds changes that were not pushed, and is the only mechanism
//! for providers without push.
//!
//! Failing mailboxes are processed after all others, of every tenant, and at growing intervals. A few mailboxes are
//! read concurrently, each with a time limit, so that a slow one does not delay the others for long.

use std::{panic::AssertUnwindSafe, time::Duration};

use domain::{Id, Reason, ids};
use futures::{FutureExt, StreamExt};
use providers::{Error, ErrorKind, Remedy};
use services::{
    Change, OWN_LIMIT, System,
    calendars::{self, ReadOrder},
    health::{self, Judgement},
};

use super::Share;

/// Maximum number of calendars of one tenant per round, so that other tenants have their turn.
const A_ROUND: usize = 200;
/// Maximum number of failing calendars of one tenant per round.
const FAILING_A_ROUND: usize = 20;
/// Number of calendars read concurrently.
const AT_ONCE: usize = 4;
/// Time limit for reading one calendar.
const LONGEST: Duration = Duration::from_mins(2);

pub(super) async fn round(services: &System) -> services::Result<()> {
    for (turn, max) in [(ReadOrder::Healthy, A_ROUND), (ReadOrder::Failing, FAILING_A_ROUND)] {
        super::each_tenant(services, |share| reread_all(share, turn, max)).await?;
    }
    for tenant in super::tenants(services).await? {
        services.connections().retry_failed(services, tenant, A_ROUND).await?;
    }
    Ok(())
}

/// Reads what is due of a tenant, the oldest first, until its share of the round is used up.
async fn reread_all(share: Share<'_>, turn: ReadOrder, max: usize) -> services::Result<()> {
    let Share { services, tenant, .. } = share;
    let due = services.calendars().outdated(services, tenant, turn, max).await?;
    let rereads = futures::stream::iter(due).for_each_concurrent(AT_ONCE, |connection| async move {
        if share.is_used_up() {
            return;
        }
        if let Err(error) = guarded(services, tenant, &connection).await {
            tracing::warn!(%error, connection = %connection.id, "a calendar could not be read again");
        }
    });
    rereads.await;
    Ok(())
}

/// Reads one calendar again. A panic counts as a failure of this mailbox.
async fn guarded(
    services: &System,
    tenant: Id<ids::Tenant>,
    connection: &entity::connection::Model,
) -> services::Result<()> {
    match AssertUnwindSafe(reread(services, tenant, connection)).catch_unwind().await {
        Ok(done) => done,
        Err(_) => {
            tracing::error!(connection = %connection.id, "reading a calendar panicked");
            let reason =
                Reason::new("STEP_PANICKED", "Reading this calendar failed because of a defect in Muster.");
            let failure = health::failure_because(services, connection, &reason);
            services.write(tenant, "calendars", vec![failure]).await
        }
    }
}

async fn reread(
    services: &System,
    tenant: Id<ids::Tenant>,
    connection: &entity::connection::Model,
) -> services::Result<()> {
    let rows = services.integrations().by_ids(services.within(tenant), &[connection.integration_id]).await?;
    let Some(integration) = rows.into_iter().next() else { return Ok(()) };
    if !services::integrations::is_usable(&integration) {
        return Ok(());
    }
    let own = services::connections::is_own(connection);
    let (provider, session) = match services.grants().session_of(services, &integration, connection).await {
        Ok(opened) => opened,
        // Without any consent there is no directory to ask.
        Err(services::Error::Provider(error)) => {
            let judgement = match health::is_refusal(&error) {
                true if own => Judgement::Mailbox,
                true => Judgement::Lost(error.clone()),
                false => Judgement::Passing(error.clone()),
            };
            let changes = failed(services, connection, own, judgement, &error);
            return services.write(tenant, "calendars", changes).await;
        }
        Err(error) => return Err(error),
    };
    let window = calendars::window(services);
    let reading = calendars::refresh(&*provider, &session, connection, window, services.now());
    let error = match tokio::time::timeout(LONGEST, reading).await {
        Ok(Ok(change)) => return services.write(tenant, "calendars", vec![change]).await,
        Ok(Err(error)) => error,
        Err(_) => too_slow(),
    };
    // That our own limits leave no room says nothing of the mailbox.
    if error.code == OWN_LIMIT {
        return Ok(());
    }
    let known_good = integration.known_good.as_deref();
    let judging = health::judge(&*provider, &session, known_good, &connection.address, &error);
    let judgement = tokio::time::timeout(LONGEST, judging).await;
    let judgement = judgement.unwrap_or_else(|_| Judgement::Passing(error.clone()));
    let changes = failed(services, connection, session.own, judgement, &error);
    services.write(tenant, "calendars", changes).await
}

fn too_slow() -> Error {
    let remedy = Remedy::RetryAfter(Duration::ZERO);
    Error::new(ErrorKind::Unavailable, remedy, "too_slow", "Reading this calendar takes too long.")
}

/// The changes that follow from a failed attempt. If the provider keeps refusing, the mailbox becomes unreachable;
/// attempts continue nevertheless.
fn failed(
    services: &System,
    connection: &entity::connection::Model,
    own: bool,
    judgement: Judgement,
    error: &Error,
) -> Vec<Change> {
    match judgement {
        Judgement::Lost(error) => vec![health::integration_failing(connection.integration_id, &error)],
        Judgement::Mailbox => health::mailbox_unreachable(connection, error, own),
        Judgement::Passing(error) => vec![health::failure(services, connection, &error, false)],
        Judgement::Refused => {
            let mut changes = vec![health::failure(services, connection, error, true)];
            if health::is_persistent(services, connection, error) {
                changes.extend(health::mailbox_unreachable(connection, error, own));
            }
            changes
        }
    }
}
