//! Encryption of what is secret at rest.
//!
//! The key-encryption key comes from the configuration and never enters the database. Every tenant has a data key
//! of its own, stored under that key: destroying it makes all the tenant's secrets unreadable, backups included.
//! A sealed value is `1 | nonce | ciphertext` under AES-256-GCM, bound to its place by associated data
//! (`v1|tenant|table|column|row`), so that it cannot be moved to another row.

use aes_gcm::{
    Aes256Gcm, Key, KeyInit,
    aead::{Aead, Payload},
};
use domain::Ids;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Error, Result};

const VERSION: u8 = 1;
const NONCE: usize = 12;

/// The key of the installation, and what it opens.
#[derive(Clone)]
pub struct Vault {
    key: std::sync::Arc<SecretBox<[u8; 32]>>,
    ids: Ids,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

/// Where a sealed value stands.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The tenant; nil for what belongs to the installation.
    pub tenant: Uuid,
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's id.
    pub row: Uuid,
}

impl Place {
    fn bound(self) -> String {
        format!("v1|{}|{}|{}|{}", self.tenant, self.table, self.column, self.row)
    }
}

impl Vault {
    /// A vault under a key of 32 bytes.
    pub fn new(key: [u8; 32], ids: Ids) -> Self {
        Self { key: std::sync::Arc::new(SecretBox::new(Box::new(key))), ids }
    }

    /// A new data key for a tenant, sealed.
    pub fn new_data_key(&self, tenant: Uuid) -> Result<Vec<u8>> {
        let key: [u8; 32] = self.ids.bytes();
        self.seal_with(self.key.expose_secret(), Self::data_key_place(tenant), &key)
    }

    /// Opens a tenant's data key.
    pub fn data_key(&self, tenant: Uuid, sealed: &[u8]) -> Result<DataKey> {
        let key = open_with(self.key.expose_secret(), Self::data_key_place(tenant), sealed)?;
        let key = key.try_into().map_err(|_| Error::Unreadable { what: "data key" })?;
        Ok(DataKey { vault: self.clone(), key: std::sync::Arc::new(SecretBox::new(Box::new(key))) })
    }

    /// Seals what belongs to the installation.
    pub fn seal(&self, place: Place, plain: &[u8]) -> Result<Vec<u8>> {
        self.seal_with(self.key.expose_secret(), place, plain)
    }

    /// Opens what belongs to the installation.
    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<Vec<u8>> {
        open_with(self.key.expose_secret(), place, sealed)
    }

    /// The digest under which a token or key is found: useless without the installation's key.
    pub fn digest(&self, token: &str) -> Vec<u8> {
        let pepper = Sha256::digest([b"muster digest v1".as_slice(), self.key.expose_secret()].concat());
        let mut mac =
            <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&pepper).expect("HMAC takes keys of any length");
        mac.update(token.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }

    fn data_key_place(tenant: Uuid) -> Place {
        Place { tenant, table: "tenant", column: "data_key", row: tenant }
    }

    fn seal_with(&self, key: &[u8; 32], place: Place, plain: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE] = self.ids.bytes();
        let bound = place.bound();
        let payload = Payload { msg: plain, aad: bound.as_bytes() };
        let sealed = cipher(key).encrypt(&nonce.into(), payload);
        let sealed = sealed.map_err(|_| Error::Unreadable { what: place.table })?;
        Ok([&[VERSION], nonce.as_slice(), &sealed].concat())
    }
}

/// A tenant's opened data key. Cheap to clone; never printed.
#[derive(Clone)]
pub struct DataKey {
    vault: Vault,
    key: std::sync::Arc<SecretBox<[u8; 32]>>,
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey")
    }
}

impl DataKey {
    /// Seals a value for its place.
    pub fn seal(&self, place: Place, plain: &[u8]) -> Result<Vec<u8>> {
        self.vault.seal_with(self.key.expose_secret(), place, plain)
    }

    /// Opens a value at its place.
    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<Vec<u8>> {
        open_with(self.key.expose_secret(), place, sealed)
    }
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))
}

fn open_with(key: &[u8; 32], place: Place, sealed: &[u8]) -> Result<Vec<u8>> {
    let unreadable = || Error::Unreadable { what: place.table };
    let (version, rest) = sealed.split_first().ok_or_else(unreadable)?;
    if *version != VERSION || rest.len() < NONCE {
        return Err(unreadable());
    }
    let (nonce, ciphertext) = rest.split_at(NONCE);
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| unreadable())?;
    let bound = place.bound();
    let payload = Payload { msg: ciphertext, aad: bound.as_bytes() };
    cipher(key).decrypt(&nonce.into(), payload).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{TestClock, Timestamp};

    use super::*;

    #[test]
    fn a_sealed_value_opens_only_at_its_place_and_with_its_key() {
        let ids = Ids::seeded(Arc::new(TestClock::at(Timestamp::UNIX_EPOCH)), 3);
        let (tenant, row) = (ids.uuid(), ids.uuid());
        let vault = Vault::new(ids.bytes(), ids.clone());
        let key = vault.data_key(tenant, &vault.new_data_key(tenant).unwrap()).unwrap();
        let place = Place { tenant, table: "consent_grant", column: "secret", row };
        let sealed = key.seal(place, b"token").unwrap();
        assert_eq!(key.open(place, &sealed).unwrap(), b"token");
        assert!(!sealed.windows(5).any(|window| window == b"token"));

        let elsewhere = Place { row: ids.uuid(), ..place };
        assert!(key.open(elsewhere, &sealed).is_err(), "another row must not open it");
        let other = vault.data_key(tenant, &vault.new_data_key(tenant).unwrap()).unwrap();
        assert!(other.open(place, &sealed).is_err(), "another tenant's key must not open it");
        let mut damaged = sealed.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(key.open(place, &damaged).is_err(), "a damaged value must not open");
        let stranger = Vault::new(ids.bytes(), ids.clone());
        assert!(stranger.data_key(tenant, &vault.new_data_key(tenant).unwrap()).is_err());
    }
}
