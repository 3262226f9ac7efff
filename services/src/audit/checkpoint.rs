//! Checkpoints: signed heads of audit chains, to be stored where nobody with write access to the database can change
//! them.
//!
//! An audit chain reveals every manipulation except one: removing its last entries and resetting its head to an older
//! one. A checkpoint that is stored elsewhere reveals that as well.

use std::collections::BTreeSet;

use domain::Timestamp;
use entity::audit_chain;
use sea_orm::{ConnectionTrait, QueryOrder};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    canonical::{hex, to_canonical_json, truncate_to_micros},
    chain_name,
    key::AuditKey,
};
use crate::Result;

/// The head of an audit chain at a point in time, as one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Version of the format.
    pub v: u8,
    /// Name of the chain: `ten_...` or `installation`.
    pub chain: String,
    /// Sequence number of the last entry.
    pub seq: i64,
    /// Hash of the last entry in hexadecimal.
    pub hash: String,
    /// When the checkpoint was made.
    pub at: Timestamp,
    /// The installation's public audit key (Ed25519) in base64url.
    pub key: String,
    /// Signature over all other members of the checkpoint, in base64url.
    #[serde(default)]
    pub signature: String,
}

impl Checkpoint {
    fn signed(end: &audit_chain::Model, key: &AuditKey, at: Timestamp) -> Self {
        let mut made = Self {
            v: 1,
            chain: chain_name(end.tenant_id),
            seq: end.seq,
            hash: hex(&end.hash),
            at: truncate_to_micros(at),
            key: key.public_key(),
            signature: String::new(),
        };
        made.signature = key.sign(&made.said());
        made
    }

    /// The signed string: all members except the signature, as canonical JSON.
    fn said(&self) -> String {
        let Self { v, chain, seq, hash, at, key, signature: _ } = self;
        let at = at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        to_canonical_json(&json!({ "v": v, "chain": chain, "seq": seq, "hash": hash, "at": at, "key": key }))
    }

    /// Whether the checkpoint was signed by this installation and has not been altered.
    pub(super) fn is_signed_by(&self, key: &AuditKey) -> bool {
        self.key == key.public_key() && key.verify_signature(&self.said(), &self.signature)
    }

    /// Serialises the checkpoint as one line.
    pub fn to_json_line(&self) -> String {
        let mut members = serde_json::to_value(self).unwrap_or_default();
        members["at"] = json!(self.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
        to_canonical_json(&members)
    }
}

/// Creates a checkpoint of every audit chain whose head has a valid seal; also returns the names of the other chains.
pub async fn create_checkpoints(
    owner: &impl ConnectionTrait,
    key: &AuditKey,
    at: Timestamp,
) -> Result<(Vec<Checkpoint>, BTreeSet<String>)> {
    let ends = audit_chain::all_tenants().order_by_asc(audit_chain::Column::TenantId).all(owner).await?;
    let (sound, broken): (Vec<_>, Vec<_>) = ends.into_iter().partition(|end| key.has_valid_seal(end));
    let made = sound.iter().map(|end| Checkpoint::signed(end, key, at)).collect();
    Ok((made, broken.iter().map(|end| chain_name(end.tenant_id)).collect()))
}
