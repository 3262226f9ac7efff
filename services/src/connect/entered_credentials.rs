//! Credentials that an administrator enters, for calendar systems without consent pages.

use domain::{connect::ConnectPurpose, text::LineMode};
use providers::{ConsentFlow, Provider, Secret};
use secrecy::ExposeSecret;
use url::Url;

use super::{Connect, EnteredCredentials, NextPage};
use crate::{
    Error, Refusal, Result, messages,
    proof::Anyone,
    text::{self, MAX_URL_LEN},
};

/// Longest user name in characters.
pub(super) const MAX_USER_LEN: usize = 320;

impl Connect {
    /// Accepts entered credentials, which the integration's run then tests. They replace those entered before (S6.2).
    pub async fn submit_credentials(
        &self,
        _by: Anyone,
        cookie: &str,
        typed: EnteredCredentials,
    ) -> Result<NextPage> {
        let mut session = self.find_session(cookie, ConnectPurpose::Connect).await?;
        let connector = self.connector_of(&session).await?;
        let finds_server = match connector.consent_flow() {
            ConsentFlow::ServiceAccount { keyless, .. } => {
                return match &typed.service_account {
                    Some(address) => {
                        self.submit_service_account(&*connector, session, (&typed, address), keyless).await
                    }
                    None => self.submit_key(session, &typed).await,
                };
            }
            ConsentFlow::Login { finds_server } => finds_server,
            ConsentFlow::Pages => {
                return Err(Error::refuse("STEP_OVER", messages::no_credentials_at_this_step()));
            }
        };
        let (mut tx, locked) = self.begin_step(&session).await?;
        session = locked;
        let (user, server, secret) = checked_login(&*connector, finds_server, &typed)?;
        self.store_consent_for_run(&mut tx, &mut session, &user, &secret, server.as_ref()).await?;
        tx.commit().await?;
        Ok(NextPage::Progress)
    }
}

/// The user name, server and secret of entered credentials, as far as they can be checked without the server.
pub(super) fn checked_login(
    connector: &dyn Provider,
    finds_server: bool,
    typed: &EnteredCredentials,
) -> Result<(String, Option<Url>, Secret)> {
    let server = server_of(connector, finds_server, typed)?;
    if typed.user.trim().is_empty() || typed.password.expose_secret().is_empty() {
        return Err(Refusal::new("CREDENTIALS_MISSING", messages::user_and_password_needed())
            .at("user")
            .into());
    }
    let user = typed.user.trim().to_owned();
    text::check(&user, LineMode::Line, MAX_USER_LEN, "user")?;
    let secret = Secret::Basic { user: user.clone(), password: typed.password.expose_secret().to_owned() };
    Ok((user, server, secret))
}

/// The URL of the entered server. It may be omitted if the connector finds it by the account's email address.
fn server_of(
    connector: &dyn Provider,
    finds_server: bool,
    typed: &EnteredCredentials,
) -> Result<Option<Url>> {
    let refuse = |code, message| Err(Refusal::new(code, message).at("server").into());
    text::check(&typed.server, LineMode::Line, MAX_URL_LEN, "server")?;
    let text = typed.server.trim();
    if text.is_empty() && finds_server && typed.user.contains('@') {
        return Ok(None);
    }
    let malformed = "SERVER_URL_MALFORMED";
    let Ok(server) = text.parse::<Url>() else {
        return refuse(malformed, messages::no_address_of_a_server());
    };
    // What follows a question mark may be a secret, and the address is shown and recorded.
    let holds_secret = !server.username().is_empty()
        || server.password().is_some()
        || server.query().is_some()
        || server.fragment().is_some();
    if !matches!(server.scheme(), "http" | "https") || !server.has_host() || holds_secret {
        let message = messages::https_address_needed();
        return refuse(malformed, message);
    }
    match connector.check_server(&server) {
        Ok(()) => Ok(Some(server)),
        Err(unfit) => refuse(unfit.code, unfit.message),
    }
}
