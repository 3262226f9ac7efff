//! What becomes of a failure for whose result an administrator waits.

use std::time::Duration;

use domain::Reason;
use providers::{ErrorKind, Provider};

use super::Memory;
use crate::{Step, StepError, messages};

/// How long a step is retried while the administrator waits for its result: with the last attempt, which may take half a
/// minute, the result is there within two minutes (S6.3).
pub(super) const PATIENCE: chrono::Duration = chrono::Duration::seconds(90);
/// The shortest pause between two attempts while the administrator waits.
const PAUSE: Duration = Duration::from_secs(10);

/// Decides about a failure for whose result the administrator is waiting: the step is repeated at short intervals and
/// then fails with the true reason, because a wrong address looks like a server that is away.
pub(super) fn within_patience(at: &Step<Memory>, error: StepError) -> StepError {
    match (error, at.memory.patience_ends) {
        (StepError(engine::StepError::Retry { reason, after }), Some(ends)) => {
            let after = after.unwrap_or_default().max(PAUSE);
            if domain::time::add_wait(at.now, after) <= ends {
                return StepError(engine::StepError::Later { reason, after });
            }
            StepError::from_reason(reason.with_next_action(messages::correct_or_try_again()))
        }
        (error, _) => error,
    }
}

/// Interprets an error of the trial. A refusal is not final as long as the provider may not have applied the fresh
/// consent everywhere.
pub(super) fn trial_error(at: &Step<Memory>, provider: &dyn Provider, error: providers::Error) -> StepError {
    match provider.is_spreading(&error) {
        true => StepError(engine::StepError::Retry {
            reason: Reason::new("PERMISSION_SPREADING", messages::permission_spreading()),
            after: None,
        }),
        false if matches!(error.kind, ErrorKind::GrantLost | ErrorKind::TokenRefused) => {
            StepError::fail("CREDENTIALS_REFUSED", messages::credentials_refused())
        }
        false => within_patience(at, error.into()),
    }
}
