//! Looks at the database as its owner: what the nodes hold, what is open, what came of it.

use std::time::{Duration, Instant};

use domain::{Id, Timestamp, ids};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use tokio::sync::Mutex;

/// How long the database may be away.
const PATIENCE: Duration = Duration::from_mins(1);

/// The database. It connects again where it has to.
pub struct Database {
    url: String,
    connection: Mutex<Option<DatabaseConnection>>,
}

/// A step that some node works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepInProgress {
    pub run: Id<ids::Run>,
    pub workflow: String,
    pub state: String,
    /// The booking's key at the provider.
    pub key: Option<String>,
    pub ordered: Timestamp,
}

impl Database {
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), connection: Mutex::default() }
    }

    /// The rows of a query; while the database is away it waits.
    pub async fn rows(&self, sql: &str) -> Vec<sea_orm::QueryResult> {
        let until = Instant::now() + PATIENCE;
        let mut connection = self.connection.lock().await;
        loop {
            if connection.is_none() {
                *connection = entity::Store::connect_as_owner(&self.url).await.ok();
            }
            let error = match &*connection {
                Some(open) => {
                    let statement = Statement::from_string(open.get_database_backend(), sql);
                    match open.query_all_raw(statement).await {
                        Ok(rows) => return rows,
                        Err(error) => error.to_string(),
                    }
                }
                None => "it is away".to_owned(),
            };
            assert!(Instant::now() < until, "the database does not answer {sql}: {error}");
            *connection = None;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// One number, called `n`.
    pub async fn count(&self, sql: &str) -> u64 {
        let rows = self.rows(sql).await;
        u64::try_from(rows[0].try_get::<i64>("", "n").unwrap()).unwrap()
    }

    /// How many jobs are left that are not waits for something named.
    pub async fn open_jobs(&self) -> u64 {
        self.count(
            "SELECT count(*) AS n FROM job j JOIN run r ON r.id = j.run_id
             WHERE NOT (r.status = 'WAITING' AND r.wait_signal IS NOT NULL AND j.due_at > now())",
        )
        .await
    }

    /// Everything that is left to be done, or waited for.
    pub async fn jobs(&self) -> u64 {
        self.count("SELECT count(*) AS n FROM job").await
    }

    /// What is left to be done, for a failure's message.
    pub async fn what_is_open(&self) -> Vec<String> {
        let sql = "SELECT concat_ws(' ', r.workflow, r.state, r.status, r.reason ->> 'code', 'due', j.due_at - now(),
                'leased by', j.leased_by, j.lease_until - now(), 'epoch', j.epoch, 'crashes', j.crashes,
                'offered', j.offered_at - now()) AS line
            FROM job j JOIN run r ON r.id = j.run_id ORDER BY j.due_at LIMIT 20";
        self.rows(sql).await.iter().map(|row| row.try_get("", "line").unwrap()).collect()
    }

    /// The steps that a node works on, or worked on when it died.
    pub async fn held_by(&self, mark: &str) -> Vec<StepInProgress> {
        self.held(&format!("j.leased_by LIKE '{mark}%'")).await
    }

    /// The steps that any node works on.
    pub async fn held(&self, by: &str) -> Vec<StepInProgress> {
        let sql = format!(
            "SELECT r.id, r.workflow, coalesce(r.state, '') AS state, r.created_at,
                 replace(b.id::text, '-', '') || '-' || b.generation AS key
             FROM job j JOIN run r ON r.id = j.run_id LEFT JOIN booking b ON b.id = r.subject
             WHERE j.lease_until > now() AND {by}"
        );
        let read = |row: &sea_orm::QueryResult| StepInProgress {
            run: row.try_get("", "id").unwrap(),
            workflow: row.try_get("", "workflow").unwrap(),
            state: row.try_get("", "state").unwrap(),
            key: row.try_get("", "key").unwrap(),
            ordered: row.try_get("", "created_at").unwrap(),
        };
        self.rows(&sql).await.iter().map(read).collect()
    }

    /// Lets the time pass after which the leases of a dead node end and what it had been told of is told again.
    pub async fn bury(&self, mark: &str) {
        let sql = format!(
            "UPDATE job SET offered_at = NULL,
                 lease_until = CASE WHEN leased_by LIKE '{mark}%' THEN least(lease_until, now()) ELSE lease_until END
             WHERE offered_at IS NOT NULL OR leased_by LIKE '{mark}%' RETURNING 1"
        );
        self.rows(&sql).await;
    }
}
