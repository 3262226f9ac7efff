//! What is found before its tenant is known is walled like everything else. Outside stands a table of what is looked up
//! by: a digest, or a provider's name for a channel, and the tenant it belongs to. The database keeps it by itself.

use sea_orm_migration::prelude::*;

use crate::{ddl, is_postgres, row_level_security};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0022_lookups"
    }
}

/// A table whose rows are looked up.
struct Looked {
    table: &'static str,
    column: &'static str,
    /// What of a row is the key, on either store; `{row}` stands for the row.
    postgres: &'static str,
    sqlite: &'static str,
}

/// Notices of Google carry what stands before the bar in a channel's id; ids of others have no bar.
const LOOKED_UP: [Looked; 3] = [
    Looked {
        table: "connect_link",
        column: "token_hash",
        postgres: "{row}.token_hash",
        sqlite: "{row}.token_hash",
    },
    Looked {
        table: "connect_session",
        column: "cookie_hash",
        postgres: "{row}.cookie_hash",
        sqlite: "{row}.cookie_hash",
    },
    Looked {
        table: "channel",
        column: "external_id",
        postgres: "convert_to(split_part({row}.external_id, '|', 1), 'UTF8')",
        sqlite: "CAST(substr({row}.external_id, 1, instr({row}.external_id || '|', '|') - 1) AS blob)",
    },
];

const TABLE: &str = "
CREATE TABLE tenant_lookup (
    kind text NOT NULL,
    key {bytes} NOT NULL,
    tenant_id {uuid} NOT NULL,
    PRIMARY KEY (kind, key)
);";

/// The function runs as the owner: a node reads the table and cannot write it, so that it cannot send what is looked up
/// to another tenant. Nobody else may hang the function on a table of their own.
const POSTGRES: &str = "
INSERT INTO tenant_lookup (kind, key, tenant_id) SELECT '{table}', {key of t}, t.tenant_id FROM {table} t;
CREATE FUNCTION {table}_lookup() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM tenant_lookup WHERE kind = '{table}' AND key = {key of OLD};
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO tenant_lookup (kind, key, tenant_id) VALUES ('{table}', {key of NEW}, NEW.tenant_id);
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION {table}_lookup() FROM PUBLIC;
CREATE TRIGGER {table}_lookup AFTER INSERT OR DELETE OR UPDATE OF {column}, tenant_id ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_lookup();";

const SQLITE: &str = "
INSERT INTO tenant_lookup (kind, key, tenant_id) SELECT '{table}', {key of t}, t.tenant_id FROM {table} t;
CREATE TRIGGER {table}_lookup_made AFTER INSERT ON {table} BEGIN
    INSERT INTO tenant_lookup (kind, key, tenant_id) VALUES ('{table}', {key of NEW}, NEW.tenant_id);
END;
CREATE TRIGGER {table}_lookup_changed AFTER UPDATE OF {column}, tenant_id ON {table} BEGIN
    DELETE FROM tenant_lookup WHERE kind = '{table}' AND key = {key of OLD};
    INSERT INTO tenant_lookup (kind, key, tenant_id) VALUES ('{table}', {key of NEW}, NEW.tenant_id);
END;
CREATE TRIGGER {table}_lookup_gone AFTER DELETE ON {table} BEGIN
    DELETE FROM tenant_lookup WHERE kind = '{table}' AND key = {key of OLD};
END;";

impl Looked {
    fn sql(&self, is_postgres: bool) -> String {
        let (sql, key) = if is_postgres { (POSTGRES, self.postgres) } else { (SQLITE, self.sqlite) };
        let of = |row: &str| key.replace("{row}", row);
        sql.replace("{table}", self.table)
            .replace("{column}", self.column)
            .replace("{key of t}", &of("t"))
            .replace("{key of OLD}", &of("OLD"))
            .replace("{key of NEW}", &of("NEW"))
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, TABLE).await?;
        let is_postgres = is_postgres(manager);
        for looked in &LOOKED_UP {
            manager.get_connection().execute_unprepared(&looked.sql(is_postgres)).await?;
        }
        if is_postgres {
            let grant = "GRANT SELECT ON tenant_lookup TO muster_app";
            manager.get_connection().execute_unprepared(grant).await?;
        }
        // Which organisation is bound is kept unique by the key; a stranger's row need not be seen for that.
        let walled = ["connect_link", "connect_session", "channel", "external_binding", "tenant_feature"];
        row_level_security::enable(manager, &walled).await
    }
}
