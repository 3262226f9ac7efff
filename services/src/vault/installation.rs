//! The installation's own secret, and the current master key, which seals it.

#![expect(clippy::disallowed_methods, reason = "it belongs to the installation")]

use domain::connect::InstallationSecret;
use domain::{AnyId, Id};
use entity::{installation_secret, tenant};
use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict},
};

use super::{Column, KeyId, MIN_SEALED_LEN, SealContext, Vault, key_id};
use crate::{Error, Result};

/// The seal context of the installation's own secret.
pub(crate) fn seal_context() -> SealContext {
    Column::InstallationSecret.at(Id::nil(), AnyId::nil())
}

impl Vault {
    /// Seals a value of the installation, in the transaction that stores it.
    pub(crate) async fn seal_with_current_key(
        &self,
        txn: &impl ConnectionTrait,
        context: SealContext,
        plain: &[u8],
    ) -> Result<Vec<u8>> {
        self.seal(self.lock_current_key(txn).await?, context, plain)
    }

    /// Returns the current master key, locked until the transaction ends.
    pub(crate) async fn lock_current_key(&self, txn: &impl ConnectionTrait) -> Result<KeyId> {
        let row = self.find_or_create_secret(txn).await?;
        key_id(&row.sealed).ok_or(Error::Unreadable { what: "installation_secret" })
    }

    /// The installation's own secret, locked against rotation; created if there is none yet.
    pub(crate) async fn find_or_create_secret(
        &self,
        txn: &impl ConnectionTrait,
    ) -> Result<installation_secret::Model> {
        let held =
            || installation_secret::Entity::find_by_id(InstallationSecret::Digest).lock_shared().one(txn);
        if let Some(row) = held().await? {
            return Ok(row);
        }
        let (key, pepper) = self.first_pepper(txn).await?;
        let row = installation_secret::ActiveModel {
            name: Set(InstallationSecret::Digest.into()),
            sealed: Set(self.seal(key, seal_context(), &pepper)?),
            changed_at: Set(self.ids().now()),
        };
        installation_secret::Entity::insert(row)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
        held().await?.ok_or(Error::Unreadable { what: "installation_secret" })
    }

    /// Creates the key for digests; returns it with the master key that seals it. If values were sealed or digested
    /// before this key was stored, returns the master key that was used, and the digest key derived from it.
    async fn first_pepper(&self, conn: &impl ConnectionTrait) -> Result<(KeyId, [u8; 32])> {
        let derived = |key: KeyId| Some((key, self.derive_pepper(key)?));
        let unreadable = || Error::Unreadable { what: "installation_secret" };
        // A tenant whose key was destroyed says nothing.
        let sealed = Expr::cust(format!("length(data_key) >= {MIN_SEALED_LEN}"));
        if let Some(row) = tenant::Entity::find().filter(sealed).one(conn).await? {
            let (key, _) = self.open_with_key_id(Column::TenantDataKey.at(row.id, row.id), &row.data_key)?;
            return derived(key).ok_or_else(unreadable);
        }
        if let Some(row) = entity::signing_key::Entity::find().one(conn).await? {
            let context = Column::SigningKeyPrivate.at(Id::nil(), row.id);
            let (key, _) = self.open_with_key_id(context, &row.private_key)?;
            return derived(key).ok_or_else(unreadable);
        }
        if let Some(row) = entity::audit_key::find_key().one(conn).await? {
            let (key, _) =
                self.open_with_key_id(Column::AuditKeySeed.at(Id::nil(), AnyId::nil()), &row.seed)?;
            return derived(key).ok_or_else(unreadable);
        }
        if entity::api_key::Entity::find().count(conn).await? > 0 {
            return derived(self.current_key_id()).ok_or_else(unreadable);
        }
        Ok((self.current_key_id(), self.ids().random_bytes()))
    }

    /// The stored row of the installation's own secret.
    pub(crate) async fn find_secret(
        &self,
        conn: &impl ConnectionTrait,
    ) -> Result<Option<installation_secret::Model>> {
        Ok(installation_secret::Entity::find_by_id(InstallationSecret::Digest).one(conn).await?)
    }

    /// Opens the installation's own secret.
    pub(crate) fn open_pepper(&self, row: &installation_secret::Model) -> Result<[u8; 32]> {
        let plain = self.open(seal_context(), &row.sealed)?;
        plain.try_into().map_err(|_| Error::Unreadable { what: "installation_secret" })
    }
}
