//! Connecting through Google: the key of a service account, entered on the connect page with the administrator for
//! whom it acts; a service account that is named without its key; and a user's own consent.
//!
//! That the key may act for the administrator in the directory proves the organisation; the integration's run checks
//! it, and this module only refuses what cannot be a key. A service account's name is no secret: who enters a name
//! must sign in as the administrator, otherwise anybody could connect an organisation that trusts that service
//! account.

use domain::{ProviderKind, connect::ConnectPurpose, text::Shape};
use providers::{
    Organisation, Person,
    google::{ServiceAccountKey, consent::Ask},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Connect, GOOGLE_OWN_CONSENTED, GOOGLE_SIGNED_IN, NextPage, RedirectAnswer, SessionRow, TypedCredentials,
    microsoft::base64url,
    own_consent::{Owner, account_mismatch},
    session::{session_over, verifier_context},
    typed_credentials::LONGEST_USER,
};
use crate::{
    Error, Refusal, Result, Tx,
    grants::{Secret, SignedInAdministrator},
    integrations,
    proof::{Anyone, TenantScope},
    text,
    users::checked_email,
};

/// What an administrator entered before the sign-in that proves their identity; stored in the session.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Named {
    service_account: String,
    administrator: String,
}

impl Connect {
    /// The calendar system of a session.
    pub(super) async fn provider_of(&self, session: &SessionRow) -> Result<ProviderKind> {
        let rows = self
            .services
            .integrations()
            .by_ids(TenantScope::new(session.tenant_id), &[session.integration_id])
            .await?;
        let row = rows.into_iter().next().ok_or_else(session_over)?;
        integrations::provider(&row)
    }

    /// Accepts a key file and the address of an administrator.
    pub(super) async fn typed_key(&self, session: SessionRow, typed: &TypedCredentials) -> Result<NextPage> {
        let administrator = administrator(typed)?;
        let key = typed.password.expose_secret().trim();
        if let Err(error) = ServiceAccountKey::read(key) {
            return Err(Refusal::new("SERVICE_KEY_MALFORMED", error.message).at("key").into());
        }
        let secret = Secret::ServiceAccount { key: key.to_owned() };
        let (mut tx, mut session) = self.begin_step(&session).await?;
        self.store_for_run(&mut tx, &mut session, administrator, &secret, None).await?;
        tx.commit().await?;
        Ok(NextPage::Progress)
    }

    /// Accepts the addresses of an administrator and of a service account for which the installation signs. The
    /// administrator must sign in before anything is tried.
    pub(super) async fn named_service_account(
        &self,
        mut session: SessionRow,
        typed: &TypedCredentials,
        address: &str,
    ) -> Result<NextPage> {
        let administrator = administrator(typed)?.to_owned();
        let named = Named { service_account: service_account(address)?, administrator };
        if !self.services.connectors.google()?.is_keyless() {
            let message = "This installation cannot use a service account without its key. Paste the key.";
            return Err(Refusal::new("KEYLESS_NOT_OFFERED", message).at("serviceAccount").into());
        }
        let (tx, locked) = self.begin_step(&session).await?;
        session = locked;
        let mut change = entity::connect_session::ActiveModel::from(session);
        change.signed_in = Set(serde_json::to_value(&named).ok());
        session = change.update(tx.conn()).await?;
        let hint = Some(named.administrator.as_str());
        let onward = self.google_redirect(&tx, &mut session, Ask::SignIn, GOOGLE_SIGNED_IN, hint).await?;
        tx.commit().await?;
        Ok(onward)
    }

    /// Completes the sign-in of the named administrator. Any other account ends the attempt.
    pub async fn signed_in_at_google(
        &self,
        _by: Anyone,
        cookie: &str,
        answer: RedirectAnswer,
    ) -> Result<NextPage> {
        let (session, verifier) =
            self.take_redirect(cookie, ConnectPurpose::Connect, GOOGLE_SIGNED_IN, &answer).await?;
        let named: Option<Named> =
            session.signed_in.clone().and_then(|named| serde_json::from_value(named).ok());
        let named = named.ok_or_else(session_over)?;
        let proven = self.signed_in_administrator(&session, &named, &verifier, &answer).await;
        let (mut tx, mut session) = self.begin_step(&session).await?;
        let administrator = match proven {
            Ok(administrator) => Some(administrator),
            Err(error) => return self.give_up(tx, session, &error).await,
        };
        let secret = Secret::Keyless { service_account: named.service_account, administrator };
        self.store_for_run(&mut tx, &mut session, &named.administrator, &secret, None).await?;
        tx.commit().await?;
        Ok(NextPage::Progress)
    }

    async fn signed_in_administrator(
        &self,
        session: &SessionRow,
        named: &Named,
        verifier: &SecretString,
        answer: &RedirectAnswer,
    ) -> Result<SignedInAdministrator> {
        let google = self.services.connectors.google()?;
        let redirect = self.services.settings.link(GOOGLE_SIGNED_IN);
        let nonce = session.nonce.as_deref().unwrap_or_default();
        let person = google.redeem_sign_in(answer.code()?, verifier, &redirect, nonce).await?;
        match person.email.eq_ignore_ascii_case(&named.administrator) {
            true => Ok(SignedInAdministrator { id: person.id, domain: person.domain }),
            false => Err(other_administrator(&named.administrator)),
        }
    }

    /// Redirects a browser to Google, to return at `path`.
    pub(super) async fn google_redirect(
        &self,
        tx: &Tx,
        session: &mut SessionRow,
        ask: Ask,
        path: &str,
        hint: Option<&str>,
    ) -> Result<NextPage> {
        let google = self.services.connectors.google()?;
        let verifier = self.services.ids.secret();
        let challenge = base64url(&Sha256::digest(verifier.as_bytes()));
        let nonce = self.services.ids.secret();
        let secrets = self.services.secrets();
        let sealed = secrets.seal(tx.conn(), verifier_context(session), verifier.as_bytes()).await?;
        let mut change = entity::connect_session::ActiveModel::from(session.clone());
        change.nonce = Set(Some(nonce.clone()));
        change.verifier = Set(Some(sealed));
        *session = change.update(tx.conn()).await?;
        let state = self.new_state(tx, session, path).await?;
        let redirect = self.services.settings.link(path);
        Ok(NextPage::Provider(google.consent_url(ask, &redirect, &state, &nonce, &challenge, hint)?))
    }

    /// Completes a user's own consent at Google. The account must be the one that the organisation's directory has
    /// under the user's calendar address, in one of the organisation's verified domains.
    pub async fn own_consented_at_google(
        &self,
        _by: Anyone,
        cookie: &str,
        answer: RedirectAnswer,
    ) -> Result<NextPage> {
        let path = GOOGLE_OWN_CONSENTED;
        let (session, verifier) = self.take_redirect(cookie, ConnectPurpose::OwnOpen, path, &answer).await?;
        let google = self.services.connectors.google()?.clone();
        let (redirect, nonce) = (self.services.settings.link(path), session.nonce.as_deref());
        let tokens =
            google.redeem_code(answer.code()?, &verifier, &redirect, nonce.unwrap_or_default()).await?;
        let Owner { integration, user, address } = self.owner(&session).await?;
        let who = tokens.person.ok_or_else(|| account_mismatch(&address))?;
        let (_, domain_of_address) = who.email.rsplit_once('@').unwrap_or_default();
        self.require_domains(&integration, &address, [&who.domain, domain_of_address]).await?;
        self.require_owner(&integration, &address, &who.id).await?;
        let external = integration.external_tenant.clone().ok_or_else(session_over)?;
        let refresh_token = tokens.refresh_token.map(|token| token.expose_secret().to_owned());
        let refresh_token = refresh_token.ok_or_else(|| {
            Error::refuse("CONSENT_INCOMPLETE", "The consent gives no lasting access. Start again.")
        })?;
        let secret = Secret::GoogleUser { external, refresh_token };
        let (tx, _) = self.begin_step(&session).await?;
        self.store_own_consent(tx, &integration, user, address, &secret).await
    }
}

impl SignedInAdministrator {
    /// Refuses an account that is not the one behind the entered address, according to the directory that the service
    /// account reads for that administrator. An address alone proves nothing: somebody may have an account of another
    /// organisation under it.
    pub fn require(&self, entered: &str, listed: &Person, organisation: &Organisation) -> Result<()> {
        let is_here = |domain: &String| domain.eq_ignore_ascii_case(&self.domain);
        let is_member = listed.organisation.as_deref().is_none_or(|customer| customer == organisation.id);
        let is_verified = organisation.domains.is_empty() || organisation.domains.iter().any(is_here);
        match listed.id == self.id && is_member && is_verified {
            true => Ok(()),
            false => Err(other_administrator(entered)),
        }
    }
}

fn other_administrator(entered: &str) -> Error {
    Error::refuse("ACCOUNT_MISMATCH", format!("Sign in as the administrator that you entered, {entered}."))
}

/// The administrator for whom the service account acts.
fn administrator(typed: &TypedCredentials) -> Result<&str> {
    let administrator = typed.user.trim();
    text::check(administrator, Shape::Line, LONGEST_USER, "user")?;
    if !administrator.contains('@') {
        let message = "Enter the address of an administrator of your organisation.";
        return Err(Refusal::new("CREDENTIALS_MISSING", message).at("user").into());
    }
    // As the form for users has it, so that nothing invisible is in it.
    checked_email(administrator, "user")?;
    Ok(administrator)
}

/// Parses the address of a service account, in Google's form.
fn service_account(address: &str) -> Result<String> {
    let address = address.trim().to_ascii_lowercase();
    let (name, domain) = address.split_once('@').unwrap_or_default();
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let is_one = !name.is_empty() && domain.ends_with(".gserviceaccount.com");
    if is_one && plain(name) && plain(domain) {
        return Ok(address);
    }
    let message = "Enter the address of a service account; it ends with .gserviceaccount.com.";
    Err(Refusal::new("SERVICE_ACCOUNT_MALFORMED", message).at("serviceAccount").into())
}
