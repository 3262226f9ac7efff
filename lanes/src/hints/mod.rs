//! Hints: notices that runs have work, sent from the node that wrote a job to a node with a free worker.
//!
//! A hint ([`domain::JobHint`]) carries no work. The node that receives one claims the job in the database and
//! acknowledges the hint directly afterwards, whatever the result of the claim. A duplicate hint finds nothing to
//! claim; a lost one is replaced by the sweep.

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
/// turns: strictly in one process; over Redis by the stream that a tenant's hints are in.
#[async_trait]
pub trait Hints: Send + Sync + std::fmt::Debug {
    /// Publishes hints that these runs have work. After an error, some hints may have been lost.
    async fn push(&self, hints: &[JobHint]) -> Result<(), Error>;

    /// Returns up to `max` hints as soon as there is one, or an empty list after `wait`.
    ///
    /// While Redis is unreachable it returns an empty list after a short wait, so that the caller checks the
    /// database. Dropping the future may lose hints: end it with the token given to [`crate::connect`].
    async fn next(&self, max: usize, wait: Duration) -> Result<Vec<JobHint>, Error>;

    /// The approximate number of waiting hints.
    async fn waiting(&self) -> Result<usize, Error>;

    /// Removes hints that [`Hints::next`] returned; call it directly after the claim was decided.
    async fn acknowledge(&self, hints: &[JobHint]) -> Result<(), Error>;
}
