//! The key file of a service account, as downloaded from Google's console.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, ErrorKind, Remedy, Result, messages};

/// Validity of a signed assertion in seconds; Google accepts an hour at most.
const LIFE: i64 = 3_600;

/// The relevant fields of a key file. Its `token_uri` is ignored: a file from a customer must not determine which
/// server Muster calls.
#[derive(Debug, Clone)]
pub struct ServiceAccountKey {
    /// Email address of the service account.
    pub email: String,
    /// Numeric client id of the service account, which an administrator authorises.
    pub client_id: String,
    id: String,
    private_key: SecretString,
    fingerprint: String,
}

#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    #[serde(default)]
    client_id: String,
    private_key_id: String,
    private_key: String,
}

/// Claims of an assertion: who requests access on whose behalf, with which scopes, and for how long.
#[derive(Serialize)]
pub(super) struct AssertionClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

impl<'a> AssertionClaims<'a> {
    /// Claims by which the service account `issuer` requests a token from the token endpoint `audience` to act as
    /// `subject`.
    pub(super) fn new(
        issuer: &'a str,
        subject: &'a str,
        scope: &'a str,
        audience: &'a str,
        now: Timestamp,
    ) -> Self {
        let now = now.timestamp();
        Self { iss: issuer, sub: subject, scope, aud: audience, iat: now, exp: now + LIFE }
    }
}

impl ServiceAccountKey {
    /// Parses a key file. [`ErrorKind::Misconfigured`] if it is not the key of a service account.
    pub fn parse(json: &str) -> Result<Self> {
        let file: KeyFile = serde_json::from_str(json).map_err(|_| unusable())?;
        if file.kind != "service_account" || file.client_email.is_empty() || file.private_key_id.is_empty() {
            return Err(unusable());
        }
        EncodingKey::from_rsa_pem(file.private_key.as_bytes()).map_err(|_| unusable())?;
        Ok(Self {
            fingerprint: URL_SAFE_NO_PAD.encode(Sha256::digest(file.private_key.as_bytes())),
            email: file.client_email,
            client_id: file.client_id,
            id: file.private_key_id,
            private_key: file.private_key.into(),
        })
    }

    /// A fingerprint of the private key, independent of the other fields of the key file.
    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Signs an assertion (RS256) that requests a token from the token endpoint `audience` to act as `subject`.
    pub(super) fn sign(
        &self,
        subject: &str,
        scope: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<SecretString> {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::RS256) };
        let claims = AssertionClaims::new(&self.email, subject, scope, audience, now);
        let key =
            EncodingKey::from_rsa_pem(self.private_key.expose_secret().as_bytes()).map_err(|_| unusable())?;
        let signed = jsonwebtoken::encode(&header, &claims, &key).map_err(|_| unusable())?;
        Ok(signed.into())
    }
}

fn unusable() -> Error {
    Error::new(ErrorKind::Misconfigured, Remedy::Never, "KEY_UNREADABLE", messages::google_key_unreadable())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_file_of_a_service_account_is_taken() {
        let user =
            r#"{"type":"authorized_user","client_email":"a@b.test","private_key_id":"1","private_key":"x"}"#;
        let broken =
            r#"{"type":"service_account","client_email":"a@b.test","private_key_id":"1","private_key":"x"}"#;
        for text in ["", "{}", "not json", user, broken] {
            let error = ServiceAccountKey::parse(text).unwrap_err();
            assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Misconfigured, "KEY_UNREADABLE"));
        }
    }
}
