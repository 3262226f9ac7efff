//! A user's own consent: a single-use link, the provider's page, and the return to Muster.

use domain::{Id, ProviderKind, connect::ConnectPurpose, ids, state::IntegrationState};
use providers::{Remedy, Secret, SignInPurpose, SignedInAccount};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, QuerySelect};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{
    Connect, NextPage, RedirectParams, SessionRow, consent_pages::ValidRedirect, session::session_ended,
};
use crate::{
    Error, Result, Tx,
    audit::AuditFacts,
    authority, connections, integrations, messages,
    proof::{Anyone, Own},
    suspension,
};

/// Information shown to a user before the redirect to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnConsentInvitation {
    /// Name of the tenant.
    pub tenant: String,
    /// Calendar system of the account.
    pub provider: ProviderKind,
    /// The account whose calendar is to be connected.
    pub address: String,
}

/// The owner of the calendar to be connected.
pub(super) struct CalendarOwner {
    /// The integration with the calendar system.
    pub(super) integration: entity::integration::Model,
    /// Identifier of the user.
    pub(super) user: Id<ids::User>,
    /// Calendar address of the user.
    pub(super) address: String,
}

impl Connect {
    /// Returns what the link of [`Connect::begin_own_consent`] connects. Opening the link does not consume it, because
    /// mail filters and previews open links too.
    pub async fn own_consent_invitation(&self, _by: Anyone, secret: &str) -> Result<OwnConsentInvitation> {
        let session = self.find_session(secret, ConnectPurpose::Own).await?;
        let CalendarOwner { integration, address, .. } = self.calendar_owner(&session).await?;
        let tenant = self.services.tenants().find(session.tenant_id).await?;
        let (tenant, provider) =
            (tenant.ok_or_else(session_ended)?.name, integrations::provider(&integration)?);
        Ok(OwnConsentInvitation { tenant, provider, address })
    }

    /// Starts a user's own consent. Returns a single-use link for the user's browser, which returns to `return_url` at
    /// the end: the administrator's return URL is no place for a user.
    pub async fn begin_own_consent(&self, by: &Own, return_url: Option<String>) -> Result<String> {
        // Locked, and the caller read again: the link would outlive a revocation that happens meanwhile.
        let (mut tx, _) = self.services.begin_locked(by.tenant()).await?;
        authority::reload_caller(&tx, by).await?;
        if let Some(url) = &return_url {
            self.services.tenants().require_return_url(tx.conn(), tx.tenant(), url).await?;
        }
        let user = by.user();
        let row = entity::tenant_user::by_id(tx.tenant(), user).one(tx.conn()).await?;
        let row = row.ok_or_else(|| Error::not_found("user"))?;
        if row.calendar_address.is_none() {
            let message = messages::calendar_address_missing();
            return Err(Error::refuse("CALENDAR_ADDRESS_MISSING", message));
        }
        let integration =
            connections::oldest_usable_integration(&tx).await?.filter(|row| self.takes_own_consent(row));
        let integration = integration.ok_or_else(|| {
            let message = messages::no_personal_consent();
            Error::refuse("INTEGRATION_NOT_CONNECTED", message)
        })?;
        let mailbox = entity::connection::of(tx.tenant())
            .filter(entity::connection::Column::IntegrationId.eq(integration.id))
            .filter(entity::connection::Column::UserId.eq(user));
        if let Some(mailbox) = mailbox.one(tx.conn()).await? {
            connections::require_not_excluded(&mailbox)?;
        }
        let (secret, _) = self
            .open_session(&tx, ConnectPurpose::Own, integration.id, None, Some(row.id), return_url)
            .await?;
        let facts = json!({ "integration": integration.id });
        tx.audit(&by.actor(), "consent.begin", user.to_string(), facts);
        tx.commit().await?;
        Ok(self.services.settings.absolute_url(&format!("/connect/own/{secret}")))
    }

    /// Exchanges the secret in the link of [`Connect::begin_own_consent`] for a session cookie, and returns the
    /// provider's page.
    pub async fn open_own_consent(&self, _by: Anyone, secret: &str) -> Result<(String, NextPage)> {
        let session = self.find_session(secret, ConnectPurpose::Own).await?;
        let connector = self.connector_of(&session).await?;
        let (tx, mut session) = self.begin_step(&session).await?;
        if session.purpose != ConnectPurpose::Own {
            return Err(session_ended());
        }
        let cookie = self.services.ids.random_secret();
        let mut change = entity::connect_session::ActiveModel::from(session);
        change.cookie_hash = Set(self.services.secrets().digest(&cookie).await?);
        change.purpose = Set(ConnectPurpose::OwnOpen.into());
        session = change.update(tx.conn()).await?;
        let user = entity::tenant_user::by_id(session.tenant_id, session.user_id.unwrap_or_default());
        let hint = user.one(tx.conn()).await?.and_then(|user| user.calendar_address);
        let (ask, path) = (SignInPurpose::OwnConsent, connector.redirect_paths().own);
        let onward =
            self.sign_in_redirect(&tx, &mut session, &*connector, (ask, path), hint.as_deref()).await?;
        tx.commit().await?;
        Ok((cookie, onward))
    }

    fn takes_own_consent(&self, integration: &entity::integration::Model) -> bool {
        let kind = integrations::provider(integration);
        let connector = kind.and_then(|kind| self.services.connectors.get(kind));
        connector.is_ok_and(|connector| connector.features().own_consent)
    }

    /// Handles the redirect to `path` after a user's own consent; the mailbox switches to the user's own route and is
    /// activated again. The account must be the one that the organisation's directory lists under the user's calendar
    /// address.
    pub async fn complete_own_consent(
        &self,
        _by: Anyone,
        cookie: &str,
        path: &str,
        answer: RedirectParams,
    ) -> Result<NextPage> {
        let (session, verifier) =
            self.consume_redirect(cookie, ConnectPurpose::OwnOpen, path, &answer).await?;
        let connector = self.connector_of(&session).await?;
        let redirect = ValidRedirect { session, verifier, path, answer };
        let CalendarOwner { integration, user, address } = self.calendar_owner(&redirect.session).await?;
        suspension::require_in_force(&integration)?;
        let who = self.redeem_code(&*connector, SignInPurpose::OwnConsent, &redirect).await?;
        self.require_organisation(&integration, &address, &who).await?;
        self.require_listed_account(&integration, &address, &who.account).await?;
        let external = integration.external_tenant.clone().ok_or_else(session_ended)?;
        let refresh_token = who.refresh_token.map(|token| token.expose_secret().to_owned());
        let refresh_token = refresh_token
            .ok_or_else(|| Error::refuse("CONSENT_INCOMPLETE", messages::consent_not_lasting()))?;
        let secret = connector.own_consent(external, refresh_token)?;
        let (tx, session) = self.begin_step(&redirect.session).await?;
        self.store_own_consent(tx, &integration, user, address, &secret).await?;
        let landing = self.landing(&session, &integration, IntegrationState::Active, None).await?;
        Ok(landing.map_or(NextPage::Progress, NextPage::Land))
    }

    /// Refuses an account of another organisation: one with a different organisation id, or one whose domains are not
    /// verified by this organisation.
    async fn require_organisation(
        &self,
        integration: &entity::integration::Model,
        address: &str,
        who: &SignedInAccount,
    ) -> Result<()> {
        match (&who.organisation, &who.domain) {
            (Some(organisation), _) if integration.external_tenant.as_ref() == Some(organisation) => Ok(()),
            (None, Some(domain)) => {
                let (_, domain_of_address) = who.username.rsplit_once('@').unwrap_or_default();
                self.require_domains(integration, address, [domain, domain_of_address]).await
            }
            _ => Err(account_mismatch(address)),
        }
    }

    /// The owner of the calendar that a connect session connects.
    pub(super) async fn calendar_owner(&self, session: &SessionRow) -> Result<CalendarOwner> {
        let txn = self.services.read(session.tenant_id).await?;
        let integration =
            entity::integration::by_id(session.tenant_id, session.integration_id).one(&txn).await?;
        let user = session.user_id.ok_or_else(session_ended)?;
        let row = entity::tenant_user::by_id(session.tenant_id, user).one(&txn).await?;
        let address = row.and_then(|row| row.calendar_address).ok_or_else(session_ended)?;
        Ok(CalendarOwner { integration: integration.ok_or_else(session_ended)?, user, address })
    }

    /// Refuses an account unless the organisation's directory lists it under the given email address. The tenant's
    /// staff entered the address and a sign-in name may be reassigned, so neither proves ownership. An account that is
    /// not in the directory, or is listed for another organisation, is refused.
    pub(super) async fn require_listed_account(
        &self,
        integration: &entity::integration::Model,
        address: &str,
        account: &str,
    ) -> Result<()> {
        let (provider, session) = self.services.grants().open(integration, None).await?;
        let is_ours = |organisation: &str| integration.external_tenant.as_deref() == Some(organisation);
        match provider.person(&session, address).await {
            Ok(person) if person.id == account && person.organisation.as_deref().is_none_or(is_ours) => {
                Ok(())
            }
            Err(error) if error.remedy != Remedy::SkipMailbox => Err(error.into()),
            Ok(_) | Err(_) => Err(account_mismatch(address)),
        }
    }

    /// Stores a user's own consent; the mailbox switches to the user's own route and is activated again.
    pub(super) async fn store_own_consent(
        &self,
        mut tx: Tx,
        integration: &entity::integration::Model,
        user: Id<ids::User>,
        address: String,
        secret: &Secret,
    ) -> Result<()> {
        let row = entity::tenant_user::by_id(tx.tenant(), user).lock_shared().one(tx.conn()).await?;
        if row.and_then(|row| row.calendar_address).as_ref() != Some(&address) {
            return Err(account_mismatch(&address));
        }
        self.services.grants().store(&tx, integration.id, Some(user), &address, secret).await?;
        let actor = user.to_string();
        let facts = json!({
            "integration": integration.id, "address": address, "secret": "changed",
        });
        tx.audit(&actor, "consent.own", actor.clone(), AuditFacts::for_creation(facts));
        let new = crate::change::NewConnection {
            integration: integration.id,
            user: Some(user),
            room: None,
            address,
        };
        let (connection, _) = connections::find_or_insert(&self.services.ids, &mut tx, new).await?;
        connections::require_not_excluded(&connection)?;
        let mut change = entity::connection::ActiveModel::from(connection.clone());
        change.route = Set(domain::Route::Own.into());
        change.update(tx.conn()).await?;
        connections::enqueue_activation(&mut tx, &connection, &actor).await?;
        tx.commit().await
    }
}

pub(super) fn account_mismatch(address: &str) -> Error {
    Error::refuse("ACCOUNT_MISMATCH", messages::sign_in_as_owner(address))
}
