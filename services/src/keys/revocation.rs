//! Revocation of vendor keys, with those that were created with them.

use std::collections::BTreeSet;

use domain::{Id, ids};
use entity::api_key::Model;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};

use super::{Keys, audit_json, may_take, shown};
use crate::{Error, Result, Tx, audit::AuditFacts, proof::Staff};

/// The vendor keys that a revocation ended.
#[derive(Debug, Clone)]
pub struct RevokedKeys {
    /// The key whose revocation was requested.
    pub key: Model,
    /// The keys created with the revoked key, if these were revoked too.
    pub created: Vec<Model>,
}

impl Keys {
    /// Immediately revokes a key and the access tokens issued with it, and closes the WebSockets opened with either.
    /// With `and_created`, also revokes all keys created directly or indirectly with the key, because a thief may have
    /// created some; the caller's own key and those created with it are kept.
    pub async fn revoke(&self, by: &Staff, id: Id<ids::ApiKey>, and_created: bool) -> Result<RevokedKeys> {
        let mut tx = self.services.begin_installation().await?;
        let only = [by.key(), id];
        let keys = self.locked(by, (!and_created).then_some(&only), tx.conn()).await?;
        let created = created_with(&keys, id, by.key());
        let is_meant = |key: &&Model| key.revoked_at.is_none() && created.contains(&key.id);
        let meant: Vec<Model> = keys.iter().filter(is_meant).cloned().collect();
        let key = keys.into_iter().find(|key| key.id == id).ok_or_else(|| Error::not_found("key"))?;
        let mut revoked = RevokedKeys { key: revoke(&mut tx, by, key).await?, created: Vec::new() };
        for key in meant {
            revoked.created.push(revoke(&mut tx, by, key).await?);
        }
        tx.notify_access_changed();
        tx.commit().await?;
        Ok(revoked)
    }
}

/// All keys created directly or indirectly with a key, except the caller's own and those created with it.
fn created_with(keys: &[Model], first: Id<ids::ApiKey>, own: Id<ids::ApiKey>) -> BTreeSet<Id<ids::ApiKey>> {
    let mut created = BTreeSet::new();
    loop {
        let is_creator = |by: Id<ids::ApiKey>| by == first || created.contains(&by);
        let more: Vec<_> = keys
            .iter()
            .filter(|key| key.created_by.is_some_and(is_creator))
            .map(|key| key.id)
            .filter(|id| ![first, own].contains(id) && !created.contains(id))
            .collect();
        if more.is_empty() {
            return created;
        }
        created.extend(more);
    }
}

/// Revokes a key, if the caller has all its permissions.
async fn revoke(tx: &mut Tx, by: &Staff, mut key: Model) -> Result<Model> {
    may_take(by, &key)?;
    let before = audit_json(&key);
    if key.revoked_at.is_none() {
        let mut revoked = key.into_active_model();
        revoked.revoked_at = Set(Some(tx.now()));
        key = revoked.update(tx.conn()).await?;
    }
    tx.audit(&by.actor(), "key.revoke", shown(&key), AuditFacts::for_change(before, audit_json(&key)));
    Ok(key)
}
