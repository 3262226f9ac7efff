//! Classifies the errors of Google's APIs, by tables.
//!
//! Consulted in this order: the reason of the first error, the reasons of newer front ends (`details`), the gRPC
//! status, the HTTP status. Messages are Muster's own; the provider's text is never passed on.
//!
//! Source: Google's "Handle API errors" for Calendar and Directory.

use std::time::Duration;

use http::Response;
use serde::Deserialize;
use serde_json::Value;

use super::online;
use crate::{Error, ErrorKind as Kind, Remedy, messages};

/// The subject of a request; determines what "not found" and "forbidden" mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestSubject {
    /// The request concerns the directory or the connection as a whole.
    Directory,
    /// The request concerns one person of the directory.
    Person,
    /// The request concerns the calendar of a mailbox.
    Calendar,
    /// The request concerns the changes of a calendar since a cursor.
    Changes,
    /// The request concerns one object, such as an event.
    Item,
}

/// Default wait before a retry if the provider specifies none.
pub(super) const DEFAULT_WAIT: Duration = Duration::from_secs(5);
/// Wait after "Calendar usage limits exceeded": too many invitations by one account recently.
const QUOTA_PAUSE: Duration = Duration::from_hours(1);
/// Wait after the daily quota is exhausted.
const DAY_PAUSE: Duration = Duration::from_hours(4);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Throttled,
    Quota,
    Day,
    Unavailable,
    TokenRefused,
    GrantLost,
    Api,
    Delegation,
    Push,
    OutOfScope,
    NoMailbox,
    NotServed,
    ItemGone,
    Duplicate,
    Changed,
    Conflict,
    Resync,
    Invalid,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    error: Value,
}

/// Classifies an error response. `writes` says whether the request may have had an effect.
pub(super) fn error_from_response(
    response: &Response,
    subject: RequestSubject,
    writes: bool,
    jitter: Duration,
) -> Error {
    let error = crate::json::parse_short::<Envelope>(response).unwrap_or_default().error;
    let reasons = reasons(&error);
    let status = response.status.as_u16();
    let meaning = reasons
        .iter()
        .find_map(|reason| by_reason(reason, subject))
        .filter(|meaning| *meaning != Meaning::Invalid || status < 500)
        .unwrap_or_else(|| by_status(status, subject));
    let pause = match meaning {
        Meaning::Quota => QUOTA_PAUSE,
        Meaning::Day => DAY_PAUSE,
        _ => DEFAULT_WAIT,
    };
    let wait = response.retry_after().unwrap_or(pause + jitter);
    let code = online::refusal_code(&error).or_else(|| reasons.into_iter().next());
    let code = code.unwrap_or_else(|| format!("HTTP_{status}"));
    let unknown = writes && (status >= 500 && status != 501 || meaning == Meaning::Conflict);
    Error { unknown, ..express(meaning, code, wait) }
}

/// Converts an authentication error that persists with a fresh token to an error that requires a new consent.
pub(super) fn consent_lost(error: Error) -> Error {
    express(Meaning::GrantLost, error.code, DEFAULT_WAIT)
}

/// Classifies the error of one calendar within a successful response about busy times.
pub(super) fn free_busy_error(reason: &str) -> Error {
    let meaning = match reason {
        "notFound" => Meaning::NoMailbox,
        "internalError" | "backendError" => Meaning::Unavailable,
        "groupTooBig" | "tooManyCalendarsRequested" => Meaning::Invalid,
        other => by_reason(other, RequestSubject::Calendar).unwrap_or(Meaning::Unavailable),
    };
    express(meaning, reason.to_owned(), Duration::from_mins(1))
}

fn reasons(error: &Value) -> Vec<String> {
    let list = |name: &str| error[name].as_array().cloned().unwrap_or_default();
    let reason = |entry: Value| entry["reason"].as_str().map(str::to_owned);
    let listed = list("errors").into_iter().chain(list("details")).filter_map(reason);
    listed.chain(error["status"].as_str().map(str::to_owned)).collect()
}

fn by_reason(reason: &str, subject: RequestSubject) -> Option<Meaning> {
    Some(match reason {
        "rateLimitExceeded" | "userRateLimitExceeded" | "RATE_LIMIT_EXCEEDED" | "RESOURCE_EXHAUSTED" => {
            Meaning::Throttled
        }
        "quotaExceeded" => Meaning::Quota,
        "dailyLimitExceeded" => Meaning::Day,
        "backendError" | "internalError" | "INTERNAL" | "UNAVAILABLE" => Meaning::Unavailable,
        "authError" | "UNAUTHENTICATED" => Meaning::TokenRefused,
        "insufficientPermissions" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => Meaning::GrantLost,
        "accessNotConfigured" | "SERVICE_DISABLED" => Meaning::Api,
        "forbiddenForServiceAccounts" => Meaning::Delegation,
        "notACalendarUser" => Meaning::NotServed,
        "forbidden" | "requiredAccessLevel" | "PERMISSION_DENIED" if subject == RequestSubject::Directory => {
            Meaning::GrantLost
        }
        "forbidden" | "requiredAccessLevel" | "PERMISSION_DENIED" => Meaning::OutOfScope,
        "notFound" | "NOT_FOUND" => missing(subject),
        "duplicate" => Meaning::Duplicate,
        "conflict" => Meaning::Conflict,
        "conditionNotMet" => Meaning::Changed,
        "deleted" | "channelUnknown" => Meaning::ItemGone,
        "fullSyncRequired" | "updatedMinTooLongAgo" => Meaning::Resync,
        "push.webhookUrlUnauthorized" | "push.webhookUrlNotHttps" => Meaning::Push,
        "badRequest"
        | "invalid"
        | "required"
        | "parseError"
        | "timeRangeEmpty"
        | "timeRangeTooLong"
        | "channelIdNotUnique"
        | "forbiddenForNonOrganizer" => Meaning::Invalid,
        _ => return None,
    })
}

/// Interprets "not found": deleted or not visible. It does not prove that a calendar was deleted.
const fn missing(subject: RequestSubject) -> Meaning {
    match subject {
        RequestSubject::Directory => Meaning::GrantLost,
        RequestSubject::Person => Meaning::NoMailbox,
        RequestSubject::Calendar | RequestSubject::Changes => Meaning::OutOfScope,
        RequestSubject::Item => Meaning::ItemGone,
    }
}

fn by_status(status: u16, subject: RequestSubject) -> Meaning {
    match status {
        401 => Meaning::TokenRefused,
        403 if subject == RequestSubject::Directory => Meaning::GrantLost,
        403 => Meaning::OutOfScope,
        404 => missing(subject),
        409 => Meaning::Conflict,
        410 if subject == RequestSubject::Changes => Meaning::Resync,
        410 => Meaning::ItemGone,
        412 => Meaning::Changed,
        429 => Meaning::Throttled,
        501 => Meaning::Invalid,
        500.. => Meaning::Unavailable,
        _ => Meaning::Invalid,
    }
}

fn express(meaning: Meaning, code: String, wait: Duration) -> Error {
    let (kind, remedy, message) = match meaning {
        Meaning::Throttled => (Kind::Throttled, Remedy::RetryAfter(wait), messages::google_slow_down()),
        Meaning::Quota => (Kind::Throttled, Remedy::RetryAfter(wait), messages::google_invitations_used_up()),
        Meaning::Day => (Kind::Throttled, Remedy::RetryAfter(wait), messages::google_quota_of_the_day()),
        Meaning::Unavailable => {
            (Kind::Unavailable, Remedy::RetryAfter(wait), messages::google_temporary_problem())
        }
        Meaning::TokenRefused => (Kind::TokenRefused, Remedy::RefreshToken, messages::google_token_refused()),
        Meaning::GrantLost => (Kind::GrantLost, Remedy::Reconnect, messages::google_access_lost()),
        Meaning::Api => (Kind::Misconfigured, Remedy::Never, messages::google_api_off()),
        Meaning::Delegation => (Kind::Misconfigured, Remedy::Never, messages::google_no_delegation()),
        Meaning::Push => (Kind::Misconfigured, Remedy::Never, messages::google_push_address_refused()),
        Meaning::OutOfScope => {
            (Kind::OutOfScope, Remedy::SkipMailbox, messages::google_calendar_out_of_scope())
        }
        Meaning::NoMailbox => (Kind::NoMailbox, Remedy::SkipMailbox, messages::google_no_calendar()),
        Meaning::NotServed => (Kind::NotServed, Remedy::SkipMailbox, messages::google_calendar_off()),
        Meaning::ItemGone => (Kind::Gone, Remedy::Never, messages::google_object_gone()),
        Meaning::Duplicate => (Kind::Conflict, Remedy::Reread, messages::google_carried_out_once()),
        Meaning::Changed | Meaning::Conflict => {
            (Kind::Conflict, Remedy::Reread, messages::appointment_changed_meanwhile())
        }
        Meaning::Resync => (Kind::Gone, Remedy::Resync, messages::google_position_forgotten()),
        Meaning::Invalid => (Kind::Invalid, Remedy::Never, messages::google_request_refused()),
    };
    Error::new(kind, remedy, code, message)
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
