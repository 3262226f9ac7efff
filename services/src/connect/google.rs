//! The key of a Google service account, typed on the connect page, with the administrator for whom it acts; and a user's
//! own consent at Google.
//!
//! That the key may act for that administrator in the directory is the proof of the organisation, and the integration's
//! run asks for it; here only what cannot be a key is refused.

use domain::ProviderKind;
use providers::google::ServiceAccountKey;
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::{
    Connect, GOOGLE_OWN_CONSENTED, Onward, RedirectAnswer, SessionRow, Typed,
    microsoft::base64url,
    session::{session_over, verifier_place},
};
use crate::{Error, Refusal, Result, Tx, grants::Secret, integrations};

impl Connect {
    /// The calendar system of a session.
    pub(super) async fn provider_of(&self, session: &SessionRow) -> Result<ProviderKind> {
        let rows = self.services.integrations().among(session.tenant_id, &[session.integration_id]).await?;
        let row = rows.into_iter().next().ok_or_else(session_over)?;
        integrations::provider(&row)
    }

    /// Takes a key file and the address of an administrator.
    pub(super) async fn typed_key(&self, mut session: SessionRow, typed: &Typed) -> Result<Onward> {
        let administrator = typed.user.trim();
        if !administrator.contains('@') {
            let message = "Enter the address of an administrator of your organisation.";
            return Err(Refusal::new("CREDENTIALS_MISSING", message).at("user").into());
        }
        let key = typed.password.expose_secret().trim();
        if let Err(error) = ServiceAccountKey::read(key) {
            return Err(Refusal::new("SERVICE_KEY_MALFORMED", error.message).at("key").into());
        }
        let secret = Secret::ServiceAccount { key: key.to_owned() };
        let mut tx = self.services.begin(session.tenant_id).await?;
        self.hand_over(&mut tx, &mut session, administrator, &secret, None).await?;
        tx.commit().await?;
        Ok(Onward::Progress)
    }

    /// Sends a user's browser to Google's consent page.
    pub(super) async fn to_google(
        &self,
        tx: &Tx,
        session: &mut SessionRow,
        hint: Option<&str>,
    ) -> Result<Onward> {
        let google = self.services.connectors.google()?;
        let verifier = self.services.ids.secret();
        let challenge = base64url(&Sha256::digest(verifier.as_bytes()));
        let nonce = self.services.ids.secret();
        let key = self.services.tenants().data_key(session.tenant_id).await?;
        let mut change = entity::connect_session::ActiveModel::from(session.clone());
        change.nonce = Set(Some(nonce.clone()));
        change.verifier = Set(Some(key.seal(verifier_place(session), verifier.as_bytes())?));
        *session = change.update(tx.conn()).await?;
        let state = self.new_state(tx, session, GOOGLE_OWN_CONSENTED).await?;
        let redirect = self.services.settings.link(GOOGLE_OWN_CONSENTED);
        Ok(Onward::Provider(google.consent_url(&redirect, &state, &nonce, &challenge, hint)?))
    }

    /// Takes a user's own consent at Google. The account is the one whose calendar it is: its address, which Google has
    /// verified, is the user's calendar address, and it belongs to an organisation.
    pub async fn own_consented_at_google(&self, cookie: &str, answer: RedirectAnswer) -> Result<Onward> {
        let path = GOOGLE_OWN_CONSENTED;
        let (session, verifier) = self.expect_answer(cookie, "OWN_OPEN", path, &answer).await?;
        let google = self.services.connectors.google()?.clone();
        let (redirect, nonce) = (self.services.settings.link(path), session.nonce.as_deref());
        let tokens =
            google.redeem_code(answer.code()?, &verifier, &redirect, nonce.unwrap_or_default()).await?;
        let tx = self.services.begin(session.tenant_id).await?;
        let integration = integrations::find(&tx, session.integration_id).await?;
        let user = session.user_id.ok_or_else(session_over)?;
        let row = entity::tenant_user::one(session.tenant_id, user).one(tx.conn()).await?;
        let address = row.and_then(|row| row.calendar_address).unwrap_or_default();
        if !tokens.person.is_some_and(|person| person.email.eq_ignore_ascii_case(&address)) {
            let message = format!("Sign in with the account of your own calendar, {address}.");
            return Err(Error::refuse("ACCOUNT_MISMATCH", message));
        }
        let external = integration.external_tenant.clone().ok_or_else(session_over)?;
        let refresh_token = tokens.refresh_token.map(|token| token.expose_secret().to_owned());
        let refresh_token = refresh_token.ok_or_else(|| {
            Error::refuse("CONSENT_INCOMPLETE", "The consent gives no lasting access. Start again.")
        })?;
        let secret = Secret::GoogleUser { external, refresh_token };
        self.own_in_force(tx, &integration, user, address, &secret).await
    }
}
