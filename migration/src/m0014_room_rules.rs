//! Rules that distinguish rooms from people, for calendar systems without a room directory; null if the
//! installation's own rules apply.

use sea_orm_migration::prelude::*;

use crate::ddl;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0014_room_rules"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, "ALTER TABLE integration ADD COLUMN room_rules {json}").await
    }
}
