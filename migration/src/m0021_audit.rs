//! A node may add and read audit entries, but neither change nor remove them. Only the owner prunes the log; row-level
//! security applies to the owner too.

use sea_orm_migration::prelude::*;

use crate::is_postgres;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0021_audit"
    }
}

const POSTGRES: &str = "
REVOKE UPDATE, DELETE ON audit FROM muster_app;
CREATE POLICY maintenance ON audit TO CURRENT_USER USING (true) WITH CHECK (true);";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if !is_postgres(manager) {
            return Ok(());
        }
        manager.get_connection().execute_unprepared(POSTGRES).await.map(|_| ())
    }
}
