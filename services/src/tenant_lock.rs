//! Transactions that lock their tenant, for changes that depend on what they have read about it, such as who its
//! administrators are: on PostgreSQL two such changes could otherwise both count what the other is removing.
//!
//! The tenant is locked before any other row, so that no two of these transactions wait for each other in a circle.
//! Within a node they take turns before they ask for a connection: however many changes of one tenant wait, only one
//! of them waits with a connection.

#![expect(clippy::disallowed_methods, reason = "a tenant is found by its own id")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{Id, ids};
use entity::tenant::{Entity, Model};
use sea_orm::{EntityTrait, QuerySelect, sea_query::LockType};
use tokio::sync::OwnedMutexGuard;

use crate::{Error, Result, Services, Tx};

/// Held by whoever has its turn.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// The turns of a node, by tenant.
#[derive(Debug, Clone, Default)]
pub(crate) struct TenantTurns(Arc<Mutex<HashMap<Id<ids::Tenant>, Turn>>>);

/// A tenant's turn, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct TenantTurn {
    turns: TenantTurns,
    tenant: Id<ids::Tenant>,
    /// `None` only while it is being dropped.
    held: Option<OwnedMutexGuard<()>>,
}

impl TenantTurns {
    fn all(&self) -> MutexGuard<'_, HashMap<Id<ids::Tenant>, Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, tenant: Id<ids::Tenant>) -> TenantTurn {
        let turn = Arc::clone(self.all().entry(tenant).or_default());
        TenantTurn { turns: self.clone(), tenant, held: Some(turn.lock_owned().await) }
    }
}

impl Drop for TenantTurn {
    fn drop(&mut self) {
        drop(self.held.take());
        // Whoever waits for the turn holds a reference to it.
        self.turns.all().retain(|tenant, turn| *tenant != self.tenant || Arc::strong_count(turn) > 1);
    }
}

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
        let tx = self.in_turn(turn);
        // Weaker than FOR UPDATE, which would also wait for every insertion of a row that refers to the tenant.
        let found = Entity::find_by_id(tx.tenant()).lock(LockType::NoKeyUpdate).one(tx.conn()).await?;
        let tenant = found.ok_or_else(|| Error::not_found("tenant"))?;
        Ok((tx, tenant))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_tenants_changes_take_turns_and_wait_for_no_other_tenants() {
        let turns = TenantTurns::default();
        let (one, other) = (Id::from_uuid(uuid::Uuid::from_u128(1)), Id::from_uuid(uuid::Uuid::from_u128(2)));
        let first = turns.take(one).await;
        let mut second = Box::pin(turns.take(one));
        assert!(second.as_mut().now_or_never().is_none(), "it waits for the first");
        drop(turns.take(other).await);
        drop(first);
        drop(second.now_or_never().expect("its turn has come"));
        assert!(turns.all().is_empty(), "nothing is left of turns that have ended");
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_takes_no_turn() {
        let turns = TenantTurns::default();
        let one = Id::from_uuid(uuid::Uuid::from_u128(1));
        let first = turns.take(one).await;
        let mut gives_up = Box::pin(turns.take(one));
        assert!(gives_up.as_mut().now_or_never().is_none());
        drop(gives_up);
        drop(first);
        drop(turns.take(one).now_or_never().expect("nobody is waiting"));
        assert!(turns.all().is_empty());
    }
}
