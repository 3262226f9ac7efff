//! Enqueues runs, always in the transaction that causes them.

use domain::{AnyId, Id, JobHint, Timestamp, ids, state::Lane};
use entity::DatabaseError;
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde_json::Value as Json;

use crate::{is_postgres, postgres, sqlite};

/// Maximum number of runs inserted by one statement: SQLite limits the number of parameters to a few thousand.
const AT_ONCE: usize = 200;

/// A run to enqueue. The first worker that claims it sets its version and state.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// A new UUIDv7, which becomes the primary key.
    pub id: Id<ids::Run>,
    /// The tenant that owns the run.
    pub tenant: Id<ids::Tenant>,
    /// The name of the workflow to execute.
    pub workflow: &'static str,
    /// Identifies the run's task: there is at most one unfinished run per tenant, workflow and key.
    pub business_key: String,
    /// The id of the integration, connection, campaign or booking that the run is about.
    pub subject: AnyId,
    /// The actor recorded as the run's initiator: the id of a user, key or link.
    pub asked_by: String,
    /// The priority of the run's work.
    pub lane: Lane,
    /// The workflow's input, which becomes the run's initial memory.
    pub memory: Json,
}

/// Inserts runs with their jobs, which are due immediately; the caller publishes the hints after its commit. A run is
/// skipped if an unfinished run with the same key exists. Returns one hint per inserted run.
pub async fn enqueue(
    txn: &DatabaseTransaction,
    runs: &[NewRun],
    at: Timestamp,
) -> Result<Vec<JobHint>, DatabaseError> {
    let mut hints = Vec::new();
    for runs in runs.chunks(AT_ONCE) {
        let inserted = match is_postgres(txn.get_database_backend()) {
            true => postgres::enqueue(txn, runs, at).await?,
            false => sqlite::enqueue(txn, runs, at).await?,
        };
        let hint = |run: &NewRun| JobHint { run: run.id, tenant: run.tenant, lane: run.lane };
        hints.extend(runs.iter().filter(|run| inserted.contains(&run.id)).map(hint));
    }
    Ok(hints)
}
