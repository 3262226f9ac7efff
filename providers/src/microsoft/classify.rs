//! Classifies the errors of Graph, by tables.
//!
//! Consulted in this order: the provider's own code, the HTTP status. Codes are compared case-insensitively; inner
//! codes count if the outer one is unknown. Messages are Muster's own; the provider's text is never passed on.

use std::time::Duration;

use http::Response;
use serde::Deserialize;
use serde_json::Value;

use crate::{Error, ErrorKind as Kind, Remedy, messages};

/// The subject of a request; determines what "not found" and "forbidden" mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestSubject {
    /// The request concerns the directory or the connection as a whole.
    Directory,
    /// The request concerns one mailbox.
    Mailbox,
    /// The request concerns one object, such as an event.
    Item,
}

/// Default wait before a retry if the provider specifies none.
pub(super) const DEFAULT_WAIT: Duration = Duration::from_secs(5);

/// Classification of an error code; wait times are added later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Throttled,
    Unavailable,
    TokenRefused,
    GrantLost,
    OutOfScope,
    NoMailbox,
    NotServed,
    MailboxFull,
    ItemGone,
    Duplicate,
    Conflict,
    Resync,
    Invalid,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    error: Value,
}

/// Classifies an error response of Graph. `writes` says whether the request may have had an effect.
pub(super) fn error_from_response(
    response: &Response,
    subject: RequestSubject,
    writes: bool,
    jitter: Duration,
) -> Error {
    let error = crate::json::parse_short::<Envelope>(response).unwrap_or_default().error;
    let codes = codes(&error);
    let status = response.status.as_u16();
    let meaning = codes
        .iter()
        .find_map(|code| by_code(code, subject))
        .filter(|meaning| *meaning != Meaning::Invalid || status < 500)
        .unwrap_or_else(|| by_status(status, subject));
    let wait = response.retry_after().unwrap_or(DEFAULT_WAIT + jitter);
    let code = codes.into_iter().next().unwrap_or_else(|| format!("HTTP_{status}"));
    let request_id = response.header("request-id").map(str::to_owned).or_else(|| inner_request_id(&error));
    let named_conflict = matches!(meaning, Meaning::Duplicate) || status == 412;
    let unknown = writes && (status >= 500 && status != 507 || status == 409 && !named_conflict);
    Error { request_id, unknown, ..express(meaning, code, wait) }
}

/// Converts an authentication error that persists with a fresh token to an error that requires a new consent.
pub(super) fn consent_lost(error: Error) -> Error {
    let Error { code, request_id, .. } = error;
    Error { request_id, ..express(Meaning::GrantLost, code, DEFAULT_WAIT) }
}

/// Classifies the error of one mailbox within a successful getSchedule response.
pub(super) fn schedule_error(code: &str) -> Error {
    let meaning = match by_code(code, RequestSubject::Mailbox) {
        None if code == "5009" => Meaning::NoMailbox,
        None => Meaning::Unavailable,
        Some(meaning) => meaning,
    };
    express(meaning, code.to_owned(), Duration::from_mins(1))
}

fn codes(error: &Value) -> Vec<String> {
    let mut codes = Vec::new();
    let mut level = Some(error);
    while let Some(value) = level {
        codes.extend(value.get("code").and_then(Value::as_str).map(str::to_owned));
        level = value.get("innerError").or_else(|| value.get("innererror"));
    }
    codes
}

fn inner_request_id(error: &Value) -> Option<String> {
    let inner = error.get("innerError").or_else(|| error.get("innererror"))?;
    inner.get("request-id").and_then(Value::as_str).map(str::to_owned)
}

fn by_code(code: &str, subject: RequestSubject) -> Option<Meaning> {
    Some(match code.to_ascii_lowercase().as_str() {
        "applicationthrottled" | "toomanyrequests" | "activitylimitreached" => Meaning::Throttled,
        "errorinternalservererror"
        | "errormailboxmoveinprogress"
        | "servicenotavailable"
        | "errorserverbusy"
        | "generalexception"
        | "errortimeoutexpired" => Meaning::Unavailable,
        "invalidauthenticationtoken" => Meaning::TokenRefused,
        "authorization_requestdenied" => Meaning::GrantLost,
        "erroraccessdenied" if subject == RequestSubject::Directory => Meaning::GrantLost,
        "erroraccessdenied" => Meaning::OutOfScope,
        // A calendar that is not found is one that is not shared with us.
        "erroritemnotfound" | "itemnotfound" if subject == RequestSubject::Mailbox => Meaning::OutOfScope,
        "erroritemnotfound" | "itemnotfound" => Meaning::ItemGone,
        "errorinvaliduser" | "errormailrecipientnotfound" => Meaning::NoMailbox,
        "mailboxnotenabledforrestapi" | "mailboxnotsupportedforrestapi" => Meaning::NotServed,
        "request_resourcenotfound" if subject != RequestSubject::Directory => Meaning::NoMailbox,
        "resourcenotfound" if subject != RequestSubject::Directory => Meaning::NotServed,
        "errorduplicatetransactionid" => Meaning::Duplicate,
        "errorirresolvableconflict" | "namealreadyexists" => Meaning::Conflict,
        "syncstatenotfound" | "syncstateinvalid" | "resyncrequired" => Meaning::Resync,
        "errorinvalidrequest"
        | "requestbodyread"
        | "errortimeintervaltoobig"
        | "errorinvalididmalformed"
        | "erroroccurrencecrossingboundary" => Meaning::Invalid,
        _ => return None,
    })
}

fn by_status(status: u16, subject: RequestSubject) -> Meaning {
    match status {
        401 => Meaning::TokenRefused,
        403 if subject == RequestSubject::Directory => Meaning::GrantLost,
        403 => Meaning::OutOfScope,
        404 if subject == RequestSubject::Mailbox => Meaning::NoMailbox,
        404 => Meaning::ItemGone,
        409 | 412 => Meaning::Conflict,
        410 => Meaning::Resync,
        429 => Meaning::Throttled,
        507 => Meaning::MailboxFull,
        501 => Meaning::Invalid,
        500.. => Meaning::Unavailable,
        _ => Meaning::Invalid,
    }
}

fn express(meaning: Meaning, code: String, wait: Duration) -> Error {
    let (kind, remedy, message) = match meaning {
        Meaning::Throttled => (Kind::Throttled, Remedy::RetryAfter(wait), messages::microsoft_slow_down()),
        Meaning::Unavailable => {
            (Kind::Unavailable, Remedy::RetryAfter(wait), messages::microsoft_temporary_problem())
        }
        Meaning::TokenRefused => {
            (Kind::TokenRefused, Remedy::RefreshToken, messages::microsoft_token_refused())
        }
        Meaning::GrantLost => (Kind::GrantLost, Remedy::Reconnect, messages::microsoft_access_lost()),
        Meaning::OutOfScope => {
            (Kind::OutOfScope, Remedy::SkipMailbox, messages::microsoft_mailbox_out_of_scope())
        }
        Meaning::NoMailbox => (Kind::NoMailbox, Remedy::SkipMailbox, messages::microsoft_no_mailbox()),
        Meaning::NotServed => {
            (Kind::NotServed, Remedy::SkipMailbox, messages::microsoft_mailbox_not_served())
        }
        Meaning::MailboxFull => (Kind::NotServed, Remedy::SkipMailbox, messages::mailbox_full()),
        Meaning::ItemGone => (Kind::Gone, Remedy::Never, messages::microsoft_object_gone()),
        Meaning::Duplicate => (Kind::Conflict, Remedy::Reread, messages::microsoft_carried_out_once()),
        Meaning::Conflict => (Kind::Conflict, Remedy::Reread, messages::appointment_changed_meanwhile()),
        Meaning::Resync => (Kind::Gone, Remedy::Resync, messages::microsoft_position_forgotten()),
        Meaning::Invalid => (Kind::Invalid, Remedy::Never, messages::microsoft_request_refused()),
    };
    Error::new(kind, remedy, code, message)
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
