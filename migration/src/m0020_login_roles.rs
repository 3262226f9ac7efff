//! Nodes log in with their own roles; only the owner may create objects in the schema.

use sea_orm_migration::prelude::*;

use crate::is_postgres;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0020_login_roles"
    }
}

/// Before PostgreSQL 15 every role could create objects in the schema, and upgraded databases still permit it.
const POSTGRES: &str = "REVOKE CREATE ON SCHEMA public FROM PUBLIC";

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
