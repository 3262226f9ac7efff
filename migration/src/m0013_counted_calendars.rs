//! The calendars of a mailbox, and which of them make its owner busy.

use sea_orm_migration::prelude::*;

use crate::ddl;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0013_counted_calendars"
    }
}

const COLUMNS: &str = "
ALTER TABLE connection ADD COLUMN calendars {json};
ALTER TABLE connection ADD COLUMN counted_calendars {json};";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, COLUMNS).await
    }
}
