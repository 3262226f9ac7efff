//! The interface between the engine and the crate that defines workflows.

use std::fmt::Debug;

use domain::{Id, ids};
use runs::ChangeWriter;

/// The type of one change that the steps of a context return.
pub type Change<C> = <<C as Context>::Writer as ChangeWriter>::Change;

/// What a step works with. It cannot commit: what a step wants written is in its output.
///
/// The writer of changes and the committing context are given to [`Engine::new`](crate::Engine::new) beside it, so that
/// neither can be reached from a context.
pub trait Context: Debug + Send + Sync + 'static {
    /// Writes the changes that steps return.
    type Writer: ChangeWriter;

    /// What a step works with whose row in the table is marked `commits`.
    type Committing: Debug + Send + Sync + 'static;

    /// Executes a step of a run. Contexts may override this to attach the run's id to logs and audit entries.
    fn execute<F: Future + Send>(
        &self,
        _run: Id<ids::Run>,
        step: F,
    ) -> impl Future<Output = F::Output> + Send {
        step
    }
}

/// The contexts of a node's steps. [`workflow!`](crate::workflow) passes each function the one that its row allows.
#[derive(Debug)]
pub struct Contexts<C: Context> {
    plain: C,
    committing: C::Committing,
}

impl<C: Context> Contexts<C> {
    /// Combines the contexts of a node.
    pub fn new(plain: C, committing: C::Committing) -> Self {
        Self { plain, committing }
    }

    /// For steps that only return changes.
    pub fn plain(&self) -> &C {
        &self.plain
    }

    /// For steps whose row is marked `commits`.
    pub fn committing(&self) -> &C::Committing {
        &self.committing
    }
}
