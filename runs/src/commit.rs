//! Commits the results of steps in batches.
//!
//! A run whose epoch or revision has changed since its step began is skipped: its worker had lost the claim, and
//! nothing of its result is written. On PostgreSQL one statement updates all runs of a batch; if no step wrote anything
//! else, that statement is the whole transaction. The engine decides which results form a batch, and what to do if a
//! batch fails.

use std::{collections::HashMap, time::Duration};

use domain::{Id, JobHint, Topic, ids};
use entity::{DatabaseError, event_log};
use sea_orm::{ConnectionTrait, QueryResult};

use crate::{
    ChangeWriter, CommittedRuns, StepResult, Storage, Transition, WriteError, postgres, sqlite,
    transition::Key,
};

/// The outcome of committing the result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// The result was written and the claim is kept: the worker continues with the run.
    Kept,
    /// The result was written and the claim was released.
    Written,
    /// Nothing was written, because the worker had lost the claim.
    TooLate,
}

/// Summary of one committed transaction.
#[derive(Debug)]
pub struct BatchOutcome<After> {
    /// Whether each step result was committed, in the order of the batch.
    pub fates: Vec<CommitOutcome>,
    /// Notifications about the runs.
    pub runs: CommittedRuns,
    /// Notifications about the changes.
    pub after: After,
}

/// A transition to be written, with the ids of the rows that it inserts.
pub(crate) struct NewTransition<'a> {
    pub(crate) transition: &'a Transition,
    pub(crate) line: Id<ids::Row>,
    /// `None` if subscribers are not notified.
    pub(crate) event: Option<&'a event_log::Model>,
}

/// The job of a run after a commit; a run that has ended has no job.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Job {
    /// Whether the worker still has the claim.
    kept: bool,
    /// Whether the job is due immediately and its hint counts as published.
    hint_due: bool,
}

/// The jobs after a commit, by run and by the epoch and revision before it.
pub(crate) type JobsAfterCommit = HashMap<Key, Job>;

pub(crate) fn parse_job(row: &QueryResult) -> Result<Job, DatabaseError> {
    let (kept, hint_due): (bool, bool) = (row.try_get("", "kept")?, row.try_get("", "hint_due")?);
    Ok(Job { kept, hint_due: hint_due && !kept })
}

impl Storage {
    /// Writes a batch of step results in one transaction on behalf of `node`; kept claims are extended by `lease` from
    /// now. No two results of a batch may have the same [key](StepResult::key), and batches that are written
    /// concurrently must be sorted by run.
    pub async fn commit<W: ChangeWriter>(
        &self,
        writer: &W,
        (node, lease): (&str, Duration),
        batch: &[StepResult<W::Change>],
    ) -> Result<BatchOutcome<W::AfterCommit>, WriteError> {
        let now = self.clock.now();
        let event = |result: &StepResult<W::Change>| {
            let transition = &result.transition;
            let event =
                || event_log::new(&self.ids, transition.tenant, Topic::Run, transition.run.any(), now);
            transition.notifies_subscribers().then(event)
        };
        let events: Vec<Option<event_log::Model>> = batch.iter().map(event).collect();
        let rows: Vec<NewTransition<'_>> = batch
            .iter()
            .zip(&events)
            .map(|(result, event)| self.row(&result.transition, event.as_ref()))
            .collect();
        let batch = Batch { storage: self, node, lease, results: batch, rows, events: &events };
        match self.is_postgres() && batch.results.iter().all(StepResult::has_no_changes) {
            true => {
                let moved = batch.move_together(self.store.engine_key_connection()).await?;
                Ok(batch.committed(&moved, W::AfterCommit::default()))
            }
            false => batch.write(writer).await,
        }
    }

    fn row<'a>(&self, transition: &'a Transition, event: Option<&'a event_log::Model>) -> NewTransition<'a> {
        NewTransition { transition, line: self.ids.make(), event }
    }
}

/// A batch of step results with values derived from them.
struct Batch<'a, Change> {
    storage: &'a Storage,
    node: &'a str,
    lease: Duration,
    results: &'a [StepResult<Change>],
    rows: Vec<NewTransition<'a>>,
    events: &'a [Option<event_log::Model>],
}

impl<Change> Batch<'_, Change> {
    /// Writes the batch in a transaction that may access the rows of its tenants.
    async fn write<W>(self, writer: &W) -> Result<BatchOutcome<W::AfterCommit>, WriteError>
    where
        W: ChangeWriter<Change = Change>,
    {
        let mut tenants: Vec<_> = self.results.iter().map(|result| result.transition.tenant).collect();
        tenants.sort_unstable();
        tenants.dedup();
        let storage = self.storage;
        let txn = storage.store.write_many(&tenants).await?;
        let moved = match storage.is_postgres() {
            true => self.move_together(&txn).await?,
            false => {
                let owner = (self.node, self.lease);
                sqlite::commit(&txn, &*storage.clock, owner, &self.rows).await?
            }
        };
        let mut after = W::AfterCommit::default();
        for result in self.results {
            if moved.contains_key(&result.key()) && !result.has_no_changes() {
                writer.write(&txn, &result.transition, &result.changes, &mut after).await?;
            }
        }
        writer.store(&txn, &mut after).await?;
        txn.commit().await?;
        Ok(self.committed(&moved, after))
    }

    /// Updates all runs with one statement; PostgreSQL only.
    async fn move_together(
        &self,
        connection: &impl ConnectionTrait,
    ) -> Result<JobsAfterCommit, DatabaseError> {
        let clock = &*self.storage.clock;
        let event = (Topic::Run.as_str(), clock.now());
        let statement = postgres::commit(clock, (self.node, self.lease), &self.rows, event);
        let rows = connection.query_all_raw(statement).await?;
        let read = |row: &QueryResult| {
            Ok((
                (row.try_get("", "id")?, row.try_get("", "epoch")?, row.try_get("", "revision")?),
                parse_job(row)?,
            ))
        };
        rows.iter().map(read).collect()
    }

    fn committed<After>(self, moved: &JobsAfterCommit, after: After) -> BatchOutcome<After> {
        let (mut fates, mut runs) = (Vec::with_capacity(self.results.len()), CommittedRuns::default());
        for (result, event) in self.results.iter().zip(self.events) {
            let transition = &result.transition;
            // The batch may contain a zombie's result for the same run.
            let Some(job) = moved.get(&transition.key()) else {
                fates.push(CommitOutcome::TooLate);
                continue;
            };
            fates.push(if job.kept { CommitOutcome::Kept } else { CommitOutcome::Written });
            runs.events.extend(event.clone());
            if job.hint_due {
                let Transition { run, tenant, lane, .. } = *transition;
                runs.hints.push(JobHint { run, tenant, lane });
            }
        }
        BatchOutcome { fates, runs, after }
    }
}
