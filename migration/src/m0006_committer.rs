//! What the committer needs to write a batch as one statement: walls that leave the keys' indexes to the planner, and
//! the right to say that a run changed.

use sea_orm_migration::prelude::*;

use crate::{is_postgres, walls};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0006_committer"
    }
}

// The engine's role adds events and reads none.
const POSTGRES: &str = "
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
        walls::rebuild(manager).await?;
        manager.get_connection().execute_unprepared(POSTGRES).await.map(|_| ())
    }
}
