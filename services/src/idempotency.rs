//! Idempotency keys: a request is executed once even if it is sent repeatedly.
//!
//! A key is stored in the transaction of its request, so that either both take effect or neither does. A second request
//! with the same key waits until the first one has ended, and then returns the object that the first one created.
//! Refusals are not stored: nothing was changed, so the same key may be used again.

use chrono::Duration;
use domain::text::{self, LineMode};
use domain::{AnyId, Id, ids};
use entity::idempotency::{ActiveModel, Column, Entity, Model, delete, of, update};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Error, Refusal, Result, Tx};

/// How long idempotency keys are stored.
const KEPT: Duration = Duration::hours(24);
const LONGEST: usize = 128;

/// The outcome of beginning a request with an idempotency key.
#[derive(Debug)]
pub enum BeginOutcome {
    /// The request is new: execute it, then record the result with [`PendingRequest::finish`].
    New(PendingRequest),
    /// The request was executed before; contains the id of the object that it created.
    Replay(AnyId),
}

/// The reservation of an idempotency key for a new request.
#[derive(Debug)]
#[must_use = "a ticket that is not finished keeps its key unusable for a day"]
pub struct PendingRequest {
    row: Id<ids::Row>,
}

/// Begins a request. `field` is the name of the mutation, `caller` the recorded actor.
pub async fn begin(
    tx: &Tx,
    field: &str,
    caller: &str,
    key: &str,
    parameters: &impl Serialize,
) -> Result<BeginOutcome> {
    check(key)?;
    let row = Model {
        id: row_id(tx.tenant(), field, caller, key),
        tenant_id: tx.tenant(),
        field: field.to_owned(),
        caller: caller.to_owned(),
        key: key.to_owned(),
        parameters: hash(parameters)?,
        entity: AnyId::nil(),
        expires_at: tx.now() + KEPT,
    };
    delete(tx.tenant()).filter(same(&row)).filter(Column::ExpiresAt.lte(tx.now())).exec(tx.conn()).await?;
    let inserted = Entity::insert(ActiveModel::from(row.clone()))
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    if inserted == 1 {
        return Ok(BeginOutcome::New(PendingRequest { row: row.id }));
    }
    let present = of(tx.tenant()).filter(same(&row)).one(tx.conn()).await?;
    match present {
        Some(present) if present.parameters != row.parameters => {
            let message = "This idempotency key was already used with different parameters. Use a new key.";
            Err(refusal("IDEMPOTENCY_MISMATCH", message))
        }
        Some(present) if present.entity != AnyId::nil() => Ok(BeginOutcome::Replay(present.entity)),
        _ => Err(refusal("IN_PROGRESS", "The same request is still in progress. Send it again shortly.")),
    }
}

impl PendingRequest {
    /// Records the object that the request created, to be returned when the request is repeated.
    pub async fn finish(self, tx: &Tx, entity: impl Into<AnyId>) -> Result<()> {
        update(tx.tenant())
            .filter(Column::Id.eq(self.row))
            .col_expr(Column::Entity, Expr::value(entity.into()))
            .exec(tx.conn())
            .await?;
        Ok(())
    }
}

/// Derives the row's id from its lookup key; such rows are never listed, so their ids need not be sortable.
fn row_id(tenant: Id<ids::Tenant>, field: &str, caller: &str, key: &str) -> Id<ids::Row> {
    let row = Uuid::new_v5(&tenant.uuid(), serde_json::json!([field, caller, key]).to_string().as_bytes());
    Id::from_uuid(row)
}

fn check(key: &str) -> Result<()> {
    let length = key.chars().count();
    if (1..=LONGEST).contains(&length) && text::check_visible(key, LineMode::Line, LONGEST).is_ok() {
        return Ok(());
    }
    let message = format!("An idempotency key has 1 to {LONGEST} characters.");
    let refusal = Refusal::new("IDEMPOTENCY_KEY_MALFORMED", message).at("idempotencyKey");
    Err(refusal.exceeding(LONGEST, length).into())
}

fn same(row: &Model) -> sea_orm::Condition {
    sea_orm::Condition::all()
        .add(Column::Field.eq(row.field.as_str()))
        .add(Column::Caller.eq(row.caller.as_str()))
        .add(Column::Key.eq(row.key.as_str()))
}

/// A digest that is the same for the same parameters: object members are sorted before hashing.
fn hash(parameters: &impl Serialize) -> Result<Vec<u8>> {
    let unreadable = |_| Error::Unreadable { what: "parameters" };
    let value = serde_json::to_value(parameters).map_err(unreadable)?;
    Ok(Sha256::digest(value.to_string()).to_vec())
}

fn refusal(code: &'static str, message: &str) -> Error {
    Refusal::new(code, message).at("idempotencyKey").into()
}
