//! Tokens with arbitrary header, claims and signature, built from raw text.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Id, ids};
use entity::signing_key::Entity;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use services::vault::Column;

use crate::people::{harness::Harness, tokens::a_user};

/// An accepted token, its parts, and keys for signing other tokens.
pub struct Forge {
    pub tenant: Id<ids::Tenant>,
    pub user: Id<ids::User>,
    pub genuine: String,
    pub header: Value,
    pub claims: Value,
    /// The raw public key of the installation, which anyone can read.
    pub public: Vec<u8>,
    own: EncodingKey,
    /// An Ed25519 key that Muster has never seen.
    pub attacker: EncodingKey,
    /// The attacker's public key, as a JSON Web Key.
    pub attacker_jwk: Value,
    pub rsa: EncodingKey,
    pub p256: EncodingKey,
}

impl Forge {
    pub async fn new(h: &Harness) -> Self {
        let (tenant, user) = a_user(h).await;
        let genuine = h.services.access().issue(&h.staff, tenant, user, None).await.unwrap().token;
        let row = Entity::find().one(h.services.store.installation_connection()).await.unwrap().unwrap();
        let private = h.vault.open(Column::SigningKeyPrivate.at(Id::nil(), row.id), &row.private_key);
        let random = SystemRandom::new();
        let attacker = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(attacker.as_ref()).unwrap();
        let x = encoded(pair.public_key().as_ref());
        let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self {
            tenant,
            user,
            header: part(&genuine, 0),
            claims: part(&genuine, 1),
            genuine,
            public: row.public_key,
            own: EncodingKey::from_ed_der(&private.unwrap()),
            attacker: EncodingKey::from_ed_der(attacker.as_ref()),
            attacker_jwk: json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "x": x }),
            rsa: rsa(),
            p256: EncodingKey::from_ec_der(p256.as_ref()),
        }
    }

    pub fn with_header(&self, change: impl FnOnce(&mut Value)) -> Value {
        changed(&self.header, change)
    }

    pub fn with_claims(&self, change: impl FnOnce(&mut Value)) -> Value {
        changed(&self.claims, change)
    }

    /// A token signed with the installation's own key.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.own_text(&header.to_string(), &claims.to_string())
    }

    /// Like `sign`, from texts that need not be JSON.
    pub fn own_text(&self, header: &str, claims: &str) -> String {
        signed(&self.own, Algorithm::EdDSA, header, claims)
    }

    /// Signs parts that are already encoded, or deliberately wrong, with the installation's own key.
    pub fn own_parts(&self, header: &str, claims: &str) -> String {
        sign_parts(&self.own, Algorithm::EdDSA, header, claims)
    }

    /// A token with the genuine claims, signed with the attacker's key.
    pub fn by_attacker(&self, header: &Value) -> String {
        signed(&self.attacker, Algorithm::EdDSA, &header.to_string(), &self.claims.to_string())
    }

    /// The three parts of the genuine token.
    pub fn parts(&self) -> [&str; 3] {
        let mut parts = self.genuine.split('.');
        [(); 3].map(|()| parts.next().unwrap())
    }

    /// The genuine token with another signature.
    pub fn with_signature(&self, signature: &str) -> String {
        let [header, claims, _] = self.parts();
        format!("{header}.{claims}.{signature}")
    }

    /// The 64 bytes of the genuine signature.
    pub fn signature(&self) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(self.parts()[2]).unwrap()
    }
}

fn rsa() -> EncodingKey {
    let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8 = AsDer::<Pkcs8V1Der>::as_der(&pair).unwrap();
    let body = base64::engine::general_purpose::STANDARD.encode(pkcs8.as_ref());
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
}

fn changed(value: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut value = value.clone();
    change(&mut value);
    value
}

/// Encodes two texts and signs them as a token.
pub fn signed(key: &EncodingKey, algorithm: Algorithm, header: &str, claims: &str) -> String {
    sign_parts(key, algorithm, &encoded(header), &encoded(claims))
}

fn sign_parts(key: &EncodingKey, algorithm: Algorithm, header: &str, claims: &str) -> String {
    let message = format!("{header}.{claims}");
    let signature = crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
