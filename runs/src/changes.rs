//! The interface to what steps write beside their run.

use std::{error::Error, fmt::Debug};

use async_trait::async_trait;
use domain::Hint;
use entity::{DatabaseError, event_log};
use sea_orm::DatabaseTransaction;

use crate::Transition;

/// Writes the changes that steps return, in the transaction that also stores the transition of their run.
///
/// This crate knows nothing about changes but that they can be written. `services` implements the trait for its own
/// changes.
#[async_trait]
pub trait ChangeWriter: Debug + Send + Sync + 'static {
    /// One write that a step asks for, as a value.
    type Change: Debug + Clone + Send + Sync + 'static;
    /// What the writes of one transaction leave to be stored at its end, and to be published after it.
    type AfterCommit: Debug + Default + Send + Sync + 'static;

    /// Writes what follows from one committed step: its changes, and what the transition itself calls for. Not called
    /// for a step without changes whose run goes on, waits or ends as usual (see [`Transition::is_routine`]).
    async fn write(
        &self,
        txn: &DatabaseTransaction,
        transition: &Transition,
        changes: &[Self::Change],
        after: &mut Self::AfterCommit,
    ) -> Result<(), WriteError>;

    /// Stores what the writes of all steps of the transaction have left; called last before the commit.
    async fn store(&self, txn: &DatabaseTransaction, after: &mut Self::AfterCommit)
    -> Result<(), WriteError>;

    /// Publishes one or several commits. Losing this costs time and never work: the sweep finds the jobs, and
    /// subscribers read again.
    async fn publish(&self, after: Vec<Self::AfterCommit>, runs: CommittedRuns);
}

/// What commits did to runs, for those who have to hear of it.
#[derive(Debug, Default)]
pub struct CommittedRuns {
    /// Runs that are due at once.
    pub hints: Vec<Hint>,
    /// The stored events, one for each step of a run that is not in the background.
    pub events: Vec<event_log::Model>,
}

/// Why results could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] DatabaseError),
    /// The writer refused a change, which it would refuse again.
    #[error(transparent)]
    Change(Box<dyn Error + Send + Sync>),
}

impl From<sea_orm::DbErr> for WriteError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Database(error.into())
    }
}

impl WriteError {
    /// Whether the same transaction may succeed if it is repeated: it conflicted with another one, or its connection
    /// broke, so that it is not known whether it was committed.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Database(error) if error.is_contention() || error.is_connection_lost())
    }
}
