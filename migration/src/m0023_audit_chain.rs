//! Entries of the audit get a place in a chain of their tenant or of the installation, the values before and after an
//! act, and the request that it came by. `audit_chain` holds how far each chain goes.
//!
//! The installation's chain stands under the tenant of all zeros, so an entry no longer refers to a row of `tenant`:
//! what was recorded of a tenant also outlives it. New columns may be empty, so that a node of the version before goes
//! on adding entries; `muster migrate` gives those their places.

use sea_orm_migration::prelude::*;

use crate::{ddl, is_postgres, row_level_security};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0023_audit_chain"
    }
}

const POSTGRES: &str = "
ALTER TABLE audit DROP CONSTRAINT audit_tenant_id_fkey;
ALTER TABLE audit ADD COLUMN request text, ADD COLUMN old_value jsonb, ADD COLUMN new_value jsonb,
    ADD COLUMN seq bigint, ADD COLUMN hash bytea;";

/// SQLite drops no foreign key: the table is made anew.
const SQLITE: &str = "
CREATE TABLE audit_anew (
    id blob PRIMARY KEY,
    tenant_id blob NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    details text NOT NULL,
    at text NOT NULL,
    request text,
    old_value text,
    new_value text,
    seq integer,
    hash blob,
    UNIQUE (tenant_id, id)
);
INSERT INTO audit_anew (id, tenant_id, actor, action, subject, details, at)
    SELECT id, tenant_id, actor, action, subject, details, at FROM audit;
DROP TABLE audit;
ALTER TABLE audit_anew RENAME TO audit;";

const TABLES: &str = "
CREATE UNIQUE INDEX audit_place ON audit (tenant_id, seq);
CREATE INDEX audit_subject ON audit (tenant_id, subject, seq);
CREATE INDEX audit_actor ON audit (tenant_id, actor, seq);
CREATE INDEX audit_at ON audit (tenant_id, at);
CREATE TABLE audit_chain (
    tenant_id {uuid} PRIMARY KEY,
    seq {bigint} NOT NULL,
    hash {bytes} NOT NULL,
    base_seq {bigint} NOT NULL,
    base_hash {bytes} NOT NULL,
    seal {bytes} NOT NULL
);
CREATE TABLE audit_key (
    id {uuid} PRIMARY KEY,
    seed {bytes} NOT NULL,
    created_at {time} NOT NULL
);";

/// A node moves the end of a chain and never removes one; the owner prunes.
const RIGHTS: &str = "
REVOKE DELETE ON audit_chain FROM muster_app;
CREATE POLICY maintenance ON audit_chain TO CURRENT_USER USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON audit_key TO muster_app;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let is_postgres = is_postgres(manager);
        connection.execute_unprepared(if is_postgres { POSTGRES } else { SQLITE }).await?;
        ddl(manager, TABLES).await?;
        row_level_security::enable(manager, &["audit_chain"]).await?;
        if is_postgres {
            connection.execute_unprepared(RIGHTS).await?;
        }
        Ok(())
    }
}
