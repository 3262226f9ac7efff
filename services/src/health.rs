//! Telling a lost consent from one mailbox that cannot be served.

use domain::{Reason, state::IntegrationState};
use providers::{Error, ErrorKind, Provider, Remedy, Session};

use crate::change::{Change, IntegrationChange};

/// What an error of one mailbox means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// The connection as a whole is gone: a person has to consent again, or the operator to mend something.
    Lost,
    /// Only this mailbox cannot be served.
    Mailbox,
    /// Nothing is decided: it passes.
    Passing,
}

/// Judges an error met at `mailbox`. "Access denied" alone does not say whether it concerns one mailbox or all: a
/// mailbox that is known to be in scope is asked too before anything is decided.
pub async fn judge(
    provider: &dyn Provider,
    session: &Session,
    known_good: Option<&str>,
    mailbox: &str,
    error: &Error,
) -> Judgement {
    match error.remedy {
        Remedy::Reconnect => Judgement::Lost,
        Remedy::SkipMailbox if error.kind == ErrorKind::OutOfScope => match known_good {
            Some(known) if !known.eq_ignore_ascii_case(mailbox) => {
                match provider.calendar(session, known).await {
                    Err(error)
                        if error.remedy == Remedy::Reconnect || error.kind == ErrorKind::OutOfScope =>
                    {
                        Judgement::Lost
                    }
                    _ => Judgement::Mailbox,
                }
            }
            _ => Judgement::Mailbox,
        },
        Remedy::Never if matches!(error.kind, ErrorKind::Misconfigured | ErrorKind::Signing) => {
            Judgement::Lost
        }
        Remedy::SkipMailbox | Remedy::Never => Judgement::Mailbox,
        Remedy::RetryAfter(_) | Remedy::RefreshToken | Remedy::Resync | Remedy::Reread => Judgement::Passing,
    }
}

/// Why a provider did not serve. What the operator has to do stands with it; what the customer has to do is known where
/// the error was met.
pub fn reason(error: &Error) -> Reason {
    let reason = Reason::new(error.kind_code(), error.message.clone());
    match error.operators_action() {
        Some(next) => reason.act(next),
        None => reason,
    }
}

/// The integration no longer works as a whole. Only one that was in use changes.
pub fn lost(integration: uuid::Uuid, error: &Error) -> Change {
    let reason = reason(error);
    let again = "Connect the calendar system again, as an administrator.";
    lost_because(integration, if reason.next_action.is_some() { reason } else { reason.act(again) })
}

/// [`lost`], for a reason that is known already.
pub fn lost_because(integration: uuid::Uuid, reason: Reason) -> Change {
    Change::Integration(IntegrationChange {
        id: integration,
        state: Some(IntegrationState::Failing),
        reason: Some(Some(reason)),
        only_from: Some(vec![IntegrationState::Active, IntegrationState::Degraded]),
        ..IntegrationChange::default()
    })
}

/// The integration works again as a whole.
pub fn healed(integration: uuid::Uuid) -> Change {
    Change::Integration(IntegrationChange {
        id: integration,
        state: Some(IntegrationState::Active),
        reason: Some(None),
        only_from: Some(vec![IntegrationState::Failing]),
        ..IntegrationChange::default()
    })
}

/// Mailboxes that were active are not: the integration shows it.
pub fn degraded(integration: uuid::Uuid) -> Change {
    let reason = Reason::new("MAILBOXES_LOST", "Mailboxes that were active cannot be reached any more.")
        .act("Look at the mailboxes that are unreachable.");
    Change::Integration(IntegrationChange {
        id: integration,
        state: Some(IntegrationState::Degraded),
        reason: Some(Some(reason)),
        only_from: Some(vec![IntegrationState::Active]),
        ..IntegrationChange::default()
    })
}

/// Every mailbox that was active is so again, or was left out.
pub fn whole_again(integration: uuid::Uuid) -> Change {
    Change::Integration(IntegrationChange {
        id: integration,
        state: Some(IntegrationState::Active),
        reason: Some(None),
        only_from: Some(vec![IntegrationState::Degraded]),
        ..IntegrationChange::default()
    })
}

/// Whether the provider clearly refuses, as against having a bad moment.
pub fn is_refusal(error: &Error) -> bool {
    error.remedy == Remedy::Reconnect
        || (error.kind == ErrorKind::Signing && error.remedy == Remedy::Never)
        || matches!(error.kind, ErrorKind::Misconfigured | ErrorKind::OutOfScope | ErrorKind::TokenRefused)
}
