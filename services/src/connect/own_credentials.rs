//! Credentials of a user's own account, for calendar systems without consent pages (S6.12). They are tried at once, so
//! that a wrong server, user name or password is corrected on the same page, and stored only if the account owns the
//! calendar.

use domain::connect::ConnectPurpose;
use providers::ConsentFlow;

use super::{Connect, EnteredCredentials, NextPage, SessionRow, entered_credentials::checked_login};
use crate::{Error, Refusal, Result, messages, proof::Anyone};

/// What the form for the credentials of a user's own account shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCredentialsForm {
    /// Name of the tenant.
    pub tenant: String,
    /// The chosen calendar system.
    pub system: domain::ProviderKind,
    /// The calendar address that the account must own.
    pub address: String,
    /// Whether the server URL may be left empty, because it is found by the email address.
    pub finds_server: bool,
}

impl Connect {
    /// What the form for the chosen calendar system shows. Refused with `STEP_OVER` if the system has consent pages.
    pub async fn own_credentials_form(&self, _by: Anyone, cookie: &str) -> Result<OwnCredentialsForm> {
        let session = self.find_session(cookie, ConnectPurpose::OwnOpen).await?;
        let (connector, finds_server) = self.login_of(&session).await?;
        let address = self.calendar_owner(&session).await?.address;
        let tenant = self.services.tenants().find(session.tenant_id).await?;
        let tenant = tenant.map(|tenant| tenant.name).unwrap_or_default();
        Ok(OwnCredentialsForm { tenant, system: connector.kind(), address, finds_server })
    }

    /// Accepts the credentials of a user's own account, after the server has accepted them and has shown that the account
    /// owns the calendar. Nothing is stored otherwise.
    pub async fn submit_own_credentials(
        &self,
        _by: Anyone,
        cookie: &str,
        typed: EnteredCredentials,
    ) -> Result<NextPage> {
        let session = self.find_session(cookie, ConnectPurpose::OwnOpen).await?;
        let (connector, finds_server) = self.login_of(&session).await?;
        let (user, server, secret) = checked_login(&*connector, finds_server, &typed)?;
        let owner = self.calendar_owner(&session).await?;
        let proven = self.prove_mailbox(&*connector, &owner, (user, server), secret).await;
        self.connect_own(&session, owner, proven.map_err(answer)?).await
    }

    /// The connector of a session whose calendar system takes the credentials of a person's own account, and whether it
    /// finds the server.
    async fn login_of(
        &self,
        session: &SessionRow,
    ) -> Result<(std::sync::Arc<dyn providers::Provider>, bool)> {
        let connector = self.connector_of(session).await?;
        match connector.consent_flow() {
            ConsentFlow::Login { finds_server } if session.integration_id.is_none() => {
                Ok((connector, finds_server))
            }
            _ => Err(Error::refuse("STEP_OVER", messages::no_credentials_at_this_step())),
        }
    }
}

/// What the server of the entered address says, or that it says nothing, refuses the answers on the form.
fn answer(error: Error) -> Error {
    match error {
        Error::Provider(error) => Refusal::new(error.kind_code(), error.message).into(),
        other => other,
    }
}
