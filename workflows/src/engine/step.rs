//! What a step is given and what it answers.

use std::time::Duration;

use domain::{Reason, Timestamp};
use providers::Remedy;
use sea_orm::prelude::Json;
use serde::{Serialize, de::DeserializeOwned};
use services::{Change, Services};
use uuid::Uuid;

use super::Table;

/// What every step can reach.
#[derive(Debug, Clone)]
pub struct World {
    /// The use cases.
    pub services: Services,
}

/// A signal that waits for the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it says.
    pub payload: Json,
}

/// What comes after a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Next<S> {
    /// Another state, at once.
    Go(S),
    /// Nothing: the run is done.
    Done,
    /// The same state again, when the time has come or the signal has, whichever is first. One of them must be
    /// given.
    Wait {
        /// The time.
        until: Option<Timestamp>,
        /// The signal.
        or: Option<&'static str>,
    },
}

impl<S> Next<S> {
    /// The same with the state's name.
    pub fn map<T>(self, f: impl FnOnce(S) -> T) -> Next<T> {
        match self {
            Self::Go(state) => Next::Go(f(state)),
            Self::Done => Next::Done,
            Self::Wait { until, or } => Next::Wait { until, or },
        }
    }
}

/// Why a step did not succeed.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    /// The same step again, by its row's policy; not before `after`, where the provider asked for it.
    Retry {
        /// Why, for whoever looks meanwhile.
        reason: Reason,
        /// The least wait.
        after: Option<Duration>,
    },
    /// Our own limits leave no room for now. The same step again then, however often it comes to this.
    Later {
        /// Why, for whoever looks meanwhile.
        reason: Reason,
        /// The wait.
        after: Duration,
    },
    /// No repetition helps: everything done so far is undone.
    Fail(Reason),
}

impl Trouble {
    /// A failure for good.
    pub fn fail(code: &str, message: impl Into<String>) -> Self {
        Self::Fail(Reason::new(code, message))
    }
}

impl From<providers::Error> for Trouble {
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

impl From<services::Error> for Trouble {
    fn from(error: services::Error) -> Self {
        match error {
            services::Error::Provider(error) => error.into(),
            error if error.is_retryable() => {
                Self::Retry { reason: Reason::new(error.code(), error.to_string()), after: None }
            }
            error => Self::Fail(Reason::new(error.code(), error.to_string())),
        }
    }
}

impl From<sea_orm::DbErr> for Trouble {
    fn from(error: sea_orm::DbErr) -> Self {
        services::Error::from(error).into()
    }
}

/// What a step answers.
pub type Outcome<S> = Result<Next<S>, Trouble>;

/// What an undo answers. It must be safe when its step never ran, and when it ran twice.
pub type Undone = Result<(), Trouble>;

/// A run as a step sees it.
#[derive(Debug)]
pub struct Step<M> {
    /// The run.
    pub run: Uuid,
    /// Its tenant.
    pub tenant: Uuid,
    /// Who asked for it.
    pub asked_by: String,
    /// How many attempts of this state have failed before this one.
    pub attempt: u32,
    /// The time at which the step began.
    pub now: Timestamp,
    /// Why the run is being undone; absent while it goes forward.
    pub failure: Option<Reason>,
    /// What the run remembers; saved with the step.
    pub memory: M,
    signals: Vec<Signal>,
    eaten: Vec<Uuid>,
    changes: Vec<Change>,
}

impl<M> Step<M> {
    /// Takes the first waiting signal of this name. It is gone for good once the step commits.
    pub fn take(&mut self, name: &str) -> Option<Json> {
        let index = self.signals.iter().position(|signal| signal.name == name)?;
        let signal = self.signals.remove(index);
        self.eaten.push(signal.id);
        Some(signal.payload)
    }

    /// Wants something written in the transaction of this step.
    pub fn change(&mut self, change: Change) {
        self.changes.push(change);
    }
}

impl<M: Serialize> Step<M> {
    /// Turns the step's answer into what the committer writes.
    pub fn close(self, outcome: Result<Next<&'static str>, Trouble>) -> Taken {
        Taken {
            memory: serde_json::to_value(&self.memory).ok(),
            eaten: self.eaten,
            changes: self.changes,
            outcome,
        }
    }
}

/// A run as the worker hands it to its workflow.
#[derive(Debug)]
pub struct Given<'a> {
    /// The run's row.
    pub row: &'a entity::run::Model,
    /// The state to do or to undo.
    pub state: &'a str,
    /// See [`Step::attempt`].
    pub attempt: u32,
    /// The waiting signals, oldest first.
    pub signals: Vec<Signal>,
    /// The present time.
    pub now: Timestamp,
}

impl Given<'_> {
    /// Reads the memory; `None` when it does not fit.
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
            eaten: Vec::new(),
            changes: Vec::new(),
        })
    }
}

/// What a step left behind, without its types.
#[derive(Debug)]
pub struct Taken {
    /// The new memory; `None` leaves the old one.
    pub memory: Option<Json>,
    /// The signals that were taken.
    pub eaten: Vec<Uuid>,
    /// What is to be written. Written on success only; a failed step leaves nothing but its reason.
    pub changes: Vec<Change>,
    /// What comes next.
    pub outcome: Result<Next<&'static str>, Trouble>,
}

impl Taken {
    fn failed(code: &str, message: &str) -> Self {
        let outcome = Err(Trouble::fail(code, message));
        Self { memory: None, eaten: Vec::new(), changes: Vec::new(), outcome }
    }

    /// The run is in a state that its table does not have.
    pub fn unknown_state() -> Self {
        Self::failed("STATE_UNKNOWN", "The run is in a state that this version of Muster does not know.")
    }

    /// The step panicked.
    pub fn panicked() -> Self {
        Self::failed("STEP_PANICKED", "A step of this run failed because of a defect in Muster.")
    }

    /// The run's memory does not fit its workflow.
    pub fn unreadable() -> Self {
        Self::failed("MEMORY_UNREADABLE", "The stored memory of the run cannot be read.")
    }
}

/// One workflow, without its types.
#[async_trait::async_trait]
pub trait Flow: Send + Sync {
    /// Its table.
    fn table(&self) -> &'static Table;

    /// Does the step of a state.
    async fn step(&self, world: &World, given: Given<'_>) -> Taken;

    /// Takes a state's step back.
    async fn undo(&self, world: &World, given: Given<'_>) -> Taken;
}

/// The undo of states that have nothing to undo.
pub async fn nothing<M>(_world: &World, _at: &mut Step<M>) -> Undone {
    Ok(())
}
