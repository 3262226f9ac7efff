//! Reads one calendar again: the provider is asked whether anything has changed, and only a changed calendar is read.
//! This finds changes that were not pushed, and is the only mechanism for providers without push.
//!
//! A calendar that cannot be read is a result and not a failure: it is counted, and the next attempt comes later each
//! time.

use std::time::Duration;

use domain::state::ConnectionState;
use engine::Next;
use providers::{Error, ErrorKind, Remedy};
use serde::{Deserialize, Serialize};
use services::{
    Change, StepServices, calendars,
    health::{self, Diagnosis},
    run_inputs::RefreshCalendar as Input,
};

use crate::{Outcome, Step, StepContext, UndoOutcome, messages};

engine::workflow! {
    /// Reads one calendar again.
    RefreshCalendar = "refresh_calendar" v 1 (StepContext, Memory);

    // state   does      undone by        retry      then
    Read:      reread  | record_failure | STANDARD | [];
}

/// State of the run that is kept between steps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    #[serde(flatten)]
    input: Input,
}

/// Time limit for reading one calendar.
const LONGEST: Duration = Duration::from_mins(2);

async fn connection(
    context: &StepContext,
    at: &Step<Memory>,
) -> services::Result<Option<entity::connection::Model>> {
    context.services.connection(at.tenant, at.memory.input.connection).await
}

async fn reread(context: &StepContext, at: &mut Step<Memory>) -> Outcome<State> {
    let services = &context.services;
    // It may have been disconnected or excluded since the run was enqueued.
    let Some(connection) = connection(context, at)
        .await?
        .filter(|row| row.state.known().is_some_and(ConnectionState::is_readable))
    else {
        return Ok(Next::Done);
    };
    let integration = services.integration(at.tenant, connection.integration_id).await?;
    let Some(integration) = integration.filter(services::integrations::is_usable) else {
        return Ok(Next::Done);
    };
    let own = services::connections::has_own_consent(&connection);
    let (provider, session) = match services.open_for_mailbox(&integration, &connection).await {
        Ok(opened) => opened,
        // Without any consent there is no directory to ask.
        Err(services::Error::Provider(error)) => {
            let judgement = match health::is_refusal(&error) {
                true if own => Diagnosis::Mailbox,
                true => Diagnosis::Lost(error.clone()),
                false => Diagnosis::Passing(error.clone()),
            };
            at.add_changes(failed(services, &connection, own, judgement, &error));
            return Ok(Next::Done);
        }
        Err(error) => return Err(error.into()),
    };
    let window = services.calendar_copy_range();
    let reading = calendars::refresh_copy(&*provider, &session, &connection, window, services.now());
    let error = match tokio::time::timeout(LONGEST, reading).await {
        Ok(Ok(change)) => {
            at.add_change(change);
            return Ok(Next::Done);
        }
        Ok(Err(error)) => error,
        Err(_) => too_slow(),
    };
    // What was not sent says nothing of the mailbox.
    if services::is_unsent(&error) {
        return Err(error.into());
    }
    let known_good = integration.known_good.as_deref();
    let judging = health::diagnose(&*provider, &session, known_good, &connection.address, &error);
    let judgement = tokio::time::timeout(LONGEST, judging).await;
    let judgement = judgement.unwrap_or_else(|_| Diagnosis::Passing(error.clone()));
    at.add_changes(failed(services, &connection, session.own, judgement, &error));
    Ok(Next::Done)
}

/// Records a failure of this mailbox even for a defect in Muster, so that it is not retried immediately.
async fn record_failure(context: &StepContext, at: &mut Step<Memory>) -> UndoOutcome {
    if let (Some(reason), Some(row)) = (at.failure.clone(), connection(context, at).await?) {
        at.add_change(context.services.record_mailbox_failure_because(&row, &reason));
    }
    Ok(())
}

fn too_slow() -> Error {
    let remedy = Remedy::RetryAfter(Duration::ZERO);
    Error::new(ErrorKind::Unavailable, remedy, "too_slow", messages::calendar_too_slow())
}

/// The changes that follow from a failed attempt. If the provider keeps refusing, the mailbox becomes unreachable;
/// attempts continue nevertheless.
fn failed(
    services: &StepServices,
    connection: &entity::connection::Model,
    own: bool,
    diagnosis: Diagnosis,
    error: &Error,
) -> Vec<Change> {
    match diagnosis {
        Diagnosis::Lost(error) => vec![health::mark_integration_failing(connection.integration_id, &error)],
        Diagnosis::Mailbox => health::mark_mailbox_unreachable(connection, error, own),
        Diagnosis::Passing(error) => vec![services.record_mailbox_failure(connection, &error, false)],
        Diagnosis::Refused => {
            let mut changes = vec![services.record_mailbox_failure(connection, error, true)];
            if services.is_persistent_failure(connection, error) {
                changes.extend(health::mark_mailbox_unreachable(connection, error, own));
            }
            changes
        }
    }
}
