//! The two PostgreSQL roles with which nodes log in. They belong to the whole server and not to one database, so they
//! are created before the first schema change, and later migrations find them.
//!
//! An owner that may create roles (a superuser, or one with CREATEROLE) creates them and sets their passwords.
//! Otherwise an administrator of the server creates them once, and this module changes nothing.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, Statement},
};

/// The roles with which nodes log in: for requests, and for the engine.
pub const NODE_ROLES: [&str; 2] = ["muster_app", "muster_engine"];

/// Error code if the roles are missing and the owner may not create them; see `docs/errors.md`.
const MISSING: &str = "DATABASE_ROLES_MISSING";

/// SQL that creates a role. Several databases of one server may be migrated at the same time: the second migration
/// finds the role existing or being changed, with the same result.
const MAKE: &str = "
DO $$ DECLARE wanted text; BEGIN
    FOREACH wanted IN ARRAY ARRAY['muster_app', 'muster_engine'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN EXECUTE format('CREATE ROLE %I LOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END;
        ELSIF NOT (SELECT rolcanlogin FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN EXECUTE format('ALTER ROLE %I LOGIN', wanted);
            EXCEPTION WHEN internal_error THEN NULL; END;
        END IF;
    END LOOP;
END $$";

/// Creates the roles if they are missing, and permits them to log in.
pub async fn create_roles(owner: &DatabaseConnection) -> Result<(), DbErr> {
    if owner.get_database_backend() != DatabaseBackend::Postgres {
        return Ok(());
    }
    owner.execute_unprepared(MAKE).await.map(|_| ()).map_err(|error| {
        let [app, engine] = NODE_ROLES;
        DbErr::Custom(format!(
            "{MISSING}: The owner may not make the roles that nodes log in as ({error}). Have an administrator of the \
             PostgreSQL server run: CREATE ROLE {app} LOGIN PASSWORD '...'; CREATE ROLE {engine} LOGIN PASSWORD '...';"
        ))
    })
}

/// Sets the password of one of [`NODE_ROLES`]. The server receives only a verifier, never the password.
pub async fn set_password(owner: &DatabaseConnection, role: &str, verifier: &str) -> Result<(), DbErr> {
    // A statement that alters a role takes no parameters; `format` quotes.
    let quote = Statement::from_sql_and_values(
        DatabaseBackend::Postgres,
        "SELECT format('ALTER ROLE %I PASSWORD %L', $1, $2) AS sql",
        [role.into(), verifier.into()],
    );
    let row = owner.query_one_raw(quote).await?;
    let sql: String = row.ok_or_else(|| DbErr::RecordNotFound(role.to_owned()))?.try_get("", "sql")?;
    owner.execute_unprepared(&sql).await.map(|_| ())
}
