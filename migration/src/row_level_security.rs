//! Row-level security: the second wall between tenants on PostgreSQL.
//!
//! `app.tenants` holds the tenants of the transaction, joined by commas. After the transaction it is the empty
//! text and not NULL, so the cast is guarded. SQLite has no such wall: there the tenant-first finders stand alone.

use sea_orm_migration::prelude::*;

use crate::is_postgres;

/// What a row must fulfil. The list is read once a statement, not once a row. `IS TRUE` keeps the wall a filter: as a
/// condition that an index can serve it would lead the planner to read a tenant's whole table where it was asked for by
/// key, above all while the table has no statistics.
const OURS: &str = "(tenant_id = ANY ((SELECT \
    string_to_array(nullif(current_setting('app.tenants', true), ''), ',')::uuid[])::uuid[])) IS TRUE";

/// Walls a table by its `tenant_id` for requests and committers.
pub(crate) async fn enable(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    if !is_postgres(manager) {
        return Ok(());
    }
    for table in tables {
        let sql = format!(
            "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
             ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
             CREATE POLICY tenant_wall ON {table} TO muster_app
                 USING ({OURS}) WITH CHECK ({OURS});
             GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO muster_app;"
        );
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// Lets the engine's role see every row of a table that is the engine's own.
pub(crate) async fn allow_engine(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    if !is_postgres(manager) {
        return Ok(());
    }
    for table in tables {
        let sql = format!(
            "CREATE POLICY engine ON {table} TO muster_engine USING (true) WITH CHECK (true);
             GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO muster_engine;"
        );
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// Gives walls that an earlier version built the present form.
pub(crate) async fn recreate(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let sql = format!(
        "DO $$ DECLARE walled name; BEGIN
             FOR walled IN SELECT tablename FROM pg_policies
                 WHERE policyname = 'tenant_wall' AND schemaname = current_schema() LOOP
                 EXECUTE format('ALTER POLICY tenant_wall ON %I USING (%s) WITH CHECK (%s)',
                     walled, $rule${OURS}$rule$, $rule${OURS}$rule$);
             END LOOP;
         END $$"
    );
    manager.get_connection().execute_unprepared(&sql).await.map(|_| ())
}

/// Lets requests see a table that belongs to the installation and to no tenant.
pub(crate) async fn allow_app(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    if !is_postgres(manager) {
        return Ok(());
    }
    for table in tables {
        let sql = format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO muster_app;");
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}
