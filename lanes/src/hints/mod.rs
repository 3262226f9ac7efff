//! Hints: notifications that runs have work, sent from the node that wrote a job to a node with a free worker.
//!
//! A hint ([`domain::JobHint`]) contains no work. The node that receives a hint claims the job in the database and then
//! acknowledges the hint, whatever the result of the claim. After a duplicate hint there is nothing to claim; a lost
//! hint is replaced by the sweep.

mod fair_queue;
mod in_process;
mod redis;
#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;

pub use self::{in_process::InProcess, redis::Redis};
use crate::Error;
pub use domain::JobHint;

/// A queue of hints.
///
/// Interactive hints come first; other lanes are passed over at most a few times in a row. Within a lane tenants take
/// turns: strictly in one process; over Redis only between the streams that contain the tenants' hints.
#[async_trait]
pub trait Hints: Send + Sync + std::fmt::Debug {
    /// Publishes hints that these runs have work. After an error, some hints may have been lost.
    async fn push(&self, hints: &[JobHint]) -> Result<(), Error>;

    /// Returns up to `max` hints as soon as there is one, or an empty list after `wait`.
    ///
    /// While Redis is unreachable it returns an empty list after a short wait, so that the caller checks the database.
    /// Dropping the future may lose hints: to end it, cancel the token passed to [`crate::connect`].
    async fn next(&self, max: usize, wait: Duration) -> Result<Vec<JobHint>, Error>;

    /// The approximate number of hints in the queue.
    async fn waiting(&self) -> Result<usize, Error>;

    /// Removes hints that [`Hints::next`] returned; call it directly after the attempt to claim their runs.
    async fn acknowledge(&self, hints: &[JobHint]) -> Result<(), Error>;
}
