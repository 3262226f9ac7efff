//! The workflows that this server can run, with their state tables and diagrams.

use async_graphql::{Context, Description, Object, SimpleObject};
use domain::may;
use services::catalogue::{StateInfo, WorkflowInfo};

use super::{
    context::ContextExt,
    failure::{Result, null_if_missing},
};

/// A workflow: a table of states through which runs proceed.
#[derive(Description)]
pub struct Workflow(WorkflowInfo);

#[Object(use_type_description)]
impl Workflow {
    /// Name of the workflow, as in `Run.workflow`.
    async fn name(&self) -> &str {
        self.0.name
    }

    /// Version of the workflow that new runs use.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// What the workflow does, in one sentence.
    async fn about(&self) -> &str {
        self.0.about
    }

    /// States of the workflow, in the order of its table; runs begin in the first.
    async fn states(&self) -> Vec<WorkflowState> {
        self.0.states.iter().map(WorkflowState::from).collect()
    }

    /// Mermaid diagram of the workflow.
    async fn diagram(&self, ctx: &Context<'_>) -> Option<String> {
        ctx.services().catalogue()?.diagram(self.0.name, self.0.version, None)
    }
}

/// One state of a workflow.
#[derive(SimpleObject)]
pub struct WorkflowState {
    /// Name of the state, unique within the workflow.
    name: &'static str,
    /// Name of the step executed in this state.
    does: &'static str,
    /// Name of the step that undoes the step of this state; `nothing` if there is nothing to undo.
    undone_by: &'static str,
    /// Names of the states that may follow this one.
    then: Vec<&'static str>,
}

impl From<&StateInfo> for WorkflowState {
    fn from(state: &StateInfo) -> Self {
        let StateInfo { name, does, undone_by, then } = *state;
        Self { name, does, undone_by, then: then.to_vec() }
    }
}

#[derive(Default)]
pub struct WorkflowQuery;

#[Object]
impl WorkflowQuery {
    /// The workflows that this server can run. Needs `RUN_VIEW`.
    async fn workflows(&self, ctx: &Context<'_>) -> Option<Result<Vec<Workflow>>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::RunView>()?;
            Ok(ctx.services().runs().workflows(&by).into_iter().map(Workflow).collect())
        })
        .await
    }
}
