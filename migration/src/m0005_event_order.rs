//! The order in which events are read: that of the transactions that wrote them.
//!
//! Ids are created before the commit, and on nodes whose clocks differ. PostgreSQL numbers its transactions, and all
//! transactions older than the oldest running one have ended. SQLite has one writer, so the order of the rows is that
//! of the commits.

use sea_orm_migration::prelude::*;

use crate::is_postgres;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0005_event_order"
    }
}

const POSTGRES: &str = "
ALTER TABLE event_log ADD COLUMN xact xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX event_log_place ON event_log (tenant_id, topic, xact, id);";

// The row's own number is the last column of every index.
const SQLITE: &str = "CREATE INDEX event_log_place ON event_log (tenant_id, topic);";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = if is_postgres(manager) { POSTGRES } else { SQLITE };
        manager.get_connection().execute_unprepared(sql).await.map(|_| ())
    }
}
