//! The interface to whoever supplies workflows: what their steps work with.

use std::fmt::Debug;

use domain::{Id, ids};
use runs::ChangeWriter;

/// The type of one change that the steps of a context return.
pub type Change<C> = <<C as Context>::Writer as ChangeWriter>::Change;

/// What every step gets: reads and sessions, and no way to commit.
pub trait Context: Debug + Send + Sync + 'static {
    /// What writes the changes that steps return.
    type Writer: ChangeWriter;

    /// The writer of changes. The committers use it; steps have no need for it.
    fn writer(&self) -> &Self::Writer;

    /// Executes a step of a run. Contexts override this to name the run to what the step calls, such as its logs.
    fn execute<F: Future + Send>(
        &self,
        _run: Id<ids::Run>,
        step: F,
    ) -> impl Future<Output = F::Output> + Send {
        step
    }
}
