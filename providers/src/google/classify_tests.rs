use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::*;

fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    Response { status, headers: HeaderMap::new(), body: body.to_string().into() }
}

fn refused(status: u16, reason: &str, subject: RequestSubject) -> Error {
    let body = json!({ "error": {
        "errors": [{ "domain": "global", "reason": reason, "message": "secret words" }],
        "code": status, "message": "secret words",
    }});
    error_from_response(&answer(status, &body), subject, true, Duration::ZERO)
}

#[test]
fn every_reason_has_its_kind_and_remedy() {
    use RequestSubject::{Calendar, Changes, Directory, Item, Person};
    let hour = Remedy::RetryAfter(Duration::from_hours(1));
    let soon = Remedy::RetryAfter(DEFAULT_WAIT);
    let rows = [
        (429, "rateLimitExceeded", Calendar, Kind::Throttled, soon),
        (403, "rateLimitExceeded", Calendar, Kind::Throttled, soon),
        (403, "userRateLimitExceeded", Item, Kind::Throttled, soon),
        (403, "quotaExceeded", Calendar, Kind::Throttled, hour),
        (503, "backendError", Calendar, Kind::Unavailable, soon),
        (500, "internalError", Directory, Kind::Unavailable, soon),
        (401, "authError", Calendar, Kind::TokenRefused, Remedy::RefreshToken),
        (403, "insufficientPermissions", Calendar, Kind::GrantLost, Remedy::Reconnect),
        (403, "forbidden", Directory, Kind::GrantLost, Remedy::Reconnect),
        (403, "forbidden", Calendar, Kind::OutOfScope, Remedy::SkipMailbox),
        (403, "requiredAccessLevel", Item, Kind::OutOfScope, Remedy::SkipMailbox),
        (403, "notACalendarUser", Calendar, Kind::NotServed, Remedy::SkipMailbox),
        (403, "accessNotConfigured", Calendar, Kind::Misconfigured, Remedy::Never),
        (403, "forbiddenForServiceAccounts", Calendar, Kind::Misconfigured, Remedy::Never),
        (403, "forbiddenForNonOrganizer", Item, Kind::Invalid, Remedy::Never),
        (404, "notFound", Person, Kind::NoMailbox, Remedy::SkipMailbox),
        (404, "notFound", Calendar, Kind::OutOfScope, Remedy::SkipMailbox),
        (404, "notFound", Item, Kind::Gone, Remedy::Never),
        (409, "duplicate", Calendar, Kind::Conflict, Remedy::Reread),
        (410, "deleted", Item, Kind::Gone, Remedy::Never),
        (410, "fullSyncRequired", Changes, Kind::Gone, Remedy::Resync),
        (410, "updatedMinTooLongAgo", Changes, Kind::Gone, Remedy::Resync),
        (412, "conditionNotMet", Item, Kind::Conflict, Remedy::Reread),
        (400, "timeRangeTooLong", Calendar, Kind::Invalid, Remedy::Never),
        (400, "somethingNew", Calendar, Kind::Invalid, Remedy::Never),
    ];
    for (status, reason, subject, kind, remedy) in rows {
        let error = refused(status, reason, subject);
        assert_eq!((error.kind, error.remedy), (kind, remedy), "{status} {reason} {subject:?}");
        assert_eq!(error.code, reason);
        assert_eq!(error.message.args().count(), 0, "the provider's text is not passed on");
    }
}

#[test]
fn both_meanings_of_410_are_told_apart_without_a_reason_too() {
    let bare =
        |subject| error_from_response(&answer(410, &Value::Null), subject, true, Duration::ZERO).remedy;
    assert_eq!(bare(RequestSubject::Changes), Remedy::Resync);
    assert_eq!(bare(RequestSubject::Item), Remedy::Never);
}

#[test]
fn only_what_may_have_happened_is_unknown() {
    assert!(refused(503, "backendError", RequestSubject::Item).unknown);
    assert!(refused(409, "conflict", RequestSubject::Item).unknown);
    for (status, reason) in [(403, "rateLimitExceeded"), (409, "duplicate"), (412, "conditionNotMet")] {
        assert!(!refused(status, reason, RequestSubject::Item).unknown, "{reason}");
    }
}

#[test]
fn newer_front_ends_are_understood() {
    let body = json!({ "error": {
        "code": 403, "status": "PERMISSION_DENIED", "message": "off",
        "details": [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED" }],
    }});
    let error = error_from_response(&answer(403, &body), RequestSubject::Calendar, false, Duration::ZERO);
    assert_eq!((error.kind, error.code.as_str()), (Kind::Misconfigured, "SERVICE_DISABLED"));
}
