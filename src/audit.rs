//! `muster audit`: the record of what was done, pruned by the operator as the owner of the database.
//!
//! Nodes add to the record and read it; on PostgreSQL they may do nothing else. So pruning, and erasing what is kept of
//! a tenant, is this command's, which logs in by `migration_url`. It is recorded like any other act, in the transaction
//! that removes the first lines.

use chrono::Duration;
use domain::{Clock, Id, Ids, Timestamp, ids};
use entity::audit::{ActiveModel, Column, Entity, delete, everywhere, of};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, TransactionTrait,
};
use serde_json::json;
use uuid::Uuid;

use crate::{app::Error, config::Config, database};

/// How many lines go in one transaction.
const BATCH: u64 = 500;

/// The name under which the operator's acts are recorded (`domain::CallerKind::Operator`).
const OPERATOR: &str = "operator";

/// What to do with the record of what was done.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Removes old lines, of all tenants or of one. With 0 days and a tenant it erases what is recorded of the tenant.
    Prune {
        /// Lines that are older than so many days go.
        #[arg(long, value_name = "DAYS")]
        older_than_days: u32,
        /// The lines of this tenant only (`ten_...`).
        #[arg(long)]
        tenant: Option<Id<ids::Tenant>>,
    },
}

/// Runs a command.
pub async fn run(command: &Command, config: &Config, ids: &Ids, clock: &impl Clock) -> Result<(), Error> {
    let Command::Prune { older_than_days, tenant } = command;
    let owner = database::owner(config).await?;
    let before = clock.now() - Duration::days(i64::from(*older_than_days));
    let tenants = match tenant {
        Some(tenant) => vec![tenant.uuid()],
        None => recorded(&owner).await?,
    };
    let mut removed = 0;
    for tenant in tenants {
        removed += prune(&owner, tenant, before, ids, clock.now()).await?;
    }
    owner.close().await?;
    println!("{removed} lines removed");
    Ok(())
}

/// The tenants of whom something is recorded.
async fn recorded(owner: &DatabaseConnection) -> Result<Vec<Uuid>, DbErr> {
    everywhere().select_only().column(Column::TenantId).distinct().into_tuple().all(owner).await
}

/// Removes a tenant's lines from before a time, oldest first; how many there were.
async fn prune(
    owner: &DatabaseConnection,
    tenant: Uuid,
    before: Timestamp,
    ids: &Ids,
    now: Timestamp,
) -> Result<u64, DbErr> {
    let mut removed = 0;
    loop {
        let txn = owner.begin().await?;
        let old = of(tenant).filter(Column::At.lt(before)).order_by_asc(Column::Id).limit(BATCH);
        let old: Vec<Uuid> = old.select_only().column(Column::Id).into_tuple().all(&txn).await?;
        if old.is_empty() {
            return Ok(removed);
        }
        if removed == 0 {
            record(&txn, tenant, before, ids, now).await?;
        }
        removed += delete(tenant).filter(Column::Id.is_in(old)).exec(&txn).await?.rows_affected;
        txn.commit().await?;
    }
}

async fn record(
    txn: &DatabaseTransaction,
    tenant: Uuid,
    before: Timestamp,
    ids: &Ids,
    now: Timestamp,
) -> Result<(), DbErr> {
    let row = ActiveModel {
        id: Set(ids.uuid()),
        tenant_id: Set(tenant),
        actor: Set(OPERATOR.to_owned()),
        action: Set("audit.prune".to_owned()),
        subject: Set(Id::<ids::Tenant>::from_uuid(tenant).to_string()),
        details: Set(json!({ "before": before })),
        at: Set(now),
    };
    Entity::insert(row).exec_without_returning(txn).await.map(|_| ())
}
