//! The data of a sign-in, stored in a browser cookie.
//!
//! The cookie contains the sign-in's id and the application's parameters, protected by a digest that only this
//! installation can compute. It contains no secret: the values sent to the issuer are derived from the sign-in's id
//! with the same key.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Id, Timestamp, ids};
use providers::openid::SignInAttempt;
use serde::{Deserialize, Serialize};

use super::{SignIn, SignInRequest};
use crate::{Error, Result};

/// Content of a sign-in cookie.
#[derive(Serialize, Deserialize)]
pub(super) struct Session {
    #[serde(with = "domain::ids::plain")]
    pub(super) id: Id<ids::Row>,
    #[serde(with = "domain::ids::plain")]
    pub(super) issuer: Id<ids::OpenIdIssuer>,
    pub(super) request: SignInRequest,
    pub(super) expires_at: Timestamp,
}

impl SignIn {
    /// Encodes the data of a sign-in as a cookie value.
    pub(super) async fn encode_cookie(&self, tenant: Id<ids::Tenant>, session: &Session) -> Result<String> {
        let said = URL_SAFE_NO_PAD.encode(serde_json::to_vec(session).map_err(|_| session_ended())?);
        Ok(format!("{said}.{}", self.derived("cookie", tenant, &said).await?))
    }

    /// Decodes a cookie that this installation created for this tenant.
    pub(super) async fn decode_cookie(&self, tenant: Id<ids::Tenant>, cookie: &str) -> Result<Session> {
        let (said, digest) = cookie.split_once('.').ok_or_else(session_ended)?;
        let made = self.derived("cookie", tenant, said).await?;
        verify_slices_are_equal(made.as_bytes(), digest.as_bytes()).map_err(|_| session_ended())?;
        let said = URL_SAFE_NO_PAD.decode(said).map_err(|_| session_ended())?;
        serde_json::from_slice(&said).map_err(|_| session_ended())
    }

    /// Derives the state, nonce and verifier that a sign-in sends to the issuer.
    pub(super) async fn derive_attempt(
        &self,
        tenant: Id<ids::Tenant>,
        id: Id<ids::Row>,
    ) -> Result<SignInAttempt> {
        let id = id.uuid().to_string();
        let (state, nonce) =
            (self.derived("state", tenant, &id).await?, self.derived("nonce", tenant, &id).await?);
        Ok(SignInAttempt { state, nonce, verifier: self.derived("verifier", tenant, &id).await?.into() })
    }

    /// A keyed digest in base64url that only this installation can compute. The space in its input distinguishes it
    /// from all other digests.
    async fn derived(&self, what: &str, tenant: Id<ids::Tenant>, of: &str) -> Result<String> {
        let text = format!("sign-in {what} {tenant} {of}");
        Ok(URL_SAFE_NO_PAD.encode(self.services.secrets().digest(&text).await?))
    }
}

pub(super) fn session_ended() -> Error {
    Error::refuse("SESSION_OVER", "This sign-in has expired or was started in another browser. Start again.")
}
