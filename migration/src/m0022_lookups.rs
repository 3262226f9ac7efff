//! Row-level security for tables that are searched before the tenant is known. A lookup table without row-level
//! security maps the keys of such rows (a digest, or a provider's channel id) to their tenants; triggers maintain it.

use sea_orm_migration::prelude::*;

use crate::{ddl, is_postgres, row_level_security};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0022_lookups"
    }
}

/// A table whose rows are looked up by key.
struct Looked {
    table: &'static str,
    column: &'static str,
    /// The SQL expression for a row's key, for either database; `{row}` stands for the row.
    postgres: &'static str,
    sqlite: &'static str,
}

/// The tables whose rows are looked up by key. Google's notifications contain the part of a channel's id before the
/// vertical bar; other ids contain no bar.
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

/// The trigger function is executed as the owner: a node can read the lookup table but not write it, so that it cannot
/// redirect look-ups to another tenant. No other role may use the function for a table of its own.
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

const SQLITE_FILL: &str = "
INSERT INTO tenant_lookup (kind, key, tenant_id) SELECT '{table}', {key of t}, t.tenant_id FROM {table} t;";

const SQLITE_TRIGGERS: &str = "
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
        match is_postgres {
            true => self.filled_in(POSTGRES, self.postgres),
            false => [SQLITE_FILL, SQLITE_TRIGGERS].map(|sql| self.filled_in(sql, self.sqlite)).concat(),
        }
    }

    fn filled_in(&self, sql: &str, key: &str) -> String {
        let of = |row: &str| key.replace("{row}", row);
        sql.replace("{table}", self.table)
            .replace("{column}", self.column)
            .replace("{key of t}", &of("t"))
            .replace("{key of OLD}", &of("OLD"))
            .replace("{key of NEW}", &of("NEW"))
    }
}

/// The triggers that SQLite drops with a table when a later migration creates it anew; the look-up rows stay.
pub(crate) fn sqlite_triggers(table: &str) -> String {
    let looked = LOOKED_UP.iter().filter(|looked| looked.table == table);
    looked.map(|looked| looked.filled_in(SQLITE_TRIGGERS, looked.sqlite)).collect()
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
        row_level_security::restrict_to_tenant(manager, &walled).await
    }
}
