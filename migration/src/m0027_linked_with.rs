//! Stores what whoever linked an identity was allowed to do. Links that exist already count as made without any
//! permission: they end when their user is given more, and a verified sign-in makes them again.

use sea_orm_migration::prelude::*;

use crate::ddl;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0027_linked_with"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "ALTER TABLE openid_identity ADD COLUMN linked_with {json} DEFAULT '[]'";
        ddl(manager, sql).await
    }
}
