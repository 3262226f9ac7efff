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
mod own_credentials;
mod personal;
mod progress;
mod service_account;
mod session;

use domain::{
    Id, ProviderKind,
    connect::{ConnectPurpose, ConnectStep},
    ids,
    state::IntegrationState,
};
use providers::Provider;
use sea_orm::QuerySelect;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;
use uuid::Uuid;

use self::session::{integration_of, session_ended, set_step};
use crate::{Error, Refusal, Result, Tx, integrations, messages, proof::Anyone};
use entity::connect_session::Model as SessionRow;

pub use self::choices::{ConnectChoices, ConnectOffer};
pub(crate) use self::consent::{clear_organisation, delete_tried_consents};
pub use self::consent_pages::RedirectParams;
use self::consent_pages::SessionAccount;
pub use self::own_consent::OwnConsentInvitation;
pub use self::own_credentials::OwnCredentialsForm;
pub use self::progress::{Phase, Progress, ProgressEvent};
pub use self::service_account::wrong_administrator;
pub use self::session::SESSION_OVER_CODE;
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
    /// Redirects to the form for the credentials of a user's own account.
    OwnCredentials,
    /// The page that says that a user's own calendar is connected.
    OwnConnected,
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

/// Payload of the signal that notifies the integration's run of the administrator's authorisation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Authorisation {
    /// The connect session whose consent was authorised; `None` for a consent of an earlier version.
    #[serde(default, with = "domain::ids::plain")]
    pub session: Option<Id<ids::ConnectSession>>,
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
    /// Distinguishes the consents of a session, whose credentials may be corrected; `None` for one that an earlier version
    /// stored.
    #[serde(default)]
    pub id: Option<Uuid>,
}

impl Connect {
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
        let row = integrations::find(&tx, integration_of(&session)?).await?;
        // Pressed twice is pressed once.
        if session.step != ConnectStep::Answered {
            may_authorise(&*connector, &session, &row)?;
            integrations::authorise(&mut tx, &row, &actor(&session)).await?;
            set_step(&tx, &mut session, ConnectStep::Answered).await?;
        }
        tx.commit().await?;
        Ok(NextPage::Progress)
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
        integrations::signal_connect_run(&mut tx, integration_of(&session)?, "declined", said).await?;
        let row = integrations::find(&tx, integration_of(&session)?).await?;
        let subject = row.id.to_string();
        tx.audit(&actor(&session), "integration.decline", subject, json!({ "code": reason.code }));
        tx.commit().await?;
        Ok(NextPage::Progress)
    }
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

/// Name of a calendar system on pages.
pub fn provider_label(provider: ProviderKind) -> &'static str {
    match provider {
        ProviderKind::Microsoft365 => "Microsoft 365",
        ProviderKind::Exchange => "Exchange",
        ProviderKind::GoogleWorkspace => "Google Workspace",
        ProviderKind::CalDav => "CalDAV",
    }
}
