//! The token broker: the only module that unseals a stored consent.
//!
//! A connector requests a credential from the broker for every call. Access tokens are cached in memory until shortly
//! before they expire; one caller refreshes a token while the others wait. A user's consent is refreshed once for all
//! nodes: under a lock on its row, in which the access token and the rotated refresh token are stored, sealed, before
//! either is used (`t18_a_consent_is_refreshed_once_for_all_nodes`). Before every use, the broker checks that the
//! organisation at the provider still belongs to the tenant.

mod broker;
mod owner;

use std::{collections::BTreeMap, sync::Arc};

use domain::{Id, ProviderKind, ids};
use lanes::Key;
use providers::{
    Credential, Credentials, Error as ProviderError, ErrorKind, IssuedToken, Provider, Remedy,
    SanitizedProvider, Session, StaticCredentials, openid::OpenIdClient,
};
pub use providers::{Secret, SignedInAdministrator};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use self::broker::{GrantCredentials, TokenCache, TrialCredentials};
use crate::{
    Error, Result, System,
    gate::IntegrationGate,
    messages, suspension,
    vault::{Column, SealContext},
};

/// The connectors of an installation.
#[derive(Debug, Clone, Default)]
pub struct Connectors {
    by_kind: BTreeMap<ProviderKind, Arc<dyn Provider>>,
    openid: Option<OpenIdClient>,
    tokens: TokenCache,
}

impl Connectors {
    /// Adds a connector. The texts that connectors return are sanitised, see [`SanitizedProvider`].
    #[must_use]
    pub fn with_provider(mut self, provider: Arc<dyn Provider>) -> Self {
        self.by_kind.insert(provider.kind(), Arc::new(SanitizedProvider::new(provider)));
        self
    }

    /// Adds the client for tenants' OpenID issuers.
    #[must_use]
    pub fn with_openid(mut self, openid: OpenIdClient) -> Self {
        self.openid = Some(openid);
        self
    }

    /// Kinds of calendar systems that this installation can connect.
    pub fn kinds(&self) -> impl Iterator<Item = ProviderKind> {
        self.by_kind.keys().copied()
    }

    /// The connector for a kind of calendar system.
    pub fn get(&self, kind: ProviderKind) -> Result<Arc<dyn Provider>> {
        self.by_kind
            .get(&kind)
            .cloned()
            .ok_or_else(|| Error::refuse("PROVIDER_NOT_AVAILABLE", messages::provider_not_available()))
    }

    /// Kinds of calendar systems that verify the identity of an organisation.
    pub(crate) fn verifying_kinds(&self) -> impl Iterator<Item = ProviderKind> {
        let verifying =
            self.by_kind.iter().filter(|(_, connector)| connector.features().verified_organisation);
        verifying.map(|(kind, _)| *kind)
    }

    /// The connector that receives push notifications at a path; `None` if there is none.
    pub(crate) fn by_webhook_path(&self, path: &str) -> Option<&Arc<dyn Provider>> {
        self.by_kind.values().find(|connector| connector.hook() == Some(path))
    }

    /// The client for tenants' OpenID issuers.
    pub fn openid(&self) -> Result<&OpenIdClient> {
        self.openid
            .as_ref()
            .ok_or_else(|| Error::refuse("PROVIDER_NOT_AVAILABLE", messages::no_sign_in_by_issuers()))
    }
}

fn read(plain: &[u8]) -> Result<Secret> {
    serde_json::from_slice(plain).map_err(|_| Error::Unreadable { what: "consent" })
}

crate::noun! {
    /// The token broker.
    Grants
}

impl Grants {
    /// Stores a consent, replacing any previous one of the same integration and user.
    pub async fn store(
        &self,
        tx: &crate::Tx,
        integration: Id<ids::Integration>,
        user: Option<Id<ids::User>>,
        account: &str,
        secret: &Secret,
    ) -> Result<Id<ids::Grant>> {
        self.store_for_server(tx, integration, user, (account, None), secret).await
    }

    /// As [`Self::store`], for an account on a server that need not be the integration's.
    pub(crate) async fn store_for_server(
        &self,
        tx: &crate::Tx,
        integration: Id<ids::Integration>,
        user: Option<Id<ids::User>>,
        (account, server): (&str, Option<&url::Url>),
        secret: &Secret,
    ) -> Result<Id<ids::Grant>> {
        use entity::consent_grant::{ActiveModel, Entity};
        self.remove(tx, integration, user).await?;
        let id = self.services.ids.make::<ids::Grant>();
        let row = ActiveModel {
            id: Set(id),
            tenant_id: Set(tx.tenant()),
            integration_id: Set(integration),
            user_id: Set(user),
            kind: Set(secret.kind().into()),
            account: Set(account.to_owned()),
            server_url: Set(server.map(url::Url::to_string)),
            secret: Set(self.seal(tx.conn(), seal_context(tx.tenant(), id), secret).await?),
            access_token: Set(None),
            expires_at: Set(None),
            lost: Set(false),
            created_at: Set(tx.now()),
            version: Set(1),
        };
        Entity::insert(row).exec_without_returning(tx.conn()).await?;
        Ok(id)
    }

    /// Deletes a consent.
    pub async fn remove(
        &self,
        tx: &crate::Tx,
        integration: Id<ids::Integration>,
        user: Option<Id<ids::User>>,
    ) -> Result<()> {
        use entity::consent_grant::{Column, delete};
        let rows = delete(tx.tenant()).filter(Column::IntegrationId.eq(integration));
        let rows = match user {
            Some(user) => rows.filter(Column::UserId.eq(user)),
            None => rows.filter(Column::UserId.is_null()),
        };
        rows.exec(tx.conn()).await?;
        Ok(())
    }

    /// Opens a session with an integration's calendar system: through the service account, or with a user's own
    /// consent. Refused while the integration is suspended or in a state that this version does not support.
    pub async fn open_session(
        &self,
        _by: &System,
        integration: &entity::integration::Model,
        user: Option<Id<ids::User>>,
    ) -> Result<(Arc<dyn Provider>, Session)> {
        self.open(integration, user).await
    }

    /// Like [`Self::open_session`]; for use cases that open a session themselves.
    pub(crate) async fn open(
        &self,
        integration: &entity::integration::Model,
        user: Option<Id<ids::User>>,
    ) -> Result<(Arc<dyn Provider>, Session)> {
        use entity::consent_grant::{Column, of};
        suspension::require_in_force(integration)?;
        let kind = crate::integrations::provider(integration)?;
        let connector = self.services.connectors.get(kind)?;
        let txn = self.services.read(integration.tenant_id).await?;
        let rows = of(integration.tenant_id).filter(Column::IntegrationId.eq(integration.id));
        let rows = match user {
            Some(user) => rows.filter(Column::UserId.eq(user)),
            None => rows.filter(Column::UserId.is_null()),
        };
        let grant = rows.order_by_desc(Column::Id).one(&txn).await?.ok_or_else(lost)?;
        let limited = limit_key(&txn, &*connector, integration).await?;
        // Whoever waits for a second connection while holding one can bring a full pool to a halt.
        drop(txn);
        self.services.release_read_transaction().await;
        let broker = GrantCredentials {
            services: self.services.clone(),
            tenant: integration.tenant_id,
            grant: grant.id,
            kind,
            needs_binding: !crate::integrations::is_personal(integration),
            connector: Arc::clone(&connector),
        };
        let server = grant.server_url.as_deref().or(integration.server_url.as_deref());
        let session = Session {
            credentials: Arc::new(broker),
            gate: Arc::new(IntegrationGate::new(&self.services, integration, connector.limits(), limited)),
            server: server.and_then(|url| url.parse().ok()),
            account: grant.account,
            own: user.is_some(),
            zone: None,
            scope: format!("{}/{}", integration.id, grant.id).into(),
            rooms: crate::integrations::room_rules(integration).map(Arc::new),
        };
        Ok((connector, session))
    }

    /// Opens a session with a consent that is not in effect yet, in order to test it.
    pub fn open_test_session(
        &self,
        _by: &System,
        integration: &entity::integration::Model,
        secret: &Secret,
        account: &str,
        server: Option<url::Url>,
    ) -> Result<(Arc<dyn Provider>, Session)> {
        suspension::require_in_force(integration)?;
        let connector = self.services.connectors.get(crate::integrations::provider(integration)?)?;
        let credentials: Arc<dyn Credentials> = match secret.fixed_credential()? {
            Some(credential) => Arc::new(StaticCredentials(credential)),
            // A person's consent is in force at once.
            None if secret.is_personal() => return Err(lost().into()),
            None => Arc::new(TrialCredentials { connector: Arc::clone(&connector), secret: secret.clone() }),
        };
        let session = Session {
            credentials,
            gate: Arc::new(IntegrationGate::new(
                &self.services,
                integration,
                connector.limits(),
                of_integration(integration),
            )),
            server,
            account: account.to_owned(),
            own: false,
            zone: None,
            // Each trial is somebody's act: what an earlier one was refused does not count.
            scope: format!("{}/{}", integration.id, self.services.ids.uuid()).into(),
            rooms: crate::integrations::room_rules(integration).map(Arc::new),
        };
        Ok((connector, session))
    }

    /// Opens a session with a user's own consent or credentials that are not stored yet, in order to learn whose they
    /// are. Returns the consent to store: the refresh token may have been rotated.
    pub(crate) async fn open_own_test_session(
        &self,
        integration: &entity::integration::Model,
        secret: Secret,
        (account, server): (&str, Option<url::Url>),
    ) -> Result<(Session, Secret)> {
        let connector = self.services.connectors.get(crate::integrations::provider(integration)?)?;
        let (credential, secret) = match secret.fixed_credential()? {
            Some(credential) => (credential, secret),
            None => {
                let IssuedToken { token, next, .. } = connector.token(&secret, None).await?;
                (Credential::Bearer(token), next.unwrap_or(secret))
            }
        };
        let limited = of_integration(integration);
        let session = Session {
            credentials: Arc::new(StaticCredentials(credential)),
            gate: Arc::new(IntegrationGate::new(&self.services, integration, connector.limits(), limited)),
            server,
            account: account.to_owned(),
            own: true,
            zone: None,
            scope: format!("{}/{}", integration.id, self.services.ids.uuid()).into(),
            rooms: None,
        };
        Ok((session, secret))
    }

    /// Opens a stored consent, to withdraw it at the provider.
    pub(crate) async fn open_secret(&self, row: &entity::consent_grant::Model) -> Result<Secret> {
        read(&self.services.secrets().open(seal_context(row.tenant_id, row.id), &row.secret).await?)
    }

    async fn seal(&self, txn: &impl ConnectionTrait, place: SealContext, secret: &Secret) -> Result<Vec<u8>> {
        let plain = serde_json::to_vec(secret).map_err(|_| Error::Unreadable { what: "consent" })?;
        self.services.secrets().seal(txn, place, &plain).await
    }
}

/// The binding of the provider's organisation to this tenant, if there is one.
pub(crate) async fn find_binding(
    txn: &impl ConnectionTrait,
    provider: ProviderKind,
    external: &str,
    tenant: Id<ids::Tenant>,
) -> Result<Option<entity::external_binding::Model>> {
    use entity::external_binding::{Column, of};
    let of_provider = of(tenant).filter(Column::Provider.eq(provider.as_str()));
    Ok(of_provider.filter(Column::ExternalTenant.eq(external)).one(txn).await?)
}

/// The owner of a session's rate limits: a verified organisation that is still bound to the tenant, or the integration.
/// An access token that is still in memory may be older than the loss of its organisation.
async fn limit_key(
    txn: &impl ConnectionTrait,
    connector: &dyn Provider,
    integration: &entity::integration::Model,
) -> Result<Key> {
    if !connector.features().verified_organisation {
        return Ok(of_integration(integration));
    }
    let external = integration.external_tenant.as_deref().unwrap_or_default();
    match find_binding(txn, connector.kind(), external, integration.tenant_id).await? {
        Some(bound) => Ok(Key::of_organisation(connector.kind(), &bound.external_tenant)),
        // People's own consents bind no organisation.
        None if crate::integrations::is_personal(integration) => Ok(of_integration(integration)),
        None => Err(lost().into()),
    }
}

fn of_integration(integration: &entity::integration::Model) -> Key {
    Key::of_integration(integration.tenant_id, integration.id)
}

fn seal_context(tenant: Id<ids::Tenant>, row: Id<ids::Grant>) -> SealContext {
    Column::ConsentGrantSecret.at(tenant, row)
}

fn lost() -> ProviderError {
    ProviderError::new(ErrorKind::GrantLost, Remedy::Reconnect, "no_grant", messages::consent_gone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_system_that_the_installation_is_not_set_up_for_is_refused() {
        for kind in ProviderKind::ALL.iter().copied() {
            let error = Connectors::default().get(kind).unwrap_err();
            assert_eq!(error.code(), "PROVIDER_NOT_AVAILABLE", "{kind}");
        }
    }
}
