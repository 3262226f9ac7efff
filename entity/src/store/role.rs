//! Checks whether the role of a connection could bypass row-level security, according to PostgreSQL's own
//! catalogues.
//!
//! A row-level security policy does not bind all roles: superusers and roles with BYPASSRLS bypass it; an owner can
//! drop it; a member of another role can become that role with `SET ROLE`. The role that logged in is checked, because
//! the user of the connection can return to it with `RESET ROLE`.

use sea_orm::{DatabaseConnection, DbErr, FromQueryResult, Statement};

/// The database role with which a connection logged in.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct LoginRole {
    /// The role's name in PostgreSQL's catalogue.
    pub name: String,
    acts_as_another: bool,
    superuser: bool,
    bypasses: bool,
    makes_roles: bool,
    replicates: bool,
    owns: bool,
    member_of: String,
}

/// The query for a role's attributes. One catalogue contains the owners of all kinds of objects; database 0 stands for
/// objects of the whole server.
const ASK: &str = "
SELECT r.rolname::text AS name, current_user <> session_user AS acts_as_another,
       r.rolsuper AS superuser, r.rolbypassrls AS bypasses, r.rolcreaterole AS makes_roles,
       r.rolreplication AS replicates,
       EXISTS (SELECT 1 FROM pg_shdepend d
               WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.deptype = 'o'
                 AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))) AS owns,
       array_to_string(ARRAY(SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
                             WHERE m.member = r.oid ORDER BY 1), ', ') AS member_of
FROM pg_roles r WHERE r.rolname = session_user";

impl LoginRole {
    /// Queries the role of a connection to PostgreSQL.
    pub async fn of_connection(connection: &DatabaseConnection) -> Result<Self, DbErr> {
        let statement = Statement::from_string(connection.get_database_backend(), ASK);
        let found = Self::find_by_statement(statement).one(connection).await?;
        found.ok_or_else(|| DbErr::RecordNotFound("the connection's role".to_owned()))
    }

    /// The reasons why a node may not use the role, as predicates of a sentence that begins with the role's name; empty
    /// if it may.
    pub fn find_faults(&self, wanted: &str) -> Vec<String> {
        let told = [
            (self.name != wanted, format!("is not {wanted}")),
            (self.superuser, "is a superuser".to_owned()),
            (self.bypasses, "has BYPASSRLS".to_owned()),
            (self.makes_roles, "may make roles (CREATEROLE)".to_owned()),
            (self.replicates, "may copy the database (REPLICATION)".to_owned()),
            (self.owns, "owns objects of this database".to_owned()),
            (!self.member_of.is_empty(), format!("is a member of {}", self.member_of)),
            (self.acts_as_another, "acts as another role than it logged in as".to_owned()),
        ];
        told.into_iter().filter(|(is_so, _)| *is_so).map(|(_, fault)| fault).collect()
    }
}
