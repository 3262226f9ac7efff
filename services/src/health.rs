//! Distinguishes failures of a whole integration from failures of one mailbox.
//!
//! The failure of a single mailbox changes only the state of that mailbox, and makes the integration `DEGRADED` at
//! most. An integration becomes `FAILING` for one of two reasons. Its directory or token is refused, which is checked
//! whenever a mailbox's error may affect all mailboxes. Or at least three mailboxes, or all if there are fewer, have
//! been failing in the same way for longer than one round of retries while no other mailbox was read
//! ([`Change::Failure`] counts them).

use std::time::Duration;

use domain::{
    Id, Reason, ids,
    state::{ConnectionState, IntegrationState},
};
use providers::{Error, ErrorKind, Provider, Remedy, Session};

use crate::{
    Services,
    change::{Change, ConnectionChange, IntegrationChange, MailboxFailure},
    messages,
};

/// Maximum interval between two attempts to access a failing mailbox. It is shorter than the time for which a copy
/// counts as fresh, so that one successful attempt keeps the owner bookable.
const LONGEST_BACKOFF: Duration = Duration::from_hours(4);
/// Maximum length of the part of a provider's error code that distinguishes ways of failing, in characters.
const LONGEST_CODE: usize = 100;

/// What an error at one mailbox means for the mailbox and its integration.
#[derive(Debug, Clone)]
pub enum Diagnosis {
    /// The provider denies access to the whole integration: a person must consent again, or the operator must fix a
    /// problem.
    Lost(Error),
    /// The mailbox denies access although the integration as a whole has access. It is retried, and counts together
    /// with other mailboxes that fail in the same way.
    Refused,
    /// Only this mailbox cannot be used, and retrying does not help.
    Mailbox,
    /// A temporary error, from which nothing can be concluded.
    Passing(Error),
}

/// Determines whether an error of `mailbox` affects only that mailbox or the whole integration. "Access denied" may
/// mean either, so a mailbox known to be in scope is tried first; if the error may affect all mailboxes, the directory
/// is queried.
pub async fn diagnose(
    provider: &dyn Provider,
    session: &Session,
    known_good: Option<&str>,
    mailbox: &str,
    error: &Error,
) -> Diagnosis {
    match error.remedy {
        Remedy::RetryAfter(_) | Remedy::Resync | Remedy::Reread => Diagnosis::Passing(error.clone()),
        Remedy::RefreshToken if session.own => Diagnosis::Passing(error.clone()),
        // A person's own consent concerns nobody else.
        _ if session.own => Diagnosis::Mailbox,
        Remedy::SkipMailbox if error.kind == ErrorKind::OutOfScope => match known_good {
            Some(known) if !known.eq_ignore_ascii_case(mailbox) => {
                match provider.calendar(session, known).await {
                    Err(error) if is_refusal(&error) => integration(provider, session).await,
                    _ => Diagnosis::Mailbox,
                }
            }
            _ => Diagnosis::Mailbox,
        },
        Remedy::SkipMailbox => Diagnosis::Mailbox,
        Remedy::Reconnect => integration(provider, session).await,
        Remedy::RefreshToken | Remedy::Never if is_refusal(error) => integration(provider, session).await,
        Remedy::RefreshToken => Diagnosis::Passing(error.clone()),
        Remedy::Never => Diagnosis::Refused,
    }
}

/// Determines whether the integration has access, independently of single mailboxes.
async fn integration(provider: &dyn Provider, session: &Session) -> Diagnosis {
    match provider.organisation(session).await {
        Ok(_) => Diagnosis::Refused,
        Err(error) if is_refusal(&error) => Diagnosis::Lost(error),
        Err(error) => Diagnosis::Passing(error),
    }
}

/// The reason why a provider failed, including what the operator must do. The caller adds what the customer must do.
pub fn provider_failure_reason(error: &Error) -> Reason {
    Reason {
        code: error.kind_code().to_owned(),
        message: error.message.clone(),
        next_action: error.operator_action(),
    }
}

/// The reason why a mailbox cannot be accessed, and who must do what about it.
pub fn mailbox_failure_reason(error: &Error, is_own_mailbox: bool) -> Reason {
    let next = match error.remedy {
        Remedy::SkipMailbox => messages::add_the_mailbox_to_the_scope(),
        Remedy::Reconnect if is_own_mailbox => messages::ask_the_owner_to_connect_again(),
        _ => messages::ask_why_the_mailbox_is_refused(),
    };
    let reason = provider_failure_reason(error);
    if reason.next_action.is_some() { reason } else { reason.with_next_action(next) }
}

/// Builds the change that records a failed attempt to access a mailbox. `counts` determines whether the failure counts
/// together with those of other mailboxes that fail in the same way.
pub fn record_mailbox_failure(
    services: &Services,
    connection: &entity::connection::Model,
    error: &Error,
    counts: bool,
) -> Change {
    let least = match error.remedy {
        Remedy::RetryAfter(wait) => wait.min(LONGEST_BACKOFF),
        _ => Duration::ZERO,
    };
    Change::Failure(MailboxFailure {
        connection: connection.id,
        integration: connection.integration_id,
        way: way(error),
        retry_at: services.now() + backoff(services, connection.failures).max(least),
        concerns: counts.then(|| lost_reason(error)),
    })
}

/// Builds the change that records a failed attempt to access a mailbox, for a run that could not continue.
pub fn record_mailbox_failure_because(
    services: &Services,
    connection: &entity::connection::Model,
    reason: &Reason,
) -> Change {
    Change::Failure(MailboxFailure {
        connection: connection.id,
        integration: connection.integration_id,
        way: reason.code.clone(),
        retry_at: services.now() + backoff(services, connection.failures),
        concerns: None,
    })
}

/// Identifies how a mailbox fails: by the error kind and the provider's own error code.
fn way(error: &Error) -> String {
    let code = error.code.chars().filter(|c| !c.is_control()).take(LONGEST_CODE);
    format!("{} {}", error.kind_code(), code.collect::<String>())
}

/// Whether a mailbox has been failing in this way for longer than one retry cycle.
pub fn is_persistent_failure(
    services: &Services,
    connection: &entity::connection::Model,
    error: &Error,
) -> bool {
    let since = connection.failing_since.filter(|_| connection.failing_code.as_deref() == Some(&way(error)));
    since.is_some_and(|since| since <= services.now() - services.settings.reread_after)
}

/// Interval until the next attempt after this many failures: it doubles each time up to some hours, and is shortened at
/// random so that mailboxes that failed together are not retried together.
pub(crate) fn backoff(services: &Services, failures: i32) -> Duration {
    let doublings = u32::try_from(failures).unwrap_or(0).min(16);
    let first = services.settings.reread_after.min(LONGEST_BACKOFF);
    let whole = first.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
    let quarter = u64::try_from(whole.as_millis() / 4).unwrap_or(u64::MAX);
    whole.saturating_sub(Duration::from_millis(services.ids.random_below(quarter)))
}

/// Marks a mailbox that was active as unreachable, and the integration as degraded.
pub fn mark_mailbox_unreachable(
    connection: &entity::connection::Model,
    error: &Error,
    is_own_mailbox: bool,
) -> Vec<Change> {
    let change = ConnectionChange {
        id: connection.id,
        state: Some(ConnectionState::Unreachable),
        reason: Some(Some(mailbox_failure_reason(error, is_own_mailbox))),
        route: Some(domain::Route::ServiceAccount),
        ..ConnectionChange::default()
    };
    vec![Change::Connection(change), mark_integration_degraded(connection.integration_id)]
}

/// Marks an integration as failing. Only an integration that was in use is changed.
pub fn mark_integration_failing(integration: Id<ids::Integration>, error: &Error) -> Change {
    mark_integration_failing_because(integration, lost_reason(error))
}

fn lost_reason(error: &Error) -> Reason {
    let reason = provider_failure_reason(error);
    let again = messages::connect_again_as_administrator();
    if reason.next_action.is_some() { reason } else { reason.with_next_action(again) }
}

/// Like [`mark_integration_failing`], for a reason that the caller has already determined.
pub fn mark_integration_failing_because(integration: Id<ids::Integration>, reason: Reason) -> Change {
    Change::Integration(IntegrationChange {
        id: integration,
        state: Some(IntegrationState::Failing),
        reason: Some(Some(reason)),
        only_from: Some(vec![IntegrationState::Active, IntegrationState::Degraded]),
        ..IntegrationChange::default()
    })
}

/// Marks a failing integration as working again.
pub fn mark_integration_recovered(integration: Id<ids::Integration>) -> Change {
    Change::Integration(IntegrationChange {
        id: integration,
        state: Some(IntegrationState::Active),
        reason: Some(None),
        only_from: Some(vec![IntegrationState::Failing]),
        ..IntegrationChange::default()
    })
}

/// Marks an integration as degraded because mailboxes that were active no longer are.
pub fn mark_integration_degraded(integration: Id<ids::Integration>) -> Change {
    let reason = Reason::new("MAILBOXES_LOST", messages::mailboxes_lost())
        .with_next_action(messages::check_unreachable_mailboxes());
    Change::Integration(IntegrationChange {
        id: integration,
        state: Some(IntegrationState::Degraded),
        reason: Some(Some(reason)),
        only_from: Some(vec![IntegrationState::Active]),
        ..IntegrationChange::default()
    })
}

/// Marks a degraded integration as active because every mailbox works again or was excluded.
pub fn mark_mailboxes_recovered(integration: Id<ids::Integration>) -> Change {
    Change::Integration(IntegrationChange {
        id: integration,
        state: Some(IntegrationState::Active),
        reason: Some(None),
        only_from: Some(vec![IntegrationState::Degraded]),
        ..IntegrationChange::default()
    })
}

/// Whether the provider permanently refuses the request, as opposed to failing temporarily.
pub fn is_refusal(error: &Error) -> bool {
    error.remedy == Remedy::Reconnect
        || (error.kind == ErrorKind::Signing && error.remedy == Remedy::Never)
        || matches!(error.kind, ErrorKind::Misconfigured | ErrorKind::OutOfScope | ErrorKind::TokenRefused)
}
