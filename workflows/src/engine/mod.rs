//! The durable workflow engine.
//!
//! A run is a row, a step's result is one commit, and the database is authoritative: whatever Redis, a worker or a
//! whole node loses is found again by the sweep. [`table`] defines workflows, [`step`] the interface of steps,
//! [`decide`] the transition that follows from a step's result, [`commit`] how transitions are written,
//! [`committers`] the tasks that write them, and [`worker`] the tasks that execute steps.

mod commit;
mod committers;
mod crash_suspects;
mod decide;
mod sqlite;
mod step;
mod sweep;
mod table;
mod tenant_quota;
mod worker;
mod worker_context;

use std::{collections::BTreeMap, sync::Arc};

use services::{System, catalogue::WorkflowInfo};

pub use commit::{COMMIT_BATCH, CommitOutcome, commit, commit_keeping};
pub use decide::{ClaimedRun, HistoryEntry, MAX_CRASHES, Transition};
pub use step::{
    Flow, Next, Outcome, Signal, Step, StepContext, StepError, StepInput, StepOutput, UndoOutcome, nothing,
};
pub use table::{Retry, Row, Table};

/// The engine of a node: its workflows and the services that they use. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    context: StepContext,
    node: String,
    flows: BTreeMap<(&'static str, i32), Box<dyn Flow>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("node", &self.0.node).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine that knows these workflows. `node` names this process in leases and histories.
    pub fn new(services: System, node: impl Into<String>, flows: Vec<Box<dyn Flow>>) -> Self {
        let flows = flows.into_iter().map(|flow| ((flow.table().name, flow.table().version), flow)).collect();
        Self(Arc::new(Inner { context: StepContext { services }, node: node.into(), flows }))
    }

    /// The use cases.
    pub fn services(&self) -> &System {
        &self.0.context.services
    }

    /// The context passed to steps.
    pub fn context(&self) -> &StepContext {
        &self.0.context
    }

    /// Name of this process in leases and histories.
    pub fn node(&self) -> &str {
        &self.0.node
    }

    /// The workflow with this name and version; `None` if this binary does not have it.
    pub fn flow(&self, name: &str, version: i32) -> Option<&dyn Flow> {
        let flow = self.0.flows.iter().find(|((flow, at), _)| *flow == name && *at == version);
        flow.map(|(_, flow)| &**flow)
    }

    /// The table for a run: of the run's version or, before the first step, the newest one.
    pub fn table(&self, name: &str, version: Option<i32>) -> Option<&'static Table> {
        let fits =
            |(flow, at): &&(&'static str, i32)| *flow == name && version.is_none_or(|version| *at == version);
        let key = self.0.flows.keys().filter(fits).max_by_key(|(_, at)| *at)?;
        self.0.flows.get(key).map(|flow| flow.table())
    }

    /// The tables of all workflows.
    pub fn tables(&self) -> impl Iterator<Item = &'static Table> {
        self.0.flows.values().map(|flow| flow.table())
    }
}

impl services::Catalogue for Engine {
    fn workflows(&self) -> Vec<WorkflowInfo> {
        let info = |table: &'static Table| WorkflowInfo {
            name: table.name,
            version: table.version,
            about: table.about,
            states: table.states(),
        };
        self.tables().map(info).collect()
    }

    fn diagram(&self, workflow: &str, version: i32, present: Option<&str>) -> Option<String> {
        self.table(workflow, Some(version)).map(|table| table.mermaid(present))
    }
}
