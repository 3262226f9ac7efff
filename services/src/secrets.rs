//! Encryption at rest: which key seals which values, and how keys are replaced while nodes are running.
//!
//! - A **master key** of the configuration seals the data keys, the signing keys and the installation's own secret.
//!   The one that seals the installation's own secret is the *current* one. Every node seals with the current key,
//!   whichever key its configuration calls the master key, so that nodes with an old and a new configuration work side
//!   by side until [`Secrets::rotate`] makes the new key the current one.
//! - A tenant's **data key** seals its secrets. While it is being replaced, the former key is kept as well.
//!
//! To seal a value, a transaction reads the key and locks it against rotation until the value is committed. So no node
//! seals with a key that has been replaced, and nodes need no notification of a rotation. To open a value, the key id
//! in the value selects the key; the keys are read again if none has that id.

#![expect(clippy::disallowed_methods, reason = "keys belong to the installation")]

mod rotation;
mod status;

use domain::{Id, ids};
use std::sync::Arc;

use entity::{former_data_key, tenant};
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, QuerySelect};

pub use self::{
    rotation::{RotationProgress, RotationReport, RotationScope},
    status::KeyStatus,
};
use crate::{
    Error, Result, System,
    vault::{Column, Key, SealContext, key_id},
};

crate::noun! {
    /// Encryption at rest.
    Secrets
}

/// The unsealed data keys of a tenant, the current one first.
#[derive(Debug, Clone)]
pub(crate) struct KeyRing(Arc<[Key]>);

impl KeyRing {
    /// Opens a sealed value; `None` if it was sealed with a key that is not in the ring.
    fn open(&self, context: SealContext, sealed: &[u8]) -> Option<Result<Vec<u8>>> {
        match key_id(sealed) {
            Some(id) => self.0.iter().find(|key| key.id == id).map(|key| key.open(context, sealed)),
            None => Some(self.unkeyed(context, sealed)),
        }
    }

    fn unkeyed(&self, context: SealContext, sealed: &[u8]) -> Result<Vec<u8>> {
        let opened = self.0.iter().find_map(|key| key.open(context, sealed).ok());
        opened.ok_or(Error::Unreadable { what: context.table_name() })
    }
}

impl Secrets {
    /// Ensures that this node has the required keys and that the installation has its own secret. Called when a node
    /// starts, before anything else.
    ///
    /// # Errors
    ///
    /// `MASTER_KEY_UNKNOWN` if the configuration lacks the current master key.
    pub async fn ensure_ready(&self, _by: &System) -> Result<()> {
        self.load_pepper().await
    }

    pub(super) async fn load_pepper(&self) -> Result<()> {
        let vault = &self.services.vault;
        let pepper = match vault.find_secret(self.services.store.installation_connection()).await? {
            Some(row) => vault.open_pepper(&row)?,
            None => {
                let txn = self.services.store.write_installation().await?;
                let pepper = vault.open_pepper(&vault.find_or_create_secret(&txn).await?)?;
                txn.commit().await?;
                pepper
            }
        };
        vault.set_pepper(pepper);
        Ok(())
    }

    /// Whether this node has the current master key.
    pub(crate) async fn has_current_master_key(&self) -> Result<bool> {
        let row = self.services.vault.find_secret(self.services.store.installation_connection()).await?;
        Ok(row.and_then(|row| key_id(&row.sealed)).is_none_or(|id| self.services.vault.has_key(id)))
    }

    /// The keyed digest under which a token or key is looked up.
    pub(crate) async fn digest(&self, token: &str) -> Result<Vec<u8>> {
        if let Some(digest) = self.services.vault.digest(token) {
            return Ok(digest);
        }
        self.load_pepper().await?;
        self.services.vault.digest(token).ok_or(Error::Unreadable { what: "installation_secret" })
    }

    /// Seals a secret of a tenant, in the transaction that stores it.
    pub(crate) async fn seal(
        &self,
        txn: &impl ConnectionTrait,
        context: SealContext,
        plain: &[u8],
    ) -> Result<Vec<u8>> {
        let key = self.held_data_key(txn, context.tenant()).await?;
        self.services.vault.seal_with(&key, context, plain)
    }

    /// Opens a secret of a tenant.
    pub(crate) async fn open(&self, context: SealContext, sealed: &[u8]) -> Result<Vec<u8>> {
        if let Some(opened) = self.open_as_known(context, sealed) {
            return opened;
        }
        let ring = self.key_ring(context.tenant()).await?;
        self.open_and_remember(context, sealed, ring)
    }

    /// Like [`Secrets::open`], for callers that already use a connection, because waiting for a second one can exhaust
    /// the pool.
    pub(crate) async fn open_in_tx(
        &self,
        txn: &impl ConnectionTrait,
        context: SealContext,
        sealed: &[u8],
    ) -> Result<Vec<u8>> {
        if let Some(opened) = self.open_as_known(context, sealed) {
            return opened;
        }
        let ring = self.key_ring_within(txn, context.tenant()).await?;
        self.open_and_remember(context, sealed, ring)
    }

    /// Opens a sealed value with the keys cached by this node; `None` if none of them sealed it.
    fn open_as_known(&self, context: SealContext, sealed: &[u8]) -> Option<Result<Vec<u8>>> {
        let ring = self.services.keys().opened_keys().data_keys.get(&context.tenant())?;
        ring.open(context, sealed)
    }

    fn open_and_remember(&self, context: SealContext, sealed: &[u8], ring: KeyRing) -> Result<Vec<u8>> {
        self.services.keys().opened_keys().data_keys.insert(context.tenant(), ring.clone());
        ring.open(context, sealed).unwrap_or(Err(Error::Unreadable { what: context.table_name() }))
    }

    /// Seals a secret of the installation, in the transaction that stores it.
    pub(crate) async fn seal_for_installation(
        &self,
        txn: &impl ConnectionTrait,
        context: SealContext,
        plain: &[u8],
    ) -> Result<Vec<u8>> {
        self.services.vault.seal_with_current_key(txn, context, plain).await
    }

    /// Creates a data key for a tenant and returns it sealed, in the transaction that stores it.
    pub(crate) async fn new_data_key(
        &self,
        txn: &impl ConnectionTrait,
        tenant: Id<ids::Tenant>,
    ) -> Result<Vec<u8>> {
        let key = self.services.vault.new_data_key();
        self.seal_for_installation(txn, Column::TenantDataKey.at(tenant, tenant), key.bytes()).await
    }

    /// The tenant's current data key, locked so that it stays current until the transaction ends.
    async fn held_data_key(&self, txn: &impl ConnectionTrait, tenant: Id<ids::Tenant>) -> Result<Key> {
        let row = tenant::Entity::find_by_id(tenant).lock_shared().one(txn).await?;
        self.data_key(&row.ok_or_else(|| Error::not_found("tenant"))?)
    }

    fn data_key(&self, row: &tenant::Model) -> Result<Key> {
        let plain = self.services.vault.open(Column::TenantDataKey.at(row.id, row.id), &row.data_key)?;
        Key::from_bytes(plain, "data key")
    }

    /// All data keys that may have sealed a tenant's secrets.
    async fn key_ring(&self, tenant: Id<ids::Tenant>) -> Result<KeyRing> {
        let txn = self.services.read(tenant).await?;
        self.key_ring_within(&txn, tenant).await
    }

    /// Reads the current key first: if it is replaced in between, it is then found among the former keys.
    async fn key_ring_within(&self, txn: &impl ConnectionTrait, tenant: Id<ids::Tenant>) -> Result<KeyRing> {
        let present = tenant::Entity::find_by_id(tenant).one(txn).await?;
        let present = self.data_key(&present.ok_or_else(|| Error::not_found("tenant"))?)?;
        let former = former_data_key::of(tenant).order_by_desc(former_data_key::Column::Id);
        let mut keys = vec![present];
        for row in former.all(txn).await? {
            let context = Column::FormerDataKey.at(tenant, row.id);
            keys.push(Key::from_bytes(self.services.vault.open(context, &row.sealed)?, "data key")?);
        }
        Ok(KeyRing(keys.into()))
    }
}
