//! Failures of mailboxes: since when, in which way, how often, and the time of the next attempt.

use sea_orm_migration::prelude::*;

use crate::ddl;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0012_failures"
    }
}

const COLUMNS: &str = "
ALTER TABLE connection ADD COLUMN failing_since {time};
ALTER TABLE connection ADD COLUMN failing_code text;
ALTER TABLE connection ADD COLUMN failures integer NOT NULL DEFAULT 0;
ALTER TABLE connection ADD COLUMN retry_at {time};";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, COLUMNS).await
    }
}
