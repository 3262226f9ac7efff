//! Maintenance of the audit log by the operator, as the database owner: pruning and exporting the log, and appending
//! entries without a sequence number to their chains.
//!
//! Nodes have no permission for these operations. Each operation is itself recorded in the audit log, in its own
//! transaction.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Id, Timestamp, ids};
use entity::{
    audit::{Column, Model, all_tenants, delete, of},
    audit_chain,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, TransactionTrait,
};
use serde_json::json;

use super::{
    AuditFacts, AuditRecord, INSTALLATION_CHAIN, OPERATOR_ACTOR,
    canonical::{entry_hash, export_line},
    chain::{append, lock_heads, reseal_head, update_head},
    chain_name, current_request_id,
    key::{AuditKey, AuditKeyProvider},
    verify::{ChainFault, ChainVerifier},
};
use crate::{Error, Result};

/// Number of entries pruned in one transaction.
const BATCH: u64 = 500;
/// Number of entries read at a time.
const READ: u64 = 5_000;

/// Creates the audit record of an action of the operator on a chain.
fn act(
    chain: Id<ids::Tenant>,
    action: &'static str,
    about: Id<ids::Tenant>,
    facts: AuditFacts,
    at: Timestamp,
) -> AuditRecord {
    let actor = OPERATOR_ACTOR.to_owned();
    AuditRecord { chain, actor, action, subject: chain_name(about), facts, request: current_request_id(), at }
}

/// Records the same action in the audit chain that it affects and in the installation's chain.
fn in_both(
    chain: Id<ids::Tenant>,
    action: &'static str,
    facts: AuditFacts,
    at: Timestamp,
) -> Vec<AuditRecord> {
    let chains = BTreeSet::from([chain, INSTALLATION_CHAIN]);
    chains.into_iter().map(|one| act(one, action, chain, facts.clone(), at)).collect()
}

/// Removes entries from the start of an audit chain up to the first entry that is not older than a given time; returns
/// the number of removed entries.
///
/// Afterwards the chain starts after the last removed entry, whose sequence number and hash are kept in the sealed head
/// and in the entry that records the pruning. A chain that is broken in that range is refused, unless `even_if_broken`,
/// because pruning would destroy the evidence.
pub async fn prune(
    owner: &DatabaseConnection,
    sealer: &AuditKeyProvider,
    chain: Id<ids::Tenant>,
    before: Timestamp,
    now: Timestamp,
    even_if_broken: bool,
) -> Result<u64> {
    let mut removed = 0;
    let mut through = None;
    loop {
        let txn = owner.begin().await?;
        let key = sealer.get_or_create(&txn).await?;
        let known = audit_chain::of(chain).one(&txn).await?;
        let through = match (through, known) {
            (Some(through), _) => through,
            (None, Some(end)) => *through.insert(last_before(&txn, &end, before).await?),
            (None, None) => return Ok(0),
        };
        let old = of(chain).filter(Column::Seq.lte(through)).order_by_asc(Column::Seq).limit(BATCH);
        let old = old.all(&txn).await?;
        let Some(last) = old.last().and_then(|row| row.seq) else { return Ok(removed) };
        if removed == 0 {
            let facts = AuditFacts::from(
                json!({ "before": before, "through": through, "evenIfBroken": even_if_broken }),
            );
            append(&txn, sealer, in_both(chain, "audit.prune", facts, now)).await?;
        }
        let mut ends = lock_heads(&txn, &key, &BTreeSet::from([chain])).await?;
        let end = ends.remove(&chain).ok_or_else(super::unreadable)?;
        let base = checked(&end, &key, &old, even_if_broken)?;
        removed += delete(chain).filter(Column::Seq.lte(last)).exec(&txn).await?.rows_affected;
        let end = audit_chain::Model { base_seq: last, base_hash: base, ..end };
        update_head(&txn, if even_if_broken { key.seal_head(end) } else { reseal_head(&key, end) }).await?;
        txn.commit().await?;
    }
}

/// Sequence number of the last audit entry to be removed.
async fn last_before(
    conn: &impl ConnectionTrait,
    end: &audit_chain::Model,
    before: Timestamp,
) -> Result<i64> {
    let stays = of(end.tenant_id).filter(Column::Seq.is_not_null()).filter(Column::At.gte(before));
    let stays = stays.select_only().column(Column::Seq).order_by_asc(Column::Seq).limit(1);
    let first: Option<Option<i64>> = stays.into_tuple().one(conn).await?;
    Ok(first.flatten().map_or(end.seq, |first| first - 1))
}

/// Verifies the oldest audit entries and returns the hash of the last of them.
fn checked(end: &audit_chain::Model, key: &AuditKey, old: &[Model], even_if_broken: bool) -> Result<Vec<u8>> {
    let none = BTreeMap::new();
    let mut walk = ChainVerifier::new(end, &none);
    for row in old {
        walk.verify_entry(row);
    }
    let broken = walk.broken.clone().or((!key.has_valid_seal(end)).then_some(ChainFault::Seal));
    match broken {
        Some(_) if even_if_broken => Ok(old.last().and_then(|row| row.hash.clone()).unwrap_or_default()),
        Some(broken) => {
            let message = format!(
                "The chain of {} is broken, so none of it was pruned: {broken}. Keep a copy of the database \
                    for the investigation, then prune with --even-if-broken.",
                chain_name(end.tenant_id)
            );
            Err(Error::refuse("AUDIT_BROKEN", message))
        }
        None => Ok(walk.position().1.to_vec()),
    }
}

/// Appends entries without a sequence number to their audit chains. Such entries were written by a version without
/// chains, before the migration or by nodes that were still running it. Creates missing chains of tenants. Records the
/// operation and returns the number of entries appended.
pub async fn append_unnumbered(
    owner: &DatabaseConnection,
    sealer: &AuditKeyProvider,
    now: Timestamp,
) -> Result<u64> {
    let txn = owner.begin().await?;
    let without: Vec<Id<ids::Tenant>> = all_tenants()
        .filter(Column::Seq.is_null())
        .select_only()
        .column(Column::TenantId)
        .distinct()
        .into_tuple()
        .all(&txn)
        .await?;
    #[expect(clippy::disallowed_methods, reason = "the table of tenants begins with itself")]
    let tenants: Vec<Id<ids::Tenant>> = entity::tenant::Entity::find()
        .select_only()
        .column(entity::tenant::Column::Id)
        .into_tuple()
        .all(&txn)
        .await?;
    let begun: Vec<Id<ids::Tenant>> = audit_chain::all_tenants()
        .select_only()
        .column(audit_chain::Column::TenantId)
        .into_tuple()
        .all(&txn)
        .await?;
    let bare = tenants.into_iter().filter(|tenant| !begun.contains(tenant));
    let chains: BTreeSet<Id<ids::Tenant>> = without.into_iter().chain(bare).collect();
    let mut adopted = 0;
    for chain in chains {
        adopted += adopt_into(&txn, sealer, chain, now).await?;
    }
    txn.commit().await?;
    Ok(adopted)
}

async fn adopt_into(
    txn: &impl ConnectionTrait,
    sealer: &AuditKeyProvider,
    chain: Id<ids::Tenant>,
    now: Timestamp,
) -> Result<u64> {
    let key = sealer.get_or_create(txn).await?;
    let mut ends = lock_heads(txn, &key, &BTreeSet::from([chain])).await?;
    let mut end = ends.remove(&chain).ok_or_else(super::unreadable)?;
    let mut adopted = 0;
    loop {
        let rows =
            of(chain).filter(Column::Seq.is_null()).order_by_asc(Column::Id).limit(READ).all(txn).await?;
        if rows.is_empty() {
            break;
        }
        for mut row in rows {
            row.seq = Some(end.seq + 1);
            let hash = entry_hash(&row, &end.hash);
            row.hash = Some(hash.clone());
            let (seq, mut change) = (row.seq, row.into_active_model());
            (change.seq, change.hash) =
                (sea_orm::ActiveValue::Set(seq), sea_orm::ActiveValue::Set(Some(hash.clone())));
            ActiveModelTrait::update(change, txn).await?;
            (end.seq, end.hash) = (end.seq + 1, hash);
            adopted += 1;
        }
    }
    update_head(txn, reseal_head(&key, end)).await?;
    let facts = AuditFacts::from(json!({ "entries": adopted }));
    append(txn, sealer, in_both(chain, "audit.adopt", facts, now)).await?;
    Ok(adopted)
}

/// The range of an audit chain to export.
#[derive(Debug, Clone, Default)]
pub struct ExportRange {
    /// Start with the first entry at or after this time.
    pub since: Option<Timestamp>,
    /// End with the last entry before this time.
    pub until: Option<Timestamp>,
}

/// Passes every entry in a range of an audit chain to `take` as a line, in the order of the chain and without gaps.
pub async fn export(
    conn: &impl ConnectionTrait,
    chain: Id<ids::Tenant>,
    span: &ExportRange,
    mut take: impl FnMut(&str) -> std::io::Result<()>,
) -> Result<std::io::Result<u64>> {
    let Some(end) = audit_chain::of(chain).one(conn).await? else { return Ok(Ok(0)) };
    let edge = |since: Option<Timestamp>, until: Option<Timestamp>| {
        let mut rows = of(chain).filter(Column::Seq.is_not_null());
        rows = since.map_or(rows.clone(), |since| rows.filter(Column::At.gte(since)));
        until
            .map_or(rows.clone(), |until| rows.filter(Column::At.lt(until)))
            .select_only()
            .column(Column::Seq)
    };
    let place = |row: Option<Option<i64>>| row.flatten().unwrap_or_default();
    let first: i64 = match span.since {
        None => end.base_seq + 1,
        since => {
            place(edge(since, span.until).order_by_asc(Column::Seq).limit(1).into_tuple().one(conn).await?)
        }
    };
    let last: i64 = match span.until {
        None => end.seq,
        until => {
            place(edge(span.since, until).order_by_desc(Column::Seq).limit(1).into_tuple().one(conn).await?)
        }
    };
    let (mut next, mut lines) = (first, 0);
    let mut previous = end.base_hash;
    if first > end.base_seq + 1 {
        let before = of(chain).filter(Column::Seq.eq(first - 1)).one(conn).await?;
        previous = before.and_then(|row| row.hash).unwrap_or_default();
    }
    while next > 0 && next <= last {
        let rows = of(chain).filter(Column::Seq.between(next, last)).order_by_asc(Column::Seq).limit(READ);
        let rows = rows.all(conn).await?;
        let Some(reached) = rows.last().and_then(|row| row.seq) else { break };
        for row in rows {
            if let Err(error) = take(&export_line(&row, &previous)) {
                return Ok(Err(error));
            }
            lines += 1;
            previous = row.hash.unwrap_or_default();
        }
        next = reached + 1;
    }
    Ok(Ok(lines))
}
