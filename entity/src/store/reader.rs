//! A read-only transaction, shared by all reads of one request.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use domain::{Id, ids};
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
    sea_query::Values,
    sqlx::{self, AssertSqlSafe, PgPool, Postgres},
};
use sea_query_sqlx::SqlxValues;
use tokio::sync::Mutex;

/// A read-only transaction that sees the rows of one tenant. Clones share it: their statements are executed one after
/// the other on its single connection. It ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct ReadTransaction(Arc<Reading>);

#[derive(Debug)]
enum Reading {
    Sqlite(DatabaseTransaction),
    Postgres { transaction: Mutex<sqlx::Transaction<'static, Postgres>>, statements: Option<Arc<AtomicU64>> },
}

impl ReadTransaction {
    pub(super) fn from_sqlite(transaction: DatabaseTransaction) -> Self {
        Self(Arc::new(Reading::Sqlite(transaction)))
    }

    /// Begins the transaction and sets its tenant in a single round trip, which sea-orm does not support.
    pub(super) async fn begin_on_postgres(
        pool: PgPool,
        tenant: Id<ids::Tenant>,
        statements: Option<Arc<AtomicU64>>,
    ) -> Result<Self, DbErr> {
        // A UUID is written without any character that SQL could take for the end of the text.
        let begin = format!("BEGIN READ ONLY; SELECT set_config('app.tenants', '{}', true)", tenant.uuid());
        let transaction = pool.begin_with(AssertSqlSafe(begin)).await.map_err(failed)?;
        Ok(Self(Arc::new(Reading::Postgres { transaction: Mutex::new(transaction), statements })))
    }
}

fn failed(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::ConnectionClosed),
        error => DbErr::Query(RuntimeErr::SqlxError(error.into())),
    }
}

/// Builds the sqlx query for a statement with its values.
macro_rules! query {
    ($statement:expr) => {{
        let Statement { sql, values, .. } = $statement;
        let values = SqlxValues(values.unwrap_or(Values(Vec::new())));
        sqlx::query_with(AssertSqlSafe(sql), values)
    }};
}

/// Executes a statement on the connection of either database.
macro_rules! run {
    ($self:ident, $sqlite:ident => $on_sqlite:expr, $postgres:ident => $on_postgres:expr) => {
        match &*$self.0 {
            Reading::Sqlite($sqlite) => $on_sqlite,
            Reading::Postgres { transaction, statements } => {
                if let Some(statements) = statements {
                    statements.fetch_add(1, Ordering::Relaxed);
                }
                let mut transaction = transaction.lock().await;
                let $postgres = &mut **transaction;
                $on_postgres.map_err(failed)
            }
        }
    };
}

#[async_trait]
impl ConnectionTrait for ReadTransaction {
    fn get_database_backend(&self) -> DatabaseBackend {
        match &*self.0 {
            Reading::Sqlite(_) => DatabaseBackend::Sqlite,
            Reading::Postgres { .. } => DatabaseBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        run!(self, sqlite => sqlite.execute_raw(statement).await,
            postgres => query!(statement).execute(postgres).await.map(Into::into))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        run!(self, sqlite => sqlite.execute_unprepared(sql).await,
            postgres => sqlx::raw_sql(AssertSqlSafe(sql)).execute(postgres).await.map(Into::into))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        run!(self, sqlite => sqlite.query_one_raw(statement).await,
            postgres => query!(statement).fetch_optional(postgres).await.map(|row| row.map(Into::into)))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        run!(self, sqlite => sqlite.query_all_raw(statement).await,
            postgres => query!(statement).fetch_all(postgres).await.map(|rows| rows.into_iter().map(Into::into).collect()))
    }
}
