//! Reports which keys are in use, so that the operator knows which may be removed.

use domain::{AnyId, Id, ids};
use std::collections::{BTreeMap, BTreeSet};

use entity::{former_data_key, signing_key, tenant};
use sea_orm::EntityTrait;

use super::{Secrets, rotation::count_outdated};
use crate::{
    Error, Result, System,
    vault::{Column, KeyId, MIN_SEALED_LEN, SealContext, key_id, own_place},
};

/// Which master and data keys are in use, and how many values are left to reseal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyStatus {
    /// The current master key; `None` before the first node has started.
    pub in_force: Option<KeyId>,
    /// The master key of this configuration.
    pub configured: Option<KeyId>,
    /// The former master keys of this configuration.
    pub former: BTreeSet<KeyId>,
    /// Number of values sealed by each master key, including keys that this configuration lacks.
    pub sealed: BTreeMap<KeyId, u64>,
    /// Number of values without a key id that no key of this configuration can open.
    pub unopened: u64,
    /// Number of tenants.
    pub tenants: u64,
    /// Number of tenants with values that are not sealed with their current data key.
    pub tenants_to_do: u64,
    /// Number of values that are not sealed with their tenant's current data key.
    pub values_to_do: u64,
    /// Number of tenants that an interrupted rotation has yet to finish.
    pub under_way: u64,
}

impl KeyStatus {
    /// Former master keys that are no longer used and can be removed from the configuration.
    pub fn unused_keys(&self) -> impl Iterator<Item = KeyId> {
        let used = |id: &KeyId| self.sealed.contains_key(id) || self.in_force == Some(*id);
        self.former.iter().copied().filter(move |id| !used(id))
    }

    /// Master keys that are still used but are missing from the configuration.
    pub fn missing_keys(&self) -> impl Iterator<Item = KeyId> {
        let known = |id: &KeyId| self.former.contains(id) || self.configured == Some(*id);
        self.sealed.keys().copied().filter(move |id| !known(id))
    }

    /// Whether `muster keys rotate` would reseal values that are sealed with master keys.
    pub fn needs_rotation(&self) -> bool {
        self.in_force != self.configured || self.sealed.keys().any(|id| Some(*id) != self.configured)
    }

    fn count(&mut self, secrets: &Secrets, context: SealContext, sealed: &[u8]) {
        let vault = &secrets.services.vault;
        match vault.open_with_key_id(context, sealed) {
            Ok((id, _)) | Err(Error::MasterKeyUnknown { key: id, .. }) => {
                *self.sealed.entry(id).or_default() += 1;
            }
            Err(_) => self.unopened += 1,
        }
    }
}

impl Secrets {
    /// Examines all values sealed with a master key, and counts the values that are not sealed with their tenant's
    /// current data key. Called by the operator's commands, never for a request.
    pub async fn status(&self, _by: &System) -> Result<KeyStatus> {
        let vault = &self.services.vault;
        let conn = self.services.store.installation_connection();
        let mut status = KeyStatus {
            configured: Some(vault.current_key_id()),
            former: vault.former_key_ids().collect(),
            under_way: self.count_unfinished(conn).await?,
            ..KeyStatus::default()
        };
        if let Some(row) = vault.find_secret(conn).await? {
            status.in_force = key_id(&row.sealed);
            status.count(self, own_place(), &row.sealed);
        }
        if let Some(row) = entity::audit_key::find_key().one(conn).await? {
            status.count(self, Column::AuditKeySeed.at(Id::nil(), AnyId::nil()), &row.seed);
        }
        for row in signing_key::Entity::find().all(conn).await? {
            let context = Column::SigningKeyPrivate.at(Id::nil(), row.id);
            status.count(self, context, &row.private_key);
        }
        let mut after = None;
        loop {
            let tenants = self.tenants_after(after).await?;
            let Some(last) = tenants.last() else { return Ok(status) };
            after = Some(*last);
            for tenant in tenants {
                self.status_of(tenant, &mut status).await?;
            }
        }
    }

    async fn status_of(&self, tenant: Id<ids::Tenant>, status: &mut KeyStatus) -> Result<()> {
        let txn = self.services.read(tenant).await?;
        let Some(row) = tenant::Entity::find_by_id(tenant).one(&txn).await? else { return Ok(()) };
        status.tenants += 1;
        if row.data_key.len() < MIN_SEALED_LEN {
            return Ok(());
        }
        status.count(self, Column::TenantDataKey.at(tenant, tenant), &row.data_key);
        for former in former_data_key::of(tenant).all(&txn).await? {
            status.count(self, Column::FormerDataKey.at(tenant, former.id), &former.sealed);
        }
        // Without the tenant's key nothing can be said of its values.
        let Ok(key) = self.data_key(&row) else { return Ok(()) };
        let values = count_outdated(&txn, tenant, key.id).await?;
        status.values_to_do += values;
        status.tenants_to_do += u64::from(values > 0);
        Ok(())
    }
}
