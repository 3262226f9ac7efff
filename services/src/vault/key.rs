//! A single encryption key, and the format of values sealed with it.

use std::sync::Arc;

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use domain::Ids;
use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};

use super::SealContext;
use crate::{Error, Result};

/// Format version of a sealed value that does not contain its key's id.
const UNKEYED: u8 = 1;
/// Format version of a sealed value that contains its key's id.
const KEYED: u8 = 2;
const NONCE: usize = 12;
/// Length of a sealed value's header in bytes: its version and its key id.
pub(crate) const HEADER_LEN: usize = 9;

/// Identifies a key: a prefix of its digest, which reveals nothing about the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 8]);

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Parses the key id of a sealed value; `None` for values in the first version's format and for unsealed data.
pub(crate) fn key_id(sealed: &[u8]) -> Option<KeyId> {
    let (version, rest) = sealed.split_first()?;
    let id = rest.first_chunk::<8>().filter(|_| *version == KEYED)?;
    Some(KeyId(*id))
}

/// The header of values sealed with a key.
pub(crate) fn key_header(key: KeyId) -> Vec<u8> {
    [[KEYED].as_slice(), &key.0].concat()
}

/// Minimum length of a sealed value in bytes: version, nonce and tag.
pub(crate) const MIN_SEALED_LEN: usize = 1 + NONCE + 16;

/// An unsealed key of 256 bits. Cheap to clone; its `Debug` output does not contain the key.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: KeyId,
    bytes: Arc<SecretBox<[u8; 32]>>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

impl Key {
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        let digest = Sha256::digest([b"muster key id v1".as_slice(), &bytes].concat());
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        Self { id: KeyId(id), bytes: Arc::new(SecretBox::new(Box::new(bytes))) }
    }

    /// Parses a stored key.
    pub(crate) fn from_bytes(bytes: Vec<u8>, what: &'static str) -> Result<Self> {
        bytes.try_into().map(Self::new).map_err(|_| Error::Unreadable { what })
    }

    /// The raw key, to be stored sealed.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        self.bytes.expose_secret()
    }

    pub(crate) fn seal(&self, ids: &Ids, context: SealContext, plain: &[u8]) -> Result<Vec<u8>> {
        let bound = context.associated_data(Some(self.id));
        let (nonce, ciphertext) = self.encrypt(ids, context, &bound, plain)?;
        Ok([&key_header(self.id), nonce.as_slice(), &ciphertext].concat())
    }

    #[cfg(test)]
    pub(crate) fn seal_without_key_id(
        &self,
        ids: &Ids,
        context: SealContext,
        plain: &[u8],
    ) -> Result<Vec<u8>> {
        let (nonce, ciphertext) = self.encrypt(ids, context, &context.associated_data(None), plain)?;
        Ok([&[UNKEYED], nonce.as_slice(), &ciphertext].concat())
    }

    fn encrypt(
        &self,
        ids: &Ids,
        context: SealContext,
        bound: &str,
        plain: &[u8],
    ) -> Result<([u8; NONCE], Vec<u8>)> {
        let nonce: [u8; NONCE] = ids.random_bytes();
        let payload = Payload { msg: plain, aad: bound.as_bytes() };
        let sealed = self.cipher().encrypt(&nonce.into(), payload);
        Ok((nonce, sealed.map_err(|_| Error::Unreadable { what: context.table_name() })?))
    }

    /// Opens a value that was sealed with this key for the given context.
    pub(crate) fn open(&self, context: SealContext, sealed: &[u8]) -> Result<Vec<u8>> {
        let unreadable = || Error::Unreadable { what: context.table_name() };
        let (rest, bound) = match (sealed.first(), key_id(sealed)) {
            (_, Some(id)) if id == self.id => (&sealed[HEADER_LEN..], context.associated_data(Some(id))),
            (Some(&UNKEYED), _) => (&sealed[1..], context.associated_data(None)),
            _ => return Err(unreadable()),
        };
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>().ok_or_else(unreadable)?;
        let payload = Payload { msg: ciphertext, aad: bound.as_bytes() };
        self.cipher().decrypt(&(*nonce).into(), payload).map_err(|_| unreadable())
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&aes_gcm::Key::<Aes256Gcm>::from(*self.bytes()))
    }
}
