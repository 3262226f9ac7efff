//! The audit key, which seals the heads of audit chains and signs checkpoints.
//!
//! The key is derived from 32 random bytes, generated once per installation and stored sealed with the master key.
//! Whoever can write to the database but has no master key can neither change the head of a chain nor create a
//! checkpoint.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::{
    hkdf::{HKDF_SHA256, KeyType, Salt},
    hmac,
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{AnyId, Id, Ids, ids};
use entity::{
    audit_chain,
    audit_key::{self, ActiveModel, Entity, Model},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectionTrait, DatabaseConnection, EntityTrait, IntoActiveModel,
    TransactionTrait, sea_query::OnConflict,
};

use super::{
    canonical::{GENESIS_HASH, hex},
    chain_name, unreadable,
};
use crate::{
    Result, Vault,
    vault::{Column, SealContext, key_id},
};

/// The seal context of the stored seed.
fn seal_context() -> SealContext {
    Column::AuditKeySeed.at(Id::nil(), AnyId::nil())
}

/// The unsealed audit key. Its `Debug` output does not contain the key.
pub struct AuditKey {
    seals: hmac::Key,
    signs: Ed25519KeyPair,
}

impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditKey")
    }
}

/// Key length of 32 bytes.
#[derive(Clone, Copy)]
struct Wide;

impl KeyType for Wide {
    fn len(&self) -> usize {
        32
    }
}

impl AuditKey {
    fn of(seed: &[u8]) -> Result<Self> {
        let derived = |purpose: &[u8]| {
            let mut bytes = [0; 32];
            let key = Salt::new(HKDF_SHA256, b"muster audit").extract(seed);
            key.expand(&[purpose], Wide).and_then(|out| out.fill(&mut bytes)).map_err(|_| unreadable())?;
            Ok::<_, crate::Error>(bytes)
        };
        Ok(Self {
            seals: hmac::Key::new(hmac::HMAC_SHA256, &derived(b"end of a chain")?),
            signs: Ed25519KeyPair::from_seed_unchecked(&derived(b"checkpoint")?).map_err(|_| unreadable())?,
        })
    }

    /// Creates the head of a chain without entries.
    pub(super) fn empty_chain(&self, chain: Id<ids::Tenant>) -> audit_chain::Model {
        let empty = audit_chain::Model {
            tenant_id: chain,
            seq: 0,
            hash: GENESIS_HASH.to_vec(),
            base_seq: 0,
            base_hash: GENESIS_HASH.to_vec(),
            seal: Vec::new(),
        };
        self.seal_head(empty)
    }

    /// Seals the head of a chain.
    pub(super) fn seal_head(&self, ends: audit_chain::Model) -> audit_chain::Model {
        let seal = hmac::sign(&self.seals, said(&ends).as_bytes()).as_ref().to_vec();
        audit_chain::Model { seal, ..ends }
    }

    /// Whether the head of a chain has a valid seal.
    pub(super) fn has_valid_seal(&self, ends: &audit_chain::Model) -> bool {
        hmac::verify(&self.seals, said(ends).as_bytes(), &ends.seal).is_ok()
    }

    /// Signs a string with Ed25519; returns the signature in base64url.
    pub(super) fn sign(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.signs.sign(text.as_bytes()))
    }

    /// Whether the signature of the string was made with this key.
    pub(super) fn verify_signature(&self, text: &str, signature: &str) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.signs.public_key().as_ref());
        let signature = URL_SAFE_NO_PAD.decode(signature);
        signature.is_ok_and(|signature| key.verify(text.as_bytes(), &signature).is_ok())
    }

    /// The public key in base64url.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.signs.public_key().as_ref())
    }
}

fn said(ends: &audit_chain::Model) -> String {
    let audit_chain::Model { tenant_id, seq, hash, base_seq, base_hash, seal: _ } = ends;
    format!("v1|{}|{seq}|{}|{base_seq}|{}", chain_name(*tenant_id), hex(hash), hex(base_hash))
}

/// Provides the audit key, creating it on first use. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AuditKeyProvider {
    vault: Vault,
    ids: Ids,
    known: Arc<OnceLock<Arc<AuditKey>>>,
}

impl AuditKeyProvider {
    /// Creates a provider for the installation whose master key the vault contains.
    pub fn new(vault: Vault, ids: Ids) -> Self {
        Self { vault, ids, known: Arc::default() }
    }

    /// Source of ids for entries.
    pub(super) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// The audit key; `None` if it has not been created yet.
    pub async fn find(&self, conn: &impl ConnectionTrait) -> Result<Option<Arc<AuditKey>>> {
        if let Some(key) = self.known.get() {
            return Ok(Some(Arc::clone(key)));
        }
        let Some(row) = audit_key::find_key().one(conn).await? else { return Ok(None) };
        let key = Arc::new(AuditKey::of(&self.vault.open(seal_context(), &row.seed)?)?);
        Ok(Some(Arc::clone(self.known.get_or_init(|| key))))
    }

    /// The audit key; creates it within this transaction if there is none. A new key is not cached, because the
    /// transaction may still be rolled back.
    pub(super) async fn get_or_create(&self, txn: &impl ConnectionTrait) -> Result<Arc<AuditKey>> {
        if let Some(key) = self.find(txn).await? {
            return Ok(key);
        }
        let seed: [u8; 32] = self.ids.random_bytes();
        let sealed = self.vault.seal_with_current_key(txn, seal_context(), &seed).await?;
        let row = Model { id: Id::nil(), seed: sealed, created_at: self.ids.now() };
        let nothing = OnConflict::column(audit_key::Column::Id).do_nothing().to_owned();
        Entity::insert(ActiveModel::from(row)).on_conflict(nothing).exec_without_returning(txn).await?;
        let row = audit_key::find_key().one(txn).await?.ok_or_else(unreadable)?;
        Ok(Arc::new(AuditKey::of(&self.vault.open(seal_context(), &row.seed)?)?))
    }

    /// Seals the audit key again with the current master key. Needs the database owner's connection, because nodes may
    /// not change the key. Returns whether anything changed.
    pub async fn reseal(&self, owner: &DatabaseConnection) -> Result<bool> {
        let txn = owner.begin().await?;
        let in_force = self.vault.lock_current_key(&txn).await?;
        let Some(row) = audit_key::find_key().one(&txn).await? else { return Ok(false) };
        if key_id(&row.seed) == Some(in_force) {
            return Ok(false);
        }
        let seed = self.vault.open(seal_context(), &row.seed)?;
        let mut row = row.into_active_model();
        row.seed = Set(self.vault.seal(in_force, seal_context(), &seed)?);
        row.update(&txn).await?;
        txn.commit().await?;
        Ok(true)
    }
}
