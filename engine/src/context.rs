//! The interface between the engine and the crate that defines workflows.

use std::fmt::Debug;

use domain::{Id, ids};
use runs::ChangeWriter;

/// The type of one change that the steps of a context return.
pub type Change<C> = <<C as Context>::Writer as ChangeWriter>::Change;

/// The context passed to every step: gives access to services, but cannot commit.
pub trait Context: Debug + Send + Sync + 'static {
    /// Writes the changes that steps return.
    type Writer: ChangeWriter;

    /// The writer of changes, used by the committers.
    fn writer(&self) -> &Self::Writer;

    /// Executes a step of a run. Contexts may override this to attach the run's id to logs and audit entries.
    fn execute<F: Future + Send>(
        &self,
        _run: Id<ids::Run>,
        step: F,
    ) -> impl Future<Output = F::Output> + Send {
        step
    }
}
