//! Claims jobs, reads their runs, renews leases and releases claims.

use std::{collections::HashMap, time::Duration};

use domain::{Id, Timestamp, ids, state::Lane};
use entity::DatabaseError;
use sea_orm::{ConnectionTrait, QueryFilter, QueryOrder, QueryResult, Statement};
use serde_json::Value as Json;

use crate::{Run, Storage, lane, postgres, sqlite};

/// A claimed job: the node may work on it until its lease expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobClaim {
    /// The id of the run to execute.
    pub run: Id<ids::Run>,
    /// The tenant that owns the run.
    pub tenant: Id<ids::Tenant>,
    /// The priority of the run relative to other runs.
    pub lane: Lane,
    /// The fencing token: commits with a different epoch are rejected.
    pub epoch: i64,
    /// Number of failed attempts at the current state so far.
    pub attempt: i32,
    /// Number of workers that have crashed with the claim since the last commit.
    pub crashes: i32,
    /// Number of signals received before the claim.
    pub wakes: i64,
    /// When the job was claimed, by the clock that determines which jobs are due: in production the database's.
    pub at: Timestamp,
}

/// A signal that a run has not consumed yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The primary key, by which the commit deletes a consumed signal.
    pub id: Id<ids::Row>,
    /// The name of the signal, by which a step waits for it.
    pub name: String,
    /// The data sent with the signal.
    pub payload: Json,
}

/// Maximum interval between two crashes of the same run that are counted together.
pub(crate) const CRASH_WINDOW: Duration = Duration::from_hours(72);

impl Storage {
    /// Claims those of the given runs that are due and unclaimed, for `node` and for the duration of `lease`.
    pub async fn claim(
        &self,
        node: &str,
        runs: &[Id<ids::Run>],
        lease: Duration,
    ) -> Result<Vec<JobClaim>, DatabaseError> {
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        let statement = match self.is_postgres() {
            true => postgres::claim(&*self.clock, node, runs, lease),
            false => sqlite::claim(&*self.clock, node, runs, lease),
        };
        let rows = self.store.engine_key_connection().query_all_raw(statement).await?;
        rows.iter().map(claimed).collect()
    }

    /// Reads runs with their pending signals, oldest first. Call this function after claiming the runs. It fails rather
    /// than return an incomplete list, because a step that missed a signal would continue to wait for it.
    pub async fn read_runs(
        &self,
        runs: &[Id<ids::Run>],
    ) -> Result<HashMap<Id<ids::Run>, (Run, Vec<Signal>)>, DatabaseError> {
        use entity::{run, signal};
        let store = &self.store;
        let rows = run::all_tenants().filter(store.id_in(run::Column::Id, runs));
        let signals = signal::all_tenants().filter(store.id_in(signal::Column::RunId, runs));
        let signals = signals.order_by_asc(signal::Column::Id);
        let (rows, signals) =
            tokio::join!(rows.all(store.engine_key_connection()), signals.all(store.engine_key_connection()));
        let mut found: HashMap<_, _> = rows?.into_iter().map(|row| (row.id, (row, Vec::new()))).collect();
        for signal in signals? {
            if let Some((_, signals)) = found.get_mut(&signal.run_id) {
                signals.push(Signal { id: signal.id, name: signal.name, payload: signal.payload });
            }
        }
        Ok(found)
    }

    /// Extends the leases of the given claims (run and epoch); returns the runs whose claims this node still has.
    pub async fn renew(
        &self,
        claims: &[(Id<ids::Run>, i64)],
        lease: Duration,
    ) -> Result<Vec<Id<ids::Run>>, DatabaseError> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let statement = match self.is_postgres() {
            true => postgres::renew(&*self.clock, claims, lease),
            false => sqlite::renew(&*self.clock, claims, lease),
        };
        let rows = self.store.engine_key_connection().query_all_raw(statement).await?;
        rows.iter().map(|row| Ok(row.try_get("", "run_id")?)).collect()
    }

    /// Releases a claim without executing the run, because this node does not support its workflow. The sweep offers
    /// the job again after its usual interval, so that this node does not claim it again immediately.
    pub async fn release(&self, claimed: &JobClaim) -> Result<(), DatabaseError> {
        let sql = "UPDATE job SET lease_until = NULL, leased_by = NULL WHERE run_id = $1 AND epoch = $2";
        let values = [claimed.run.into(), claimed.epoch.into()];
        let statement = Statement::from_sql_and_values(self.store.backend(), sql, values);
        self.store.engine_key_connection().execute_raw(statement).await?;
        Ok(())
    }

    /// Ends the leases that a stopping node still has because their steps took too long or could not be committed, and
    /// makes their jobs available again. As the outcome is unknown, each ended lease counts as a crash, like an expired
    /// one.
    pub async fn end_node_leases(&self, node: &str) -> Result<(), DatabaseError> {
        let statement = match self.is_postgres() {
            true => postgres::end_node_leases(&*self.clock, node),
            false => sqlite::end_node_leases(&*self.clock, node),
        };
        self.store.engine_connection().execute_raw(statement).await?;
        Ok(())
    }

    /// Ends every lease and removes every hint; called when the only process of an SQLite database starts. The
    /// processes with the leases no longer exist, so the next worker need not wait; each ended lease counts as a crash,
    /// like an expired one.
    pub async fn end_all_leases(&self) -> Result<(), DatabaseError> {
        let sql = "UPDATE job SET lease_until = CASE WHEN lease_until > $1 THEN $1 ELSE lease_until END,
            offered_at = NULL WHERE offered_at IS NOT NULL OR lease_until > $1";
        let statement = Statement::from_sql_and_values(self.store.backend(), sql, [self.clock.now().into()]);
        self.store.engine_connection().execute_raw(statement).await?;
        Ok(())
    }
}

fn claimed(row: &QueryResult) -> Result<JobClaim, DatabaseError> {
    Ok(JobClaim {
        run: row.try_get("", "run_id")?,
        tenant: row.try_get("", "tenant_id")?,
        lane: lane(row)?,
        epoch: row.try_get("", "epoch")?,
        attempt: row.try_get("", "attempt")?,
        crashes: row.try_get("", "crashes")?,
        wakes: row.try_get("", "wakes")?,
        at: row.try_get("", "at")?,
    })
}
