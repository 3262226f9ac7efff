//! Transactions that lock their tenant, for changes that depend on what they have read about it, such as who its
//! administrators are: on PostgreSQL two such changes could otherwise both count what the other is removing.
//!
//! The tenant is locked before any other row, so that no two of these transactions wait for each other in a circle.
//! Within a node they take turns before they ask for a connection: however many changes of one tenant wait, only one
//! of them waits with a connection.

#![expect(clippy::disallowed_methods, reason = "a tenant is found by its own id")]

use domain::{Id, ids};
use entity::tenant::{Entity, Model};
use sea_orm::{EntityTrait, QuerySelect, sea_query::LockType};

use crate::{Error, Result, Services, Tx, turns::HeldTurn};

/// Held while a transaction locks its tenant.
pub(crate) type TenantTurn = HeldTurn<Id<ids::Tenant>>;

impl Services {
    /// Begins a transaction of one tenant, and locks the tenant until it ends.
    pub(crate) async fn begin_locked(&self, tenant: Id<ids::Tenant>) -> Result<(Tx, Model)> {
        let turn = self.turn(tenant).await;
        self.begin(tenant).await?.locked(turn).await
    }

    /// [`Services::begin_as_staff`] with the tenant locked.
    pub(crate) async fn begin_locked_as_staff(&self, tenant: Id<ids::Tenant>) -> Result<(Tx, Model)> {
        let turn = self.turn(tenant).await;
        self.begin_as_staff(tenant).await?.locked(turn).await
    }

    async fn turn(&self, tenant: Id<ids::Tenant>) -> TenantTurn {
        // Nobody waits for a turn while holding a connection.
        self.end_reading().await;
        self.tenant_turns.take(tenant).await
    }
}

impl Tx {
    async fn locked(self, turn: TenantTurn) -> Result<(Self, Model)> {
        let mut tx = self.in_turn(turn);
        // Weaker than FOR UPDATE, which would also wait for every insertion of a row that refers to the tenant.
        let found = Entity::find_by_id(tx.tenant()).lock(LockType::NoKeyUpdate).one(tx.conn()).await?;
        let tenant = found.ok_or_else(|| Error::not_found("tenant"))?;
        // Whoever had the lock before may have ended something at a moment after this transaction began.
        tx.set_now();
        Ok((tx, tenant))
    }
}
