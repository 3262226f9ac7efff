//! Unreadable items of a calendar when its copy was made: their number, the number that block nothing, and some
//! examples.

use sea_orm_migration::prelude::*;

use crate::ddl;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0011_unreadable"
    }
}

const COLUMNS: &str = "
ALTER TABLE connection ADD COLUMN unreadable_count integer NOT NULL DEFAULT 0;
ALTER TABLE connection ADD COLUMN unknown_count integer NOT NULL DEFAULT 0;
ALTER TABLE connection ADD COLUMN unreadable {json} NOT NULL DEFAULT '[]';";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, COLUMNS).await
    }
}
