//! Changes that let the committer write a batch cheaply with one statement: policies that let the planner use the keys'
//! indexes, the privilege to notify about changed runs, free space for rows that change often, and no unused indexes.

use sea_orm_migration::prelude::*;

use crate::{is_postgres, row_level_security};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0006_committer"
    }
}

// The engine's role adds events and reads none. A run changes a few times soon after it was made: where its page has
// room the change touches no index. Events and lines of history are found by their tenants.
const POSTGRES: &str = "
ALTER TABLE run SET (fillfactor = 60);
ALTER TABLE job SET (fillfactor = 50);
ALTER TABLE event_log DROP CONSTRAINT event_log_pkey, DROP CONSTRAINT event_log_tenant_id_id_key,
    ADD PRIMARY KEY (tenant_id, id);
ALTER TABLE run_history DROP CONSTRAINT run_history_pkey, DROP CONSTRAINT run_history_tenant_id_run_id_revision_key,
    ADD PRIMARY KEY (tenant_id, run_id, revision);
CREATE POLICY engine ON event_log FOR INSERT TO muster_engine WITH CHECK (true);
GRANT INSERT ON event_log TO muster_engine;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if !is_postgres(manager) {
            return Ok(());
        }
        row_level_security::recreate_policies(manager).await?;
        manager.get_connection().execute_unprepared(POSTGRES).await.map(|_| ())
    }
}
