//! Signed ends of chains, to be kept where nobody who writes to the database reaches them.
//!
//! A chain shows every change but one: that its last entries are gone and its end is an older one. A checkpoint that is
//! kept elsewhere shows that, too.

use std::collections::BTreeSet;

use domain::Timestamp;
use entity::audit_chain;
use sea_orm::{ConnectionTrait, QueryOrder};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    canonical::{hex, stored, text},
    chain_name,
    key::AuditKey,
};
use crate::Result;

/// Where a chain ended at a time. One line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The version of the form.
    pub v: u8,
    /// `ten_...` or `installation`.
    pub chain: String,
    /// The place of the last entry.
    pub seq: i64,
    /// The hash of the last entry, in hexadecimal digits.
    pub hash: String,
    /// When it was made.
    pub at: Timestamp,
    /// The public key (Ed25519) of the installation's audit, in base64url.
    pub key: String,
    /// The signature over all the rest, in base64url.
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
            at: stored(at),
            key: key.public(),
            signature: String::new(),
        };
        made.signature = key.sign(&made.said());
        made
    }

    /// The text that is signed: the members but the signature, as canonical JSON.
    fn said(&self) -> String {
        let Self { v, chain, seq, hash, at, key, signature: _ } = self;
        let at = at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        text(&json!({ "v": v, "chain": chain, "seq": seq, "hash": hash, "at": at, "key": key }))
    }

    /// Whether it was made by this installation and is as it was made.
    pub(super) fn is_ours(&self, key: &AuditKey) -> bool {
        self.key == key.public() && key.has_signed(&self.said(), &self.signature)
    }

    /// The line to be kept.
    pub fn line(&self) -> String {
        let mut members = serde_json::to_value(self).unwrap_or_default();
        members["at"] = json!(self.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
        text(&members)
    }
}

/// A checkpoint of every chain whose end is as it was sealed; and the names of the others.
pub async fn checkpoints(
    owner: &impl ConnectionTrait,
    key: &AuditKey,
    at: Timestamp,
) -> Result<(Vec<Checkpoint>, BTreeSet<String>)> {
    let ends = audit_chain::everywhere().order_by_asc(audit_chain::Column::TenantId).all(owner).await?;
    let (sound, broken): (Vec<_>, Vec<_>) = ends.into_iter().partition(|end| key.is_sealed(end));
    let made = sound.iter().map(|end| Checkpoint::signed(end, key, at)).collect();
    Ok((made, broken.iter().map(|end| chain_name(end.tenant_id)).collect()))
}
