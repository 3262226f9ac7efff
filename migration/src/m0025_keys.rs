//! Key rotation: the installation's own secret, which identifies the current master key; the progress of a data key's
//! rotation; and replaced data keys, kept while values are sealed with them.

use sea_orm_migration::prelude::*;

use crate::{ddl, is_postgres, row_level_security};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0025_keys"
    }
}

const TABLES: &str = "
CREATE TABLE installation_secret (
    name text PRIMARY KEY,
    sealed {bytes} NOT NULL,
    changed_at {time} NOT NULL
);
ALTER TABLE tenant ADD COLUMN data_key_rotation text;
CREATE INDEX tenant_data_key_rotation ON tenant (id) WHERE data_key_rotation IS NOT NULL;
CREATE TABLE former_data_key (
    id {uuid} PRIMARY KEY,
    tenant_id {uuid} NOT NULL REFERENCES tenant (id),
    sealed {bytes} NOT NULL,
    replaced_at {time} NOT NULL,
    unused_since {time},
    UNIQUE (tenant_id, id)
);";

/// Grants privileges without DELETE, because no row is ever removed.
const POSTGRES: &str = "GRANT SELECT, INSERT, UPDATE ON installation_secret TO muster_app;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, TABLES).await?;
        if is_postgres(manager) {
            manager.get_connection().execute_unprepared(POSTGRES).await?;
        }
        row_level_security::restrict_to_tenant(manager, &["former_data_key"]).await
    }
}
