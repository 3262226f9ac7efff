//! Steps of the connect page: an invited administrator completes them in the browser, from accepting the terms to
//! authorising the use.
//!
//! The browser is bound to a connect session by a cookie, of which only a digest is stored. The organisation at the
//! provider is determined by the validated ID token of a fresh sign-in in that session, never by a redirect, whose URL
//! anybody can type. Each OAuth `state` is issued by Muster, single-use, and valid for one step of one session.
//! Whatever ends a session early leaves the integration with a reason and without a partial connection.

mod consent;
mod consent_pages;
pub(crate) mod domains;
mod entered_credentials;
mod own_consent;
mod service_account;
mod session;

use domain::{
    Id, ProviderKind, Reason,
    connect::{ConnectPurpose, ConnectStep},
    ids,
    state::{IntegrationState, TermsDocument},
};
use providers::{Provider, SignInPurpose};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use self::session::{session_ended, set_step};
use crate::{
    Error, Refusal, Result, Tx,
    audit::AuditFacts,
    integrations::{self, NewIntegration},
    links, messages,
    proof::Anyone,
};
use entity::connect_session::Model as SessionRow;

pub(crate) use self::consent::delete_stored_consents;
pub use self::consent_pages::RedirectParams;
use self::consent_pages::SessionAccount;
pub use self::service_account::wrong_administrator;
pub use providers::ConsentFlow;

crate::noun! {
    /// The steps of the connect page.
    Connect
}

/// The administrator's choices on the connect page.
#[derive(Debug, Clone)]
pub struct ConnectChoices {
    /// Calendar system to connect.
    pub provider: ProviderKind,
    /// Whether the terms of service were accepted.
    pub terms: bool,
    /// Whether the privacy policy was accepted.
    pub privacy: bool,
    /// How much of the calendar system the service account may access.
    pub access_level: domain::AccessLevel,
    /// Email address of the service mailbox, if already known.
    pub service_mailbox: Option<String>,
}

/// Credentials entered on the page, for calendar systems without consent pages.
#[derive(Clone)]
pub struct EnteredCredentials {
    /// URL of the server; may be empty for Exchange, for which it can be found by the user name.
    pub server: String,
    /// User name; for Google, the administrator on whose behalf the service account acts.
    pub user: String,
    /// Password; for Google, the content of the key file.
    pub password: SecretString,
    /// For Google, the service account's email address in place of its key.
    pub service_account: Option<String>,
}

/// The page to which the browser is redirected next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextPage {
    /// Redirects the browser to the calendar system, for sign-in or consent.
    Provider(Url),
    /// The page that shows the access that the organisation will be asked to approve.
    Ask,
    /// Redirects to the form for credentials.
    Credentials,
    /// Redirects to the page that shows the progress.
    Progress,
    /// The return URL in the vendor's product.
    Land(Url),
}

/// Information shown to an administrator before the organisation's consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentQuestion {
    /// Name of the tenant.
    pub tenant: String,
    /// The account that signed in.
    pub account: String,
    /// Id of the account's organisation at the provider.
    pub organisation: String,
}

/// Progress of a connect session, for its page.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Name of the tenant.
    pub tenant: String,
    /// The session's integration.
    pub integration: entity::integration::Model,
    /// State of the integration.
    pub state: IntegrationState,
    /// Why the integration is in this state.
    pub reason: Option<Reason>,
    /// The URL to which the browser returns at the end.
    pub landing: Option<Url>,
    /// Whether the administrator has authorised or declined in this session; the run may not have processed this yet.
    pub answered: bool,
    /// Whether a run is connecting the integration; if so, a final state is that of the previous attempt.
    pub connecting: bool,
}

/// Payload of the signal that notifies the integration's run of a consent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConsentSignal {
    /// The connect session that contains the sealed secret.
    #[serde(with = "domain::ids::plain")]
    pub session: Id<ids::ConnectSession>,
    /// The account that consented.
    pub by: String,
    /// URL of the customer's own server.
    pub server: Option<Url>,
}

impl Connect {
    /// Accepts the terms, registers the integration if the link has none, and opens a connect session for this browser.
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

    /// The link is recorded as the actor, because nothing proves that its bearer is the invited person.
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

    /// Progress of the session's integration.
    pub async fn progress(&self, _by: Anyone, cookie: &str) -> Result<Progress> {
        let session = self.find_session(cookie, ConnectPurpose::Connect).await?;
        let tenant = self.services.tenants().find(session.tenant_id).await?;
        let txn = self.services.read(session.tenant_id).await?;
        let row = entity::integration::one(session.tenant_id, session.integration_id).one(&txn).await?;
        let integration = row.ok_or_else(session_ended)?;
        let (state, reason) =
            (integration.state.require()?, integrations::parse_reason(integration.reason.as_ref()));
        let connecting = is_connecting(&txn, session.tenant_id, integration.id).await?;
        drop(txn);
        let landing = self.landing(&integration, state, reason.as_ref()).await?;
        let tenant = tenant.map(|tenant| tenant.name).unwrap_or_default();
        let answered = session.step == ConnectStep::Answered;
        Ok(Progress { tenant, integration, state, reason, landing, answered, connecting })
    }

    /// Authorises Muster to use the access that the provider granted, as a separate, explicit step (S3.5).
    pub async fn authorise(&self, _by: Anyone, cookie: &str) -> Result<NextPage> {
        let session = self.find_session(cookie, ConnectPurpose::Connect).await?;
        let connector = self.connector_of(&session).await?;
        let (mut tx, mut session) = self.begin_step(&session).await?;
        let row = integrations::find(&tx, session.integration_id).await?;
        // Pressed twice is pressed once.
        if session.step != ConnectStep::Answered {
            may_authorise(&*connector, &session, &row)?;
            integrations::authorise(&mut tx, &row, &actor(&session)).await?;
            set_step(&tx, &mut session, ConnectStep::Answered).await?;
        }
        tx.commit().await?;
        let landed = self.landing(&row, IntegrationState::Verifying, None).await?;
        Ok(landed.map_or(NextPage::Progress, NextPage::Land))
    }

    /// Records that the administrator declined, before or instead of the authorisation.
    pub async fn decline(&self, _by: Anyone, cookie: &str) -> Result<NextPage> {
        let session = self.find_session(cookie, ConnectPurpose::Connect).await?;
        let (tx, session) = self.begin_step(&session).await?;
        let error = Refusal::new("CONSENT_DECLINED", messages::consent_declined_here());
        self.give_up(tx, session, &error.into()).await
    }

    /// Ends the connect attempt with an error: the run undoes its steps, and the browser is redirected with the reason
    /// (S1.12).
    async fn give_up(&self, mut tx: Tx, mut session: SessionRow, error: &Error) -> Result<NextPage> {
        set_step(&tx, &mut session, ConnectStep::Answered).await?;
        let reason = error.reason();
        let said = json!(reason);
        integrations::signal_connect_run(&mut tx, session.integration_id, "declined", said).await?;
        let row = integrations::find(&tx, session.integration_id).await?;
        let subject = row.id.to_string();
        tx.audit(&actor(&session), "integration.decline", subject, json!({ "code": reason.code }));
        tx.commit().await?;
        let landed = self.landing(&row, IntegrationState::Declined, Some(&reason)).await?;
        Ok(landed.map_or(NextPage::Progress, NextPage::Land))
    }

    /// The return URL; `None` if the vendor specified none or no longer allows it.
    async fn landing(
        &self,
        integration: &entity::integration::Model,
        state: IntegrationState,
        reason: Option<&Reason>,
    ) -> Result<Option<Url>> {
        let Some(url) = integration.return_url.as_deref() else { return Ok(None) };
        let tenant = integration.tenant_id;
        let allowed = self.services.tenants().allows_return_url(Anyone, tenant, url).await?;
        Ok(landing(integration, state, reason).filter(|_| allowed))
    }
}

/// Whether a run is currently connecting an integration.
async fn is_connecting(
    conn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    integration: Id<ids::Integration>,
) -> Result<bool> {
    use entity::run::{Column, of};
    let run = of(tenant)
        .filter(Column::Subject.eq(integration))
        .filter(Column::Workflow.eq("connect_integration"))
        .filter(Column::FinishedAt.is_null())
        .one(conn)
        .await?;
    Ok(run.is_some())
}

/// The actor that the audit log records for the actions of a connect session.
fn actor(session: &SessionRow) -> String {
    let link = |link: Id<ids::ConnectLink>| link.to_string();
    session.link_id.map_or_else(|| "connect".to_owned(), link)
}

/// Locks the link's row until the transaction ends, so that submitting a form twice creates only one integration.
async fn held(tx: &Tx, link: Id<ids::ConnectLink>) -> Result<entity::connect_link::Model> {
    let row = entity::connect_link::one(tx.tenant(), link).lock_exclusive();
    row.one(tx.conn()).await?.ok_or_else(session_ended)
}

/// Requires that the consent in force was granted in the session of the person who authorises its use, for the
/// integration's current organisation. If two people use one link, neither can authorise the other's consent.
fn may_authorise(
    connector: &dyn Provider,
    session: &SessionRow,
    row: &entity::integration::Model,
) -> Result<()> {
    if row.state.require()? != IntegrationState::AwaitingAuthorization {
        return Ok(());
    }
    if session.step != ConnectStep::Granted {
        let message = messages::grant_access_first();
        return Err(Error::refuse("SIGN_IN_INCOMPLETE", message));
    }
    let signed: Option<SessionAccount> =
        session.signed_in.clone().and_then(|signed| serde_json::from_value(signed).ok());
    let known = row.external_tenant.as_deref().unwrap_or_default();
    if signed.is_some_and(|signed| !connector.is_same_organisation(&signed.external, known)) {
        let message = messages::another_organisation_meanwhile();
        return Err(Error::refuse("TENANT_MISMATCH", message));
    }
    Ok(())
}

/// Adds the result to the return URL.
fn landing(
    integration: &entity::integration::Model,
    state: IntegrationState,
    reason: Option<&Reason>,
) -> Option<Url> {
    let mut url: Url = integration.return_url.as_deref()?.parse().ok()?;
    let id = integration.id.to_string();
    url.query_pairs_mut().append_pair("integration", &id).append_pair("state", state.as_str());
    if let Some(reason) = reason {
        url.query_pairs_mut().append_pair("reason", &reason.code);
    }
    Some(url)
}

/// Name of a calendar system on pages.
pub fn provider_label(provider: ProviderKind) -> &'static str {
    match provider {
        ProviderKind::Microsoft365 => "Microsoft 365",
        ProviderKind::Exchange => "Exchange",
        ProviderKind::GoogleWorkspace => "Google Workspace",
        ProviderKind::CalDav => "CalDAV",
    }
}
