//! What use cases know of workflows: their names and shapes, for people to look at.

/// One state of a workflow's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateInfo {
    /// The state's name.
    pub name: &'static str,
    /// The step that it does.
    pub does: &'static str,
    /// The step that takes it back.
    pub undone_by: &'static str,
    /// The states that may follow.
    pub then: &'static [&'static str],
}

/// One workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowInfo {
    /// The name that runs carry.
    pub name: &'static str,
    /// The version that new runs begin with.
    pub version: i32,
    /// What it is for.
    pub about: &'static str,
    /// Its table.
    pub states: Vec<StateInfo>,
}

/// The workflows that this binary knows. Implemented by `workflows`, handed in by the root.
pub trait Catalogue: Send + Sync + std::fmt::Debug {
    /// All of them, by name.
    fn workflows(&self) -> Vec<WorkflowInfo>;

    /// A Mermaid diagram of one, with a state marked.
    fn diagram(&self, workflow: &str, version: i32, present: Option<&str>) -> Option<String>;
}
