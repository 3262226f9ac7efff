//! Transactions that lock their tenant, for changes that depend on data read before, such as the list of
//! administrators: on PostgreSQL, two concurrent transactions could otherwise each remove one of the last two
//! administrators.
//!
//! The tenant is locked before any other row, so that these transactions never deadlock. Within a node they are
//! serialised before they acquire a connection: however many changes of one tenant are waiting, only one of them
//! occupies a connection.

#![expect(clippy::disallowed_methods, reason = "a tenant is found by its own id")]

use domain::{Id, access::Denied, ids};
use entity::tenant::{Entity, Model};
use sea_orm::{EntityTrait, QuerySelect, sea_query::LockType};

use crate::{Error, Result, Services, Tx, keyed_semaphores::KeyedPermit, keys, proof::Staff};

/// Guard that serialises the transactions that lock the same tenant.
pub(crate) type TenantLockGuard = KeyedPermit<Id<ids::Tenant>>;

impl Services {
    /// Begins a transaction of one tenant, and locks the tenant until it ends. A tenant that is being erased is not found.
    pub(crate) async fn begin_locked(&self, tenant: Id<ids::Tenant>) -> Result<(Tx, Model)> {
        let turn = self.turn(tenant).await;
        require_not_erasing(self.begin(tenant).await?.locked(turn).await?)
    }

    /// [`Services::begin_as_staff`] with the tenant locked. Refuses a key that expired or was revoked meanwhile. A tenant
    /// that is being erased is not found.
    pub(crate) async fn begin_locked_as_staff(
        &self,
        by: &Staff,
        tenant: Id<ids::Tenant>,
    ) -> Result<(Tx, Model)> {
        require_not_erasing(self.begin_erasure(by, tenant).await?)
    }

    /// [`Services::begin_locked_as_staff`], also for a tenant that is being erased.
    pub(crate) async fn begin_erasure(&self, by: &Staff, tenant: Id<ids::Tenant>) -> Result<(Tx, Model)> {
        let turn = self.turn(tenant).await;
        let (tx, row) = self.begin_as_staff(tenant).await?.locked(turn).await?;
        let permissions = keys::current_permissions(tx.conn(), by.key(), tenant, tx.now()).await?;
        permissions.ok_or(Denied::Unauthenticated)?;
        Ok((tx, row))
    }

    async fn turn(&self, tenant: Id<ids::Tenant>) -> TenantLockGuard {
        // Nobody waits for a turn while holding a connection.
        self.end_read_transaction().await;
        self.tenant_locks.acquire(tenant).await
    }
}

fn require_not_erasing((tx, tenant): (Tx, Model)) -> Result<(Tx, Model)> {
    match tenant.erasing_since {
        None => Ok((tx, tenant)),
        Some(_) => Err(Error::not_found("tenant")),
    }
}

impl Tx {
    async fn locked(self, turn: TenantLockGuard) -> Result<(Self, Model)> {
        let mut tx = self.with_lock_guard(turn);
        // Weaker than FOR UPDATE, which would also wait for every insertion of a row that refers to the tenant.
        let found = Entity::find_by_id(tx.tenant()).lock(LockType::NoKeyUpdate).one(tx.conn()).await?;
        let tenant = found.ok_or_else(|| Error::not_found("tenant"))?;
        // Whoever had the lock before may have ended something at a moment after this transaction began.
        tx.set_now();
        Ok((tx, tenant))
    }
}
