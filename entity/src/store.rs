//! Database connections and transactions that can access only the rows of the specified tenants.
//!
//! SQLite has one writing connection (every writing transaction begins IMMEDIATE) and a few reading connections.
//! PostgreSQL has three pools. The role of the first sees only the rows of the transaction's tenants. The role of the
//! other two sees the engine's own tables of all tenants; one of them is for set-based statements by key. Each pool
//! logs in with its role, and a role that could bypass row-level security is refused.

mod begin;
mod logins;
mod reader;
mod role;

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{Id, ids};
use sea_orm::sea_query::{Expr, ValueType, extension::postgres::PgFunc, postgres_array::NotU8};
use sea_orm::{
    ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection,
    DatabaseTransaction, DbErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    Value,
};

use self::begin::TransactionStarter;
pub use self::{
    logins::{APP_ROLE, ENGINE_ROLE, Logins},
    reader::ReadTransaction,
    role::LoginRole,
};
use crate::{DatabaseError, sqlite_file};

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL is neither `sqlite://` nor `postgres://`.
    #[error("The database URL must begin with sqlite:// or postgres://.")]
    UnknownUrl,
    /// The database role of a connection could bypass row-level security or switch it off.
    #[error(
        "The database role {role} {faults}, so row-level security would not keep tenants apart. A node logs in as \
         {wanted}: `muster migrate` makes that role. The owner's URL is for `migrate` alone, as migration_url."
    )]
    RoleUnsafe {
        /// The role with which the connection logged in.
        role: String,
        /// The database role expected for this pool.
        wanted: &'static str,
        /// The problems found with the role, as predicates of a sentence that begins with the role.
        faults: String,
    },
    /// The database rejected a statement, or the connection broke.
    #[error("The database does not respond as it should: {0}")]
    Database(#[from] DatabaseError),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        Self::Database(error.into())
    }
}

impl StoreError {
    /// Stable, machine-readable code of the error; documented in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownUrl => "DATABASE_URL_UNKNOWN",
            Self::RoleUnsafe { .. } => "DATABASE_ROLE_UNSAFE",
            Self::Database(_) => "UNAVAILABLE",
        }
    }
}

/// A connection that was idle for this long is tested before it is used. More recently used connections are not tested,
/// because the test costs a round trip.
const IDLE: Duration = Duration::from_secs(1);

/// Maximum time that a transaction or statement waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// SQL statement that sets the tenants whose rows a transaction may access.
const CONFINE: &str = "SELECT set_config('app.tenants', $1, true)";

/// Planner settings for statements that select a batch of rows by their keys. Without them, PostgreSQL would read
/// tables completely that were never analysed, and plan every batch size separately.
const BY_KEY: [(&str, &str); 4] = [
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_seqscan", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// SQL statement that sets the tenants whose rows a transaction of set-based statements by key may access.
static CONFINE_BY_KEY: LazyLock<String> = LazyLock::new(|| {
    let by_key = BY_KEY.map(|(name, value)| format!(", set_config('{name}', '{value}', true)"));
    CONFINE.to_owned() + &by_key.concat()
});

/// All connections of a node to its database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    backend: DatabaseBackend,
    connections: u32,
    reading_connections: u32,
    write: DatabaseConnection,
    read: DatabaseConnection,
    engine: DatabaseConnection,
    by_key: DatabaseConnection,
    /// Starts transactions.
    beginnings: TransactionStarter,
    /// Counter for the statements of reading transactions; `None` if they are not counted.
    statements: Option<Arc<AtomicU64>>,
}

impl Store {
    /// Connects to `sqlite://path?mode=rwc` or `postgres://...`, with at most `connections` connections in each pool.
    pub async fn connect(logins: &Logins, connections: u32) -> Result<Self, StoreError> {
        if logins.is_sqlite() {
            Ok(Self::sqlite(&logins.app, connections).await?)
        } else if logins.is_postgres() {
            Self::postgres(logins, connections).await
        } else {
            Err(StoreError::UnknownUrl)
        }
    }

    async fn sqlite(url: &str, connections: u32) -> Result<Self, DbErr> {
        sqlite_file::restrict_file_access(url)?;
        let options = |url: &str, size: u32, read_only: bool| {
            let mut options = ConnectOptions::new(url);
            options.max_connections(size).min_connections(1).sqlx_logging(false);
            options.map_sqlx_sqlite_opts(move |sqlite| {
                sqlite
                    .pragma("journal_mode", "WAL")
                    .pragma("synchronous", "FULL")
                    .foreign_keys(true)
                    .busy_timeout(Duration::from_secs(10))
                    .read_only(read_only)
            });
            options
        };
        let write = Database::connect(options(url, 1, false)).await?;
        let read =
            Database::connect(options(&url.replace("mode=rwc", "mode=ro"), connections.max(2), true)).await?;
        Ok(Self {
            backend: DatabaseBackend::Sqlite,
            connections: 1,
            reading_connections: connections.max(2),
            engine: write.clone(),
            by_key: write.clone(),
            write,
            read,
            beginnings: TransactionStarter::new(connections),
            statements: None,
        })
    }

    async fn postgres(logins: &Logins, connections: u32) -> Result<Self, StoreError> {
        let pool = |url: &str, size: u32, settings: &'static [(&str, &str)]| {
            let mut options = ConnectOptions::new(url);
            options.max_connections(size).min_connections(1).sqlx_logging(false);
            options.acquire_timeout(ACQUIRE_TIMEOUT).test_before_acquire_if_idle_for(IDLE);
            options.map_sqlx_postgres_opts(move |postgres| postgres.options(settings.iter().copied()));
            Database::connect(options)
        };
        let app = pool(&logins.app, connections, &[]).await?;
        held(&app, APP_ROLE).await?;
        let engine = pool(&logins.engine, connections.div_ceil(4).max(2), &[]).await?;
        held(&engine, ENGINE_ROLE).await?;
        let by_key = pool(&logins.engine, connections.div_ceil(2).max(2), &BY_KEY).await?;
        Ok(Self {
            backend: DatabaseBackend::Postgres,
            connections,
            reading_connections: connections,
            write: app.clone(),
            read: app,
            beginnings: TransactionStarter::new(connections),
            statements: None,
            engine,
            by_key,
        })
    }

    /// The condition that the column contains one of these ids. On PostgreSQL the ids are one parameter, so that the
    /// statement is planned only once, for any number of ids.
    pub fn id_in<I>(&self, column: impl ColumnTrait, ids: &[I]) -> Expr
    where
        I: Copy + Into<Value> + ValueType + NotU8,
    {
        use sea_orm::sea_query::ExprTrait;
        match self.backend {
            DatabaseBackend::Postgres => column.into_expr().eq(PgFunc::any(ids.to_vec())),
            _ => column.is_in(ids.iter().copied()),
        }
    }

    /// Opens a connection as the database owner, for migrations and the operator's own maintenance.
    pub async fn connect_as_owner(url: &str) -> Result<DatabaseConnection, DbErr> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        if url.starts_with("sqlite:") {
            sqlite_file::restrict_file_access(url)?;
            options.map_sqlx_sqlite_opts(|sqlite| sqlite.pragma("journal_mode", "WAL").foreign_keys(true));
        }
        Database::connect(options).await
    }

    /// Counts every statement from now on, except those that begin or end a transaction. Used to measure the cost of
    /// requests.
    #[must_use]
    pub fn count_statements(mut self, statements: &Arc<AtomicU64>) -> Self {
        for connection in [&mut self.write, &mut self.read, &mut self.engine, &mut self.by_key] {
            let statements = Arc::clone(statements);
            connection.set_metric_callback(move |_| {
                statements.fetch_add(1, Ordering::Relaxed);
            });
        }
        self.statements = Some(Arc::clone(statements));
        self
    }

    /// The kind of database: PostgreSQL or SQLite.
    pub fn backend(&self) -> DatabaseBackend {
        self.backend
    }

    /// Maximum number of concurrent writing transactions on this node.
    pub fn max_connections(&self) -> u32 {
        self.connections
    }

    /// Maximum number of concurrent reading transactions on this node.
    pub fn reading_connections(&self) -> u32 {
        self.reading_connections
    }

    /// Begins a writing transaction that may access the rows of one tenant.
    pub async fn write(&self, tenant: Id<ids::Tenant>) -> Result<DatabaseTransaction, DbErr> {
        self.begin_write(CONFINE, &[tenant]).await
    }

    /// Begins a writing transaction that may access the rows of the given tenants; for the committer.
    pub async fn write_many(&self, tenants: &[Id<ids::Tenant>]) -> Result<DatabaseTransaction, DbErr> {
        self.begin_write(&CONFINE_BY_KEY, tenants).await
    }

    /// Begins a writing transaction that may access the rows of two tenants.
    pub async fn write_both(&self, tenants: [Id<ids::Tenant>; 2]) -> Result<DatabaseTransaction, DbErr> {
        self.begin_write(CONFINE, &tenants).await
    }

    async fn begin_write(
        &self,
        confine: &str,
        tenants: &[Id<ids::Tenant>],
    ) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let write = self.write.clone();
        let txn = self
            .beginnings
            .begin_uninterrupted(async move { write.begin_with_options(options).await })
            .await?;
        self.confine(&txn, confine, tenants).await?;
        Ok(txn)
    }

    /// Begins a writing transaction that may access rows without a tenant, and the tables used to look up a tenant.
    pub async fn write_installation(&self) -> Result<DatabaseTransaction, DbErr> {
        self.begin_write(CONFINE, &[]).await
    }

    /// Begins a read-only transaction that sees the rows of one tenant.
    pub async fn read(&self, tenant: Id<ids::Tenant>) -> Result<ReadTransaction, DbErr> {
        match self.backend {
            DatabaseBackend::Postgres => {
                let pool = self.read.get_postgres_connection_pool().clone();
                let statements = self.statements.clone();
                self.beginnings
                    .begin_uninterrupted(ReadTransaction::begin_on_postgres(pool, tenant, statements))
                    .await
            }
            _ => Ok(ReadTransaction::from_sqlite(self.read.begin().await?)),
        }
    }

    /// A connection that sees rows without a tenant, and the tables used to look up a tenant.
    pub fn installation_connection(&self) -> &DatabaseConnection {
        &self.read
    }

    /// A connection that sees only the engine's own tables, but the rows of all tenants.
    pub fn engine_connection(&self) -> &DatabaseConnection {
        &self.engine
    }

    /// Like [`Self::engine_connection`], for set-based statements by key: the planner uses the indexes of the keys
    /// and plans each statement once.
    pub fn engine_key_connection(&self) -> &DatabaseConnection {
        &self.by_key
    }

    async fn confine(
        &self,
        txn: &DatabaseTransaction,
        confine: &str,
        tenants: &[Id<ids::Tenant>],
    ) -> Result<(), DbErr> {
        if self.backend == DatabaseBackend::Postgres {
            let list = tenants.iter().map(|tenant| tenant.uuid().to_string()).collect::<Vec<_>>().join(",");
            txn.execute_raw(Statement::from_sql_and_values(self.backend, confine, [list.into()])).await?;
        }
        Ok(())
    }
}

/// Fails if row-level security does not apply to the connection's role.
async fn held(connection: &DatabaseConnection, wanted: &'static str) -> Result<(), StoreError> {
    let role = LoginRole::of_connection(connection).await?;
    let faults = role.find_faults(wanted);
    if faults.is_empty() {
        return Ok(());
    }
    Err(StoreError::RoleUnsafe { role: role.name, wanted, faults: faults.join(", ") })
}
