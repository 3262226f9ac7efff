//! The two roles that nodes log in as. They belong to the whole PostgreSQL server, not to one database, so they are
//! made before the first change of a schema and found by all later ones.
//!
//! An owner that may make roles (a superuser, or one with CREATEROLE) makes them and sets their passwords. Where it may
//! not, an administrator of the server makes them once; then nothing is left to do here.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, Statement},
};

/// The roles that nodes log in as: of requests, and of the engine.
pub const NODES: [&str; 2] = ["muster_app", "muster_engine"];

/// The roles are missing and the owner may not make them; see `docs/errors.md`.
const MISSING: &str = "DATABASE_ROLES_MISSING";

/// Several databases of one server may be migrated at the same moment: whoever comes second finds the role made, or
/// the row of the role changed under its hands, to the same end.
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

/// Sees to it that the roles exist and may log in.
pub async fn make(owner: &DatabaseConnection) -> Result<(), DbErr> {
    if owner.get_database_backend() != DatabaseBackend::Postgres {
        return Ok(());
    }
    owner.execute_unprepared(MAKE).await.map(|_| ()).map_err(|error| {
        let [app, engine] = NODES;
        DbErr::Custom(format!(
            "{MISSING}: The owner may not make the roles that nodes log in as ({error}). Have an administrator of the \
             PostgreSQL server run: CREATE ROLE {app} LOGIN PASSWORD '...'; CREATE ROLE {engine} LOGIN PASSWORD '...';"
        ))
    })
}

/// Gives one of [`NODES`] a password, of which the server is shown a verifier only.
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
