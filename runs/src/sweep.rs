//! Finds due jobs for which no hint arrived: after a timer, a lost hint, a flushed Redis, or a crashed worker.
//!
//! `offered_at` is the time of a job's last hint. A job scheduled for later has none, so that it is found as soon as it
//! is due. For a job that is due now, the hint is published when the job is written; the job is offered again only if
//! it has not been claimed after some time.

use std::time::Duration;

use domain::{JobHint, Timestamp};
use entity::DatabaseError;
use sea_orm::ConnectionTrait;

use crate::{Storage, hint, postgres, sqlite};

impl Storage {
    /// Returns up to `max` due jobs whose hint has not been published yet and, if `again` is specified, those whose
    /// hint was published at least that long ago; oldest first, with tenants taking turns. The returned jobs are marked
    /// as offered.
    pub async fn sweep(&self, again: Option<Duration>, max: u32) -> Result<Vec<JobHint>, DatabaseError> {
        let statement = match self.is_postgres() {
            true => postgres::sweep(&*self.clock, again, max),
            false => sqlite::sweep(&*self.clock, again, max),
        };
        let rows = self.store.engine_connection().query_all_raw(statement).await?;
        rows.iter().map(hint).collect()
    }

    /// Time until the next timer is due, at most `max_wait`; zero if a timer is overdue. The sweeper sleeps for
    /// this long.
    pub async fn next_due(&self, max_wait: Duration) -> Result<Duration, DatabaseError> {
        let statement = match self.is_postgres() {
            true => postgres::next_due(&*self.clock),
            false => sqlite::next_due(&*self.clock),
        };
        let Some(row) = self.store.engine_connection().query_one_raw(statement).await? else {
            return Ok(max_wait);
        };
        let (due, at): (Timestamp, Timestamp) = (row.try_get("", "due_at")?, row.try_get("", "at")?);
        Ok((due - at).to_std().unwrap_or(Duration::ZERO).min(max_wait))
    }
}
