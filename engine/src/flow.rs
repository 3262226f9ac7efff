//! The untyped interface through which the worker executes a workflow. [`workflow!`](crate::workflow) implements it.

use async_trait::async_trait;
use domain::{Id, Message, Timestamp, ids};
use runs::{Run, Signal};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::{Change, Context, Contexts, Next, Step, StepError, Table, messages};

/// A workflow whose steps take the context `C`.
#[async_trait]
pub trait Workflow<C: Context>: Send + Sync {
    /// The states with their steps, undos, retries and successors.
    fn table(&self) -> &'static Table;

    /// Executes the step of a state.
    async fn step(&self, contexts: &Contexts<C>, input: StepInput<'_>) -> StepOutput<Change<C>>;

    /// Executes the undo of a state's step.
    async fn undo(&self, contexts: &Contexts<C>, input: StepInput<'_>) -> StepOutput<Change<C>>;
}

/// The data of a run that the worker passes to its workflow.
#[derive(Debug)]
pub struct StepInput<'a> {
    /// The run as stored.
    pub row: &'a Run,
    /// The state to execute or to undo.
    pub state: &'a str,
    /// See [`Step::attempt`].
    pub attempt: u32,
    /// The pending signals, oldest first.
    pub signals: Vec<Signal>,
    /// The current time.
    pub now: Timestamp,
}

impl StepInput<'_> {
    /// Parses the run's saved memory; `None` if it does not match the memory type of the workflow.
    pub fn parse<M: DeserializeOwned, C>(self) -> Option<Step<M, C>> {
        let failure = self.row.reason.clone().and_then(|json| serde_json::from_value(json).ok());
        Some(Step {
            run: self.row.id,
            tenant: self.row.tenant_id,
            asked_by: self.row.asked_by.clone(),
            attempt: self.attempt,
            now: self.now,
            failure,
            memory: serde_json::from_value(self.row.memory.clone()).ok()?,
            signals: self.signals,
            consumed: Vec::new(),
            changes: Vec::new(),
        })
    }
}

/// The results of a step in the engine's untyped form.
#[derive(Debug)]
pub struct StepOutput<C> {
    /// The new memory; `None` keeps the previous memory.
    pub memory: Option<Json>,
    /// The ids of the signals that the step consumed.
    pub consumed: Vec<Id<ids::Row>>,
    /// The changes to write. They are written on success only; for a failed step, only the reason is stored.
    pub changes: Vec<C>,
    /// What the run does next, or why the step failed.
    pub outcome: Result<Next<&'static str>, StepError>,
}

impl<C> StepOutput<C> {
    fn failed(code: &str, message: Message) -> Self {
        let outcome = Err(StepError::fail(code, message));
        Self { memory: None, consumed: Vec::new(), changes: Vec::new(), outcome }
    }

    /// The output for a run in a state that its workflow's table does not contain.
    pub fn unknown_state() -> Self {
        Self::failed("STATE_UNKNOWN", messages::state_unknown())
    }

    /// The output for a step whose function panicked, which fails the run.
    pub fn panicked() -> Self {
        Self::failed("STEP_PANICKED", messages::step_panicked())
    }

    /// The output for a run whose memory does not match the memory type of its workflow.
    pub fn invalid_memory() -> Self {
        Self::failed("MEMORY_UNREADABLE", messages::memory_unreadable())
    }
}
