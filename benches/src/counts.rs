//! Counters of the database: rows that prove that no run was lost or duplicated, and the cost of statements.

use entity::Store;
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, QueryResult, Statement};

use crate::{Result, Servers};

/// Numbers of rows in the engine's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowCounts {
    /// Rows in the table `run`, one per workflow execution.
    pub runs: i64,
    /// Rows of `run` with the status `DONE`.
    pub done: i64,
    /// Rows of `run_history`.
    pub lines: i64,
    /// Distinct steps in the history: a step committed twice counts once.
    pub different: i64,
    /// Rows of `job`; 0 once every run has ended.
    pub jobs: i64,
}

const ROWS: &str = "SELECT (SELECT count(*) FROM run) AS runs,
    (SELECT count(*) FROM run WHERE status = 'DONE') AS done,
    (SELECT count(*) FROM run_history) AS lines,
    (SELECT count(*) FROM (SELECT DISTINCT run_id, state, outcome FROM run_history) d) AS different,
    (SELECT count(*) FROM job) AS jobs";

/// Counts the engine's rows in a database.
pub async fn count_rows(servers: &Servers, database: &str) -> Result<RowCounts> {
    let row = one(servers, database, ROWS).await?;
    let number = |name| row.try_get::<i64>("", name);
    Ok(RowCounts {
        runs: number("runs")?,
        done: number("done")?,
        lines: number("lines")?,
        different: number("different")?,
        jobs: number("jobs")?,
    })
}

impl RowCounts {
    /// Fails unless exactly `runs` runs executed `steps` steps each and no job is left.
    pub fn check_counts(self, runs: u64, steps: i64) -> Result<()> {
        let runs = runs as i64;
        let wanted = Self { runs, done: runs, lines: runs * steps, different: runs * steps, jobs: 0 };
        if self == wanted { Ok(()) } else { Err(format!("lost or doubled: {self:?}, not {wanted:?}").into()) }
    }
}

/// The cost of the statements executed since the last [`reset_counters`].
#[derive(Debug, Clone)]
pub struct StatementCosts {
    /// Number of statements, not counting those that begin or end a transaction.
    pub statements: f64,
    /// Number of COMMITs: transactions of several statements that wrote.
    pub commits: f64,
    /// The most expensive statements: calls, total milliseconds of planning, total milliseconds of execution, number of
    /// variants, and the first 90 characters.
    pub dearest: Vec<(f64, f64, f64, i64, String)>,
}

// Statements that differ only in how many values they name are one kind.
const SPENT: &str = "SELECT sum(calls)::float8 AS calls, sum(total_plan_time)::float8 AS planned,
        sum(total_exec_time)::float8 AS took, count(*) AS texts,
        left(regexp_replace(query, '\\s+', ' ', 'g'), 90) AS query
    FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = $1
    GROUP BY 5 ORDER BY sum(total_exec_time) DESC";

/// Begins a measurement: the counters of all earlier statements are reset.
pub async fn reset_counters(servers: &Servers) -> Result<()> {
    servers.execute("postgres", "CREATE EXTENSION IF NOT EXISTS pg_stat_statements").await?;
    servers.execute("postgres", "SELECT pg_stat_statements_reset()").await
}

/// Reads the counters of a database.
pub async fn read_costs(servers: &Servers, database: &str) -> Result<StatementCosts> {
    let owner = Store::connect_as_owner(&servers.postgres).await?;
    let statement =
        Statement::from_sql_and_values(DatabaseBackend::Postgres, SPENT, [database.to_owned().into()]);
    let rows = owner.query_all_raw(statement).await?;
    owner.close().await?;
    let mut spent = StatementCosts { statements: 0.0, commits: 0.0, dearest: Vec::new() };
    for row in rows {
        let (calls, query): (f64, String) = (row.try_get("", "calls")?, row.try_get("", "query")?);
        match query.trim_start().split(' ').next().unwrap_or_default() {
            "BEGIN" | "ROLLBACK" | "START" | "DEALLOCATE" => {}
            "COMMIT" => spent.commits += calls,
            _ => spent.statements += calls,
        }
        let (planned, took) = (row.try_get("", "planned")?, row.try_get("", "took")?);
        spent.dearest.push((calls, planned, took, row.try_get("", "texts")?, query));
    }
    Ok(spent)
}

/// Runs a query that returns a single number.
pub async fn query_number(servers: &Servers, database: &str, sql: &str) -> Result<i64> {
    Ok(one(servers, database, sql).await?.try_get_by_index(0)?)
}

async fn one(servers: &Servers, database: &str, sql: &str) -> Result<QueryResult> {
    let owner: DatabaseConnection = Store::connect_as_owner(&servers.database(database)).await?;
    let row = owner.query_one_raw(Statement::from_string(DatabaseBackend::Postgres, sql)).await?;
    owner.close().await?;
    row.ok_or_else(|| "no row".into())
}

/// The processor time used by a process, in seconds; if `children` is true, that of its child processes instead.
pub fn processor_seconds(pid: u32, children: bool) -> Result<f64> {
    let mut ticks = 0;
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(each) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process may end while we look.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{each}/stat")) else { continue };
        // What follows the name in parentheses, which may hold spaces: state, parent, ... user, system.
        let Some((_, fields)) = stat.rsplit_once(") ") else { continue };
        let fields: Vec<&str> = fields.split(' ').collect();
        let number =
            |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
        let counts = if children { number(1) == u64::from(pid) } else { each == pid };
        if counts {
            ticks += number(11) + number(12);
        }
    }
    Ok(ticks as f64 / 100.0)
}
