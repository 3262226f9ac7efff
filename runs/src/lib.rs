//! Durable jobs: rows that say which run has work, since when, and which worker executes it.
//!
//! A live run has exactly one job, which is rescheduled in place: a wait sets its due time, a signal makes it due
//! now. A worker claims a job with a lease (for liveness) and an epoch (for safety): every claim increments the
//! epoch, and a commit is accepted only with the epoch of its claim, so a worker that lost its lease cannot commit.
//! `wakes` counts signals; a commit that has not seen the last one leaves the job due at once, so that no signal is
//! missed.

mod claim;
mod enqueue;
mod sweep;

use domain::{Clock, Id, Timestamp, ids, state::Lane};
use entity::{DatabaseError, Stored};
use sea_orm::{DatabaseBackend, QueryResult, Value};

pub use claim::{Claimed, claim, end_all_leases, release, release_node, renew};
pub use domain::Hint;
pub use enqueue::{NewRun, enqueue, request_cancel, requeue, signal};
pub use sweep::{next_due, sweep};

/// "Now" for a statement: the database's own clock in production on PostgreSQL (bound as NULL), the clock's
/// value otherwise.
fn now(clock: &dyn Clock, backend: DatabaseBackend) -> Value {
    let bound: Option<Timestamp> = match backend {
        DatabaseBackend::Postgres => clock.sql(),
        _ => Some(clock.now()),
    };
    bound.into()
}

/// The lane of a job; one that only a newer version knows counts as the least urgent.
fn lane(row: &QueryResult) -> Result<Lane, DatabaseError> {
    let lane: Stored<Lane> = row.try_get("", "lane")?;
    Ok(lane.known().unwrap_or(Lane::Background))
}

/// UUIDs as a SQLite statement takes them: a JSON array of their hyphenated text.
fn json_list(ids: &[Id<ids::Run>]) -> String {
    serde_json::Value::from(ids.iter().map(|id| id.uuid().to_string()).collect::<Vec<_>>()).to_string()
}
