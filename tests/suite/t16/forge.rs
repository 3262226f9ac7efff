//! Tokens with whatever header and claims an attacker likes.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

/// A key pair.
pub struct Signer {
    pub algorithm: Algorithm,
    /// The public part, as an issuer publishes it.
    pub jwk: Value,
    key: EncodingKey,
}

impl Signer {
    /// An Ed25519 key.
    pub fn ed25519(kid: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let public = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let x = encoded(public.public_key().as_ref());
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig", "alg": "EdDSA", "x": x });
        Self { algorithm: Algorithm::EdDSA, jwk, key: EncodingKey::from_ed_der(pkcs8.as_ref()) }
    }

    /// A P-256 key.
    pub fn p256(kid: &str) -> Self {
        let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref()).unwrap();
        let point = pair.public_key().as_ref();
        let (x, y) = (encoded(&point[1..33]), encoded(&point[33..]));
        let jwk =
            json!({ "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256", "x": x, "y": y });
        Self { algorithm: Algorithm::ES256, jwk, key: EncodingKey::from_ec_der(pkcs8.as_ref()) }
    }

    /// Signs texts as they are.
    pub fn sign(&self, header: &str, claims: &str) -> String {
        signed(header, claims, &self.key, self.algorithm)
    }
}

/// A token whose signature is a MAC with this secret.
pub fn mac(secret: &[u8], header: &str, claims: &str) -> String {
    signed(header, claims, &EncodingKey::from_secret(secret), Algorithm::HS256)
}

/// A token without a signature.
pub fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}.", encoded(header.as_bytes()), encoded(claims.as_bytes()))
}

fn signed(header: &str, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", encoded(header.as_bytes()), encoded(claims.as_bytes()));
    let signature = crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

pub fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The digest by which a verifier is announced (RFC 7636, S256).
pub fn challenge(verifier: &str) -> String {
    encoded(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()).as_ref())
}
