//! The first step: the administrator's choices and acceptance of the terms, which open a session.

use domain::{
    Id, ProviderKind,
    connect::{ConnectPurpose, ConnectStep},
    ids,
    state::{IntegrationState, TermsDocument},
};
use providers::{ConsentFlow, SignInPurpose};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::json;

use super::{Connect, NextPage, held, is_connecting, provider_label, session::set_step};
use crate::{
    Error, Refusal, Result, Tx,
    audit::AuditFacts,
    integrations::{self, NewIntegration},
    links, messages,
    proof::Anyone,
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
    /// How much the service account may access.
    pub access_level: domain::AccessLevel,
    /// Address of the service mailbox, if already known.
    pub service_mailbox: Option<String>,
}

impl Connect {
    /// Accepts the terms, registers the integration if the link has none, and opens a session for this browser.
    /// Returns the cookie's secret and the next page.
    pub async fn submit_choices(
        &self,
        _by: Anyone,
        token: &str,
        choice: ConnectChoices,
    ) -> Result<(String, NextPage)> {
        if !choice.terms || !choice.privacy {
            let message = messages::accept_the_terms_first();
            return Err(Refusal::new("TERMS_NOT_ACCEPTED", message).into());
        }
        let link = self.services.links().open(Anyone, token).await?.link;
        let (mut tx, _) = self.services.begin_locked(link.tenant_id).await?;
        let link = held(&tx, link.id).await?;
        links::require_valid(tx.conn(), &link, tx.now()).await?;
        let integration = self.integration_of(&mut tx, &link, &choice).await?;
        self.accept_terms(&mut tx, integration.id, &link).await?;
        let purpose = ConnectPurpose::Connect;
        let (cookie, mut session) =
            self.open_session(&tx, purpose, integration.id, Some(link.id), None).await?;
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
        integrations::signal_connect_run(
            &mut tx,
            integration.id,
            "terms_accepted",
            json!({ "by": link.email }),
        )
        .await?;
        tx.commit().await?;
        Ok((cookie, onward))
    }

    /// Returns the link's integration, or creates one; an integration that has ended or was connected before is
    /// reconnected.
    async fn integration_of(
        &self,
        tx: &mut Tx,
        link: &entity::connect_link::Model,
        choice: &ConnectChoices,
    ) -> Result<entity::integration::Model> {
        use IntegrationState as S;
        let actor = link.id.to_string();
        if let Some(id) = link.integration_id {
            let row = integrations::find(tx, id).await?;
            if row.provider != choice.provider {
                let message = messages::link_for_another_system();
                return Err(Refusal::new("PROVIDER_MISMATCH", message).at("provider").into());
            }
            let state = row.state.require()?;
            let connecting = is_connecting(tx.conn(), tx.tenant(), row.id).await?;
            if matches!(state, S::Active | S::Degraded) && !connecting {
                // Whoever comes by a link that has done its work could otherwise take the connection down again.
                let message = messages::already_connected();
                return Err(Error::refuse("INTEGRATION_NOT_RECONNECTABLE", message));
            }
            let waits = matches!(state, S::Draft | S::AwaitingConsent | S::AwaitingAuthorization);
            if !waits && !connecting {
                self.services.integrations().enqueue_reconnection(tx, &row, &actor).await?;
            }
            return Ok(row);
        }
        let new = NewIntegration {
            provider: choice.provider,
            name: provider_label(choice.provider).to_owned(),
            access_level: choice.access_level,
            scope_group: None,
            service_mailbox: choice.service_mailbox.clone(),
            return_url: link.return_url.clone(),
        };
        let row = self.services.integrations().insert(tx, &actor, new).await?;
        let mut change = entity::connect_link::ActiveModel::from(link.clone());
        change.integration_id = Set(Some(row.id));
        change.update(tx.conn()).await?;
        Ok(row)
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
