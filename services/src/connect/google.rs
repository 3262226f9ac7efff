//! The key of a Google service account, typed on the connect page, and the administrator for whom it acts.
//!
//! That the key may act for that administrator in the directory is the proof of the organisation, and the integration's
//! run asks for it; here only what cannot be a key is refused.

use domain::ProviderKind;
use providers::google::ServiceAccountKey;
use secrecy::ExposeSecret;

use super::{Connect, Onward, SessionRow, Typed};
use crate::{Refusal, Result, grants::Secret, integrations};

impl Connect {
    /// The calendar system of a session.
    pub(super) async fn provider_of(&self, session: &SessionRow) -> Result<ProviderKind> {
        let rows = self.services.integrations().among(session.tenant_id, &[session.integration_id]).await?;
        let row = rows.into_iter().next().ok_or_else(super::session::session_over)?;
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
            return Err(Refusal::new("KEY_MALFORMED", error.message).at("key").into());
        }
        let secret = Secret::ServiceAccount { key: key.to_owned() };
        let mut tx = self.services.begin(session.tenant_id).await?;
        self.hand_over(&mut tx, &mut session, administrator, &secret, None).await?;
        tx.commit().await?;
        Ok(Onward::Progress)
    }
}
