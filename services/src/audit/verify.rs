//! Verifies audit chains and reports the first fault of each.
//!
//! All entries are read once, in order, a few thousand at a time. The caller provides a connection of the database
//! owner with a consistent snapshot, because nodes see only one tenant's entries at a time.

use domain::{Id, ids};
use std::collections::{BTreeMap, BTreeSet};

use entity::{
    audit::{Column, Model, all_tenants, of},
    audit_chain,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::{
    ERASED_ACTION, INSTALLATION_CHAIN,
    canonical::{GENESIS_HASH, entry_hash, hex},
    chain_name,
    checkpoint::Checkpoint,
    key::AuditKey,
    parse_chain_name,
};
use crate::Result;

/// Number of entries read at a time.
const READ: u64 = 5_000;

/// The first fault found in an audit chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// An entry does not match its hash: its content was changed, or the entry comes from another position or chain.
    #[error("entry {0} was changed: its hash does not match")]
    Changed(i64),
    /// An entry is missing.
    #[error("entry {0} is missing")]
    Missing(i64),
    /// Two entries have the same sequence number.
    #[error("entry {0} exists twice")]
    Doubled(i64),
    /// An entry precedes the first entry that should remain after pruning.
    #[error("entry {0} precedes the start of the chain")]
    Before(i64),
    /// An entry follows the head of the chain.
    #[error("entry {0} follows the end of the chain")]
    Behind(i64),
    /// The hash of the last entry differs from the hash in the chain's head.
    #[error("the end of the chain does not have the hash of entry {0}")]
    End(i64),
    /// The head was changed by somebody without the audit key.
    #[error("the ends of the chain were changed: their seal is not valid")]
    Seal,
    /// A tenant or existing entries have no audit chain.
    #[error("the chain is gone")]
    Gone,
    /// Some entries have no sequence number.
    #[error(
        "{0} entries have no sequence number; if a node of an earlier version wrote them, run muster migrate"
    )]
    Outside(u64),
    /// A checkpoint is ahead of the chain, so entries were removed.
    #[error("a checkpoint shows that the chain reached entry {0}: its last entries are gone")]
    Cut(i64),
    /// A checkpoint contains another hash for this entry.
    #[error("entry {0} differs from the one in a checkpoint")]
    NotTheCheckpoints(i64),
}

/// Result of verifying a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The chain: a tenant, or [`INSTALLATION_CHAIN`].
    pub chain: Id<ids::Tenant>,
    /// Number of audit entries that were read.
    pub entries: u64,
    /// Sequence numbers of the first and last entry according to the chain's head.
    pub places: Option<(i64, i64)>,
    /// Number of checkpoints that no longer prove anything because their entries have been pruned.
    pub pruned: usize,
    /// The first fault; `None` if the chain is intact.
    pub broken: Option<ChainFault>,
}

/// Checkpoints parsed from a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedCheckpoints {
    of_chain: BTreeMap<Id<ids::Tenant>, BTreeMap<i64, String>>,
    /// Numbers, from 1, of the lines that are not checkpoints of this installation or were changed; they prove nothing.
    pub forged: Vec<usize>,
}

impl SavedCheckpoints {
    /// Parses a file with one checkpoint on each line.
    pub fn parse(text: &str, key: &AuditKey) -> Self {
        let mut kept = Self::default();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let known = serde_json::from_str::<Checkpoint>(line)
                .ok()
                .filter(|checkpoint| checkpoint.is_signed_by(key));
            let known = known
                .and_then(|checkpoint| parse_chain_name(&checkpoint.chain).map(|chain| (chain, checkpoint)));
            match known {
                Some((chain, checkpoint)) => {
                    kept.of_chain.entry(chain).or_default().insert(checkpoint.seq, checkpoint.hash);
                }
                None => kept.forged.push(index + 1),
            }
        }
        kept
    }
}

/// Lists every audit chain that exists or should exist: those with a head or entries, and those of tenants and
/// checkpoints.
pub async fn list_chains(
    conn: &impl ConnectionTrait,
    kept: &SavedCheckpoints,
) -> Result<BTreeSet<Id<ids::Tenant>>> {
    #[expect(clippy::disallowed_methods, reason = "the table of tenants begins with itself")]
    let tenants: Vec<Id<ids::Tenant>> = {
        use entity::tenant::{Column, Entity};
        Entity::find().select_only().column(Column::Id).into_tuple().all(conn).await?
    };
    let ends = audit_chain::all_tenants().select_only().column(audit_chain::Column::TenantId);
    let entries = all_tenants().select_only().column(Column::TenantId).distinct();
    let mut all: BTreeSet<Id<ids::Tenant>> =
        tenants.into_iter().chain(kept.of_chain.keys().copied()).collect();
    all.extend(ends.into_tuple::<Id<ids::Tenant>>().all(conn).await?);
    all.extend(entries.into_tuple::<Id<ids::Tenant>>().all(conn).await?);
    all.insert(INSTALLATION_CHAIN);
    Ok(all)
}

/// Verifies one chain.
pub async fn verify_chain(
    conn: &impl ConnectionTrait,
    key: &AuditKey,
    chain: Id<ids::Tenant>,
    kept: &SavedCheckpoints,
) -> Result<Verdict> {
    let none = BTreeMap::new();
    let kept = kept.of_chain.get(&chain).unwrap_or(&none);
    let mut verdict = Verdict { chain, entries: 0, places: None, pruned: 0, broken: None };
    let Some(end) = audit_chain::of(chain).one(conn).await? else {
        return verify_missing_chain(conn, verdict, kept).await;
    };
    verdict.places = Some((end.base_seq + 1, end.seq));
    verdict.pruned = kept.range(..end.base_seq).count();
    let mut walk = ChainVerifier::new(&end, kept);
    let mut last = None;
    while walk.broken.is_none() {
        let mut entries = of(chain).order_by_asc(Column::Seq).order_by_asc(Column::Id).limit(READ);
        entries = match last {
            None => entries.filter(Column::Seq.is_not_null()),
            Some(seq) => entries.filter(Column::Seq.gt(seq)),
        };
        let entries = entries.all(conn).await?;
        last = entries.last().and_then(|row| row.seq);
        for row in &entries {
            walk.verify_entry(row);
        }
        if (entries.len() as u64) < READ {
            break;
        }
    }
    verdict.entries = walk.entries;
    let without_place = match walk.broken {
        Some(_) => 0,
        None => of(chain).filter(Column::Seq.is_null()).count(conn).await?,
    };
    verdict.broken = walk
        .end(key.has_valid_seal(&end))
        .or((without_place > 0).then_some(ChainFault::Outside(without_place)));
    Ok(verdict)
}

/// Verifies a chain without a head: that of an erased tenant, or of an installation that was never used.
async fn verify_missing_chain(
    conn: &impl ConnectionTrait,
    mut verdict: Verdict,
    kept: &BTreeMap<i64, String>,
) -> Result<Verdict> {
    let entries = of(verdict.chain).count(conn).await?;
    let may_be_none = verdict.chain == INSTALLATION_CHAIN && entries == 0 && kept.is_empty();
    verdict.broken = match erased_end(conn, verdict.chain).await? {
        _ if may_be_none => None,
        Some(end) if entries == 0 => {
            verdict.pruned = kept.range(..end.0).count();
            contradiction(&end, kept)
        }
        _ => Some(ChainFault::Gone),
    };
    Ok(verdict)
}

/// Where the chain of an erased tenant ended, by the entry of the installation's chain about the erasure: its last
/// sequence number and hash. `None` if the tenant was not erased.
async fn erased_end(conn: &impl ConnectionTrait, chain: Id<ids::Tenant>) -> Result<Option<(i64, String)>> {
    let entry = of(INSTALLATION_CHAIN)
        .filter(Column::Action.eq(ERASED_ACTION))
        .filter(Column::Subject.eq(chain_name(chain)))
        .one(conn)
        .await?;
    let end = entry.map(|entry| {
        let hash = entry.details["auditHash"].as_str().unwrap_or_default().to_owned();
        (entry.details["auditSeq"].as_i64().unwrap_or_default(), hash)
    });
    Ok(end)
}

/// The first checkpoint that contradicts the end of an erased chain.
fn contradiction((seq, hash): &(i64, String), kept: &BTreeMap<i64, String>) -> Option<ChainFault> {
    if let Some(further) = kept.keys().next_back().filter(|at| *at > seq) {
        return Some(ChainFault::Cut(*further));
    }
    kept.get(seq).is_some_and(|known| known != hash).then_some(ChainFault::NotTheCheckpoints(*seq))
}

/// Verifies an audit chain entry by entry, up to the first fault.
pub(super) struct ChainVerifier<'a> {
    end: &'a audit_chain::Model,
    kept: &'a BTreeMap<i64, String>,
    seq: i64,
    hash: Vec<u8>,
    entries: u64,
    pub(super) broken: Option<ChainFault>,
}

impl<'a> ChainVerifier<'a> {
    /// Starts at the first audit entry that remains after pruning.
    pub(super) fn new(end: &'a audit_chain::Model, kept: &'a BTreeMap<i64, String>) -> Self {
        let (seq, hash) = (end.base_seq, end.base_hash.clone());
        let is_beginning = seq != 0 || hash == GENESIS_HASH;
        let mut walk =
            Self { end, kept, seq, hash, entries: 0, broken: (!is_beginning).then_some(ChainFault::Seal) };
        walk.compare();
        walk
    }

    /// The sequence number of the last verified entry, and its hash.
    pub(super) fn position(&self) -> (i64, &[u8]) {
        (self.seq, &self.hash)
    }

    pub(super) fn verify_entry(&mut self, row: &Model) {
        if self.broken.is_some() {
            return;
        }
        self.entries += 1;
        let (seq, wanted) = (row.seq.unwrap_or_default(), self.seq + 1);
        self.broken = if seq <= self.end.base_seq {
            Some(ChainFault::Before(seq))
        } else if seq < wanted {
            Some(ChainFault::Doubled(seq))
        } else if wanted > self.end.seq {
            Some(ChainFault::Behind(seq))
        } else if seq > wanted {
            Some(ChainFault::Missing(wanted))
        } else if row.hash.as_deref() != Some(&*entry_hash(row, &self.hash)) {
            Some(ChainFault::Changed(seq))
        } else {
            None
        };
        if self.broken.is_none() {
            (self.seq, self.hash) = (seq, row.hash.clone().unwrap_or_default());
            self.compare();
        }
    }

    /// Compares the last verified entry with a checkpoint of that entry.
    fn compare(&mut self) {
        if self.kept.get(&self.seq).is_some_and(|known| *known != hex(&self.hash)) {
            self.broken = Some(ChainFault::NotTheCheckpoints(self.seq));
        }
    }

    fn end(self, has_valid_seal: bool) -> Option<ChainFault> {
        if self.broken.is_some() {
            return self.broken;
        }
        if self.seq < self.end.seq {
            return Some(ChainFault::Missing(self.seq + 1));
        }
        if self.hash != self.end.hash {
            return Some(ChainFault::End(self.seq));
        }
        if !has_valid_seal {
            return Some(ChainFault::Seal);
        }
        let further = self.kept.keys().next_back().filter(|seq| **seq > self.end.seq);
        further.map(|seq| ChainFault::Cut(*seq))
    }
}
