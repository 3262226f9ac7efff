//! Appends audit entries to their hash chains.
//!
//! Each chain has one row for its head, which a transaction locks last. As the transaction acquires no other lock
//! afterwards, concurrent transactions wait for each other only during a commit and never deadlock. The heads of
//! several chains are locked in the order of their tenants.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Id, Timestamp, ids};
use entity::{audit, audit_chain};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Statement, Value,
    prelude::Json,
    sea_query::{Expr, OnConflict},
};

use super::{
    AuditFacts,
    canonical::{entry_hash, sanitize, truncate_to_micros},
    key::{AuditKey, AuditKeyProvider},
    unreadable,
};
use crate::{Error, Result};

/// An action to be appended to an audit chain.
#[derive(Debug, Clone)]
pub(crate) struct AuditRecord {
    /// The chain: a tenant, or [`super::INSTALLATION_CHAIN`].
    pub(crate) chain: Id<ids::Tenant>,
    pub(crate) actor: String,
    pub(crate) action: &'static str,
    pub(crate) subject: String,
    pub(crate) facts: AuditFacts,
    pub(crate) request: Option<String>,
    pub(crate) at: Timestamp,
}

/// Appends actions to their audit chains in order. The transaction must not acquire further locks afterwards.
pub(crate) async fn append(
    txn: &impl ConnectionTrait,
    sealer: &AuditKeyProvider,
    acts: Vec<AuditRecord>,
) -> Result<()> {
    if acts.is_empty() {
        return Ok(());
    }
    let key = sealer.get_or_create(txn).await?;
    let chains: BTreeSet<Id<ids::Tenant>> = acts.iter().map(|act| act.chain).collect();
    let mut ends = lock_heads(txn, &key, &chains).await?;
    let mut rows = Vec::with_capacity(acts.len());
    for act in acts {
        let end = ends.get_mut(&act.chain).ok_or_else(unreadable)?;
        let row = append_entry(sealer.ids().make(), act, end);
        (end.seq, end.hash) = (end.seq + 1, row.hash.clone().unwrap_or_default());
        rows.push(row);
    }
    write(txn, ends.into_values().map(|end| reseal_head(&key, end)).collect(), rows).await
}

/// Returns the current heads of audit chains, locked until the transaction ends; missing chains are created. The tenant
/// of an act that began before the tenant's erasure is not found.
pub(super) async fn lock_heads(
    txn: &impl ConnectionTrait,
    key: &AuditKey,
    chains: &BTreeSet<Id<ids::Tenant>>,
) -> Result<BTreeMap<Id<ids::Tenant>, audit_chain::Model>> {
    let mut ends = held(txn, key, chains).await?;
    let missing: Vec<_> = chains.iter().filter(|chain| !ends.contains_key(*chain)).collect();
    if !missing.is_empty() {
        require_not_erased(txn, &missing).await?;
        let begun = missing.into_iter().map(|chain| audit_chain::ActiveModel::from(key.empty_chain(*chain)));
        let nothing = OnConflict::column(audit_chain::Column::TenantId).do_nothing().to_owned();
        audit_chain::Entity::insert_many(begun).on_conflict(nothing).exec_without_returning(txn).await?;
        ends = held(txn, key, chains).await?;
    }
    Ok(ends)
}

/// Refuses to begin a chain anew that was erased with its tenant.
async fn require_not_erased(txn: &impl ConnectionTrait, chains: &[&Id<ids::Tenant>]) -> Result<()> {
    use entity::erasure_receipt::{Column, by_ids};
    let erased = by_ids(chains.iter().map(|chain| **chain)).filter(Column::FinishedAt.is_not_null());
    match erased.one(txn).await? {
        None => Ok(()),
        Some(_) => Err(Error::not_found("tenant")),
    }
}

async fn held(
    txn: &impl ConnectionTrait,
    key: &AuditKey,
    chains: &BTreeSet<Id<ids::Tenant>>,
) -> Result<BTreeMap<Id<ids::Tenant>, audit_chain::Model>> {
    let rows = audit_chain::of_tenants(chains.iter().copied())
        .order_by_asc(audit_chain::Column::TenantId)
        .lock_exclusive()
        .all(txn)
        .await?;
    let seen = |mut end: audit_chain::Model| {
        if !key.has_valid_seal(&end) {
            // The act goes on; that the end was changed stays to be seen, because it never gets a seal again.
            tracing::error!(chain = %end.tenant_id, "the end of an audit chain was changed: run muster audit verify");
            end.seal.clear();
        }
        (end.tenant_id, end)
    };
    Ok(rows.into_iter().map(seen).collect())
}

/// Seals the head of an audit chain again, unless its previous seal was broken.
pub(super) fn reseal_head(key: &AuditKey, end: audit_chain::Model) -> audit_chain::Model {
    if end.seal.is_empty() { end } else { key.seal_head(end) }
}

/// Creates the audit entry for an action and advances the head of its chain.
pub(super) fn append_entry(
    id: Id<ids::AuditEntry>,
    act: AuditRecord,
    end: &audit_chain::Model,
) -> audit::Model {
    let value = |value: Option<Json>| value.filter(|value| !value.is_null()).map(sanitize);
    let mut row = audit::Model {
        id,
        tenant_id: act.chain,
        actor: act.actor,
        action: act.action.to_owned(),
        subject: act.subject,
        details: sanitize(act.facts.details),
        at: truncate_to_micros(act.at),
        request: act.request,
        old_value: value(act.facts.old),
        new_value: value(act.facts.new),
        seq: Some(end.seq + 1),
        hash: None,
    };
    row.hash = Some(entry_hash(&row, &end.hash));
    row
}

async fn write(
    txn: &impl ConnectionTrait,
    ends: Vec<audit_chain::Model>,
    rows: Vec<audit::Model>,
) -> Result<()> {
    if txn.get_database_backend() == DatabaseBackend::Postgres {
        return write_together(txn, &ends, &rows).await;
    }
    for rows in rows.chunks(500) {
        let rows = rows.iter().cloned().map(audit::ActiveModel::from);
        audit::Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    for end in ends {
        update_head(txn, end).await?;
    }
    Ok(())
}

/// Stores the new head of a chain.
pub(super) async fn update_head(txn: &impl ConnectionTrait, end: audit_chain::Model) -> Result<()> {
    use audit_chain::Column;
    audit_chain::update(end.tenant_id)
        .filter(Column::TenantId.eq(end.tenant_id))
        .col_expr(Column::Seq, Expr::value(end.seq))
        .col_expr(Column::Hash, Expr::value(end.hash))
        .col_expr(Column::BaseSeq, Expr::value(end.base_seq))
        .col_expr(Column::BaseHash, Expr::value(end.base_hash))
        .col_expr(Column::Seal, Expr::value(end.seal))
        .exec(txn)
        .await?;
    Ok(())
}

/// SQL that inserts any number of audit entries in one statement, because other transactions are waiting for the heads.
const TOGETHER: &str = "
WITH moved AS (
    UPDATE audit_chain c SET seq = e.seq, hash = decode(e.hash, 'hex'), seal = decode(e.seal, 'hex')
    FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) AS e(tenant_id, seq, hash, seal)
    WHERE c.tenant_id = e.tenant_id
)
INSERT INTO audit (id, tenant_id, actor, action, subject, details, at, request, old_value, new_value, seq, hash)
SELECT id, tenant_id, actor, action, subject, details, at, nullif(request, ''), nullif(old, 'null'::jsonb),
    nullif(new, 'null'::jsonb), seq, decode(hash, 'hex')
FROM unnest($5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[], $10::jsonb[], $11::timestamptz[], $12::text[],
    $13::jsonb[], $14::jsonb[], $15::bigint[], $16::text[])
    AS r(id, tenant_id, actor, action, subject, details, at, request, old, new, seq, hash)";

async fn write_together(
    txn: &impl ConnectionTrait,
    ends: &[audit_chain::Model],
    rows: &[audit::Model],
) -> Result<()> {
    use super::canonical::hex;
    fn list<R, T>(rows: &[R], column: impl Fn(&R) -> T) -> Vec<T> {
        rows.iter().map(column).collect()
    }
    let json = |value: &Option<Json>| value.clone().unwrap_or(Json::Null);
    let values: [Value; 16] = [
        list(ends, |end| end.tenant_id).into(),
        list(ends, |end| end.seq).into(),
        list(ends, |end| hex(&end.hash)).into(),
        list(ends, |end| hex(&end.seal)).into(),
        list(rows, |row| row.id).into(),
        list(rows, |row| row.tenant_id).into(),
        list(rows, |row| row.actor.clone()).into(),
        list(rows, |row| row.action.clone()).into(),
        list(rows, |row| row.subject.clone()).into(),
        list(rows, |row| row.details.clone()).into(),
        list(rows, |row| row.at).into(),
        list(rows, |row| row.request.clone().unwrap_or_default()).into(),
        list(rows, |row| json(&row.old_value)).into(),
        list(rows, |row| json(&row.new_value)).into(),
        list(rows, |row| row.seq.unwrap_or_default()).into(),
        list(rows, |row| hex(row.hash.as_deref().unwrap_or_default())).into(),
    ];
    txn.execute_raw(Statement::from_sql_and_values(DatabaseBackend::Postgres, TOGETHER, values)).await?;
    Ok(())
}
