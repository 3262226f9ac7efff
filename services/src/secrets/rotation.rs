//! Replaces encryption keys while nodes are running.
//!
//! Every transaction leaves a consistent state, so that an interrupted rotation can be continued by running it again:
//! values still sealed with a former key are found by the key id that they contain.

use std::ops::ControlFlow;

use domain::{Id, connect::InstallationSecret, ids, state::KeyRotation};
use entity::{Stored, former_data_key, installation_secret, signing_key, tenant};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, Iterable,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use serde_json::json;

use super::{KeyRing, Secrets};
use crate::{
    Error, Result, System,
    audit::{AuditFacts, OPERATOR_ACTOR},
    vault::{Column, KeyId, KeyOwner, MIN_SEALED_LEN, SealContext, key_id, own_place},
};

mod batch;

pub(super) use batch::count_outdated;

/// Number of tenants that a rotation looks up at a time.
const TENANTS: u64 = 100;

/// Which encryption keys to replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationScope {
    /// Makes the configured master key the current one.
    Master,
    /// Replaces the master key, and the data key of every tenant.
    DataKeys,
    /// Replaces the master key, and the data key of one tenant.
    DataKeyOf(Id<ids::Tenant>),
}

/// A committed step of a key rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationProgress {
    /// A master key became the current one.
    InForce(KeyId),
    /// A tenant has a new data key in addition to its former one.
    NewDataKey(Id<ids::Tenant>),
    /// This number of values of a tenant's column are now sealed with its current data key.
    Values(Id<ids::Tenant>, &'static str, usize),
    /// A tenant is finished. The number counts the tenants finished so far.
    Tenant(Id<ids::Tenant>, usize),
}

/// Summary of a rotation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RotationReport {
    /// Number of signing keys, data keys and installation secrets that are now sealed with the current master key.
    pub master_values: usize,
    /// Number of tenants that received a new data key.
    pub new_data_keys: usize,
    /// Number of values that are now sealed with their tenant's current data key.
    pub values: usize,
    /// Number of values that no key can open; they are unchanged, and their tenants' former data keys are kept.
    pub unreadable: usize,
}

/// Callback that receives each committed step and decides whether to continue the rotation.
pub type ProgressSink<'a> = &'a mut (dyn FnMut(RotationProgress) -> ControlFlow<()> + Send);

impl Secrets {
    /// Makes the configured master key the current one and reseals with it everything that a master key seals, except
    /// the audit key, which no node may change ([`crate::audit::AuditKeyProvider::reseal`]). Then, depending on
    /// `scope`, creates new data keys for tenants and reseals their secrets. Safe to run at any time, repeatedly and
    /// concurrently; an interrupted rotation is continued. Called by the operator, never for a request.
    ///
    /// # Errors
    ///
    /// `MASTER_KEY_UNKNOWN` if a value is sealed with a master key that the configuration lacks; `NOT_FOUND` if there
    /// is no such tenant. Steps committed before the error are kept.
    pub async fn rotate(
        &self,
        _by: &System,
        scope: RotationScope,
        sink: ProgressSink<'_>,
    ) -> Result<RotationReport> {
        self.load_pepper().await?;
        if let RotationScope::DataKeyOf(tenant) = scope {
            self.services.tenants().find(tenant).await?.ok_or_else(|| Error::not_found("tenant"))?;
        }
        let mut report = RotationReport::default();
        report.master_values += self.put_into_force(sink).await?;
        report.master_values += self.reseal_signing_keys().await?;
        if scope == RotationScope::DataKeys {
            self.mark_all().await?;
        }
        let (mut after, mut count) = (None, 0);
        loop {
            let tenants = self.tenants_after(after).await?;
            let Some(last) = tenants.last() else { break };
            after = Some(*last);
            for tenant in tenants {
                let renew = match scope {
                    RotationScope::DataKeyOf(only) if only == tenant => Renew::UnlessMoving,
                    _ => Renew::WhatIsDue,
                };
                self.rotate_tenant(tenant, renew, &mut report, sink).await?;
                count += 1;
                send_progress(sink, RotationProgress::Tenant(tenant, count))?;
            }
        }
        Ok(report)
    }

    /// Seals the installation's own secret with the configured master key, with which every node seals from this commit
    /// on. Transactions that used the former key have committed by then.
    async fn put_into_force(&self, sink: ProgressSink<'_>) -> Result<usize> {
        let vault = &self.services.vault;
        let mut tx = self.services.begin_installation().await?;
        let held = installation_secret::Entity::find_by_id(InstallationSecret::Digest).lock_exclusive();
        let row = held.one(tx.conn()).await?.ok_or(Error::Unreadable { what: "installation_secret" })?;
        let former = key_id(&row.sealed);
        if former == Some(vault.current_key_id()) {
            return Ok(0);
        }
        let pepper = vault.open_pepper(&row)?;
        let mut row = row.into_active_model();
        row.sealed = Set(vault.seal(vault.current_key_id(), own_place(), &pepper)?);
        row.changed_at = Set(self.services.now());
        row.update(tx.conn()).await?;
        let told_of = |key: Option<KeyId>| json!(key.map(|key| key.to_string()));
        let facts = AuditFacts::for_change(told_of(former), told_of(Some(vault.current_key_id())));
        tx.audit(OPERATOR_ACTOR, "master_key.rotate", "master_key".to_owned(), facts);
        tx.commit().await?;
        send_progress(sink, RotationProgress::InForce(vault.current_key_id()))?;
        Ok(1)
    }

    async fn reseal_signing_keys(&self) -> Result<usize> {
        let mut count = 0;
        let txn = self.services.store.write_installation().await?;
        let in_force = self.services.vault.lock_current_key(&txn).await?;
        for row in signing_key::Entity::find().order_by_asc(signing_key::Column::Id).all(&txn).await? {
            let context = Column::SigningKeyPrivate.at(Id::nil(), row.id);
            if let Some(sealed) = self.under(in_force, context, &row.private_key)? {
                let mut row = row.into_active_model();
                row.private_key = Set(sealed);
                row.update(&txn).await?;
                count += 1;
            }
        }
        txn.commit().await?;
        Ok(count)
    }

    /// Marks every tenant as due for a new data key, unless an earlier rotation is unfinished.
    async fn mark_all(&self) -> Result<()> {
        let txn = self.services.store.write_installation().await?;
        if self.count_unfinished(&txn).await? == 0 {
            let due = Expr::value(KeyRotation::Due.as_str());
            tenant::Entity::update_many().col_expr(tenant::Column::DataKeyRotation, due).exec(&txn).await?;
        }
        Ok(txn.commit().await?)
    }

    /// Number of tenants whose data key is due for rotation or being rotated.
    pub(super) async fn count_unfinished(&self, conn: &impl ConnectionTrait) -> Result<u64> {
        let marked = tenant::Entity::find().filter(tenant::Column::DataKeyRotation.is_not_null());
        Ok(marked.count(conn).await?)
    }

    pub(super) async fn tenants_after(&self, after: Option<Id<ids::Tenant>>) -> Result<Vec<Id<ids::Tenant>>> {
        let mut tenants = tenant::Entity::find().select_only().column(tenant::Column::Id);
        if let Some(after) = after {
            tenants = tenants.filter(tenant::Column::Id.gt(after));
        }
        let tenants = tenants.order_by_asc(tenant::Column::Id).limit(TENANTS).into_tuple();
        Ok(tenants.all(self.services.store.installation_connection()).await?)
    }

    async fn rotate_tenant(
        &self,
        tenant: Id<ids::Tenant>,
        renew: Renew,
        report: &mut RotationReport,
        sink: ProgressSink<'_>,
    ) -> Result<()> {
        let Some(replaced) = self.replace_data_key(tenant, renew, report).await? else { return Ok(()) };
        if replaced {
            report.new_data_keys += 1;
            send_progress(sink, RotationProgress::NewDataKey(tenant))?;
        }
        let ring = self.key_ring(tenant).await?;
        let keyed = |column: &Column| column.key_owner() == KeyOwner::Tenant;
        // Values of the first version are sealed anew too, so that all of them say what opens them.
        for column in Column::iter().filter(keyed) {
            self.reseal(tenant, column, &ring, report, sink).await?;
        }
        self.finish(tenant).await
    }

    /// Seals a tenant's data keys with the current master key and, if requested, creates a new data key and keeps the
    /// previous one as a former key. Returns whether a key was created; does nothing if the tenant or its key no longer
    /// exists.
    async fn replace_data_key(
        &self,
        tenant: Id<ids::Tenant>,
        renew: Renew,
        report: &mut RotationReport,
    ) -> Result<Option<bool>> {
        let mut tx = self.services.begin_as_staff(tenant).await?;
        let held = tenant::Entity::find_by_id(tenant).lock_exclusive().one(tx.conn()).await?;
        // A key that was destroyed stays so.
        let sealed = |row: &tenant::Model| row.data_key.len() >= MIN_SEALED_LEN;
        let Some(row) = held.filter(sealed) else { return Ok(None) };
        let in_force = self.services.vault.lock_current_key(tx.conn()).await?;
        for row in former_data_key::of(tenant).all(tx.conn()).await? {
            let context = Column::FormerDataKey.at(tenant, row.id);
            if let Some(sealed) = self.under(in_force, context, &row.sealed)? {
                let mut row = row.into_active_model();
                row.sealed = Set(sealed);
                row.update(tx.conn()).await?;
                report.master_values += 1;
            }
        }
        let renew = renew.applies(row.data_key_rotation.as_ref().map(Stored::require).transpose()?);
        if renew {
            self.put_in_place(tx.conn(), row, in_force).await?;
            let subject = tenant.to_string();
            tx.audit(OPERATOR_ACTOR, "data_key.rotate", subject, json!({}));
        } else if let Some(sealed) =
            self.under(in_force, Column::TenantDataKey.at(tenant, tenant), &row.data_key)?
        {
            let mut row = row.into_active_model();
            row.data_key = Set(sealed);
            row.update(tx.conn()).await?;
            report.master_values += 1;
        }
        tx.commit().await?;
        Ok(Some(renew))
    }

    async fn put_in_place(
        &self,
        txn: &impl ConnectionTrait,
        row: tenant::Model,
        in_force: KeyId,
    ) -> Result<()> {
        let (tenant, now, vault) = (row.id, self.services.now(), &self.services.vault);
        let former = self.data_key(&row)?;
        let id = self.services.ids.make();
        let kept = former_data_key::ActiveModel {
            id: Set(id),
            tenant_id: Set(tenant),
            sealed: Set(vault.seal(in_force, Column::FormerDataKey.at(tenant, id), former.bytes())?),
            replaced_at: Set(now),
            unused_since: Set(None),
        };
        former_data_key::Entity::insert(kept).exec_without_returning(txn).await?;
        let key = vault.new_data_key();
        let mut row = row.into_active_model();
        row.data_key = Set(vault.seal(in_force, Column::TenantDataKey.at(tenant, tenant), key.bytes())?);
        row.data_key_rotation = Set(Some(KeyRotation::Moving.into()));
        row.update(txn).await?;
        Ok(())
    }

    /// Ends the rotation of a tenant's data key. Unused former keys are deleted some time later, because a concurrent
    /// reader may still need them.
    async fn finish(&self, tenant: Id<ids::Tenant>) -> Result<()> {
        use former_data_key::{Column, update};
        let txn = self.services.store.write(tenant).await?;
        let current = self.held_data_key(&txn, tenant).await?.id;
        if count_outdated(&txn, tenant, current).await? == 0 {
            update(tenant)
                .filter(Column::UnusedSince.is_null())
                .col_expr(Column::UnusedSince, Expr::value(self.services.now()))
                .exec(&txn)
                .await?;
        }
        tenant::Entity::update_many()
            .filter(tenant::Column::Id.eq(tenant))
            .filter(tenant::Column::DataKeyRotation.eq(KeyRotation::Moving.as_str()))
            .col_expr(tenant::Column::DataKeyRotation, Expr::value(Option::<String>::None))
            .exec(&txn)
            .await?;
        Ok(txn.commit().await?)
    }

    /// Reseals a value with this master key unless it is already sealed with it.
    fn under(&self, key: KeyId, context: SealContext, sealed: &[u8]) -> Result<Option<Vec<u8>>> {
        if key_id(sealed) == Some(key) {
            return Ok(None);
        }
        let plain = self.services.vault.open(context, sealed)?;
        self.services.vault.seal(key, context, &plain).map(Some)
    }
}

/// When a tenant receives a new data key.
#[derive(Debug, Clone, Copy)]
enum Renew {
    /// The tenant receives a key if a rotation of all tenants has marked it as due.
    WhatIsDue,
    /// The tenant receives a key unless its last rotation is unfinished.
    UnlessMoving,
}

impl Renew {
    fn applies(self, rotation: Option<KeyRotation>) -> bool {
        match self {
            Self::WhatIsDue => rotation == Some(KeyRotation::Due),
            Self::UnlessMoving => rotation != Some(KeyRotation::Moving),
        }
    }
}

fn send_progress(sink: ProgressSink<'_>, progress: RotationProgress) -> Result<()> {
    match sink(progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            let message = "The rotation was interrupted. Run it again to continue it.";
            Err(Error::refuse("ROTATION_STOPPED", message))
        }
    }
}
