//! Encryption of secrets at rest.
//!
//! Master keys come from the configuration and are never stored in the database. Every tenant has its own data key,
//! sealed with a master key: destroying the data key makes all the tenant's secrets unreadable, backups included. A
//! sealed value is `2 | key id | nonce | ciphertext` under AES-256-GCM, bound to its location and key by associated
//! data (`v2|tenant|table|column|row|key id`), so that it cannot be moved to another row. Its key id selects one of
//! several keys. Values of the first version (`1 | nonce | ciphertext`) contain no key id and are tried with each key.
//!
//! [`crate::secrets`] determines which key seals which values, and when keys are replaced.

mod column;
mod installation;
mod key;

use std::sync::{Arc, OnceLock};

use domain::Ids;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};

pub use self::{
    column::{Column, KeyOwner, SealContext},
    key::KeyId,
};
pub(crate) use self::{
    installation::seal_context as own_place,
    key::{HEADER_LEN, Key, MIN_SEALED_LEN, key_header, key_id},
};
use crate::{Error, Result};

/// The master keys of the configuration.
#[derive(Clone)]
pub struct Vault(Arc<Keys>);

struct Keys {
    current: Key,
    former: Vec<Key>,
    /// Key for [`Vault::digest`], once it was loaded. It never changes.
    pepper: OnceLock<SecretBox<[u8; 32]>>,
    ids: Ids,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Vault").field(&self.current_key_id()).finish()
    }
}

impl Vault {
    /// Creates a vault with a single master key of 32 bytes.
    pub fn new(key: [u8; 32], ids: Ids) -> Self {
        Self::with_former(key, &[], ids)
    }

    /// Creates a vault that can also open values sealed with former master keys.
    pub fn with_former(key: [u8; 32], former: &[[u8; 32]], ids: Ids) -> Self {
        let former = former.iter().map(|key| Key::new(*key)).collect();
        Self(Arc::new(Keys { current: Key::new(key), former, pepper: OnceLock::new(), ids }))
    }

    /// Id of the configuration's current master key.
    pub fn current_key_id(&self) -> KeyId {
        self.0.current.id
    }

    /// Ids of the keys that can only open values sealed before the last rotation.
    pub fn former_key_ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.former.iter().map(|key| key.id)
    }

    /// Whether the configuration contains a key.
    pub fn has_key(&self, id: KeyId) -> bool {
        self.keys().any(|key| key.id == id)
    }

    /// Seals a value with one of the master keys.
    pub(crate) fn seal(&self, key: KeyId, context: SealContext, plain: &[u8]) -> Result<Vec<u8>> {
        let unknown = || Error::MasterKeyUnknown { what: context.table_name(), key };
        self.keys().find(|known| known.id == key).ok_or_else(unknown)?.seal(&self.0.ids, context, plain)
    }

    /// Opens a value that is sealed with one of the master keys.
    pub fn open(&self, context: SealContext, sealed: &[u8]) -> Result<Vec<u8>> {
        self.open_with_key_id(context, sealed).map(|(_, plain)| plain)
    }

    /// Opens a value and returns the id of the key that opened it.
    pub(crate) fn open_with_key_id(&self, context: SealContext, sealed: &[u8]) -> Result<(KeyId, Vec<u8>)> {
        match key_id(sealed) {
            Some(id) => {
                let unknown = || Error::MasterKeyUnknown { what: context.table_name(), key: id };
                let key = self.keys().find(|known| known.id == id).ok_or_else(unknown)?;
                Ok((id, key.open(context, sealed)?))
            }
            None => {
                let opened = self.keys().find_map(|key| Some((key.id, key.open(context, sealed).ok()?)));
                opened.ok_or(Error::Unreadable { what: context.table_name() })
            }
        }
    }

    /// Creates a random data key.
    pub(crate) fn new_data_key(&self) -> Key {
        Key::new(self.0.ids.random_bytes())
    }

    /// Seals a value with an unsealed data key.
    pub(crate) fn seal_with(&self, key: &Key, context: SealContext, plain: &[u8]) -> Result<Vec<u8>> {
        key.seal(&self.0.ids, context, plain)
    }

    /// Keyed digest by which a token or key is looked up; `None` until the digest key is loaded.
    pub(crate) fn digest(&self, token: &str) -> Option<Vec<u8>> {
        let pepper = self.0.pepper.get()?;
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(pepper.expose_secret())
            .expect("HMAC takes keys of any length");
        mac.update(token.as_bytes());
        Some(mac.finalize().into_bytes().to_vec())
    }

    /// Sets the key for digests, which is stored in the database.
    pub(crate) fn set_pepper(&self, pepper: [u8; 32]) {
        // Whoever comes second read the same row.
        let _already_set = self.0.pepper.set(SecretBox::new(Box::new(pepper)));
    }

    /// The digest key of an installation that does not store it yet: derived from its only master key.
    pub(crate) fn derive_pepper(&self, key: KeyId) -> Option<[u8; 32]> {
        let key = self.keys().find(|known| known.id == key)?;
        Some(Sha256::digest([b"muster digest v1".as_slice(), key.bytes()].concat()).into())
    }

    fn ids(&self) -> &Ids {
        &self.0.ids
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.0.current).chain(&self.0.former)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{Id, TestClock, Timestamp, ids};

    use super::*;

    fn ids() -> Ids {
        Ids::seeded(Arc::new(TestClock::at(Timestamp::UNIX_EPOCH)), 3)
    }

    #[test]
    fn a_sealed_value_opens_only_at_its_place_and_with_its_key() {
        let ids = ids();
        let (tenant, row) = (ids.make(), ids.make::<ids::Row>());
        let vault = Vault::new(ids.random_bytes(), ids.clone());
        let key = vault.new_data_key();
        let context = Column::ConsentGrantSecret.at(tenant, row);
        let sealed = vault.seal_with(&key, context, b"token").unwrap();
        assert_eq!(key.open(context, &sealed).unwrap(), b"token");
        assert!(!sealed.windows(5).any(|window| window == b"token"));

        for elsewhere in [
            Column::ConsentGrantSecret.at(tenant, ids.make::<ids::Row>()),
            Column::ConsentGrantSecret.at(ids.make(), row),
            Column::ChannelSecret.at(tenant, row),
        ] {
            assert!(key.open(elsewhere, &sealed).is_err(), "another place must not open it: {elsewhere:?}");
        }
        assert!(vault.new_data_key().open(context, &sealed).is_err(), "another key must not open it");
        for index in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[index] ^= 1;
            assert!(key.open(context, &damaged).is_err(), "byte {index} is damaged: it must not open");
            assert!(key.open(context, &sealed[..index]).is_err(), "cut at byte {index}: it must not open");
        }
    }

    #[test]
    fn a_value_names_the_master_key_that_opens_it_and_one_that_is_not_there_is_named() {
        let ids = ids();
        let (old, new): ([u8; 32], [u8; 32]) = (ids.random_bytes(), ids.random_bytes());
        let before = Vault::new(old, ids.clone());
        let after = Vault::with_former(new, &[old], ids.clone());
        let context = Column::SigningKeyPrivate.at(Id::nil(), ids.make::<ids::SigningKey>());
        let sealed = before.seal(before.current_key_id(), context, b"key").unwrap();
        assert_eq!(
            after.open_with_key_id(context, &sealed).unwrap(),
            (before.current_key_id(), b"key".to_vec())
        );
        let sealed = after.seal(after.current_key_id(), context, b"key").unwrap();
        let error = before.open(context, &sealed).unwrap_err();
        assert_eq!(error.code(), "MASTER_KEY_UNKNOWN");
        assert!(error.to_string().contains(&after.current_key_id().to_string()), "{error}");
        assert!(before.seal(after.current_key_id(), context, b"key").is_err(), "it has no such key");
    }

    /// Values in the first version's format contain no key id, so every known key is tried.
    #[test]
    fn a_value_of_the_first_version_opens_with_whichever_key_it_was_sealed() {
        let ids = ids();
        let (old, new): ([u8; 32], [u8; 32]) = (ids.random_bytes(), ids.random_bytes());
        let context = Column::SigningKeyPrivate.at(Id::nil(), ids.make::<ids::SigningKey>());
        let sealed = Key::new(old).seal_without_key_id(&ids, context, b"key").unwrap();
        let vault = Vault::with_former(new, &[old], ids.clone());
        assert_eq!(vault.open_with_key_id(context, &sealed).unwrap(), (Key::new(old).id, b"key".to_vec()));
        let error = Vault::new(new, ids).open(context, &sealed).unwrap_err();
        assert_eq!(error.code(), "UNREADABLE");
    }

    #[test]
    fn nothing_of_a_key_is_in_what_is_printed() {
        let vault = Vault::new([0xab; 32], ids());
        let printed = format!("{vault:?} {:?} {}", vault.new_data_key(), vault.current_key_id());
        assert!(!printed.contains("abababab") && !printed.contains("171, 171"), "{printed}");
    }
}
