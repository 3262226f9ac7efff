//! The key that signs tokens, and JSON Web Tokens in RS256.

use std::fmt;

use aws_lc_rs::{
    digest,
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use crate::Error;

/// Signs tokens, and verifies tokens that it signed.
pub struct Signer {
    pair: RsaKeyPair,
    kid: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl Signer {
    /// Generates a key and its stored form.
    pub fn generate() -> Result<(Self, String), Error> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| Error::SigningKey)?;
        let der = AsDer::<Pkcs8V1Der<'static>>::as_der(&pair).map_err(|_| Error::SigningKey)?;
        let text = STANDARD.encode(der.as_ref());
        Ok((Self::of(pair), text))
    }

    /// Reads a stored key.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let der = STANDARD.decode(text).map_err(|_| Error::SigningKey)?;
        Ok(Self::of(RsaKeyPair::from_pkcs8(&der).map_err(|_| Error::SigningKey)?))
    }

    fn of(pair: RsaKeyPair) -> Self {
        let kid = URL_SAFE_NO_PAD.encode(sha256(pair.public_key().as_ref()));
        Self { pair, kid }
    }

    /// Signs a token with these claims.
    pub fn sign(&self, claims: &Value) -> Result<String, Error> {
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": self.kid });
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| Error::SigningKey)?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The value of `kid` in token headers and in the key set.
    pub fn key_id(&self) -> &str {
        &self.kid
    }

    /// The public half (PKCS #1, DER).
    pub fn public_key_der(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The claims of a token that this key signed; `None` for any other.
    pub fn verify(&self, token: &str) -> Option<Value> {
        let token = ParsedToken::parse(token)?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.public_key().as_ref())
            .verify(token.signed, &token.signature)
            .ok()?;
        Some(token.claims)
    }

    /// The public key as a member of a JSON Web Key Set.
    pub fn public_jwk(&self, issuer: &str) -> Value {
        let key = self.pair.public_key();
        json!({
            "kty": "RSA", "use": "sig", "kid": self.kid, "x5t": self.kid,
            "n": URL_SAFE_NO_PAD.encode(key.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(key.exponent().big_endian_without_leading_zero()),
            "issuer": issuer,
        })
    }
}

/// A token whose signature is not verified yet.
#[derive(Debug)]
pub struct ParsedToken<'a> {
    /// The decoded first part of the token, with `alg` and `kid`.
    pub header: Value,
    /// The decoded second part of the token.
    pub claims: Value,
    /// The bytes of the first and second part, over which the token is signed.
    pub signed: &'a [u8],
    /// The decoded third part of the token.
    pub signature: Vec<u8>,
}

impl<'a> ParsedToken<'a> {
    /// Splits and decodes a token; `None` if it is malformed.
    pub fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |text: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok();
        Some(Self {
            header: decode(header)?,
            claims: decode(claims)?,
            signed: signed.as_bytes(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }
}

/// The SHA-256 digest.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}
