//! Inputs and results of steps.

use std::time::Duration;

use domain::{Id, Reason, Timestamp, ids};
use providers::Remedy;
use sea_orm::prelude::Json;
use serde::{Serialize, de::DeserializeOwned};
use services::{Change, System};

use super::Table;

/// Services available to every step.
#[derive(Debug, Clone)]
pub struct StepContext {
    /// The use cases and their settings.
    pub services: System,
}

/// A signal that waits for the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The primary key, by which the commit deletes a consumed signal.
    pub id: Id<ids::Row>,
    /// The name that a waiting step asks for.
    pub name: String,
    /// The data sent with the signal.
    pub payload: Json,
}

/// What the run does after a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Next<S> {
    /// The run goes to another state at once.
    Go(S),
    /// The run is done.
    Done,
    /// The run repeats its state at a time or on a signal, whichever comes first; at least one must be given.
    Wait {
        /// The time at which to continue; `None` to wait for the signal alone.
        until: Option<Timestamp>,
        /// The name of the signal; `None` to wait for the time alone.
        or: Option<&'static str>,
    },
}

impl<S> Next<S> {
    /// The same decision with the state converted.
    pub fn map<T>(self, f: impl FnOnce(S) -> T) -> Next<T> {
        match self {
            Self::Go(state) => Next::Go(f(state)),
            Self::Done => Next::Done,
            Self::Wait { until, or } => Next::Wait { until, or },
        }
    }
}

/// How long a run waits that met a word of a newer version.
const UNKNOWN_WORD_PAUSE: Duration = Duration::from_mins(1);

/// Why a step did not succeed.
#[derive(Debug, Clone, PartialEq)]
pub enum StepError {
    /// Executes the step again by its retry policy, but not before `after` if the provider requested a wait.
    Retry {
        /// The explanation shown until the next attempt.
        reason: Reason,
        /// The shortest wait; `None` leaves the wait to the policy.
        after: Option<Duration>,
    },
    /// Not now: Muster's own limits leave no room, or a newer version stored a word that this one does not know. Execute the step again after `transition_after`, however often this happens.
    Later {
        /// The explanation shown until the next attempt.
        reason: Reason,
        /// How long to wait.
        after: Duration,
    },
    /// Repetition cannot help: undoes all steps so far.
    Fail(Reason),
}

impl StepError {
    /// A permanent failure with a stable code and a message for people.
    pub fn fail(code: &str, message: impl Into<String>) -> Self {
        Self::Fail(Reason::new(code, message))
    }
}

impl From<providers::Error> for StepError {
    fn from(error: providers::Error) -> Self {
        let reason = services::health::reason(&error);
        match error.remedy {
            Remedy::RetryAfter(after) if error.code == services::OWN_LIMIT => Self::Later { reason, after },
            Remedy::RetryAfter(after) => Self::Retry { reason, after: Some(after) },
            Remedy::RefreshToken | Remedy::Resync | Remedy::Reread => Self::Retry { reason, after: None },
            Remedy::Reconnect | Remedy::SkipMailbox | Remedy::Never => Self::Fail(reason),
        }
    }
}

impl From<services::Error> for StepError {
    fn from(error: services::Error) -> Self {
        match error {
            services::Error::Provider(error) => error.into(),
            // Nothing failed: whoever runs the newer version may continue, and so does this one once it knows the word.
            services::Error::UnknownWord(unknown) => Self::Later {
                reason: Reason::new("STATE_UNKNOWN", unknown.to_string())
                    .with_next_action("Ask the operator to update all servers to the newer version."),
                after: UNKNOWN_WORD_PAUSE,
            },
            error if error.is_retryable() => {
                Self::Retry { reason: Reason::new(error.code(), error.to_string()), after: None }
            }
            error => Self::Fail(Reason::new(error.code(), error.to_string())),
        }
    }
}

impl From<entity::UnknownWord> for StepError {
    fn from(unknown: entity::UnknownWord) -> Self {
        services::Error::from(unknown).into()
    }
}

impl From<sea_orm::DbErr> for StepError {
    fn from(error: sea_orm::DbErr) -> Self {
        services::Error::from(error).into()
    }
}

/// The result of a step.
pub type Outcome<S> = Result<Next<S>, StepError>;

/// The result of an undo, which must be safe when its step never ran and when the undo ran twice.
pub type UndoOutcome = Result<(), StepError>;

/// A run as its step sees it.
#[derive(Debug)]
pub struct Step<M> {
    /// The primary key, the same for all steps of a run.
    pub run: Id<ids::Run>,
    /// The owner of the run, within which the step acts.
    pub tenant: Id<ids::Tenant>,
    /// The actor who started the run.
    pub asked_by: String,
    /// Failed attempts at this state so far.
    pub attempt: u32,
    /// When the step began.
    pub now: Timestamp,
    /// Why the run is being undone; `None` while it goes forward.
    pub failure: Option<Reason>,
    /// The run's memory; saved with the step.
    pub memory: M,
    signals: Vec<Signal>,
    consumed: Vec<Id<ids::Row>>,
    changes: Vec<Change>,
}

impl<M> Step<M> {
    /// Takes the first waiting signal with this name, which is deleted when the step commits.
    pub fn take(&mut self, name: &str) -> Option<Json> {
        let index = self.signals.iter().position(|signal| signal.name == name)?;
        let signal = self.signals.remove(index);
        self.consumed.push(signal.id);
        Some(signal.payload)
    }

    /// Adds a change to be written in the transaction of this step.
    pub fn change(&mut self, change: Change) {
        self.changes.push(change);
    }
}

impl<M: Serialize> Step<M> {
    /// Turns the step's result into what the committer writes.
    pub fn close(self, outcome: Result<Next<&'static str>, StepError>) -> StepOutput {
        StepOutput {
            memory: serde_json::to_value(&self.memory).ok(),
            consumed: self.consumed,
            changes: self.changes,
            outcome,
        }
    }
}

/// A run as the worker passes it to its workflow.
#[derive(Debug)]
pub struct StepInput<'a> {
    /// The run as stored.
    pub row: &'a entity::run::Model,
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
    /// Parses the memory; `None` when it does not fit the workflow's type.
    pub fn open<M: DeserializeOwned>(self) -> Option<Step<M>> {
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
pub struct StepOutput {
    /// The new memory; `None` keeps the old one.
    pub memory: Option<Json>,
    /// The ids of the signals that the step consumed.
    pub consumed: Vec<Id<ids::Row>>,
    /// The changes to write. Written on success only; a failed step stores nothing but its reason.
    pub changes: Vec<Change>,
    /// What follows, or why the step failed.
    pub outcome: Result<Next<&'static str>, StepError>,
}

impl StepOutput {
    fn failed(code: &str, message: &str) -> Self {
        let outcome = Err(StepError::fail(code, message));
        Self { memory: None, consumed: Vec::new(), changes: Vec::new(), outcome }
    }

    /// The failure of a run in a state that its table does not have.
    pub fn unknown_state() -> Self {
        Self::failed("STATE_UNKNOWN", "The run is in a state that this version of Muster does not know.")
    }

    /// The failure of a step that panicked.
    pub fn panicked() -> Self {
        Self::failed("STEP_PANICKED", "A step of this run failed because of a defect in Muster.")
    }

    /// The failure of a run whose memory does not fit its workflow.
    pub fn unreadable() -> Self {
        Self::failed("MEMORY_UNREADABLE", "The stored memory of the run cannot be read.")
    }
}

/// A workflow, without its types.
#[async_trait::async_trait]
pub trait Flow: Send + Sync {
    /// The states with their steps, undos, retries and successors.
    fn table(&self) -> &'static Table;

    /// Executes the step of a state.
    async fn step(&self, context: &StepContext, input: StepInput<'_>) -> StepOutput;

    /// Executes the undo of a state's step.
    async fn undo(&self, context: &StepContext, input: StepInput<'_>) -> StepOutput;
}

/// The undo of states with nothing to undo.
pub async fn nothing<M>(_context: &StepContext, _at: &mut Step<M>) -> UndoOutcome {
    Ok(())
}
