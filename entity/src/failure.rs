//! Database errors, displayed without the values of rows.
//!
//! PostgreSQL includes values of rows in the details of an error, and in the message itself if it cannot parse a value;
//! errors are logged. A crate therefore exposes database errors only as this type, which displays only the code and the
//! names of tables, columns and constraints.

use std::fmt;

use sea_orm::{DbErr, RuntimeErr, SqlxError};

/// A database error that displays no values of rows.
#[derive(Clone)]
pub struct DatabaseError(DbErr);

impl From<DbErr> for DatabaseError {
    fn from(error: DbErr) -> Self {
        Self(error)
    }
}

impl DatabaseError {
    /// Whether the transaction conflicted with another and should be repeated (SQLSTATE 40P01 or 40001).
    pub fn is_contention(&self) -> bool {
        let text = self.0.to_string();
        text.contains("deadlock detected")
            || text.contains("could not serialize")
            || text.contains("database is locked")
    }

    /// Whether the connection broke, so that it is unknown whether the transaction committed.
    pub fn is_connection_lost(&self) -> bool {
        let text = self.0.to_string();
        text.contains("terminating connection") || text.contains("error communicating with database")
    }
}

/// Provides the underlying error to callers that distinguish kinds of errors.
impl std::ops::Deref for DatabaseError {
    type Target = DbErr;

    fn deref(&self) -> &DbErr {
        &self.0
    }
}

/// Has no source, because displaying the chain of causes would display the values.
impl std::error::Error for DatabaseError {}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&said(&self.0))
    }
}

impl fmt::Debug for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseError({self})")
    }
}

/// SQLSTATE classes, and single codes, whose messages name roles, databases and schema objects but never a value.
const NAMES_ONLY: [&str; 15] =
    ["08", "23", "25", "28", "3D", "3F", "40", "53", "54", "55", "57", "58", "42501", "42703", "42P01"];

fn said(error: &DbErr) -> String {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => of_sqlx(error),
        DbErr::Conn(_) | DbErr::Exec(_) | DbErr::Query(_) => "an internal error of the mapper".to_owned(),
        DbErr::Type(_) | DbErr::TryIntoErr { .. } => "a value has another type than its column".to_owned(),
        DbErr::Json(_) => "a value is not the JSON that it should be".to_owned(),
        // What is left has texts of our own, or names of the schema.
        other => other.to_string(),
    }
}

fn of_sqlx(error: &SqlxError) -> String {
    match error {
        SqlxError::Database(error) => {
            let code = error.code().unwrap_or_default();
            let objects = [("table", error.table()), ("constraint", error.constraint())];
            let objects = objects.into_iter().filter_map(|(what, name)| Some(format!(", {what} {}", name?)));
            let message = match is_names_only(&code, error.message()) {
                true => names(error.message()),
                false => "the message is not shown, because it may hold values".to_owned(),
            };
            format!("{message} (code {code}{})", objects.collect::<String>())
        }
        SqlxError::Io(error) => format!("the connection broke: {error}"),
        SqlxError::Tls(_) => "no TLS connection could be made".to_owned(),
        SqlxError::Configuration(_) => "the address of the database cannot be used".to_owned(),
        SqlxError::Protocol(_) => "the server does not keep to the protocol".to_owned(),
        SqlxError::ColumnDecode { index, .. } => format!("column {index} cannot be read"),
        SqlxError::Decode(_) | SqlxError::Encode(_) => "a value cannot be read or written".to_owned(),
        SqlxError::ColumnNotFound(name) => format!("there is no column {name}"),
        SqlxError::PoolTimedOut => "no connection was free in time".to_owned(),
        SqlxError::PoolClosed => "the connections are closed".to_owned(),
        SqlxError::RowNotFound => "there is no such row".to_owned(),
        _ => "another error of the driver".to_owned(),
    }
}

/// Keeps quoted names in an error message and removes any other quoted text.
fn names(message: &str) -> String {
    let is_name = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let parts = message.split('"').enumerate();
    parts
        .map(|(at, part)| if at % 2 == 0 || is_name(part) { part } else { "..." })
        .collect::<Vec<_>>()
        .join("\"")
}

/// Whether a message of SQLite may be displayed completely: SQLite's codes are numbers, its messages name tables and
/// columns, and quoted text comes from a statement.
fn is_names_only(code: &str, message: &str) -> bool {
    let is_sqlite = !code.is_empty() && code.len() <= 4 && code.bytes().all(|byte| byte.is_ascii_digit());
    match is_sqlite {
        true => !message.contains(['"', '\'']),
        false => NAMES_ONLY.iter().any(|known| code.starts_with(known)),
    }
}
