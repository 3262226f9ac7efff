//! Erases a tenant (S6.8): what is open at the provider is closed, then its data keys are destroyed, then its rows are
//! deleted. A receipt remains.
//!
//! From the request on nobody acts within the tenant: its tokens, keys, links and sessions end in the same transaction.
//! The run that erases belongs to the tenant; the transaction of its last step deletes it with the tenant's last rows,
//! and finishes the receipt.

#![expect(
    clippy::disallowed_methods,
    reason = "the table of tenants begins with itself, and receipts outlive it"
)]

use std::collections::BTreeMap;

use domain::{Id, ids, state::Lane};
use entity::{
    access_token, api_key, connect_link, connect_session,
    erasure_receipt::{self, ActiveModel, Column, Entity, Model, by_ids, update},
    integration, openid_issuer, tenant,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseBackend, EntityTrait, QueryFilter, QuerySelect,
    Statement, sea_query::Expr, sea_query::LockType,
};
use serde_json::json;

use super::{integration::retire, provider::Closing};
use crate::{
    Error, Page, PageArgs, Refusal, Result, System, Tx,
    audit::{self, AuditFacts, ENGINE_ACTOR},
    page,
    proof::Staff,
    run_inputs::{EraseTenant, RunInput},
    tenants::Tenants,
};

/// The tables with a tenant's rows, each before those to which it refers, and whether its rows have an id, by which many
/// are deleted in parts. Runs, the audit chain and the tenant itself follow at the end.
const TABLES: [(&str, bool); 34] = [
    ("busy_bitmap", false),
    ("calendar_event", true),
    ("channel", true),
    ("campaign_item", false),
    ("campaign", true),
    ("occupancy", true),
    ("booking_change", true),
    ("booking_participant", true),
    ("booking", true),
    ("connection", true),
    ("consent_grant", true),
    ("verification", true),
    ("terms_acceptance", true),
    ("external_binding", false),
    ("connect_session", true),
    ("connect_link", true),
    ("room", true),
    ("service_account", true),
    ("integration", true),
    ("idempotency", true),
    ("access_token", true),
    ("sign_in", true),
    ("openid_unlinked", true),
    ("openid_identity", true),
    ("openid_issuer", true),
    ("user_role", false),
    ("role", true),
    ("tenant_user", true),
    ("event_log", true),
    ("tenant_feature", false),
    ("former_data_key", true),
    ("api_key", true),
    ("audit", true),
    ("tenant", true),
];
/// The last tables, which only the last transaction deletes from, in its own way.
const AT_THE_END: [&str; 2] = ["audit", "tenant"];
/// Number of rows that one transaction deletes of one table.
const BATCH: u64 = 2_000;

/// Names of the tables whose rows of a tenant its erasure deletes by statements of their own.
pub fn erased_tables() -> impl Iterator<Item = &'static str> {
    TABLES.into_iter().map(|(table, _)| table).chain(["audit_chain"]).chain(runs::ERASED_TABLES)
}

impl Tenants {
    /// Begins to erase a tenant, whose name is repeated as a confirmation: from now on nobody acts within it. Returns
    /// the receipt, which is finished once nothing of the tenant is left. Repeating the request resumes an erasure that
    /// was stopped. Refuses another name with `NAME_MISMATCH`.
    pub async fn erase(&self, by: &Staff, id: Id<ids::Tenant>, name: &str) -> Result<Model> {
        let (mut tx, row) = self.services.begin_erasure(by, id).await?;
        if row.name != name.trim() {
            let message = "This is not the tenant's name. Repeat the name exactly to confirm that the tenant is erased.";
            return Err(Refusal::new("NAME_MISMATCH", message).at("name").into());
        }
        let receipt = match by_ids([id]).one(tx.conn()).await? {
            Some(receipt) => receipt,
            None => begin(&mut tx, by).await?,
        };
        tx.enqueue(RunInput::EraseTenant(EraseTenant { erased: id }), &by.actor(), Lane::Interactive).await?;
        tx.audit(&by.actor(), "tenant.erase", id.to_string(), AuditFacts::from(json!({})));
        tx.commit().await?;
        Ok(receipt)
    }

    /// The receipt of an erased tenant, or of one that is being erased.
    pub async fn erasure_receipt(&self, _by: &Staff, tenant: Id<ids::Tenant>) -> Result<Model> {
        let found = by_ids([tenant]).one(self.services.store.installation_connection()).await?;
        found.ok_or_else(|| Error::not_found("erasure receipt"))
    }

    /// One page of the receipts of erased tenants.
    pub async fn erasure_receipts(&self, _by: &Staff, args: PageArgs) -> Result<Page<Model>> {
        page::read_page(
            erasure_receipt::all(),
            Column::Id,
            args,
            self.services.store.installation_connection(),
        )
        .await
    }
}

/// Stores the receipt, and ends everything by which somebody acts within the tenant.
async fn begin(tx: &mut Tx, by: &Staff) -> Result<Model> {
    let id = tx.tenant();
    let receipt = ActiveModel {
        id: Set(id),
        requested_by: Set(by.actor()),
        requested_at: Set(tx.now()),
        tables: Set(json!({})),
        ..Default::default()
    };
    Entity::insert(receipt).exec_without_returning(tx.conn()).await?;
    tenant::Entity::update_many()
        .filter(tenant::Column::Id.eq(id))
        .col_expr(tenant::Column::ErasingSince, Expr::value(tx.now()))
        .exec(tx.conn())
        .await?;
    for row in integration::of(id).all(tx.conn()).await? {
        retire(tx, row.id).await?;
    }
    connect_session::delete(id).exec(tx.conn()).await?;
    connect_link::delete(id).exec(tx.conn()).await?;
    access_token::delete(id).exec(tx.conn()).await?;
    openid_issuer::delete(id).exec(tx.conn()).await?;
    api_key::Entity::update_many()
        .filter(api_key::Column::TenantId.eq(id))
        .filter(api_key::Column::RevokedAt.is_null())
        .col_expr(api_key::Column::RevokedAt, Expr::value(tx.now()))
        .exec(tx.conn())
        .await?;
    tx.notify_access_changed();
    let found = by_ids([id]).one(tx.conn()).await?;
    found.ok_or_else(|| Error::not_found("erasure receipt"))
}

impl System {
    /// Destroys the data keys of a tenant that is being erased: whatever they sealed can no longer be opened. The new
    /// key seals nothing; it keeps the row valid for whoever rotates the master key meanwhile.
    pub(crate) async fn destroy_data_keys(&self, id: Id<ids::Tenant>) -> Result<()> {
        let tx = self.begin(id).await?;
        let Some(row) = locked(&tx).await? else { return Ok(()) };
        if row.erasing_since.is_none() {
            return Ok(());
        }
        let key = self.secrets().new_data_key(tx.conn(), id).await?;
        tenant::Entity::update_many()
            .filter(tenant::Column::Id.eq(id))
            .col_expr(tenant::Column::DataKey, Expr::value(key))
            .col_expr(tenant::Column::DataKeyRotation, Expr::value(None::<String>))
            .exec(tx.conn())
            .await?;
        let former = delete_rows(&tx, "former_data_key", None).await?;
        let mut receipt = Receipt::read(&tx).await?;
        receipt.add("former_data_key", former);
        receipt.write(&tx, Column::KeyDestroyedAt).await?;
        self.keys().opened_keys().data_keys.invalidate(&id);
        tx.commit().await
    }

    /// Deletes some rows of a tenant that is being erased, or all that are left if these are few.
    pub(crate) async fn erase_rows(&self, id: Id<ids::Tenant>) -> Result<Closing> {
        let txn = self.store.write_both([id, audit::INSTALLATION_CHAIN]).await?;
        let mut tx = Tx::new(self.services().clone(), txn, id);
        let Some(row) = locked(&tx).await? else { return Ok(Closing::Complete) };
        if row.erasing_since.is_none() {
            return Ok(Closing::Complete);
        }
        let mut receipt = Receipt::read(&tx).await?;
        for (table, has_id) in TABLES.into_iter().filter(|(table, _)| !AT_THE_END.contains(table)) {
            let deleted = delete_rows(&tx, table, has_id.then_some(BATCH)).await?;
            receipt.add(table, deleted);
            if has_id && deleted == BATCH {
                receipt.write(&tx, Column::Tables).await?;
                tx.commit().await?;
                return Ok(Closing::More);
            }
        }
        for (table, deleted) in runs::erase_tenant(tx.conn(), id).await? {
            receipt.add(table, deleted);
        }
        let entries = erase_audit_chain(&tx).await?;
        receipt.add("audit", entries);
        receipt.add("audit_chain", u64::from(entries > 0));
        receipt.add("tenant", 1);
        receipt.write(&tx, Column::FinishedAt).await?;
        record_end(&mut tx, &receipt).await?;
        tx.commit().await?;
        Ok(Closing::Complete)
    }
}

/// Records in the installation's chain that nothing of the tenant is left, and where its own chain ended.
async fn record_end(tx: &mut Tx, receipt: &Receipt) -> Result<()> {
    let row = by_ids([tx.tenant()]).one(tx.conn()).await?;
    let row = row.ok_or_else(|| Error::not_found("erasure receipt"))?;
    let hash = row.audit_hash.as_deref().map(audit::hex);
    let facts = json!({ "tables": receipt.tables, "auditSeq": row.audit_seq, "auditHash": hash });
    let subject = tx.tenant().to_string();
    tx.audit_for_installation(ENGINE_ACTOR, audit::ERASED_ACTION, subject, AuditFacts::from(facts));
    Ok(())
}

/// The tenant's row, locked until the transaction ends: nobody adds rows that refer to it.
async fn locked(tx: &Tx) -> Result<Option<tenant::Model>> {
    Ok(tenant::Entity::find_by_id(tx.tenant()).lock(LockType::Update).one(tx.conn()).await?)
}

/// The numbers of deleted rows, which grow with each transaction.
struct Receipt {
    tables: BTreeMap<String, u64>,
}

impl Receipt {
    async fn read(tx: &Tx) -> Result<Self> {
        let row = by_ids([tx.tenant()]).one(tx.conn()).await?;
        let tables = row.and_then(|row| serde_json::from_value(row.tables).ok());
        Ok(Self { tables: tables.unwrap_or_default() })
    }

    fn add(&mut self, table: &str, rows: u64) {
        if rows > 0 {
            *self.tables.entry(table.to_owned()).or_default() += rows;
        }
    }

    /// Stores the numbers, and the time in `at` if that is a column of times.
    async fn write(&self, tx: &Tx, at: Column) -> Result<()> {
        let mut statement = update(tx.tenant()).col_expr(Column::Tables, Expr::value(json!(self.tables)));
        if matches!(at, Column::KeyDestroyedAt | Column::FinishedAt) {
            statement = statement.col_expr(at, Expr::value(tx.now()));
        }
        statement.exec(tx.conn()).await?;
        Ok(())
    }
}

/// Deletes rows of the tenant from a table, at most `max`.
async fn delete_rows(tx: &Tx, table: &str, max: Option<u64>) -> Result<u64> {
    let part = max.map_or_else(String::new, |max| {
        format!(" AND id IN (SELECT id FROM {table} WHERE tenant_id = $1 LIMIT {max})")
    });
    let sql = format!("DELETE FROM {table} WHERE tenant_id = $1{part}");
    let backend = tx.conn().get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, [tx.tenant().into()]);
    Ok(tx.conn().execute_raw(statement).await?.rows_affected())
}

/// Deletes the tenant's audit chain and the tenant, and stores the end of the chain in the receipt. On PostgreSQL a node
/// may not do so itself: a function of the owner does, for a tenant that is being erased. Returns the number of entries.
async fn erase_audit_chain(tx: &Tx) -> Result<u64> {
    let (backend, id) = (tx.conn().get_database_backend(), tx.tenant());
    if backend == DatabaseBackend::Postgres {
        let sql = "SELECT erase_audit_chain($1) AS entries";
        let row = tx.conn().query_one_raw(Statement::from_sql_and_values(backend, sql, [id.into()])).await?;
        let entries: Option<i64> = row.map(|row| row.try_get("", "entries")).transpose()?;
        return Ok(entries.unwrap_or_default().cast_unsigned());
    }
    if let Some(end) = entity::audit_chain::of(id).one(tx.conn()).await? {
        update(id)
            .col_expr(Column::AuditSeq, Expr::value(end.seq))
            .col_expr(Column::AuditHash, Expr::value(end.hash))
            .exec(tx.conn())
            .await?;
    }
    let entries = entity::audit::delete(id).exec(tx.conn()).await?.rows_affected;
    entity::audit_chain::delete(id).exec(tx.conn()).await?;
    tenant::Entity::delete_by_id(id).exec(tx.conn()).await?;
    Ok(entries)
}
