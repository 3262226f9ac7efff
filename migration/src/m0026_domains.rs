//! Stores the domains that a provider has verified for an organisation. The column is null until the organisation's
//! directory is next read.

use sea_orm_migration::prelude::*;

use crate::ddl;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0026_domains"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, "ALTER TABLE external_binding ADD COLUMN domains {json}").await
    }
}
