//! Verified domains of an organisation: stored when its consent takes effect and at every verification, and compared
//! with the domains in a user's own consent.

use domain::{Id, ProviderKind, ids};
use providers::Organisation;
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, prelude::Json, sea_query::Expr};

use super::{Connect, own_consent::account_mismatch};
use crate::{
    Result,
    grants::{Connectors, find_binding},
    integrations,
};

impl Connect {
    /// Refuses a consent for a domain of another organisation. If the administrator has not granted access to the
    /// domains, this check always passes, and only the directory is consulted.
    pub(super) async fn require_domains(
        &self,
        integration: &entity::integration::Model,
        address: &str,
        named: [&str; 2],
    ) -> Result<()> {
        let external = integration.external_tenant.as_deref().unwrap_or_default();
        let provider = integrations::provider(integration)?;
        let txn = self.services.read(integration.tenant_id).await?;
        let bound = find_binding(&txn, provider, external, integration.tenant_id).await?;
        drop(txn);
        let known: Option<Vec<String>> = bound.and_then(|bound| serde_json::from_value(bound.domains?).ok());
        if known.as_ref().is_some_and(|known| has_all(known, named)) {
            return Ok(());
        }
        // The organisation may have added a domain since.
        let (provider, session) = self.services.grants().open(integration, None).await?;
        let found = provider.organisation(&session).await?;
        if found.id != external {
            return Err(account_mismatch(address));
        }
        let tx = self.services.begin(integration.tenant_id).await?;
        let connectors = &self.services.connectors;
        store_domains(connectors, tx.conn(), integration.tenant_id, integration.id, &found).await?;
        tx.commit().await?;
        let are_hidden = known.is_none() && found.domains.is_empty();
        match are_hidden || has_all(&found.domains, named) {
            true => Ok(()),
            false => Err(account_mismatch(address)),
        }
    }
}

fn has_all(known: &[String], named: [&str; 2]) -> bool {
    named.iter().all(|name| known.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// Stores the verified domains of the organisation bound to this integration. Stored domains are kept if the provider
/// no longer lists any. Domains claimed by a customer's own server are not stored, because they are not verified.
pub(crate) async fn store_domains(
    connectors: &Connectors,
    conn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    integration: Id<ids::Integration>,
    organisation: &Organisation,
) -> Result<()> {
    use entity::external_binding::{Column, update};
    if organisation.domains.is_empty() {
        return Ok(());
    }
    update(tenant)
        .filter(Column::IntegrationId.eq(integration))
        .filter(Column::ExternalTenant.eq(&organisation.id))
        .filter(Column::Provider.is_in(connectors.verifying_kinds().map(ProviderKind::as_str)))
        .col_expr(Column::Domains, Expr::value(Json::from(organisation.domains.as_slice())))
        .exec(conn)
        .await?;
    Ok(())
}
