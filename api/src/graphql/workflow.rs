//! The workflows that this server knows, as tables and diagrams.

use async_graphql::{Context, Description, Object, SimpleObject};
use domain::Permission;
use services::catalogue::{StateInfo, WorkflowInfo};

use super::{
    context::Ask,
    failure::{Result, found},
};

/// A table of states that runs go through.
#[derive(Description)]
pub struct Workflow(WorkflowInfo);

#[Object(use_type_description)]
impl Workflow {
    /// The name that runs carry.
    async fn name(&self) -> &str {
        self.0.name
    }

    /// The version that new runs begin with.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// What it is for.
    async fn about(&self) -> &str {
        self.0.about
    }

    /// Its table.
    async fn states(&self) -> Vec<WorkflowState> {
        self.0.states.iter().map(WorkflowState::from).collect()
    }

    /// A Mermaid diagram of it.
    async fn diagram(&self, ctx: &Context<'_>) -> Option<String> {
        ctx.services().catalogue()?.diagram(self.0.name, self.0.version, None)
    }
}

/// One state of a workflow's table.
#[derive(SimpleObject)]
pub struct WorkflowState {
    /// The state's name.
    name: &'static str,
    /// The step that it does.
    does: &'static str,
    /// The step that takes it back.
    undone_by: &'static str,
    /// The states that may follow.
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
    /// The workflows that this server knows. Needs `RUN_VIEW`.
    async fn workflows(&self, ctx: &Context<'_>) -> Option<Result<Vec<Workflow>>> {
        found(async {
            let by = ctx.caller().allow(Permission::RunView)?;
            Ok(ctx.services().runs().workflows(&by).into_iter().map(Workflow).collect())
        })
        .await
    }
}
