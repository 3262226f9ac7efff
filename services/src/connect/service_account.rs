//! Connecting through a service account of the organisation: with its key, entered on the connect page together with
//! the email address of the administrator on whose behalf it acts; or without a key, with its email address only.
//!
//! A key proves control of the organisation if it can act on the administrator's behalf in the directory. The
//! integration's run checks that; this module only refuses malformed keys. A service account's email address is not
//! secret, so whoever enters one must sign in as the administrator; otherwise anybody could connect an organisation
//! that trusts that service account.

use domain::text::LineMode;
use providers::{Provider, Secret, SignInPurpose, SignedInAdministrator};
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{
    Connect, EnteredCredentials, NextPage, SessionRow, consent_pages::ValidRedirect,
    entered_credentials::MAX_USER_LEN, session::session_ended,
};
use crate::{Error, Refusal, Result, messages, text, users::parse_email};

/// The values that an administrator entered before signing in; stored in the connect session.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Named {
    service_account: String,
    administrator: String,
}

impl Connect {
    /// Accepts a key file and the email address of an administrator.
    pub(super) async fn submit_key(
        &self,
        session: SessionRow,
        typed: &EnteredCredentials,
    ) -> Result<NextPage> {
        let administrator = administrator(typed)?;
        let key = typed.password.expose_secret().trim();
        let secret = Secret::service_account(key);
        let secret =
            secret.map_err(|error| Refusal::new("SERVICE_KEY_MALFORMED", error.message).at("key"))?;
        let (mut tx, mut session) = self.begin_step(&session).await?;
        self.store_consent_for_run(&mut tx, &mut session, administrator, &secret, None).await?;
        tx.commit().await?;
        Ok(NextPage::Progress)
    }

    /// Accepts the email addresses of an administrator and of a service account for which the installation signs. The
    /// administrator must sign in first.
    pub(super) async fn submit_service_account(
        &self,
        connector: &dyn Provider,
        mut session: SessionRow,
        (typed, address): (&EnteredCredentials, &str),
        keyless: bool,
    ) -> Result<NextPage> {
        let administrator = administrator(typed)?.to_owned();
        let named = Named { service_account: service_account(address)?, administrator };
        if !keyless {
            let message = messages::keyless_not_offered();
            return Err(Refusal::new("KEYLESS_NOT_OFFERED", message).at("serviceAccount").into());
        }
        let (tx, locked) = self.begin_step(&session).await?;
        session = locked;
        let mut change = entity::connect_session::ActiveModel::from(session);
        change.typed_account = Set(serde_json::to_value(&named).ok());
        session = change.update(tx.conn()).await?;
        let hint = Some(named.administrator.as_str());
        let (ask, path) = (SignInPurpose::Administrator, connector.redirect_paths().signed_in);
        let onward = self.sign_in_redirect(&tx, &mut session, connector, (ask, path), hint).await?;
        tx.commit().await?;
        Ok(onward)
    }

    /// Completes the sign-in of the administrator whose email address was entered. Any other account ends the attempt.
    pub(super) async fn complete_administrator_sign_in(
        &self,
        connector: &dyn Provider,
        redirect: ValidRedirect<'_>,
    ) -> Result<NextPage> {
        let named: Option<Named> =
            redirect.session.typed_account.clone().and_then(|named| serde_json::from_value(named).ok());
        let named = named.ok_or_else(session_ended)?;
        let proven = self.signed_in_administrator(connector, &redirect, &named).await;
        let (mut tx, mut session) = self.begin_step(&redirect.session).await?;
        let administrator = match proven {
            Ok(administrator) => Some(administrator),
            Err(error) => return self.give_up(tx, session, &error).await,
        };
        let secret = Secret::Keyless { service_account: named.service_account, administrator };
        self.store_consent_for_run(&mut tx, &mut session, &named.administrator, &secret, None).await?;
        tx.commit().await?;
        Ok(NextPage::Progress)
    }

    async fn signed_in_administrator(
        &self,
        connector: &dyn Provider,
        redirect: &ValidRedirect<'_>,
        named: &Named,
    ) -> Result<SignedInAdministrator> {
        let who = self.redeem_code(connector, SignInPurpose::Administrator, redirect).await?;
        match who.domain.filter(|_| who.username.eq_ignore_ascii_case(&named.administrator)) {
            Some(domain) => Ok(SignedInAdministrator { id: who.account, domain }),
            None => Err(wrong_administrator(&named.administrator)),
        }
    }
}

/// The error for a sign-in with an account other than the entered administrator's.
pub fn wrong_administrator(entered: &str) -> Error {
    Error::refuse("ACCOUNT_MISMATCH", messages::sign_in_as_administrator(entered))
}

/// The administrator on whose behalf the service account acts.
fn administrator(typed: &EnteredCredentials) -> Result<&str> {
    let administrator = typed.user.trim();
    text::check(administrator, LineMode::Line, MAX_USER_LEN, "user")?;
    if !administrator.contains('@') {
        let message = messages::administrators_address_needed();
        return Err(Refusal::new("CREDENTIALS_MISSING", message).at("user").into());
    }
    // As the form for users has it, so that nothing invisible is in it.
    parse_email(administrator, "user")?;
    Ok(administrator)
}

/// Parses the email address of a service account, in Google's form.
fn service_account(address: &str) -> Result<String> {
    let address = address.trim().to_ascii_lowercase();
    let (name, domain) = address.split_once('@').unwrap_or_default();
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let is_one = !name.is_empty() && domain.ends_with(".gserviceaccount.com");
    if is_one && plain(name) && plain(domain) {
        return Ok(address);
    }
    let message = messages::service_accounts_address_needed();
    Err(Refusal::new("SERVICE_ACCOUNT_MALFORMED", message).at("serviceAccount").into())
}
