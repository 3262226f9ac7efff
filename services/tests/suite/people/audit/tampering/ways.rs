//! The ways of tampering with a chain, each with the faults that verification must report.

use domain::{Id, ids};
use entity::{audit, audit_chain};
use sea_orm::{
    ColumnTrait, DatabaseConnection, EntityTrait, ExprTrait, QueryFilter, QueryOrder, sea_query::Expr,
};
use serde_json::{Value, json};
use services::audit::{export_line, verify::ChainFault};

use super::super::{Harness, SHA256, acts, digest};

/// A chain, with what an attacker knows about it.
pub(super) struct Target {
    pub(super) chain: Id<ids::Tenant>,
    /// The number of entries in the chain.
    pub(super) entries: i64,
    /// The position that is tampered with: neither the first nor the last entry.
    pub(super) place: i64,
    /// The chain's end at half of its entries, with its seal at that time: taken from a copy of the database.
    pub(super) half: audit_chain::Model,
    /// A chain that is changed only by moving entries into it.
    pub(super) other: Id<ids::Tenant>,
    /// The last position of the other chain.
    pub(super) other_end: i64,
}

/// The faults that verification must report.
pub(super) struct Found {
    /// In the chain without any checkpoint; `None` if only a checkpoint reveals the fault.
    pub(super) alone: Option<ChainFault>,
    /// In the chain with a checkpoint.
    pub(super) kept: ChainFault,
    /// In the other chain.
    pub(super) other: Option<ChainFault>,
}

fn found(broken: ChainFault) -> Found {
    Found { alone: Some(broken.clone()), kept: broken, other: None }
}

fn shown_by_checkpoint(alone: Option<ChainFault>, kept: ChainFault) -> Found {
    Found { alone, kept, other: None }
}

/// All ways of tampering. Each member of an entry is changed in turn.
pub(super) const WAYS: &[&str] = &[
    "actor",
    "action",
    "subject",
    "details",
    "at",
    "request",
    "old",
    "new",
    "id",
    "hash",
    "rehashed",
    "rewritten",
    "rewritten to the end",
    "swapped",
    "deleted",
    "closed up",
    "first",
    "cut",
    "cut and moved back",
    "cut and put back",
    "cut, put back and continued",
    "replayed",
    "replayed and moved on",
    "inserted",
    "moved away",
    "copied in",
    "without place",
    "added without place",
    "end gone",
    "all gone",
    "begun later",
    "pruned by hand",
    "another's seal",
    "end of another",
];

#[expect(clippy::too_many_lines, reason = "a table of ways")]
pub(super) async fn tamper(h: &Harness, owner: &DatabaseConnection, way: &str, target: &Target) -> Found {
    use audit::Column as C;
    let Target { chain, entries, place, half, other, other_end } = target;
    let (chain, n, p) = (*chain, *entries, *place);
    let at = |seq: i64| audit::update(chain).filter(audit::Column::Seq.eq(seq));
    let end = || audit_chain::update(chain);
    let row = async |seq: i64| {
        audit::of(chain).filter(audit::Column::Seq.eq(seq)).one(owner).await.unwrap().unwrap()
    };
    let delete = async |from: i64, to: i64| {
        audit::delete(chain).filter(audit::Column::Seq.between(from, to)).exec(owner).await.unwrap();
    };
    let set = async |column: audit::Column, value: Expr| {
        assert_eq!(at(p).col_expr(column, value).exec(owner).await.unwrap().rows_affected, 1, "{way}");
        found(ChainFault::Changed(p))
    };
    match way {
        "actor" => set(C::Actor, Expr::value("somebody else")).await,
        "action" => set(C::Action, Expr::value("thing.keep")).await,
        "subject" => set(C::Subject, Expr::value("thing_x")).await,
        "details" => set(C::Details, Expr::value(json!({ "number": -1 }))).await,
        "at" => set(C::At, Expr::value(row(p).await.at + chrono::Duration::microseconds(1))).await,
        "request" => set(C::Request, Expr::value("req_0")).await,
        "old" => set(C::OldValue, Expr::value(json!(null))).await,
        "new" => set(C::NewValue, Expr::value(json!({ "a": 1 }))).await,
        "id" => set(C::Id, Expr::value(h.services.ids.uuid())).await,
        "hash" => set(C::Hash, Expr::value(vec![7_u8; 32])).await,
        "rehashed" => {
            at(p).col_expr(C::Actor, Expr::value("somebody else")).exec(owner).await.unwrap();
            rehash(owner, chain, p, p).await;
            found(ChainFault::Changed(p + 1))
        }
        "rewritten" | "rewritten to the end" => {
            at(p).col_expr(C::Actor, Expr::value("somebody else")).exec(owner).await.unwrap();
            let hash = rehash(owner, chain, p, n).await;
            // A checkpoint knows the last entry, and is looked at first.
            let kept = ChainFault::NotTheCheckpoints(n);
            if way == "rewritten" {
                return shown_by_checkpoint(Some(ChainFault::End(n)), kept);
            }
            end().col_expr(audit_chain::Column::Hash, Expr::value(hash)).exec(owner).await.unwrap();
            shown_by_checkpoint(Some(ChainFault::Seal), kept)
        }
        "swapped" => {
            for (from, to) in [(p, -1), (p + 1, p), (-1, p + 1)] {
                at(from).col_expr(C::Seq, Expr::value(to)).exec(owner).await.unwrap();
            }
            found(ChainFault::Changed(p))
        }
        "deleted" => {
            delete(p, p).await;
            found(ChainFault::Missing(p))
        }
        "closed up" => {
            delete(p, p).await;
            renumber(owner, chain, p + 1, n, -1).await;
            found(ChainFault::Changed(p))
        }
        "first" => {
            delete(1, 1).await;
            found(ChainFault::Missing(1))
        }
        "cut" => {
            delete(n, n).await;
            found(ChainFault::Missing(n))
        }
        "cut and moved back" => {
            let hash = row(p).await.hash;
            delete(p + 1, n).await;
            let back = end().col_expr(audit_chain::Column::Seq, Expr::value(p));
            back.col_expr(audit_chain::Column::Hash, Expr::value(hash)).exec(owner).await.unwrap();
            found(ChainFault::Seal)
        }
        "cut and put back" | "cut, put back and continued" => {
            delete(half.seq + 1, n).await;
            put(owner, half.clone()).await;
            if way == "cut and put back" {
                return shown_by_checkpoint(None, ChainFault::Cut(n));
            }
            // A node goes on as if nothing had been, and beyond what the checkpoint knows.
            acts(h, chain, (n - half.seq + 2) as usize).await;
            shown_by_checkpoint(None, ChainFault::NotTheCheckpoints(n))
        }
        "replayed" | "replayed and moved on" => {
            copy(h, owner, row(p).await, chain, Some(n + 1)).await;
            if way == "replayed" {
                return found(ChainFault::Behind(n + 1));
            }
            let hash = rehash(owner, chain, n + 1, n + 1).await;
            let on = end().col_expr(audit_chain::Column::Seq, Expr::value(n + 1));
            on.col_expr(audit_chain::Column::Hash, Expr::value(hash)).exec(owner).await.unwrap();
            found(ChainFault::Seal)
        }
        "inserted" => {
            renumber(owner, chain, p, n, 1).await;
            copy(h, owner, row(p - 1).await, chain, Some(p)).await;
            found(ChainFault::Changed(p))
        }
        "moved away" => {
            let to = other_end + 1;
            let moved = at(p).col_expr(C::TenantId, Expr::value(*other)).col_expr(C::Seq, Expr::value(to));
            moved.exec(owner).await.unwrap();
            Found { other: Some(ChainFault::Behind(to)), ..found(ChainFault::Missing(p)) }
        }
        "copied in" => {
            let theirs = audit::of(*other)
                .filter(C::Seq.eq(Ord::min(p, *other_end)))
                .one(owner)
                .await
                .unwrap()
                .unwrap();
            delete(p, p).await;
            copy(h, owner, theirs, chain, Some(p)).await;
            found(ChainFault::Changed(p))
        }
        "without place" => {
            at(p).col_expr(C::Seq, Expr::value(None::<i64>)).exec(owner).await.unwrap();
            found(ChainFault::Missing(p))
        }
        "added without place" => {
            copy(h, owner, row(p).await, chain, None).await;
            found(ChainFault::Outside(1))
        }
        "end gone" | "all gone" => {
            audit_chain::delete(chain).exec(owner).await.unwrap();
            if way == "all gone" {
                delete(1, n).await;
                return shown_by_checkpoint(None, ChainFault::Gone);
            }
            found(ChainFault::Gone)
        }
        "begun later" => {
            end().col_expr(audit_chain::Column::BaseSeq, Expr::value(p)).exec(owner).await.unwrap();
            found(ChainFault::Before(1))
        }
        "pruned by hand" => {
            let base = row(p).await.hash;
            delete(1, p).await;
            let later = end().col_expr(audit_chain::Column::BaseSeq, Expr::value(p));
            later.col_expr(audit_chain::Column::BaseHash, Expr::value(base)).exec(owner).await.unwrap();
            found(ChainFault::Seal)
        }
        "another's seal" | "end of another" => {
            let theirs = audit_chain::of(*other).one(owner).await.unwrap().unwrap();
            if way == "another's seal" {
                let ours = audit_chain::of(chain).one(owner).await.unwrap().unwrap();
                put(owner, audit_chain::Model { seal: theirs.seal, ..ours }).await;
                return found(ChainFault::Seal);
            }
            put(owner, audit_chain::Model { tenant_id: chain, seq: n, ..theirs }).await;
            found(ChainFault::End(n))
        }
        unknown => panic!("no such way: {unknown}"),
    }
}

/// Recomputes the hashes of entries, as anybody can; returns the last one.
async fn rehash(owner: &DatabaseConnection, chain: Id<ids::Tenant>, from: i64, to: i64) -> Vec<u8> {
    let before = audit::of(chain).filter(audit::Column::Seq.eq(from - 1)).one(owner).await.unwrap();
    let mut hash = before.and_then(|row| row.hash).unwrap();
    let rows = audit::of(chain).filter(audit::Column::Seq.between(from, to)).order_by_asc(audit::Column::Seq);
    for row in rows.all(owner).await.unwrap() {
        let mut entry: Value = serde_json::from_str(&export_line(&row, &hash)).unwrap();
        entry.as_object_mut().unwrap().remove("hash");
        hash = digest(&SHA256, entry.to_string().as_bytes()).as_ref().to_vec();
        let made = audit::update(chain).filter(audit::Column::Id.eq(row.id));
        made.col_expr(audit::Column::Hash, Expr::value(hash.clone())).exec(owner).await.unwrap();
    }
    hash
}

/// Shifts positions by `by`, despite the unique index.
async fn renumber(owner: &DatabaseConnection, chain: Id<ids::Tenant>, from: i64, to: i64, by: i64) {
    use audit::Column::Seq;
    for (expression, from, to) in
        [(Expr::col(Seq).mul(-1), from, to), (Expr::col(Seq).mul(-1).add(by), -to, -from)]
    {
        let moved = audit::update(chain).filter(Seq.between(from, to)).col_expr(Seq, expression);
        moved.exec(owner).await.unwrap();
    }
}

async fn copy(
    h: &Harness,
    owner: &DatabaseConnection,
    row: audit::Model,
    chain: Id<ids::Tenant>,
    seq: Option<i64>,
) {
    let copy = audit::Model { id: h.services.ids.make(), tenant_id: chain, seq, ..row };
    audit::Entity::insert(audit::ActiveModel::from(copy)).exec_without_returning(owner).await.unwrap();
}

async fn put(owner: &DatabaseConnection, end: audit_chain::Model) {
    audit_chain::delete(end.tenant_id).exec(owner).await.unwrap();
    audit_chain::Entity::insert(audit_chain::ActiveModel::from(end))
        .exec_without_returning(owner)
        .await
        .unwrap();
}
