//! The time zone and language of a tenant; null if unknown.

use sea_orm_migration::prelude::*;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0010_tenant_locale"
    }
}

const COLUMNS: &str = "
ALTER TABLE tenant ADD COLUMN time_zone text;
ALTER TABLE tenant ADD COLUMN language text;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(COLUMNS).await.map(|_| ())
    }
}
