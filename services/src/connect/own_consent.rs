//! A user's own consent: a single-use link, the provider's page, and the return to Muster.

use domain::{
    Id, ProviderKind,
    connect::{ConnectPurpose, ConnectStep},
    ids,
    state::IntegrationState,
};
use providers::{Provider, Remedy, Secret, SignInPurpose, SignedInAccount};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, QuerySelect};
use secrecy::ExposeSecret;
use serde_json::json;
use url::Url;

use super::{
    Connect, NextPage, RedirectParams, SessionRow,
    consent_pages::ValidRedirect,
    session::{session_ended, set_step},
};
use crate::{
    Error, Refusal, Result, Tx,
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
    /// Calendar systems from which the user can choose; only one if the tenant's integration determines it.
    pub systems: Vec<ProviderKind>,
    /// The account whose calendar is to be connected.
    pub address: String,
}

/// The owner of the calendar to be connected.
pub(super) struct CalendarOwner {
    /// The integration with the calendar system. A personal one is perhaps not stored yet.
    pub(super) integration: entity::integration::Model,
    /// Identifier of the user.
    pub(super) user: Id<ids::User>,
    /// Calendar address of the user.
    pub(super) address: String,
}

/// A user's own consent or credentials, proven to belong to the owner of the calendar.
pub(super) struct ProvenConsent {
    /// The account at the provider: the calendar's address, or a user name.
    pub(super) account: String,
    /// URL of the account's own server; `None` for that of the integration, and for cloud providers.
    pub(super) server: Option<Url>,
    /// Tokens or credentials to be stored, after any rotation during the proof.
    pub(super) secret: Secret,
}

impl Connect {
    /// Returns what the link of [`Connect::begin_own_consent`] connects. Opening the link does not consume it, because
    /// mail filters and previews open links too.
    pub async fn own_consent_invitation(&self, _by: Anyone, secret: &str) -> Result<OwnConsentInvitation> {
        let session = self.find_session(secret, ConnectPurpose::Own).await?;
        self.invitation(&session).await
    }

    /// As [`Connect::own_consent_invitation`], for a browser that has opened the link: until the calendar is connected,
    /// the user may choose again.
    pub async fn own_consent_choices(&self, _by: Anyone, cookie: &str) -> Result<OwnConsentInvitation> {
        let session = self.find_session(cookie, ConnectPurpose::OwnOpen).await?;
        self.invitation(&session).await
    }

    async fn invitation(&self, session: &SessionRow) -> Result<OwnConsentInvitation> {
        let (systems, (_, address)) = (self.own_systems(session).await?, self.own_address(session).await?);
        let tenant = self.services.tenants().find(session.tenant_id).await?;
        Ok(OwnConsentInvitation { tenant: tenant.ok_or_else(session_ended)?.name, systems, address })
    }

    /// Starts a user's own consent. Returns a single-use link for the user's browser, which returns to `return_url` at
    /// the end: the administrator's return URL is no place for a user.
    ///
    /// The calendar is connected through the organisation-wide integration if that takes own consents, and otherwise
    /// through a personal one (S6.12), for which the user chooses the calendar system in the browser.
    pub async fn begin_own_consent(&self, by: &Own, return_url: Option<String>) -> Result<String> {
        // Locked, and the caller read again: the link would outlive a revocation that happens meanwhile.
        let (mut tx, tenant) = self.services.begin_locked(by.tenant()).await?;
        authority::reload_caller(&tx, by).await?;
        if let Some(url) = &return_url {
            self.services.tenants().require_return_url(tx.conn(), tx.tenant(), url).await?;
        }
        let user = by.user();
        let row = entity::tenant_user::by_id(tx.tenant(), user).one(tx.conn()).await?;
        let row = row.ok_or_else(|| Error::not_found("user"))?;
        let Some(address) = &row.calendar_address else {
            let message = messages::calendar_address_missing();
            return Err(Error::refuse("CALENDAR_ADDRESS_MISSING", message));
        };
        let integration =
            connections::oldest_usable_integration(&tx).await?.filter(|row| self.takes_own_consent(row));
        let integration = integration.map(|row| row.id);
        if integration.is_none() && self.personal_systems(&tenant).is_empty() {
            return Err(Error::refuse("INTEGRATION_NOT_CONNECTED", messages::no_personal_consent()));
        }
        require_no_exclusion(&tx, address).await?;
        let (secret, _) =
            self.open_session(&tx, ConnectPurpose::Own, integration, None, Some(row.id), return_url).await?;
        let facts = json!({ "integration": integration });
        tx.audit(&by.actor(), "consent.begin", user.to_string(), facts);
        tx.commit().await?;
        Ok(self.services.settings.absolute_url(&format!("/connect/own/{secret}")))
    }

    /// Exchanges the secret in the link of [`Connect::begin_own_consent`] for a session cookie, and returns the page of
    /// the chosen calendar system. The choice may be omitted if there is only one.
    pub async fn open_own_consent(
        &self,
        _by: Anyone,
        secret: &str,
        system: Option<ProviderKind>,
    ) -> Result<(String, NextPage)> {
        let session = self.find_session(secret, ConnectPurpose::Own).await?;
        let system = chosen(&self.own_systems(&session).await?, system)?;
        let (tx, mut session) = self.begin_step(&session).await?;
        if session.purpose != ConnectPurpose::Own {
            return Err(session_ended());
        }
        let cookie = self.services.ids.random_secret();
        let mut change = entity::connect_session::ActiveModel::from(session);
        change.cookie_hash = Set(self.services.secrets().digest(&cookie).await?);
        change.purpose = Set(ConnectPurpose::OwnOpen.into());
        session = change.update(tx.conn()).await?;
        let onward = self.page_of_system(&tx, session, system).await?;
        tx.commit().await?;
        Ok((cookie, onward))
    }

    /// Chooses the calendar system again, in a browser that has opened the link. Returns the system's page.
    pub async fn choose_own_system(
        &self,
        _by: Anyone,
        cookie: &str,
        system: Option<ProviderKind>,
    ) -> Result<NextPage> {
        let session = self.find_session(cookie, ConnectPurpose::OwnOpen).await?;
        let system = chosen(&self.own_systems(&session).await?, system)?;
        let (tx, session) = self.begin_step(&session).await?;
        let onward = self.page_of_system(&tx, session, system).await?;
        tx.commit().await?;
        Ok(onward)
    }

    /// Records the chosen calendar system and returns its page: the provider's own, or the form for credentials.
    async fn page_of_system(
        &self,
        tx: &Tx,
        mut session: SessionRow,
        system: ProviderKind,
    ) -> Result<NextPage> {
        let connector = self.services.connectors.get(system)?;
        if session.integration_id.is_none() {
            let mut change = entity::connect_session::ActiveModel::from(session);
            change.provider = Set(Some(system.into()));
            session = change.update(tx.conn()).await?;
        }
        if !connector.features().own_consent {
            set_step(tx, &mut session, ConnectStep::Credentials).await?;
            return Ok(NextPage::OwnCredentials);
        }
        let user = entity::tenant_user::by_id(session.tenant_id, session.user_id.unwrap_or_default());
        let hint = user.one(tx.conn()).await?.and_then(|user| user.calendar_address);
        let (ask, path) = (SignInPurpose::OwnConsent, connector.redirect_paths().own);
        self.sign_in_redirect(tx, &mut session, &*connector, (ask, path), hint.as_deref()).await
    }

    /// The calendar systems through which the user of a session can connect their own calendar.
    async fn own_systems(&self, session: &SessionRow) -> Result<Vec<ProviderKind>> {
        if session.integration_id.is_some() {
            return Ok(vec![self.connector_of(session).await?.kind()]);
        }
        let tenant = self.services.tenants().find(session.tenant_id).await?;
        Ok(self.personal_systems(&tenant.ok_or_else(session_ended)?))
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
        let owner = self.calendar_owner(&redirect.session).await?;
        suspension::require_in_force(&owner.integration)?;
        let who = self.redeem_code(&*connector, SignInPurpose::OwnConsent, &redirect).await?;
        let proven = match integrations::is_personal(&owner.integration) {
            true => self.prove_own_account(&*connector, &owner, who).await?,
            false => self.prove_listed_account(&*connector, &owner, who).await?,
        };
        self.connect_own(&redirect.session, owner, proven).await
    }

    /// Proves that an account of the connected organisation owns the calendar. Returns its consent.
    async fn prove_listed_account(
        &self,
        connector: &dyn Provider,
        owner: &CalendarOwner,
        who: SignedInAccount,
    ) -> Result<ProvenConsent> {
        let CalendarOwner { integration, address, .. } = owner;
        self.require_organisation(integration, address, &who).await?;
        self.require_listed_account(integration, address, &who.account).await?;
        let external = integration.external_tenant.clone().ok_or_else(session_ended)?;
        let secret = connector.own_consent(external, lasting(who)?)?;
        Ok(ProvenConsent { account: address.clone(), server: None, secret })
    }

    /// Stores a proven consent; the mailbox is activated. Returns the page to which the browser goes.
    pub(super) async fn connect_own(
        &self,
        session: &SessionRow,
        owner: CalendarOwner,
        proven: ProvenConsent,
    ) -> Result<NextPage> {
        let (tx, session) = self.begin_step(session).await?;
        let integration = self.store_own_consent(tx, owner, proven).await?;
        let landing = self.landing(&session, &integration, IntegrationState::Active, None).await?;
        Ok(landing.map_or(NextPage::OwnConnected, NextPage::Land))
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
        let (user, address) = self.own_address(session).await?;
        let txn = self.services.read(session.tenant_id).await?;
        let integration = match (session.integration_id, &session.provider) {
            (Some(id), _) => entity::integration::by_id(session.tenant_id, id).one(&txn).await?,
            (None, Some(provider)) => {
                let (provider, tenant) = (provider.require()?, session.tenant_id);
                let known = integrations::find_personal(&txn, tenant, provider).await?;
                known.or_else(|| Some(integrations::new_personal(&self.services, tenant, provider, user)))
            }
            (None, None) => None,
        };
        Ok(CalendarOwner { integration: integration.ok_or_else(session_ended)?, user, address })
    }

    /// The user of a session, and their calendar address.
    async fn own_address(&self, session: &SessionRow) -> Result<(Id<ids::User>, String)> {
        let txn = self.services.read(session.tenant_id).await?;
        let user = session.user_id.ok_or_else(session_ended)?;
        let row = entity::tenant_user::by_id(session.tenant_id, user).one(&txn).await?;
        let address = row.and_then(|row| row.calendar_address).ok_or_else(session_ended)?;
        Ok((user, address))
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

    /// Stores a user's own consent, with the personal integration if it is the first; the mailbox switches to the user's
    /// own route and is activated again. Returns the integration.
    async fn store_own_consent(
        &self,
        mut tx: Tx,
        owner: CalendarOwner,
        proven: ProvenConsent,
    ) -> Result<entity::integration::Model> {
        let CalendarOwner { mut integration, user, address } = owner;
        let row = entity::tenant_user::by_id(tx.tenant(), user).lock_shared().one(tx.conn()).await?;
        if row.and_then(|row| row.calendar_address).as_ref() != Some(&address) {
            return Err(account_mismatch(&address));
        }
        if integrations::is_personal(&integration) {
            integration = self.store_personal(&mut tx, integration, user, &proven.secret).await?;
        }
        let at = (proven.account.as_str(), proven.server.as_ref());
        let grants = self.services.grants();
        grants.store_for_server(&tx, integration.id, Some(user), at, &proven.secret).await?;
        let actor = user.to_string();
        let facts = json!({
            "integration": integration.id, "address": address, "server": proven.server, "secret": "changed",
        });
        tx.audit(&actor, "consent.own", actor.clone(), AuditFacts::for_creation(facts));
        require_no_exclusion(&tx, &address).await?;
        let new = crate::change::NewConnection {
            integration: integration.id,
            user: Some(user),
            room: None,
            address,
        };
        let (connection, _) = connections::find_or_insert(&self.services.ids, &mut tx, new).await?;
        let mut change = entity::connection::ActiveModel::from(connection.clone());
        change.route = Set(domain::Route::Own.into());
        change.update(tx.conn()).await?;
        connections::enqueue_activation(&mut tx, &connection, &actor).await?;
        tx.commit().await?;
        Ok(integration)
    }
}

/// The calendar system that the user chose. It may be omitted if there is only one.
fn chosen(offered: &[ProviderKind], system: Option<ProviderKind>) -> Result<ProviderKind> {
    let only = offered.first().copied().filter(|_| offered.len() == 1);
    let system = system.or(only).filter(|system| offered.contains(system));
    let refusal = || Refusal::new("PROVIDER_NOT_OFFERED", messages::choose_own_system_first()).at("provider");
    system.ok_or_else(|| refusal().into())
}

/// The refresh token of a sign-in. Refused with `CONSENT_INCOMPLETE` if the provider issued none.
pub(super) fn lasting(who: SignedInAccount) -> Result<String> {
    let token = who.refresh_token.map(|token| token.expose_secret().to_owned());
    token.ok_or_else(|| Error::refuse("CONSENT_INCOMPLETE", messages::consent_not_lasting()))
}

/// Refuses a calendar that an administrator excluded, through whichever integration: its user alone does not end the
/// exclusion.
async fn require_no_exclusion(tx: &Tx, address: &str) -> Result<()> {
    use entity::connection::{Column, of};
    let mailboxes = of(tx.tenant()).filter(Column::Address.eq(address.to_lowercase()));
    for mailbox in mailboxes.all(tx.conn()).await? {
        connections::require_not_excluded(&mailbox)?;
    }
    Ok(())
}

pub(super) fn account_mismatch(address: &str) -> Error {
    Error::refuse("ACCOUNT_MISMATCH", messages::sign_in_as_owner(address))
}
