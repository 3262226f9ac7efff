use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::*;

fn answer(status: u16, body: &Value) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert("request-id", "r-1".parse().unwrap());
    Response { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_string().into() }
}

fn of_graph(status: u16, code: &str, subject: RequestSubject) -> (Kind, Remedy) {
    let body = json!({"error": {"code": code, "message": "secret details"}});
    let error = error_from_response(&answer(status, &body), subject, false, Duration::ZERO);
    assert_eq!(error.message.args().count(), 0, "the provider's text must not be passed on");
    (error.kind, error.remedy)
}

#[test]
fn graph_codes_have_their_kind_and_remedy() {
    use RequestSubject::{Directory, Item, Mailbox};
    let wait = Remedy::RetryAfter(DEFAULT_WAIT);
    let table = [
        (400, "ErrorInvalidRequest", Mailbox, Kind::Invalid, Remedy::Never),
        (400, "ErrorTimeIntervalTooBig", Mailbox, Kind::Invalid, Remedy::Never),
        (400, "ErrorDuplicateTransactionId", Mailbox, Kind::Conflict, Remedy::Reread),
        (409, "ErrorDuplicateTransactionId", Mailbox, Kind::Conflict, Remedy::Reread),
        (401, "InvalidAuthenticationToken", Directory, Kind::TokenRefused, Remedy::RefreshToken),
        (403, "Authorization_RequestDenied", Mailbox, Kind::GrantLost, Remedy::Reconnect),
        (403, "ErrorAccessDenied", Mailbox, Kind::OutOfScope, Remedy::SkipMailbox),
        (403, "ErrorAccessDenied", Item, Kind::OutOfScope, Remedy::SkipMailbox),
        (403, "ErrorAccessDenied", Directory, Kind::GrantLost, Remedy::Reconnect),
        (404, "Request_ResourceNotFound", Mailbox, Kind::NoMailbox, Remedy::SkipMailbox),
        (404, "ErrorInvalidUser", Item, Kind::NoMailbox, Remedy::SkipMailbox),
        (404, "ResourceNotFound", Mailbox, Kind::NotServed, Remedy::SkipMailbox),
        (404, "MailboxNotEnabledForRESTAPI", Mailbox, Kind::NotServed, Remedy::SkipMailbox),
        (404, "MailboxNotSupportedForRESTAPI", Item, Kind::NotServed, Remedy::SkipMailbox),
        (404, "errorItemNotFound", Item, Kind::Gone, Remedy::Never),
        (404, "ErrorItemNotFound", Mailbox, Kind::OutOfScope, Remedy::SkipMailbox),
        (410, "SyncStateNotFound", Mailbox, Kind::Gone, Remedy::Resync),
        (400, "resyncRequired", Mailbox, Kind::Gone, Remedy::Resync),
        (412, "ErrorIrresolvableConflict", Item, Kind::Conflict, Remedy::Reread),
        (429, "ApplicationThrottled", Mailbox, Kind::Throttled, wait),
        (500, "ErrorInternalServerError", Mailbox, Kind::Unavailable, wait),
        (503, "serviceNotAvailable", Mailbox, Kind::Unavailable, wait),
        (504, "UnknownError", Mailbox, Kind::Unavailable, wait),
        (507, "quota", Mailbox, Kind::NotServed, Remedy::SkipMailbox),
        (501, "NotImplemented", Mailbox, Kind::Invalid, Remedy::Never),
    ];
    for (status, code, subject, kind, remedy) in table {
        assert_eq!(of_graph(status, code, subject), (kind, remedy), "{status} {code} about {subject:?}");
    }
}

#[test]
fn an_unknown_code_falls_back_on_the_inner_code_and_then_on_the_status() {
    let inner =
        json!({"error": {"code": "UnknownError", "innerError": {"code": "MailboxNotEnabledForRESTAPI"}}});
    let error = error_from_response(&answer(404, &inner), RequestSubject::Mailbox, false, Duration::ZERO);
    assert_eq!((error.kind, error.code.as_str()), (Kind::NotServed, "UnknownError"));
    let error = error_from_response(
        &answer(404, &json!("no json of Graph's")),
        RequestSubject::Mailbox,
        false,
        Duration::ZERO,
    );
    assert_eq!((error.kind, error.code.as_str()), (Kind::NoMailbox, "HTTP_404"));
    assert_eq!(error.request_id.as_deref(), Some("r-1"));
}

#[test]
fn only_a_write_that_may_have_happened_is_unknown() {
    let unknown = |status, code: &str, writes| {
        let body = json!({"error": {"code": code}});
        error_from_response(&answer(status, &body), RequestSubject::Mailbox, writes, Duration::ZERO).unknown
    };
    assert!(unknown(500, "ErrorInternalServerError", true));
    assert!(unknown(503, "", true));
    assert!(unknown(409, "Conflict", true));
    assert!(!unknown(500, "ErrorInternalServerError", false));
    assert!(!unknown(409, "ErrorDuplicateTransactionId", true));
    assert!(!unknown(412, "ErrorIrresolvableConflict", true));
    assert!(!unknown(429, "ApplicationThrottled", true));
    assert!(!unknown(403, "ErrorAccessDenied", true));
}

#[test]
fn the_wait_that_the_provider_names_is_kept_within_a_day() {
    let mut throttled = answer(429, &json!({}));
    throttled.headers.insert("retry-after", "17".parse().unwrap());
    let error = error_from_response(&throttled, RequestSubject::Mailbox, false, Duration::from_secs(1));
    assert_eq!(error.remedy, Remedy::RetryAfter(Duration::from_secs(17)));
    throttled.headers.insert("retry-after", u64::MAX.to_string().parse().unwrap());
    let error = error_from_response(&throttled, RequestSubject::Mailbox, false, Duration::ZERO);
    assert_eq!(error.remedy, Remedy::RetryAfter(http::MAX_RETRY_WAIT));
}

#[test]
fn members_of_a_schedule_are_never_free_by_mistake() {
    assert_eq!(schedule_error("ErrorMailRecipientNotFound").kind, Kind::NoMailbox);
    assert_eq!(schedule_error("5009").kind, Kind::NoMailbox);
    assert_eq!(schedule_error("ErrorAccessDenied").kind, Kind::OutOfScope);
    assert_eq!(schedule_error("ErrorSomethingNew").kind, Kind::Unavailable);
}
