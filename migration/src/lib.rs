//! The database schema, one module per schema change, for SQLite and PostgreSQL.
//!
//! The SQL is written once, with placeholders for the few types that differ ([`ddl`]). Statements that only one
//! database supports (row-level security, exclusion constraints, triggers) are in the same file behind a `match`. Every
//! schema change is a transaction, so a failed one has no effect. On PostgreSQL migrations are executed as the owner;
//! nodes log in as the [`roles`], which are created first.

use sea_orm_migration::prelude::*;

mod m0001_tenants;
mod m0002_engine;
mod m0003_integrations;
mod m0004_bookings;
mod m0005_event_order;
mod m0006_committer;
mod m0007_cursors;
mod m0008_online_meetings;
mod m0009_unchecked;
mod m0010_tenant_locale;
mod m0011_unreadable;
mod m0012_failures;
mod m0013_counted_calendars;
mod m0014_room_rules;
mod m0015_access;
mod m0020_login_roles;
mod m0021_audit;
mod m0022_lookups;
mod m0023_audit_chain;
mod m0024_openid;
mod m0025_keys;
mod m0026_domains;
mod m0027_linked_with;
mod m0028_who_vouched;
mod m0029_background_runs;
mod m0030_consents_of_sessions;
mod m0031_tokens_since;
mod m0032_suspension;
mod m0033_leaving;
mod m0038_corrections;
mod m0041_personal;
mod m0043_following;
pub mod roles;
mod row_level_security;

/// All schema changes, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_tenants::Migration),
            Box::new(m0002_engine::Migration),
            Box::new(m0003_integrations::Migration),
            Box::new(m0004_bookings::Migration),
            Box::new(m0005_event_order::Migration),
            Box::new(m0006_committer::Migration),
            Box::new(m0007_cursors::MIGRATION),
            Box::new(m0008_online_meetings::MIGRATION),
            Box::new(m0009_unchecked::Migration),
            Box::new(m0010_tenant_locale::MIGRATION),
            Box::new(m0011_unreadable::MIGRATION),
            Box::new(m0012_failures::MIGRATION),
            Box::new(m0013_counted_calendars::MIGRATION),
            Box::new(m0014_room_rules::MIGRATION),
            Box::new(m0015_access::Migration),
            Box::new(m0020_login_roles::Migration),
            Box::new(m0021_audit::Migration),
            Box::new(m0022_lookups::Migration),
            Box::new(m0023_audit_chain::Migration),
            Box::new(m0024_openid::Migration),
            Box::new(m0025_keys::Migration),
            Box::new(m0026_domains::MIGRATION),
            Box::new(m0027_linked_with::MIGRATION),
            Box::new(m0028_who_vouched::Migration),
            Box::new(m0029_background_runs::MIGRATION),
            Box::new(m0030_consents_of_sessions::MIGRATION),
            Box::new(m0031_tokens_since::MIGRATION),
            Box::new(m0032_suspension::MIGRATION),
            Box::new(m0033_leaving::Migration),
            Box::new(m0038_corrections::MIGRATION),
            Box::new(m0041_personal::Migration),
            Box::new(m0043_following::MIGRATION),
        ]
    }
}

/// Migrates a database to the newest schema. Several nodes may call it one after the other.
pub async fn up(connection: &sea_orm_migration::sea_orm::DatabaseConnection) -> Result<(), DbErr> {
    roles::create_roles(connection).await?;
    Migrator::up(connection, None).await
}

/// The newest schema change of a database that this version does not know, because a later version made it; `None` if it
/// knows all.
pub async fn newer_change(
    connection: &sea_orm_migration::sea_orm::DatabaseConnection,
) -> Result<Option<String>, DbErr> {
    let known: Vec<String> = Migrator::migrations().iter().map(|change| change.name().to_owned()).collect();
    Migrator::install(connection).await?;
    let made = Migrator::get_migration_models(connection).await?;
    Ok(made.into_iter().map(|change| change.version).filter(|name| !known.contains(name)).max())
}

/// Whether the database is PostgreSQL.
fn is_postgres(manager: &SchemaManager<'_>) -> bool {
    manager.get_database_backend() == sea_orm_migration::sea_orm::DatabaseBackend::Postgres
}

/// A migration that executes SQL statements with the type placeholders of [`ddl`].
struct Statements {
    name: &'static str,
    sql: &'static str,
}

impl MigrationName for Statements {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Statements {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, self.sql).await
    }
}

/// Executes statements in which types are written as `{uuid}`, `{time}`, `{json}`, `{bytes}` and `{bigint}`.
async fn ddl(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let types = match is_postgres(manager) {
        true => [
            ("{uuid}", "uuid"),
            ("{time}", "timestamptz"),
            ("{json}", "jsonb"),
            ("{bytes}", "bytea"),
            ("{bigint}", "bigint"),
        ],
        false => [
            ("{uuid}", "blob"),
            ("{time}", "text"),
            ("{json}", "text"),
            ("{bytes}", "blob"),
            ("{bigint}", "integer"),
        ],
    };
    let sql = types.iter().fold(sql.to_owned(), |sql, (name, ty)| sql.replace(name, ty));
    manager.get_connection().execute_unprepared(&sql).await.map(|_| ())
}
