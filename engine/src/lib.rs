//! The durable workflow engine.
//!
//! A run is a row, a step's result is one commit, and the database is authoritative: the sweep finds all work again
//! that Redis, a worker or a whole node loses. The engine does not depend on what its workflows do: it is generic over
//! the [`Context`] of steps and over the changes that they return, which a [`runs::ChangeWriter`] writes.
//!
//! Read the modules in this order:
//!
//! 1. What a workflow is: `table` (states as rows; [`workflow!`] generates them), `step` (the input and result of a
//!    step), `context` (the services that steps use), `flow` (a workflow in untyped form).
//! 2. What follows from a step: `decide`, the engine's rules as pure functions.
//! 3. How a node works: `worker` (its tasks), `dispatch` (from a hint to a claimed run), `execute` (from a claimed run
//!    to its results), `committers` and `commit` (from results to transactions), `sweep` (due jobs without a hint).
//! 4. What these modules share: `resources`, `tenant_quota`, `crash_suspects`.
//!
//! The crate `runs` contains the stored rows and the statements that write them; the crate `lanes` implements the
//! communication between nodes.

mod commit;
mod committers;
mod context;
mod crash_suspects;
mod decide;
mod dispatch;
mod execute;
mod flow;
pub mod messages;
mod resources;
mod step;
mod sweep;
mod table;
mod tenant_quota;
mod worker;

use std::sync::Arc;

use domain::SharedClock;
use lanes::{Hints, Lanes};
use runs::Storage;

use self::tenant_quota::RunLimits;
pub use self::{
    context::{Change, Context, Contexts},
    decide::{ClaimedRun, MAX_CRASHES},
    flow::{StepInput, StepOutput, Workflow},
    step::{Next, Outcome, Step, StepError, UndoOutcome, nothing},
    table::{Retry, Row, Table},
    worker::RUN_LEASE,
};
/// Used by [`workflow!`]; re-exported so that crates with workflows need not depend on `async-trait`.
#[doc(hidden)]
pub use async_trait::async_trait;
pub use runs::{CommitOutcome, Run, Signal, StepResult, Transition};

/// The engine of a node: its workflows and their dependencies. Cheap to clone.
pub struct Engine<C: Context>(Arc<Inner<C>>);

/// Settings and dependencies of a node's engine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of this process in leases and run histories.
    pub node: String,
    /// Maximum number of bulk runs of one tenant that are executed concurrently by all nodes together; for background
    /// runs, the limit is an eighth of this number.
    pub tenant_runs_at_once: usize,
}

struct Inner<C: Context> {
    contexts: Contexts<C>,
    writer: C::Writer,
    storage: Storage,
    lanes: Lanes,
    settings: Settings,
    flows: Vec<Box<dyn Workflow<C>>>,
}

impl<C: Context> Clone for Engine<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Context> std::fmt::Debug for Engine<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl<C: Context> Engine<C> {
    /// Creates an engine for these workflows. `writer` writes the changes that steps return.
    pub fn new(
        contexts: Contexts<C>,
        writer: C::Writer,
        storage: Storage,
        lanes: Lanes,
        settings: Settings,
        flows: Vec<Box<dyn Workflow<C>>>,
    ) -> Self {
        Self(Arc::new(Inner { contexts, writer, storage, lanes, settings, flows }))
    }

    /// Name of this process in leases and run histories.
    pub fn node(&self) -> &str {
        &self.0.settings.node
    }

    /// The workflow with this name and version; `None` if this binary does not contain it.
    pub fn workflow(&self, name: &str, version: i32) -> Option<&dyn Workflow<C>> {
        let mut flows = self.0.flows.iter().map(|flow| &**flow);
        flows.find(|flow| flow.table().name == name && flow.table().covers(version))
    }

    /// The workflow table for a run: one that covers the run's version or, before the first step, the newest one.
    pub fn table(&self, name: &str, version: Option<i32>) -> Option<&'static Table> {
        let fits = |table: &&Table| table.name == name && version.is_none_or(|version| table.covers(version));
        self.0.flows.iter().map(|flow| flow.table()).filter(fits).max_by_key(|table| table.version)
    }

    /// The tables of all workflows, sorted by name and version.
    pub fn tables(&self) -> impl Iterator<Item = &'static Table> {
        let mut tables: Vec<_> = self.0.flows.iter().map(|flow| flow.table()).collect();
        tables.sort_by_key(|table| (table.name, table.version));
        tables.into_iter()
    }

    pub(crate) fn contexts(&self) -> &Contexts<C> {
        &self.0.contexts
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.0.storage
    }

    pub(crate) fn clock(&self) -> &SharedClock {
        self.0.storage.clock()
    }

    pub(crate) fn writer(&self) -> &C::Writer {
        &self.0.writer
    }

    pub(crate) fn hints(&self) -> &dyn Hints {
        &*self.0.lanes.hints
    }

    /// The limits on concurrently executed runs of a node with this number of permits.
    pub(crate) fn limits(&self, permits: usize) -> RunLimits {
        RunLimits::new(permits, self.0.settings.tenant_runs_at_once.div_ceil(self.0.lanes.node_count()))
    }
}
