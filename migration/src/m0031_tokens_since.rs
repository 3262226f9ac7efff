//! Stores when all tokens of a user were revoked. Those of the tenant's own issuer are not Muster's, so they are told by
//! when they were issued.

use sea_orm_migration::prelude::*;

use crate::ddl;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0031_tokens_since"
    }
}

const COLUMN: &str = "ALTER TABLE tenant_user ADD COLUMN tokens_since {time}";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, COLUMN).await
    }
}
