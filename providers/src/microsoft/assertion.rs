//! The client assertion with which the application proves possession of its registered certificate.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Ids, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{Error, ErrorKind, Remedy, Result, messages};

/// Value of `client_assertion_type`.
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Validity of an assertion in seconds.
const LIFE: i64 = 600;

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

/// Signs an assertion for a token endpoint (PS256; the header names the certificate by its SHA-256 thumbprint).
pub(super) fn sign_assertion(
    endpoint: &str,
    client_id: &str,
    certificate_der: &[u8],
    private_key_pem: &SecretString,
    now: Timestamp,
    ids: &Ids,
) -> Result<String> {
    let header = Header {
        x5t_s256: Some(URL_SAFE_NO_PAD.encode(Sha256::digest(certificate_der))),
        ..Header::new(Algorithm::PS256)
    };
    let now = now.timestamp();
    let claims = Claims {
        aud: endpoint,
        iss: client_id,
        sub: client_id,
        jti: ids.uuid().to_string(),
        nbf: now,
        iat: now,
        exp: now + LIFE,
    };
    let key =
        EncodingKey::from_rsa_pem(private_key_pem.expose_secret().as_bytes()).map_err(|_| unusable())?;
    jsonwebtoken::encode(&header, &claims, &key).map_err(|_| unusable())
}

fn unusable() -> Error {
    Error::new(
        ErrorKind::Misconfigured,
        Remedy::Never,
        "CERTIFICATE_UNUSABLE",
        messages::microsoft_certificate_unusable(),
    )
}
