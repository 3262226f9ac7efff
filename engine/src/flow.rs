//! A workflow in the untyped form that the worker executes. [`workflow!`](crate::workflow) implements it.

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
    /// The waiting signals, oldest first.
    pub signals: Vec<Signal>,
    /// The current time.
    pub now: Timestamp,
}

impl StepInput<'_> {
    /// Parses the saved memory; `None` if it does not match the workflow's type.
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

/// The results of a step, without the workflow's types.
#[derive(Debug)]
pub struct StepOutput<C> {
    /// The new memory; `None` keeps the old one.
    pub memory: Option<Json>,
    /// The ids of the signals that the step consumed.
    pub consumed: Vec<Id<ids::Row>>,
    /// The changes to write. Written on success only; a failed step stores nothing but its reason.
    pub changes: Vec<C>,
    /// What follows, or why the step failed.
    pub outcome: Result<Next<&'static str>, StepError>,
}

impl<C> StepOutput<C> {
    fn failed(code: &str, message: Message) -> Self {
        let outcome = Err(StepError::fail(code, message));
        Self { memory: None, consumed: Vec::new(), changes: Vec::new(), outcome }
    }

    /// The failure of a run in a state that its table does not have.
    pub fn unknown_state() -> Self {
        Self::failed("STATE_UNKNOWN", messages::state_unknown())
    }

    /// The failure of a step that panicked.
    pub fn panicked() -> Self {
        Self::failed("STEP_PANICKED", messages::step_panicked())
    }

    /// The failure of a run whose memory does not match its workflow's type.
    pub fn invalid_memory() -> Self {
        Self::failed("MEMORY_UNREADABLE", messages::memory_unreadable())
    }
}
