//! The first step: the administrator's choices and acceptance of the terms, which open a session. Until the integration
//! is connected, the same link replaces them.

use domain::{
    AccessLevel, Id, ProviderKind,
    connect::{ConnectPurpose, ConnectStep},
    ids,
    state::{IntegrationState, TermsDocument},
};
use providers::{ConsentFlow, SignInPurpose};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait};
use serde_json::json;

use super::{
    Connect, NextPage, held, provider_label,
    session::{end_sessions, session_ended, set_step},
};
use crate::{
    Error, Refusal, Result, Tx,
    audit::AuditFacts,
    events::topic,
    integrations::{self, NewIntegration},
    links::{self, OpenedLink},
    messages,
    proof::Anyone,
    run_inputs, service_accounts, tenants,
};

/// The administrator's choices on the page.
#[derive(Debug, Clone)]
pub struct ConnectChoices {
    /// Calendar system to connect.
    pub provider: ProviderKind,
    /// Whether the terms of service were accepted.
    pub terms: bool,
    /// Whether the privacy policy was accepted.
    pub privacy: bool,
    /// How much the service account may access; `None` for what was chosen before, or else `FULL`.
    pub access_level: Option<AccessLevel>,
    /// Address of the service mailbox, if already known.
    pub service_mailbox: Option<String>,
}

/// What the page for choices offers.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectOffer {
    /// The invitation that was opened.
    pub opened: OpenedLink,
    /// The calendar systems from which the administrator can choose.
    pub providers: Vec<ProviderKind>,
    /// The integration with the choices made before; `None` before the first choice.
    pub integration: Option<entity::integration::Model>,
    /// Whether the integration was connected before, so that only its consent is renewed.
    pub is_reconnection: bool,
    /// Whether this administrator may choose the service mailbox (S4.18).
    pub may_set_mailbox: bool,
    /// The session of this browser to which the page belongs; `None` if the page was opened by its link.
    pub session: Option<Id<ids::ConnectSession>>,
}

/// The integration of a link, and what is under way for it.
struct Attempt {
    integration: entity::integration::Model,
    /// Whether the integration was connected before.
    was_connected: bool,
    /// Whether a run is connecting it.
    is_live: bool,
    /// Whether the link itself registered the integration, so that its holder may choose another calendar system.
    is_of_link: bool,
}

impl Connect {
    /// What the page for choices offers to the holder of a link: the calendar systems that the tenant may use (S1.7),
    /// and the choices made before, which can be corrected (S6.2).
    pub async fn offer(&self, _by: Anyone, token: &str) -> Result<ConnectOffer> {
        let opened = self.services.links().open(Anyone, token).await?;
        self.offer_of(opened, None).await
    }

    /// As [`Self::offer`], for the browser of a connect session, whose link is still valid.
    pub async fn offer_again(&self, _by: Anyone, cookie: &str) -> Result<ConnectOffer> {
        let session = self.find_session(cookie, ConnectPurpose::Connect).await?;
        let link = session.link_id.ok_or_else(session_ended)?;
        let opened = self.services.links().opened_by_session(session.tenant_id, link).await?;
        self.offer_of(opened, Some(session.id)).await
    }

    async fn offer_of(
        &self,
        opened: OpenedLink,
        session: Option<Id<ids::ConnectSession>>,
    ) -> Result<ConnectOffer> {
        let txn = self.services.read(opened.tenant.id).await?;
        let attempt = attempt_of(&txn, &opened.link).await?;
        let may_set_mailbox = links::may_set_service_mailbox(&txn, &opened.link, self.services.now()).await?;
        drop(txn);
        let is_fixed = |attempt: &Attempt| attempt.was_connected || !attempt.is_of_link;
        let only = attempt.as_ref().filter(|attempt| is_fixed(attempt));
        let only = only.map(|attempt| integrations::provider(&attempt.integration)).transpose()?;
        let mut providers = tenants::providers(&self.services.connectors, &opened.tenant);
        providers.retain(|kind| only.is_none_or(|only| only == *kind));
        let is_reconnection = attempt.as_ref().is_some_and(|attempt| attempt.was_connected);
        let integration = attempt.map(|attempt| attempt.integration);
        Ok(ConnectOffer { opened, providers, integration, is_reconnection, may_set_mailbox, session })
    }

    /// Accepts the terms, registers the integration if the link has none, and opens a session for this browser. Choices
    /// that differ from those made before with the same link replace them (S6.2). Returns the cookie's secret and the
    /// next page.
    pub async fn submit_choices(
        &self,
        _by: Anyone,
        token: &str,
        choice: ConnectChoices,
    ) -> Result<(String, NextPage)> {
        let link = self.services.links().open(Anyone, token).await?.link;
        self.choose(link.tenant_id, link.id, choice).await
    }

    /// As [`Self::submit_choices`], for the browser of a connect session, whose link is still valid.
    pub async fn correct_choices(
        &self,
        _by: Anyone,
        cookie: &str,
        choice: ConnectChoices,
    ) -> Result<(String, NextPage)> {
        let session = self.find_session(cookie, ConnectPurpose::Connect).await?;
        let link = session.link_id.ok_or_else(session_ended)?;
        self.choose(session.tenant_id, link, choice).await
    }

    async fn choose(
        &self,
        tenant: Id<ids::Tenant>,
        link: Id<ids::ConnectLink>,
        choice: ConnectChoices,
    ) -> Result<(String, NextPage)> {
        if !choice.terms || !choice.privacy {
            let message = messages::accept_the_terms_first();
            return Err(Refusal::new("TERMS_NOT_ACCEPTED", message).into());
        }
        let (mut tx, tenant) = self.services.begin_locked(tenant).await?;
        let link = held(&tx, link).await?;
        links::require_valid(tx.conn(), &link, tx.now()).await?;
        tenants::require_provider(&self.services.connectors, &tenant, choice.provider)?;
        if choice.service_mailbox.is_some()
            && !links::may_set_service_mailbox(tx.conn(), &link, tx.now()).await?
        {
            let message = messages::service_mailbox_not_yours();
            return Err(Refusal::new("SERVICE_MAILBOX_NOT_YOURS", message).at("serviceMailbox").into());
        }
        let integration = self.integration_of(&mut tx, &link, &choice).await?;
        self.accept_terms(&mut tx, integration.id, &link).await?;
        let purpose = ConnectPurpose::Connect;
        let (cookie, mut session) =
            self.open_session(&tx, purpose, Some(integration.id), Some(link.id), None, None).await?;
        let connector = self.services.connectors.get(choice.provider)?;
        let onward = match connector.consent_flow() {
            ConsentFlow::Pages => {
                let (ask, path) = (SignInPurpose::Administrator, connector.redirect_paths().signed_in);
                let hint = Some(link.email.as_str());
                self.sign_in_redirect(&tx, &mut session, &*connector, (ask, path), hint).await?
            }
            ConsentFlow::Login { .. } | ConsentFlow::ServiceAccount { .. } => {
                set_step(&tx, &mut session, ConnectStep::Credentials).await?;
                NextPage::Credentials
            }
        };
        integrations::signal_terms_accepted(&mut tx, integration.id, &link.email).await?;
        tx.commit().await?;
        Ok((cookie, onward))
    }

    /// Returns the link's integration with the present choices, or creates one; an integration that has ended or was
    /// connected before is reconnected.
    async fn integration_of(
        &self,
        tx: &mut Tx,
        link: &entity::connect_link::Model,
        choice: &ConnectChoices,
    ) -> Result<entity::integration::Model> {
        use IntegrationState as S;
        let Some(attempt) = attempt_of(tx.conn(), link).await? else {
            return self.register(tx, link, choice).await;
        };
        let row = attempt.integration.clone();
        let may_change = attempt.is_of_link && !attempt.was_connected;
        if row.provider != choice.provider && !may_change {
            let message = messages::link_for_another_system();
            return Err(Refusal::new("PROVIDER_MISMATCH", message).at("provider").into());
        }
        if matches!(row.state.require()?, S::Active | S::Degraded) && !attempt.is_live {
            // Whoever comes by a link that has done its work could otherwise take the connection down again.
            let message = messages::already_connected();
            return Err(Error::refuse("INTEGRATION_NOT_RECONNECTABLE", message));
        }
        let (row, is_corrected) = if attempt.was_connected {
            require_kept(&row, choice)?;
            (row, false)
        } else {
            self.correct(tx, row, link, choice).await?
        };
        if !attempt.is_live {
            self.services.integrations().enqueue_reconnection(tx, &row, &link.id.to_string()).await?;
        } else if is_corrected {
            integrations::signal_connect_run(tx, row.id, "corrected", json!({})).await?;
        }
        Ok(row)
    }

    async fn register(
        &self,
        tx: &mut Tx,
        link: &entity::connect_link::Model,
        choice: &ConnectChoices,
    ) -> Result<entity::integration::Model> {
        let new = NewIntegration {
            provider: choice.provider,
            name: provider_label(choice.provider).to_owned(),
            access_level: choice.access_level.unwrap_or(AccessLevel::Full),
            scope_group: None,
            service_mailbox: choice.service_mailbox.clone(),
            return_url: link.return_url.clone(),
        };
        let row = self.services.integrations().insert(tx, &link.id.to_string(), new).await?;
        let mut change = entity::connect_link::ActiveModel::from(link.clone());
        change.integration_id = Set(Some(row.id));
        change.update(tx.conn()).await?;
        Ok(row)
    }

    /// Replaces the choices of an integration that was never connected. If they differ, all pages and consents of
    /// before end. Returns the integration and whether they differ.
    async fn correct(
        &self,
        tx: &mut Tx,
        row: entity::integration::Model,
        link: &entity::connect_link::Model,
        choice: &ConnectChoices,
    ) -> Result<(entity::integration::Model, bool)> {
        let access_level = match choice.access_level {
            Some(level) => level,
            None => row.access_level.require()?,
        };
        integrations::require_writing(access_level)?;
        let mailbox = choice.service_mailbox.as_deref().map(service_accounts::parse_address).transpose()?;
        let is_another_system = row.provider != choice.provider;
        let is_same = row.access_level == access_level && row.service_mailbox == mailbox;
        if is_same && !is_another_system {
            return Ok((row, false));
        }
        let before = integrations::audit_json(&row);
        let mut change = entity::integration::ActiveModel::from(row.clone());
        if is_another_system {
            change.provider = Set(choice.provider.into());
            change.name = Set(provider_label(choice.provider).to_owned());
            change.scope_group = Set(None);
            change.room_rules = Set(None);
        }
        change.access_level = Set(access_level.into());
        change.service_mailbox = Set(mailbox);
        change.version = Set(row.version + 1);
        let row = change.update(tx.conn()).await?;
        end_sessions(tx, row.id).await?;
        let facts = AuditFacts::for_change(before, integrations::audit_json(&row));
        tx.audit(&link.id.to_string(), "integration.correct", row.id.to_string(), facts);
        tx.add_event(topic::INTEGRATION, row.id);
        Ok((row, true))
    }

    /// The link is recorded as the actor, because nothing proves that its holder is the invited person.
    async fn accept_terms(
        &self,
        tx: &mut Tx,
        integration: Id<ids::Integration>,
        link: &entity::connect_link::Model,
    ) -> Result<()> {
        let settings = &self.services.settings;
        for (document, version) in [
            (TermsDocument::TermsOfService, &settings.terms_version),
            (TermsDocument::PrivacyPolicy, &settings.privacy_version),
        ] {
            let row = entity::terms_acceptance::ActiveModel {
                id: Set(self.services.ids.make()),
                tenant_id: Set(tx.tenant()),
                integration_id: Set(integration),
                document: Set(document.into()),
                document_version: Set(version.clone()),
                accepted_by: Set(link.email.clone()),
                accepted_at: Set(tx.now()),
            };
            entity::terms_acceptance::Entity::insert(row).exec_without_returning(tx.conn()).await?;
        }
        let facts = json!({
            "terms": settings.terms_version, "privacy": settings.privacy_version, "invited": link.email,
        });
        tx.audit(
            &link.id.to_string(),
            "terms.accept",
            integration.to_string(),
            AuditFacts::for_creation(facts),
        );
        Ok(())
    }
}

/// Refuses choices that differ from those of an integration that was connected before: its access level stays, and its
/// service mailbox is changed by a mutation that verifies it.
fn require_kept(row: &entity::integration::Model, choice: &ConnectChoices) -> Result<()> {
    if choice.access_level.is_some_and(|level| row.access_level != level) {
        let message = messages::access_level_is_kept();
        return Err(Refusal::new("ACCESS_LEVEL_KEPT", message).at("accessLevel").into());
    }
    let mailbox = choice.service_mailbox.as_deref().map(service_accounts::parse_address).transpose()?;
    if mailbox.is_some() && mailbox != row.service_mailbox {
        let message = messages::service_mailbox_is_kept();
        return Err(Refusal::new("SERVICE_MAILBOX_KEPT", message).at("serviceMailbox").into());
    }
    Ok(())
}

/// The integration of a link; `None` before the first choice.
async fn attempt_of(
    conn: &impl ConnectionTrait,
    link: &entity::connect_link::Model,
) -> Result<Option<Attempt>> {
    use IntegrationState as S;
    let Some(id) = link.integration_id else { return Ok(None) };
    let row = entity::integration::by_id(link.tenant_id, id).one(conn).await?;
    let integration = row.ok_or_else(|| Error::not_found("integration"))?;
    let run = integrations::live_connect_run(conn, link.tenant_id, id).await?;
    let memory =
        run.as_ref().and_then(|run| serde_json::from_value::<run_inputs::Connect>(run.memory.clone()).ok());
    let is_in_force =
        matches!(integration.state.require()?, S::Active | S::Degraded | S::Failing | S::Suspended);
    Ok(Some(Attempt {
        was_connected: is_in_force || memory.is_some_and(|input| input.again),
        is_live: run.is_some(),
        is_of_link: integration.created_by == link.id.to_string(),
        integration,
    }))
}
