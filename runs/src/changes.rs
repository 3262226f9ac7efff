//! The interface through which steps write data other than the row of their run.

use std::{error::Error, fmt::Debug};

use async_trait::async_trait;
use domain::JobHint;
use entity::{DatabaseError, event_log};
use sea_orm::DatabaseTransaction;

use crate::Transition;

/// Writes the changes that steps return, in the same transaction as the transition of their run.
///
/// This crate does not interpret changes. `services` implements the trait for its own changes.
#[async_trait]
pub trait ChangeWriter: Debug + Send + Sync + 'static {
    /// One write requested by a step.
    type Change: Debug + Clone + Send + Sync + 'static;
    /// Data collected from the writes of one transaction: stored at its end and published after the commit.
    type AfterCommit: Debug + Default + Send + Sync + 'static;

    /// Writes the changes of one step and any side effects of its transition. Not called for a step without changes
    /// whose run continues, waits or ends normally (see [`Transition::has_no_side_effects`]).
    async fn write(
        &self,
        txn: &DatabaseTransaction,
        transition: &Transition,
        changes: &[Self::Change],
        after: &mut Self::AfterCommit,
    ) -> Result<(), WriteError>;

    /// Stores the data collected from all steps of the transaction; called immediately before the commit.
    async fn store(&self, txn: &DatabaseTransaction, after: &mut Self::AfterCommit)
    -> Result<(), WriteError>;

    /// Publishes the notifications of one or more commits. If notifications are lost, work is only delayed: the sweep
    /// finds the jobs, and subscribers read the current state again.
    async fn publish(&self, after: Vec<Self::AfterCommit>, runs: CommittedRuns);
}

/// Notifications about changed runs, sent after a commit.
#[derive(Debug, Default)]
pub struct CommittedRuns {
    /// Hints for runs that are due immediately.
    pub hints: Vec<JobHint>,
    /// The stored change events, one for each step, except steps of background runs.
    pub events: Vec<event_log::Model>,
}

/// Why results could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] DatabaseError),
    /// The writer rejected a change; retrying would not help.
    #[error(transparent)]
    Change(Box<dyn Error + Send + Sync>),
}

impl From<sea_orm::DbErr> for WriteError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Database(error.into())
    }
}

impl WriteError {
    /// Whether repeating the transaction may succeed: it conflicted with another one, or its connection broke (in which
    /// case it may have been committed).
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Database(error) if error.is_contention() || error.is_connection_lost())
    }
}
