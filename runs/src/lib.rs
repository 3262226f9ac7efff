//! Storage of runs: the tables of runs, jobs, signals and run histories, and every statement that writes them.
//!
//! A run is one execution of a workflow. An unfinished run has exactly one job, which is rescheduled in place: a wait
//! sets its due time, a signal makes it due now. A worker claims a job with a lease (for liveness) and an epoch (for
//! safety): every claim increments the epoch, and a commit is accepted only with the epoch of its claim, so a worker
//! that lost its lease cannot commit. `wakes` counts signals; a commit that has not taken the last one into account
//! leaves the job due immediately, so that no signal is missed.
//!
//! There are two kinds of callers. Use cases [`enqueue`], [`signal`], [`request_cancel`] and [`revive`] runs in
//! transactions of their own, so that a run and its cause are written together. The engine works through [`Storage`]:
//! it claims, renews and releases jobs, sweeps for jobs without a hint, and commits the results of steps.
//!
//! Read the modules in this order: `transition` defines what is written, `claim` and `sweep` find work, `commit` writes
//! results. These modules are independent of the SQL dialect: `postgres` and `sqlite` contain the statements, under the
//! same names. Lists and pages of runs are read through the finders of `entity`, as parts of larger queries; no other
//! crate writes these tables (`only_one_crate_writes_runs_jobs_signals_and_histories`).

mod changes;
mod claim;
mod commit;
mod enqueue;
mod erase;
mod postgres;
mod revive;
mod signal;
mod sqlite;
mod sweep;
mod transition;
mod unnest;

use domain::{Ids, SharedClock, Timestamp, state::Lane};
use entity::{Store, Stored};
use sea_orm::{DatabaseBackend, QueryResult, Value};

pub use self::{
    changes::{ChangeWriter, CommittedRuns, WriteError},
    claim::{JobClaim, Signal},
    commit::{BatchOutcome, CommitOutcome},
    enqueue::{NewRun, enqueue},
    erase::{ERASED_TABLES, erase_tenant},
    postgres::commit_sql,
    revive::{ReviveOutcome, revive},
    signal::{request_cancel, signal, wake_runs_with_reason},
    transition::{HistoryEntry, StepResult, Transition},
};
pub use domain::JobHint;
pub use entity::{DatabaseError, run::Model as Run};

/// The engine's access to the stored runs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Storage {
    store: Store,
    clock: SharedClock,
    ids: Ids,
}

impl Storage {
    /// Creates access to the runs in `store`. `clock` determines which jobs are due; `ids` generates the ids of history
    /// rows and events.
    pub fn new(store: Store, clock: SharedClock, ids: Ids) -> Self {
        Self { store, clock, ids }
    }

    /// The clock that determines which jobs are due.
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// Source of ids and randomness.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Whether several tasks may commit results concurrently. False on SQLite, which has a single writer.
    pub fn supports_concurrent_writers(&self) -> bool {
        self.is_postgres()
    }

    /// Whether this process is the only one that uses the database.
    pub fn is_sole_process(&self) -> bool {
        !self.is_postgres()
    }

    fn is_postgres(&self) -> bool {
        is_postgres(self.store.backend())
    }
}

fn is_postgres(backend: DatabaseBackend) -> bool {
    backend == DatabaseBackend::Postgres
}

/// The lane of a job; a lane that only a newer version supports counts as the least urgent.
fn lane(row: &QueryResult) -> Result<Lane, DatabaseError> {
    let lane: Stored<Lane> = row.try_get("", "lane")?;
    Ok(lane.known().unwrap_or(Lane::Background))
}

/// The hint for a job.
fn hint(row: &QueryResult) -> Result<JobHint, DatabaseError> {
    Ok(JobHint { run: row.try_get("", "run_id")?, tenant: row.try_get("", "tenant_id")?, lane: lane(row)? })
}

/// Serialises a reason for storage; `None` when there is nothing to explain.
fn json(reason: Option<&domain::Reason>) -> Option<serde_json::Value> {
    reason.and_then(|reason| serde_json::to_value(reason).ok())
}

/// The value of an optional time.
fn value(time: Option<Timestamp>) -> Value {
    time.into()
}
