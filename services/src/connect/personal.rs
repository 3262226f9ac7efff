//! Own consents in a personal integration (S6.12), which has no directory that could say whose an account is.
//!
//! The account proves itself: with the consent just given, the provider must open the mailbox with the user's calendar
//! address as the account's own. The first consent determines the organisation; a person of another one is refused as
//! long as somebody of the first is connected.

use domain::{Id, ProviderKind, connect::SecretKind, ids};
use providers::{ConsentFlow, ErrorKind, Provider, Secret, SignedInAccount};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use url::Url;

use super::{
    Connect,
    own_consent::{CalendarOwner, ProvenConsent, account_mismatch, lasting},
};
use crate::{
    Error, Result, Tx, audit::AuditFacts, customer_calls::CustomerServer, events::topic, integrations,
    messages, tenants,
};

impl Connect {
    /// The calendar systems in which people of the tenant may connect their own calendars.
    pub(super) fn personal_systems(&self, tenant: &entity::tenant::Model) -> Vec<ProviderKind> {
        let mut systems = tenants::providers(&self.services.connectors, tenant);
        systems.retain(|kind| self.services.connectors.get(*kind).is_ok_and(|one| is_personal_system(&*one)));
        systems
    }

    /// Proves that the account that consented owns the calendar. Returns its consent.
    pub(super) async fn prove_own_account(
        &self,
        connector: &dyn Provider,
        owner: &CalendarOwner,
        who: SignedInAccount,
    ) -> Result<ProvenConsent> {
        let organisation = who.organisation.clone().or_else(|| who.domain.clone());
        let organisation = organisation.ok_or_else(|| account_mismatch(&owner.address))?;
        let secret = connector.own_consent(organisation, lasting(who)?)?;
        self.prove_mailbox(connector, owner, (owner.address.clone(), None), secret).await
    }

    /// Proves that a consent or credentials open the owner's mailbox as the account's own.
    pub(super) async fn prove_mailbox(
        &self,
        connector: &dyn Provider,
        owner: &CalendarOwner,
        (account, server): (String, Option<Url>),
        secret: Secret,
    ) -> Result<ProvenConsent> {
        let grants = self.services.grants();
        let at = (account.as_str(), server.clone());
        let (session, secret) = grants.open_own_test_session(&owner.integration, secret, at).await?;
        let reading = connector.mailbox(&session, &owner.address);
        let found = match secret.kind() {
            SecretKind::Basic => {
                let at = (owner.integration.tenant_id, CustomerServer::Directory);
                self.services.call_customer_server(at, reading).await?
            }
            _ => reading.await,
        };
        match found {
            Ok(_) => Ok(ProvenConsent { account, server, secret }),
            Err(error) if matches!(error.kind, ErrorKind::OutOfScope | ErrorKind::NoMailbox) => {
                Err(account_mismatch(&owner.address))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Stores a personal integration unless the tenant has it already, and requires the organisation of a consent to be
    /// that of the others. Refused with `ORGANISATION_MISMATCH`.
    pub(super) async fn store_personal(
        &self,
        tx: &mut Tx,
        found: entity::integration::Model,
        user: Id<ids::User>,
        secret: &Secret,
    ) -> Result<entity::integration::Model> {
        let provider = integrations::provider(&found)?;
        let row = match integrations::find_personal(tx.conn(), tx.tenant(), provider).await? {
            Some(row) => row,
            None => insert(tx, found, user).await?,
        };
        let Some(organisation) = secret.organisation() else { return Ok(row) };
        let connector = self.services.connectors.get(provider)?;
        let is_same = |other: &str| connector.is_same_organisation(other, organisation);
        if row.external_tenant.as_deref().is_some_and(is_same) {
            return Ok(row);
        }
        if has_others(tx, row.id, user).await? || !is_of_tenant(tx, provider, is_same).await? {
            return Err(Error::refuse("ORGANISATION_MISMATCH", messages::another_organisations_account()));
        }
        let mut change = entity::integration::ActiveModel::from(row);
        change.external_tenant = Set(Some(organisation.to_owned()));
        Ok(change.update(tx.conn()).await?)
    }
}

/// Whether people can connect their own calendars in this system: by consent, or with the credentials of their account.
fn is_personal_system(connector: &dyn Provider) -> bool {
    connector.features().own_consent || matches!(connector.consent_flow(), ConsentFlow::Login { .. })
}

async fn insert(
    tx: &mut Tx,
    row: entity::integration::Model,
    user: Id<ids::User>,
) -> Result<entity::integration::Model> {
    let stored = entity::integration::ActiveModel::from(row.clone());
    entity::integration::Entity::insert(stored).exec_without_returning(tx.conn()).await?;
    tx.add_event(topic::INTEGRATION, row.id);
    let facts = AuditFacts::for_creation(integrations::audit_json(&row));
    tx.audit(&user.to_string(), "integration.create", row.id.to_string(), facts);
    Ok(row)
}

/// Whether somebody else has connected their calendar through the integration.
async fn has_others(tx: &Tx, integration: Id<ids::Integration>, user: Id<ids::User>) -> Result<bool> {
    use entity::consent_grant::{Column, of};
    let others =
        of(tx.tenant()).filter(Column::IntegrationId.eq(integration)).filter(Column::UserId.ne(user));
    Ok(others.one(tx.conn()).await?.is_some())
}

/// Whether an organisation is the one that is bound to the tenant, by its id or by one of its verified domains. Nothing
/// is known if none is bound, or if its domains are not.
async fn is_of_tenant(tx: &Tx, provider: ProviderKind, is_same: impl Fn(&str) -> bool) -> Result<bool> {
    use entity::external_binding::{Column, of};
    let bound = of(tx.tenant()).filter(Column::Provider.eq(provider.as_str())).all(tx.conn()).await?;
    let has_domain = |domains: &serde_json::Value| {
        domains.as_array().is_some_and(|list| list.iter().filter_map(|one| one.as_str()).any(&is_same))
    };
    Ok(bound.is_empty()
        || bound
            .iter()
            .any(|one| is_same(&one.external_tenant) || one.domains.as_ref().is_none_or(has_domain)))
}
