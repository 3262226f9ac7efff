//! The input and the result of workflow steps.

use std::time::Duration;

use domain::{Id, Message, Reason, Timestamp, ids};
use runs::Signal;
use serde::Serialize;
use serde_json::Value as Json;

use crate::{Context, StepOutput};

/// What a run does after a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Next<S> {
    /// The run goes to another state at once.
    Go(S),
    /// The run is done.
    Done,
    /// The run repeats its state at a time or on a signal, whichever comes first; at least one of them must be
    /// specified.
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

/// Why a step failed or must be repeated.
#[derive(Debug, Clone, PartialEq)]
pub enum StepError {
    /// The step is executed again according to its retry policy, but not before the wait `after` that the provider may
    /// have requested.
    Retry {
        /// The explanation shown until the next attempt.
        reason: Reason,
        /// The minimum wait; `None` leaves the wait to the retry policy.
        after: Option<Duration>,
    },
    /// The step cannot be executed now, because of Muster's own rate limits or a stored value that only a newer version
    /// supports. It is executed again after `after`, without a limit on the number of attempts.
    Later {
        /// The explanation shown until the next attempt.
        reason: Reason,
        /// How long to wait.
        after: Duration,
    },
    /// Retrying does not help: all steps so far are undone.
    Fail(Reason),
}

impl StepError {
    /// A permanent failure with a machine-readable code and a message for people.
    pub fn fail(code: &str, message: Message) -> Self {
        Self::Fail(Reason::new(code, message))
    }
}

/// The result of a step. [`workflow!`](crate::workflow) converts its error to a [`StepError`].
pub type Outcome<S, E = StepError> = Result<Next<S>, E>;

/// The result of an undo. An undo must be safe if its step was never executed, and if it is executed twice.
pub type UndoOutcome<E = StepError> = Result<(), E>;

/// A run as its step sees it: `M` is the memory type of its workflow, `C` the type of the changes that steps may
/// return.
#[derive(Debug)]
pub struct Step<M, C> {
    /// The primary key, the same for all steps of a run.
    pub run: Id<ids::Run>,
    /// The tenant that owns the run, within which the step operates.
    pub tenant: Id<ids::Tenant>,
    /// The actor who started the run.
    pub asked_by: String,
    /// Number of failed attempts at this state so far.
    pub attempt: u32,
    /// When the step began.
    pub now: Timestamp,
    /// Why the run is being undone; `None` while it is not.
    pub failure: Option<Reason>,
    /// The run's memory; saved when the step commits.
    pub memory: M,
    pub(crate) signals: Vec<Signal>,
    pub(crate) consumed: Vec<Id<ids::Row>>,
    pub(crate) changes: Vec<C>,
}

impl<M, C> Step<M, C> {
    /// Consumes the oldest pending signal with this name; the signal is deleted when the step commits.
    pub fn take_signal(&mut self, name: &str) -> Option<Json> {
        let index = self.signals.iter().position(|signal| signal.name == name)?;
        let signal = self.signals.remove(index);
        self.consumed.push(signal.id);
        Some(signal.payload)
    }

    /// Adds a change to be written in the transaction of this step.
    pub fn add_change(&mut self, change: C) {
        self.changes.push(change);
    }

    /// Adds several changes to be written in their order.
    pub fn add_changes(&mut self, changes: Vec<C>) {
        self.changes.extend(changes);
    }
}

impl<M: Serialize, C> Step<M, C> {
    /// Converts the step's result to the engine's untyped form.
    pub fn into_output(self, outcome: Result<Next<&'static str>, StepError>) -> StepOutput<C> {
        StepOutput {
            memory: serde_json::to_value(&self.memory).ok(),
            consumed: self.consumed,
            changes: self.changes,
            outcome,
        }
    }
}

/// The undo function of states with nothing to undo.
pub async fn nothing<X: Context, M, C>(_context: &X, _at: &mut Step<M, C>) -> UndoOutcome {
    Ok(())
}
