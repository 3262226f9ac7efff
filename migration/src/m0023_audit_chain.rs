//! Audit entries get a position in the hash chain of their tenant or of the installation, the values before and after
//! an action, and the id of the request. `audit_chain` contains the start and end of each chain.
//!
//! The installation's chain has the all-zero tenant id, so an entry no longer references a row of `tenant`; entries
//! therefore also outlive their tenant. New columns may be null, so that nodes of the previous version can still add
//! entries; `muster migrate` adds those to their chains.

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

/// SQLite cannot drop a foreign key, so the table is created anew.
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

/// Privileges of the node's role: it may update the head of a chain but never remove it; the owner prunes.
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
        row_level_security::restrict_to_tenant(manager, &["audit_chain"]).await?;
        if is_postgres {
            connection.execute_unprepared(RIGHTS).await?;
        }
        Ok(())
    }
}
