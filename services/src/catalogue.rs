//! Descriptions of workflows for people: names, states and diagrams.

/// One state of a workflow's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateInfo {
    /// Name of the state, unique within the workflow.
    pub name: &'static str,
    /// Name of the step executed in this state.
    pub does: &'static str,
    /// Name of the step that undoes this state's step.
    pub undone_by: &'static str,
    /// Names of the states that may follow.
    pub then: &'static [&'static str],
}

/// Description of one workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowInfo {
    /// Name of the workflow, as stored with runs.
    pub name: &'static str,
    /// Version that new runs use.
    pub version: i32,
    /// What the workflow does, in one sentence.
    pub about: &'static str,
    /// States of the workflow, in the order of its table.
    pub states: Vec<StateInfo>,
}

/// The workflows that this binary can execute. Implemented by `workflows` and provided by the root crate.
pub trait WorkflowCatalogue: Send + Sync + std::fmt::Debug {
    /// All workflows, sorted by name.
    fn workflows(&self) -> Vec<WorkflowInfo>;

    /// Mermaid diagram of a workflow, with the current state `present` marked.
    fn diagram(&self, workflow: &str, version: i32, present: Option<&str>) -> Option<String>;
}
