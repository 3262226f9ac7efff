//! Erasure of tenants: since when a tenant is being erased, and the receipts that remain of erased tenants.

use sea_orm_migration::prelude::*;

use crate::{ddl, is_postgres};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0033_leaving"
    }
}

/// The id of a receipt is that of the tenant. It has no foreign key, because it outlives the tenant.
const TABLES: &str = "
ALTER TABLE tenant ADD COLUMN erasing_since {time};
CREATE TABLE erasure_receipt (
    id {uuid} PRIMARY KEY,
    requested_by text NOT NULL,
    requested_at {time} NOT NULL,
    key_destroyed_at {time},
    finished_at {time},
    tables {json} NOT NULL,
    audit_seq {bigint},
    audit_hash {bytes}
);";

/// A node cannot remove audit entries, with one exception, which this function makes as the owner: the whole chain of a
/// tenant that is being erased goes, and its end is kept in the tenant's receipt, where a node cannot change it.
const POSTGRES: &str = "
CREATE FUNCTION erase_audit_chain(erased uuid) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE entries bigint;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM tenant t JOIN erasure_receipt r ON r.id = t.id
                   WHERE t.id = erased AND t.erasing_since IS NOT NULL) THEN
        RAISE EXCEPTION 'only the audit chain of a tenant that is being erased is removed';
    END IF;
    UPDATE erasure_receipt r SET audit_seq = c.seq, audit_hash = c.hash
        FROM audit_chain c WHERE c.tenant_id = erased AND r.id = erased;
    DELETE FROM audit WHERE tenant_id = erased;
    GET DIAGNOSTICS entries = ROW_COUNT;
    DELETE FROM audit_chain WHERE tenant_id = erased;
    DELETE FROM tenant WHERE id = erased;
    RETURN entries;
END $$;
REVOKE ALL ON FUNCTION erase_audit_chain(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_audit_chain(uuid) TO muster_app;
GRANT SELECT, INSERT (id, requested_by, requested_at, tables),
    UPDATE (requested_by, requested_at, key_destroyed_at, finished_at, tables) ON erasure_receipt TO muster_app;";

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
        Ok(())
    }
}
