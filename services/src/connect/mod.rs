//! Steps of the connect page: an invited administrator completes them in the browser, from accepting the terms to
//! authorising the use.
//!
//! The browser is bound to a connect session by a cookie, of which only a digest is stored. The organisation at the
//! provider is determined by the validated ID token of a fresh sign-in in that session, never by a redirect, whose URL
//! anybody can type. Each OAuth `state` is issued by Muster, single-use, and valid for one step of one session.
//! Whatever ends a session early leaves the integration with a reason and without a partial connection.

mod choices;
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
    state::IntegrationState,
};
use providers::Provider;
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QuerySelect};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use self::session::{session_ended, set_step};
use crate::{Error, Refusal, Result, Tx, integrations, messages, proof::Anyone};
use entity::connect_session::Model as SessionRow;

pub use self::choices::ConnectChoices;
pub(crate) use self::consent::delete_stored_consents;
pub use self::consent_pages::RedirectParams;
use self::consent_pages::SessionAccount;
pub use self::service_account::wrong_administrator;
pub use providers::ConsentFlow;

crate::noun! {
    /// The steps of the connect page.
    Connect
}

/// Credentials entered on the page, for systems without consent pages.
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
    /// The session to which the page belongs; its forms return it.
    pub session: Id<ids::ConnectSession>,
}

/// Progress of a connect session, for its page.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The session to which the page belongs; its forms return it.
    pub session: Id<ids::ConnectSession>,
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
    /// Progress of the session's integration.
    pub async fn progress(&self, _by: Anyone, cookie: &str) -> Result<Progress> {
        let session = self.find_session(cookie, ConnectPurpose::Connect).await?;
        let tenant = self.services.tenants().find(session.tenant_id).await?;
        let txn = self.services.read(session.tenant_id).await?;
        let row = entity::integration::by_id(session.tenant_id, session.integration_id).one(&txn).await?;
        let integration = row.ok_or_else(session_ended)?;
        let (state, reason) =
            (integration.state.require()?, integrations::parse_reason(integration.reason.as_ref()));
        let connecting = is_connecting(&txn, session.tenant_id, integration.id).await?;
        drop(txn);
        let landing = self.landing(&integration, state, reason.as_ref()).await?;
        let tenant = tenant.map(|tenant| tenant.name).unwrap_or_default();
        let answered = session.step == ConnectStep::Answered;
        Ok(Progress {
            session: session.id,
            tenant,
            integration,
            state,
            reason,
            landing,
            answered,
            connecting,
        })
    }

    /// Refuses the form of a page that belongs to a session other than that of the browser's cookie, with
    /// `PAGE_OF_ANOTHER_SESSION`. A browser has one cookie: once a second invitation has been opened, a page of the
    /// first one names one tenant and would act for the other.
    pub async fn require_page_of(&self, _by: Anyone, cookie: &str, session: &str) -> Result<()> {
        let of_cookie = self.find_session(cookie, ConnectPurpose::Connect).await?.id;
        if session.parse() == Ok(of_cookie) {
            return Ok(());
        }
        Err(Error::refuse("PAGE_OF_ANOTHER_SESSION", messages::page_of_another_session()))
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
    let row = entity::connect_link::by_id(tx.tenant(), link).lock_exclusive();
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
