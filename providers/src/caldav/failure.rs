//! Converts error responses to errors with a kind and a remedy.

use std::time::Duration;

use http::StatusCode;

use super::{
    transport::DavResponse,
    xml::{CALDAV, DAV, Element},
};
use crate::{Error, ErrorKind, Remedy, messages};

/// Default wait before a retry if the server specifies none.
const PAUSE: Duration = Duration::from_secs(5);

/// The subject of a request: the same status means different things for different subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestSubject {
    /// The request concerns the server, or the service account itself.
    Server,
    /// The request concerns one mailbox or its calendar.
    Mailbox,
    /// The request concerns one event.
    Object,
}

/// Converts an error response. `write` is true if the request would have changed something.
pub(super) fn error_from_response(response: &DavResponse, about: RequestSubject, write: bool) -> Error {
    let status = response.status.as_u16();
    let code = failed_precondition(&response.body).unwrap_or_else(|| status.to_string());
    let wait = Remedy::RetryAfter(response.retry_after.unwrap_or(PAUSE));
    let found = |kind, remedy, message| Error::new(kind, remedy, code.clone(), message);
    match (status, about) {
        (401, _) => login_refused(),
        // Some servers respond with 412 to requests whose failure does not concern the version.
        (412, _) if write && !is_about_content(&code) => {
            found(ErrorKind::Conflict, Remedy::Reread, messages::caldav_event_changed())
        }
        (403 | 409 | 412, _) if write && code != status.to_string() => match code.as_str() {
            "no-uid-conflict" => found(ErrorKind::Conflict, Remedy::Reread, messages::caldav_event_exists()),
            // `need-privileges` is how some servers say that access is not granted.
            "need-privileges" => out_of_scope(code),
            _ => found(ErrorKind::Invalid, Remedy::Never, messages::caldav_event_refused()),
        },
        (403, RequestSubject::Server) => {
            found(ErrorKind::GrantLost, Remedy::Reconnect, messages::caldav_principal_not_readable())
        }
        (403, _) => out_of_scope(code),
        (404 | 410, RequestSubject::Server) => {
            found(ErrorKind::Misconfigured, Remedy::Never, messages::caldav_no_service())
        }
        (404 | 410, RequestSubject::Mailbox) => no_mailbox(code),
        (409, _) if write => no_mailbox(code),
        (404 | 410, RequestSubject::Object) => {
            found(ErrorKind::Gone, Remedy::Never, messages::caldav_event_gone())
        }
        (405 | 501, _) => found(ErrorKind::Misconfigured, Remedy::Never, messages::caldav_blocked()),
        (412, _) => found(ErrorKind::Conflict, Remedy::Reread, messages::caldav_event_changed()),
        (429, _) => found(ErrorKind::Throttled, wait, messages::caldav_slow_down()),
        (423, _) => found(ErrorKind::Unavailable, wait, messages::caldav_calendar_locked()),
        (507, _) => found(ErrorKind::Invalid, Remedy::Never, messages::caldav_no_space()),
        (500.., _) => {
            let error = found(ErrorKind::Unavailable, wait, messages::caldav_temporary_problem());
            if write { error.with_unknown_outcome() } else { error }
        }
        (300..=399, _) => found(ErrorKind::Misconfigured, Remedy::Never, messages::caldav_redirects()),
        _ => found(ErrorKind::Invalid, Remedy::Never, messages::caldav_request_refused()),
    }
}

/// Whether a failed precondition concerns the content that was written.
fn is_about_content(condition: &str) -> bool {
    let beginnings = [
        "attendee-",
        "allowed-",
        "valid-",
        "supported-",
        "max-",
        "min-",
        "same-organizer-",
        "unique-scheduling-",
    ];
    beginnings.iter().any(|beginning| condition.starts_with(beginning))
}

/// Whether a scheduling server refused a change to an attendee's copy (RFC 6638 section 3.2.2.1).
pub(super) fn is_organiser_only(error: &Error) -> bool {
    matches!(error.code.as_str(), "attendee-allowed" | "allowed-attendee-scheduling-object-change")
}

/// The error for a refused password.
pub(super) fn login_refused() -> Error {
    let message = messages::caldav_login_refused();
    Error::new(ErrorKind::GrantLost, Remedy::Reconnect, "401", message)
}

/// The error for a mailbox to which the service account has no access.
pub(super) fn out_of_scope(code: impl Into<String>) -> Error {
    let message = messages::caldav_no_access();
    Error::new(ErrorKind::OutOfScope, Remedy::SkipMailbox, code, message)
}

/// The error for an email address without a mailbox.
pub(super) fn no_mailbox(code: impl Into<String>) -> Error {
    Error::new(ErrorKind::NoMailbox, Remedy::SkipMailbox, code, messages::caldav_no_mailbox())
}

/// The error for a server that does not support CalDAV.
pub(super) fn not_caldav() -> Error {
    let message = messages::caldav_not_spoken();
    Error::new(ErrorKind::Misconfigured, Remedy::Never, "NOT_CALDAV", message)
}

/// The error for an unreadable response about one mailbox, which a retry may fix.
pub(super) fn unreadable_response() -> Error {
    let message = messages::caldav_response_unreadable();
    Error::new(ErrorKind::Unavailable, Remedy::RetryAfter(PAUSE), "UNCLEAR_ANSWER", message)
}

/// The error for an unreadable response.
pub(super) fn unreadable_response_about(about: RequestSubject) -> Error {
    if about == RequestSubject::Server { not_caldav() } else { unreadable_response() }
}

/// Whether a response exceeded the size limit.
pub(super) fn is_too_large(error: &Error) -> bool {
    error.code == "PROVIDER_ANSWER_TOO_LARGE"
}

/// The error for a server that supports none of our authentication schemes.
pub(super) fn unsupported_login(schemes: &[String]) -> Error {
    let schemes = schemes.join(", ");
    let message = messages::caldav_only_other_logins(schemes);
    Error::new(ErrorKind::Misconfigured, Remedy::Never, "AUTHENTICATION_SCHEME", message)
}

/// The error for a mailbox in which the account sees only calendars of other owners.
pub(super) fn no_own_calendar() -> Error {
    let message = messages::caldav_not_the_owners();
    Error::new(ErrorKind::OutOfScope, Remedy::SkipMailbox, "NOT_THE_OWNERS", message)
}

/// The name of the failed precondition in a `D:error` body.
pub(super) fn failed_precondition(body: &[u8]) -> Option<String> {
    let error = Element::parse(body).ok().filter(|error| error.has_name(DAV, "error"))?;
    error.children.into_iter().next().map(|condition| condition.name().to_owned())
}

/// Whether a report matched more resources than the server returns at once.
pub(super) fn is_truncated(response: &DavResponse) -> bool {
    matches!(response.status, StatusCode::FORBIDDEN | StatusCode::INSUFFICIENT_STORAGE)
        && Element::parse(&response.body).is_ok_and(|error| {
            error.children.iter().any(|is| {
                is.has_name(DAV, "number-of-matches-within-limits")
                    || is.has_name(CALDAV, "number-of-matches-within-limits")
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(status: u16, body: &str, about: RequestSubject, write: bool) -> (ErrorKind, Remedy, bool) {
        let response = DavResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: http::HeaderMap::new(),
            retry_after: None,
            body: body.to_owned().into(),
            url: "https://cal.test/".parse().unwrap(),
        };
        let error = error_from_response(&response, about, write);
        (error.kind, error.remedy, error.unknown)
    }

    #[test]
    fn every_status_says_what_to_do() {
        use RequestSubject::{Mailbox, Object, Server};
        let wait = Remedy::RetryAfter(PAUSE);
        let uid = r#"<e:error xmlns:e="DAV:"><x:no-uid-conflict xmlns:x="urn:ietf:params:xml:ns:caldav"/></e:error>"#;
        let bad =
            r#"<error xmlns="DAV:"><x:valid-calendar-data xmlns:x="urn:ietf:params:xml:ns:caldav"/></error>"#;
        for (status, body, about, write, expected) in [
            (401, "", Mailbox, false, (ErrorKind::GrantLost, Remedy::Reconnect, false)),
            (403, "", Mailbox, false, (ErrorKind::OutOfScope, Remedy::SkipMailbox, false)),
            (403, "", Object, true, (ErrorKind::OutOfScope, Remedy::SkipMailbox, false)),
            (403, "", Server, false, (ErrorKind::GrantLost, Remedy::Reconnect, false)),
            (403, bad, Object, true, (ErrorKind::Invalid, Remedy::Never, false)),
            (404, "", Server, false, (ErrorKind::Misconfigured, Remedy::Never, false)),
            (404, "", Mailbox, false, (ErrorKind::NoMailbox, Remedy::SkipMailbox, false)),
            (404, "", Object, false, (ErrorKind::Gone, Remedy::Never, false)),
            (405, "", Mailbox, false, (ErrorKind::Misconfigured, Remedy::Never, false)),
            (409, uid, Object, true, (ErrorKind::Conflict, Remedy::Reread, false)),
            (409, "", Object, true, (ErrorKind::NoMailbox, Remedy::SkipMailbox, false)),
            (412, uid, Object, true, (ErrorKind::Conflict, Remedy::Reread, false)),
            (412, bad, Object, true, (ErrorKind::Invalid, Remedy::Never, false)),
            (412, "", Object, true, (ErrorKind::Conflict, Remedy::Reread, false)),
            (429, "", Mailbox, false, (ErrorKind::Throttled, wait, false)),
            (500, "", Object, true, (ErrorKind::Unavailable, wait, true)),
            (503, "", Object, false, (ErrorKind::Unavailable, wait, false)),
            (400, "", Object, true, (ErrorKind::Invalid, Remedy::Never, false)),
        ] {
            assert_eq!(sorted(status, body, about, write), expected, "{status} {about:?} {write}");
        }
    }
}
