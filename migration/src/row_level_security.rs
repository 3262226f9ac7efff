//! Row-level security on PostgreSQL: the second barrier between tenants.
//!
//! `app.tenants` contains the tenants of the transaction, separated by commas. After the transaction it is an empty
//! string and not NULL, so the cast is guarded. SQLite has no such barrier, only the finders with a tenant argument.

use sea_orm_migration::prelude::*;

use crate::is_postgres;

/// The condition that a visible row must meet. The list is evaluated once per statement, not once per row. `IS TRUE`
/// keeps the condition a filter: if an index could serve it, the planner would read a tenant's whole table instead of
/// looking rows up by key, especially while the table has no statistics.
const OURS: &str = "(tenant_id = ANY ((SELECT \
    string_to_array(nullif(current_setting('app.tenants', true), ''), ',')::uuid[])::uuid[])) IS TRUE";

/// Restricts access to a table by its `tenant_id`, for requests and committers.
pub(crate) async fn restrict_to_tenant(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
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

/// Lets the engine's role access all rows of one of the engine's own tables.
pub(crate) async fn allow_engine_role(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
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

/// Replaces policies created by earlier versions.
pub(crate) async fn recreate_policies(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
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

/// Lets the role for requests access a table that belongs to the installation and not to a tenant.
pub(crate) async fn allow_app_role(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    if !is_postgres(manager) {
        return Ok(());
    }
    for table in tables {
        let sql = format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO muster_app;");
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}
