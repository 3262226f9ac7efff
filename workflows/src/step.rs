//! The engine's step types, with Muster's context, changes and errors.

use std::time::Duration;

use domain::{Id, Message, Reason, ids};
use providers::Remedy;
use services::{Change, StepCommits, StepServices, System, audit::with_request_id};

use crate::messages;

/// What every step works with. It cannot commit: what a step wants written is in its output.
#[derive(Debug, Clone)]
pub struct StepContext {
    /// Reads and provider sessions.
    pub services: StepServices,
}

/// What a step works with that must commit by itself. Only functions whose row is marked `commits` take it.
#[derive(Debug, Clone)]
pub struct CommittingContext {
    /// What every step works with.
    pub plain: StepContext,
    /// The use cases that commit for steps.
    pub commits: StepCommits,
}

/// A run as its step sees it; see [`engine::Step`].
pub type Step<M> = engine::Step<M, Change>;

/// The result of a step.
pub type Outcome<S> = engine::Outcome<S, StepError>;

/// The result of an undo, which must be safe when its step never ran and when the undo ran twice.
pub type UndoOutcome = engine::UndoOutcome<StepError>;

impl engine::Context for StepContext {
    type Writer = System;
    type Committing = CommittingContext;

    /// Changes that a step commits itself are attributed to its run in the audit log.
    fn execute<F: Future + Send>(
        &self,
        run: Id<ids::Run>,
        step: F,
    ) -> impl Future<Output = F::Output> + Send {
        with_request_id(run.to_string(), step)
    }
}

/// How long a run waits after reading a value that only a newer version knows.
const UNKNOWN_WORD_PAUSE: Duration = Duration::from_mins(1);

/// Why a step did not succeed: the engine's error, to which `?` converts the errors of services, providers and the
/// database.
#[derive(Debug, Clone, PartialEq)]
pub struct StepError(pub engine::StepError);

impl StepError {
    /// A permanent failure with a stable code and a message for people.
    pub fn fail(code: &str, message: Message) -> Self {
        Self(engine::StepError::fail(code, message))
    }

    /// A permanent failure for a known reason.
    pub fn from_reason(reason: Reason) -> Self {
        Self(engine::StepError::Fail(reason))
    }

    /// The run waits for the vendor to resume the integration, which wakes it.
    fn suspended() -> Self {
        let (reason, after) = (services::suspension::suspended_reason(), services::SUSPENSION_PAUSE);
        Self(engine::StepError::Later { reason, after })
    }
}

impl From<StepError> for engine::StepError {
    fn from(error: StepError) -> Self {
        error.0
    }
}

impl From<providers::Error> for StepError {
    fn from(error: providers::Error) -> Self {
        use engine::StepError::{Fail, Later, Retry};
        if error.code == services::SUSPENDED_REQUEST_CODE {
            return Self::suspended();
        }
        let reason = services::health::provider_failure_reason(&error);
        Self(match error.remedy {
            Remedy::RetryAfter(after) if services::is_unsent(&error) => Later { reason, after },
            Remedy::RetryAfter(after) => Retry { reason, after: Some(after) },
            Remedy::RefreshToken | Remedy::Resync | Remedy::Reread => Retry { reason, after: None },
            Remedy::Reconnect | Remedy::SkipMailbox | Remedy::Never => Fail(reason),
        })
    }
}

impl From<services::Error> for StepError {
    fn from(error: services::Error) -> Self {
        use engine::StepError::{Fail, Later, Retry};
        Self(match error {
            services::Error::Provider(error) => return error.into(),
            // Nothing failed: whoever runs the newer version may continue, and so does this one once it knows the word.
            error @ services::Error::UnknownWord(_) => Later {
                reason: error.reason().with_next_action(messages::update_all_servers()),
                after: UNKNOWN_WORD_PAUSE,
            },
            error if services::suspension::is_suspension(&error) => return Self::suspended(),
            error if error.is_retryable() => Retry { reason: error.reason(), after: None },
            error => Fail(error.reason()),
        })
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
