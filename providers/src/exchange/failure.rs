//! Maps Exchange's errors to kinds and remedies, by tables.
//!
//! An error is classified by the response code of the fault or item or, if there is none, by the HTTP status. Messages
//! are Muster's own; the server's text is never passed on.

use std::time::Duration;

use http::Response;

use super::{
    endpoint,
    soap::{ERRORS, SOAP, TYPES},
};
use crate::{Error, ErrorKind as Kind, Remedy, messages, xml::Element};

/// Default wait if the server specifies none.
const PAUSE: Duration = Duration::from_secs(5);
/// Default wait if the server is busy and specifies none.
const BUSY: Duration = Duration::from_mins(1);
/// Wait while a mailbox is being moved to another database.
const MOVE: Duration = Duration::from_mins(10);

/// The error code for a response from a web server that does not run Exchange.
pub(super) const NOT_SERVED_HERE: &str = "NOT_SERVED_HERE";

/// The subject of a request: the same code means different things for different subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestSubject {
    /// The request concerns the server, or the service account itself.
    Server,
    /// The request concerns one mailbox or its calendar.
    Mailbox,
    /// The request concerns one event.
    Item,
}

/// The context of a failed request, which determines what its error means.
#[derive(Debug, Clone, Copy)]
pub(super) struct FailureContext {
    /// The subject of the request.
    pub about: RequestSubject,
    /// Whether the request would have changed something.
    pub writes: bool,
    /// Random duration added to waits that the server did not request.
    pub jitter: Duration,
}

/// An error code, and the wait that the server requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResponseCode {
    /// The response code, such as `ErrorServerBusy`.
    pub name: String,
    /// The requested wait (`BackOffMilliseconds`); `None` when the server requests none.
    pub back_off: Option<Duration>,
}

impl ResponseCode {
    /// The code of a SOAP fault (HTTP 500).
    pub(super) fn from_fault(envelope: &Element) -> Option<Self> {
        let fault = envelope.child(SOAP, "Body")?.child(SOAP, "Fault")?;
        let detail = fault.child("", "detail");
        let told = detail.and_then(|detail| detail.child_text(ERRORS, "ResponseCode"));
        // Some faults have no detail: the fault code, without its prefix, is all there is.
        let plain = || fault.child_text("", "faultcode").map(|code| code.rsplit(':').next().unwrap_or(code));
        let name = told.or_else(plain)?.to_owned();
        Some(Self { name, back_off: detail.and_then(back_off) })
    }

    /// The code of a response message that is an error.
    pub(super) fn from_message(message: &Element) -> Self {
        let name =
            message.child_text(super::soap::MESSAGES, "ResponseCode").unwrap_or("ErrorUnknown").to_owned();
        Self { name, back_off: back_off(message) }
    }
}

/// `BackOffMilliseconds` inside a `MessageXml`, in whichever namespace.
fn back_off(parent: &Element) -> Option<Duration> {
    let details = parent.children.iter().find(|child| child.name() == "MessageXml")?;
    let values = details.all(TYPES, "Value");
    let told = values.into_iter().find(|value| value.attribute("Name") == Some("BackOffMilliseconds"))?;
    http::parse_retry_wait(&told.text, Duration::from_millis(1))
}

/// The error for a code. `fault` is true for a SOAP fault and false for a response message.
pub(super) fn error_from_code(code: &ResponseCode, refused: FailureContext, fault: bool) -> Error {
    let found = |kind, remedy, message| Error::new(kind, remedy, code.name.clone(), message);
    let wait = |pause: Duration| Remedy::RetryAfter(code.back_off.unwrap_or(pause + refused.jitter));
    let later = |pause| {
        let error = found(Kind::Unavailable, wait(pause), messages::exchange_temporary_problem());
        if refused.writes { error.with_unknown_outcome() } else { error }
    };
    match (code.name.as_str(), refused.about) {
        ("ErrorServerBusy" | "ErrorExceededConnectionCount" | "ErrorExceededFindCountLimit", _) => {
            found(Kind::Throttled, wait(BUSY), messages::exchange_slow_down())
        }
        ("ErrorMailboxMoveInProgress", _) => later(MOVE),
        ("ErrorBatchProcessingStopped", _) => Error { unknown: false, ..later(PAUSE) },
        (name, _) if is_transient(name) => later(PAUSE),
        ("ErrorImpersonationDenied" | "ErrorImpersonationFailed", _) => {
            found(Kind::GrantLost, Remedy::Reconnect, messages::exchange_impersonation_lost())
        }
        ("ErrorImpersonateUserDenied", _) => {
            found(Kind::OutOfScope, Remedy::SkipMailbox, messages::exchange_outside_impersonation())
        }
        ("ErrorAccountDisabled", RequestSubject::Server) => {
            found(Kind::GrantLost, Remedy::Reconnect, messages::exchange_account_disabled())
        }
        ("ErrorAccountDisabled", _) => {
            found(Kind::NotServed, Remedy::SkipMailbox, messages::exchange_mailbox_disabled())
        }
        ("ErrorNonExistentMailbox" | "ErrorMissingEmailAddress", RequestSubject::Server) => {
            found(Kind::Misconfigured, Remedy::Never, messages::exchange_account_needs_mailbox())
        }
        (
            "ErrorNonExistentMailbox"
            | "ErrorMissingEmailAddress"
            | "ErrorMailRecipientNotFound"
            | "ErrorNameResolutionNoResults"
            | "ErrorNameResolutionNoMailbox",
            _,
        ) => no_mailbox(&code.name),
        ("ErrorAccessDenied" | "ErrorNoFreeBusyAccess", RequestSubject::Server) => {
            found(Kind::GrantLost, Remedy::Reconnect, messages::exchange_account_denied())
        }
        ("ErrorAccessDenied" | "ErrorNoFreeBusyAccess" | "ErrorFolderNotFound", _) => no_access(&code.name),
        ("ErrorItemNotFound", _) => event_gone(),
        (
            "ErrorInvalidSyncStateData"
            | "ErrorInvalidWatermark"
            | "ErrorInvalidSubscription"
            | "ErrorInvalidPullSubscriptionId"
            | "ErrorSubscriptionNotFound"
            | "ErrorSubscriptionAccessDenied"
            | "ErrorSubscriptionUnsubscribed"
            | "ErrorExpiredSubscription"
            | "ErrorReadEventsFailed"
            | "ErrorMissedNotificationEvents",
            _,
        ) => found(Kind::Gone, Remedy::Resync, messages::exchange_position_forgotten()),
        (
            "ErrorIrresolvableConflict"
            | "ErrorStaleObject"
            | "ErrorChangeKeyRequired"
            | "ErrorChangeKeyRequiredForWriteOperations",
            _,
        ) => found(Kind::Conflict, Remedy::Reread, messages::appointment_changed_meanwhile()),
        ("ErrorExceededSubscriptionCount", _) => {
            found(Kind::Unsupported, Remedy::Never, messages::exchange_too_many_subscriptions())
        }
        ("ErrorQuotaExceeded", _) => found(Kind::NotServed, Remedy::SkipMailbox, messages::mailbox_full()),
        ("ErrorInvalidServerVersion", _) => {
            found(Kind::Misconfigured, Remedy::Never, messages::exchange_too_old())
        }
        (name, _) if fault && !is_ours_to_blame(name) => later(PAUSE),
        _ => found(Kind::Invalid, Remedy::Never, messages::exchange_request_refused()),
    }
}

fn is_transient(code: &str) -> bool {
    matches!(
        code,
        "ErrorTimeoutExpired"
            | "ErrorConnectionFailed"
            | "ErrorConnectionFailedTransientError"
            | "ErrorInsufficientResources"
            | "ErrorInternalServerError"
            | "ErrorInternalServerTransientError"
            | "ErrorADUnavailable"
            | "ErrorADOperation"
            | "ErrorMailboxStoreUnavailable"
            | "ErrorMailboxFailover"
            | "ErrorProxyRequestProcessingFailed"
            | "ErrorFreeBusyGenerationFailed"
    )
}

/// Whether an error is caused by Muster itself, so that retrying does not help.
fn is_ours_to_blame(code: &str) -> bool {
    let starts = ["ErrorInvalid", "ErrorIncorrect", "ErrorUnsupported", "ErrorCalendar", "ErrorSend"];
    starts.iter().any(|start| code.starts_with(start))
        || code.ends_with("TooBig")
        || matches!(code, "ErrorSchemaValidation" | "ErrorTimeZone")
}

/// The error for a response of the web server without a response code.
pub(super) fn error_from_status(response: &Response, refused: FailureContext) -> Error {
    let status = response.status.as_u16();
    let found = |kind, remedy, message| Error::new(kind, remedy, format!("HTTP_{status}"), message);
    let misconfigured = |message| found(Kind::Misconfigured, Remedy::Never, message);
    match status {
        401 => login_refused(response),
        403 if response.header("x-ews-policy-reason").is_some()
            && refused.about == RequestSubject::Server =>
        {
            endpoint::exchange_online_unsupported("EWS_POLICY")
        }
        403 if response.header("x-ews-policy-reason").is_some() => Error::new(
            Kind::NotServed,
            Remedy::SkipMailbox,
            "EWS_POLICY",
            messages::exchange_services_off_for_mailbox(),
        ),
        // The server answers for others: one mailbox may lie behind a part of it that is not there at the moment.
        403 | 404 | 405 | 300..=399 if refused.about != RequestSubject::Server => Error::new(
            Kind::Unavailable,
            Remedy::RetryAfter(BUSY + refused.jitter),
            NOT_SERVED_HERE,
            messages::exchange_mailbox_elsewhere(),
        ),
        403 => misconfigured(messages::exchange_services_denied()),
        404 | 405 => misconfigured(messages::exchange_no_services()),
        300..=399 => misconfigured(messages::exchange_redirects()),
        429 | 500.. => {
            let wait = response.retry_after().unwrap_or(PAUSE + refused.jitter);
            let (kind, message) = match status {
                429 => (Kind::Throttled, messages::exchange_slow_down()),
                _ => (Kind::Unavailable, messages::exchange_unavailable()),
            };
            let error = found(kind, Remedy::RetryAfter(wait), message);
            if refused.writes && status >= 500 { error.with_unknown_outcome() } else { error }
        }
        200..=299 => {
            let error = misconfigured(messages::exchange_not_spoken());
            if refused.writes { error.with_unknown_outcome() } else { error }
        }
        _ => found(Kind::Invalid, Remedy::Never, messages::exchange_request_refused()),
    }
}

/// The error for a refused login. A server that does not support this kind of login reports that in its challenges.
pub(super) fn login_refused(response: &Response) -> Error {
    let challenges = response.headers.get_all("www-authenticate");
    let offered: Vec<&str> = challenges.iter().filter_map(|value| value.to_str().ok()).collect();
    let takes = |scheme: &str| {
        offered
            .iter()
            .any(|offer| offer.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
    };
    if !offered.is_empty() && !takes("Basic") && !takes("Bearer") {
        let message = messages::exchange_no_password_login();
        return Error::new(Kind::Misconfigured, Remedy::Never, "NO_USABLE_LOGIN", message);
    }
    let message = messages::exchange_login_refused();
    Error::new(Kind::GrantLost, Remedy::Reconnect, "401", message)
}

/// The error for an email address without a mailbox.
pub(super) fn no_mailbox(code: &str) -> Error {
    let message = messages::exchange_no_mailbox();
    Error::new(Kind::NoMailbox, Remedy::SkipMailbox, code, message)
}

/// The error for a calendar to which the service account has no access.
pub(super) fn no_access(code: &str) -> Error {
    let message = messages::exchange_no_access();
    Error::new(Kind::OutOfScope, Remedy::SkipMailbox, code, message)
}

/// The error for an event that no longer exists.
pub(super) fn event_gone() -> Error {
    Error::new(Kind::Gone, Remedy::Never, "ErrorItemNotFound", messages::appointment_gone())
}

/// The error for a well-formed response with unexpected content.
pub(super) fn unexpected_response() -> Error {
    let message = messages::exchange_not_understood();
    Error::new(Kind::Unavailable, Remedy::RetryAfter(PAUSE), "ANSWER_UNREADABLE", message)
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
