//! What is closed at the provider: push channels, and consents where the provider withdraws them.
//!
//! A channel that cannot be closed expires by itself within days; a consent that cannot be withdrawn is deleted here,
//! and an administrator withdraws it at the provider.

use std::{sync::Arc, time::Duration};

use domain::{Id, connect::SecretKind, ids};
use entity::{channel, connection, consent_grant};
use providers::{Error as ProviderError, Provider, Remedy};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};

use super::{Departing, ids_of};
use crate::{Error, Result, Services, System, integrations};

/// Number of channels or consents that are closed in one step.
const BATCH: u64 = 20;
/// How long one request may take.
const LONGEST: Duration = Duration::from_secs(20);

/// What remains to be closed after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Everything is closed.
    Complete,
    /// More is open.
    More,
}

impl System {
    /// Closes some channels of what departs at the provider and deletes their rows. While `patient`, an error that may
    /// pass is returned; otherwise the channel is given up.
    pub(crate) async fn close_channels(
        &self,
        tenant: Id<ids::Tenant>,
        departing: Departing,
        patient: bool,
    ) -> Result<Closing> {
        let open = self.open_channels_of(tenant, departing).await?;
        for row in &open {
            match self.close_channel(row).await {
                Err(Error::Provider(error)) if patient && may_pass(&error) => return Err(error.into()),
                Err(Error::Provider(error)) => {
                    tracing::info!(code = error.code, connection = %row.connection_id, "a channel was not closed; it expires");
                }
                other => other?,
            }
            let tx = self.begin(tenant).await?;
            channel::delete(tenant).filter(channel::Column::Id.eq(row.id)).exec(tx.conn()).await?;
            tx.commit().await?;
        }
        Ok(if (open.len() as u64) < BATCH { Closing::Complete } else { Closing::More })
    }

    async fn open_channels_of(
        &self,
        tenant: Id<ids::Tenant>,
        departing: Departing,
    ) -> Result<Vec<channel::Model>> {
        use channel::Column;
        let rows = match departing {
            Departing::Mailbox(id) => channel::of(tenant).filter(Column::ConnectionId.eq(id)),
            Departing::Integration(id) => {
                let mailboxes = connection::of(tenant).filter(connection::Column::IntegrationId.eq(id));
                let mailboxes = ids_of(mailboxes, connection::Column::Id);
                channel::of(tenant).filter(Column::ConnectionId.in_subquery(mailboxes))
            }
            Departing::Tenant => channel::of(tenant),
        };
        let txn = self.read(tenant).await?;
        Ok(rows.order_by_asc(Column::Id).limit(BATCH).all(&txn).await?)
    }

    async fn close_channel(&self, row: &channel::Model) -> Result<()> {
        let tenant = row.tenant_id;
        let txn = self.read(tenant).await?;
        let Some(mailbox) = connection::by_id(tenant, row.connection_id).one(&txn).await? else {
            return Ok(());
        };
        let integration = entity::integration::by_id(tenant, mailbox.integration_id).one(&txn).await?;
        // Whoever waits for a second connection while holding one can bring a full pool to a halt.
        drop(txn);
        let Some(integration) = integration else { return Ok(()) };
        let (provider, session) = self.grants().open_for_mailbox(self, &integration, &mailbox).await?;
        within_time(provider.unwatch(&session, &row.external_id)).await
    }

    /// Withdraws some consents of what departs at the provider, where it can, and deletes their rows. Of a mailbox,
    /// only its owner's own consent departs. While `patient`, an error that may pass is returned; otherwise the consent
    /// is given up.
    pub(crate) async fn revoke_consents(
        &self,
        tenant: Id<ids::Tenant>,
        departing: Departing,
        patient: bool,
    ) -> Result<Closing> {
        let rows = self.revocable_consents(tenant, departing).await?;
        for (provider, row) in &rows {
            match self.revoke_consent(provider, row).await {
                Err(Error::Provider(error)) if patient && may_pass(&error) => return Err(error.into()),
                Err(error @ (Error::Provider(_) | Error::Unreadable { .. })) => {
                    tracing::info!(code = error.code(), consent = %row.id, "a consent was not withdrawn at the provider");
                }
                other => other?,
            }
            let tx = self.begin(tenant).await?;
            consent_grant::delete(tenant)
                .filter(consent_grant::Column::Id.eq(row.id))
                .exec(tx.conn())
                .await?;
            tx.commit().await?;
        }
        Ok(if (rows.len() as u64) < BATCH { Closing::Complete } else { Closing::More })
    }

    async fn revoke_consent(&self, provider: &Arc<dyn Provider>, row: &consent_grant::Model) -> Result<()> {
        let secret = self.grants().open_secret(row).await?;
        within_time(provider.revoke(&secret)).await
    }

    async fn revocable_consents(
        &self,
        tenant: Id<ids::Tenant>,
        departing: Departing,
    ) -> Result<Vec<(Arc<dyn Provider>, consent_grant::Model)>> {
        use consent_grant::Column;
        let txn = self.read(tenant).await?;
        let mut rows = consent_grant::of(tenant);
        match departing {
            Departing::Tenant => {}
            Departing::Integration(id) => rows = rows.filter(Column::IntegrationId.eq(id)),
            Departing::Mailbox(id) => {
                let Some(mailbox) = connection::by_id(tenant, id).one(&txn).await? else {
                    return Ok(Vec::new());
                };
                let Some(user) = mailbox.user_id else { return Ok(Vec::new()) };
                let own = Condition::all()
                    .add(Column::IntegrationId.eq(mailbox.integration_id))
                    .add(Column::UserId.eq(user));
                rows = rows.filter(own);
            }
        }
        let revocable = self.revocable_kinds().into_iter().map(SecretKind::as_str);
        let rows = rows
            .filter(Column::Kind.is_in(revocable))
            .order_by_asc(Column::Id)
            .limit(BATCH)
            .all(&txn)
            .await?;
        let integrations = rows.iter().map(|row| row.integration_id);
        let integrations = entity::integration::by_ids(tenant, integrations).all(&txn).await?;
        let mut found = Vec::new();
        for row in rows {
            let Some(integration) = integrations.iter().find(|one| one.id == row.integration_id) else {
                continue;
            };
            found.push((self.connectors.get(integrations::provider(integration)?)?, row));
        }
        Ok(found)
    }
}

impl Services {
    /// The kinds of consents that their provider withdraws at Muster's request.
    fn revocable_kinds(&self) -> Vec<SecretKind> {
        let connectors: Vec<_> =
            self.connectors.kinds().filter_map(|kind| self.connectors.get(kind).ok()).collect();
        let revocable = |kind: &SecretKind| connectors.iter().any(|one| one.can_revoke(*kind));
        SecretKind::ALL.iter().copied().filter(revocable).collect()
    }

    /// Whether the provider of a consent withdraws it at Muster's request.
    pub(super) fn is_revocable(&self, row: &consent_grant::Model) -> bool {
        row.kind.known().is_some_and(|kind| self.revocable_kinds().contains(&kind))
    }
}

async fn within_time(request: impl Future<Output = providers::Result<()>>) -> Result<()> {
    match tokio::time::timeout(LONGEST, request).await {
        Ok(answer) => Ok(answer?),
        Err(_) => {
            let message = crate::messages::organisations_server_silent();
            Err(ProviderError::new(
                providers::ErrorKind::Unavailable,
                Remedy::RetryAfter(Duration::from_secs(5)),
                "TOO_SLOW",
                message,
            )
            .into())
        }
    }
}

/// Whether an error says nothing of what was to be closed.
fn may_pass(error: &ProviderError) -> bool {
    matches!(error.remedy, Remedy::RetryAfter(_) | Remedy::RefreshToken | Remedy::Resync | Remedy::Reread)
}
