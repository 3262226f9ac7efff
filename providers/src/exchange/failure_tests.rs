use super::*;

fn refused(about: RequestSubject, writes: bool) -> FailureContext {
    FailureContext { about, writes, jitter: Duration::ZERO }
}

fn sorted(code: &str, about: RequestSubject, writes: bool, fault: bool) -> (Kind, Remedy, bool) {
    let code = ResponseCode { name: code.to_owned(), back_off: None };
    let error = error_from_code(&code, refused(about, writes), fault);
    (error.kind, error.remedy, error.unknown)
}

#[test]
fn every_code_says_what_to_do() {
    use RequestSubject::{Item, Mailbox, Server};
    let wait = |pause| Remedy::RetryAfter(pause);
    let skip = Remedy::SkipMailbox;
    for (code, about, writes, expected) in [
        ("ErrorServerBusy", Item, true, (Kind::Throttled, wait(BUSY), false)),
        ("ErrorExceededConnectionCount", Server, false, (Kind::Throttled, wait(BUSY), false)),
        ("ErrorTimeoutExpired", Item, true, (Kind::Unavailable, wait(PAUSE), true)),
        ("ErrorADUnavailable", Server, false, (Kind::Unavailable, wait(PAUSE), false)),
        ("ErrorMailboxStoreUnavailable", Mailbox, true, (Kind::Unavailable, wait(PAUSE), true)),
        ("ErrorMailboxMoveInProgress", Mailbox, false, (Kind::Unavailable, wait(MOVE), false)),
        ("ErrorBatchProcessingStopped", Item, true, (Kind::Unavailable, wait(PAUSE), false)),
        ("ErrorImpersonationDenied", Mailbox, false, (Kind::GrantLost, Remedy::Reconnect, false)),
        ("ErrorImpersonationFailed", Mailbox, true, (Kind::GrantLost, Remedy::Reconnect, false)),
        ("ErrorImpersonateUserDenied", Mailbox, true, (Kind::OutOfScope, skip, false)),
        ("ErrorAccountDisabled", Mailbox, false, (Kind::NotServed, skip, false)),
        ("ErrorAccountDisabled", Server, false, (Kind::GrantLost, Remedy::Reconnect, false)),
        ("ErrorNonExistentMailbox", Mailbox, false, (Kind::NoMailbox, skip, false)),
        ("ErrorMissingEmailAddress", Server, false, (Kind::Misconfigured, Remedy::Never, false)),
        ("ErrorMailRecipientNotFound", Mailbox, false, (Kind::NoMailbox, skip, false)),
        ("ErrorNoFreeBusyAccess", Mailbox, false, (Kind::OutOfScope, skip, false)),
        ("ErrorAccessDenied", Item, true, (Kind::OutOfScope, skip, false)),
        ("ErrorFolderNotFound", Mailbox, false, (Kind::OutOfScope, skip, false)),
        ("ErrorItemNotFound", Item, true, (Kind::Gone, Remedy::Never, false)),
        ("ErrorInvalidSyncStateData", Mailbox, false, (Kind::Gone, Remedy::Resync, false)),
        ("ErrorIrresolvableConflict", Item, true, (Kind::Conflict, Remedy::Reread, false)),
        ("ErrorStaleObject", Item, true, (Kind::Conflict, Remedy::Reread, false)),
        ("ErrorChangeKeyRequiredForWriteOperations", Item, true, (Kind::Conflict, Remedy::Reread, false)),
        ("ErrorQuotaExceeded", Item, true, (Kind::NotServed, skip, false)),
        ("ErrorInvalidServerVersion", Server, false, (Kind::Misconfigured, Remedy::Never, false)),
        ("ErrorSchemaValidation", Item, true, (Kind::Invalid, Remedy::Never, false)),
        ("ErrorTimeIntervalTooBig", Server, false, (Kind::Invalid, Remedy::Never, false)),
    ] {
        assert_eq!(sorted(code, about, writes, false), expected, "{code} {about:?} {writes}");
        assert_eq!(sorted(code, about, writes, true).0, expected.0, "{code} as a fault");
    }
}

#[test]
fn a_fault_that_nobody_knows_passes_and_an_item_that_nobody_knows_does_not() {
    let unheard = "ErrorOfTomorrow";
    assert_eq!(
        sorted(unheard, RequestSubject::Mailbox, true, true),
        (Kind::Unavailable, Remedy::RetryAfter(PAUSE), true)
    );
    assert_eq!(sorted(unheard, RequestSubject::Item, true, false), (Kind::Invalid, Remedy::Never, false));
}

#[test]
fn the_pause_that_a_busy_server_asks_for_is_kept_and_bounded() {
    let fault = |ms: &str| {
        let text = format!(
            r#"<s:Envelope xmlns:s="{SOAP}"><s:Body><s:Fault><faultcode xmlns:a="{TYPES}">a:ErrorServerBusy</faultcode><detail><e:ResponseCode xmlns:e="{ERRORS}"> ErrorServerBusy </e:ResponseCode><t:MessageXml xmlns:t="{TYPES}"><t:Value Name="BackOffMilliseconds">{ms}</t:Value></t:MessageXml></detail></s:Fault></s:Body></s:Envelope>"#
        );
        let code = ResponseCode::from_fault(&Element::parse(text.as_bytes()).unwrap()).unwrap();
        error_from_code(&code, refused(RequestSubject::Server, false), true).remedy
    };
    assert_eq!(fault("297749"), Remedy::RetryAfter(Duration::from_millis(297_749)));
    assert_eq!(fault("999999999999"), Remedy::RetryAfter(http::MAX_RETRY_WAIT));
    assert_eq!(fault("soon"), Remedy::RetryAfter(BUSY));
}

#[test]
fn a_fault_without_a_detail_is_known_by_its_code() {
    let text = format!(
        r#"<s:Envelope xmlns:s="{SOAP}"><s:Body><s:Fault><faultcode>a:ErrorSchemaValidation</faultcode></s:Fault></s:Body></s:Envelope>"#
    );
    let code = ResponseCode::from_fault(&Element::parse(text.as_bytes()).unwrap()).unwrap();
    assert_eq!(code, ResponseCode { name: "ErrorSchemaValidation".to_owned(), back_off: None });
}

#[test]
fn every_status_says_what_to_do() {
    let about = |about, status: u16, headers: &[(&'static str, &'static str)]| {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        });
        let status = http::StatusCode::from_u16(status).unwrap();
        let answer = Response { status, headers: headers.collect(), body: Vec::new().into() };
        let error = error_from_status(&answer, refused(about, true));
        (error.kind, error.remedy, error.unknown)
    };
    let answer = |status, headers| about(RequestSubject::Server, status, headers);
    let never = Remedy::Never;
    assert_eq!(answer(401, &[]), (Kind::GrantLost, Remedy::Reconnect, false));
    assert_eq!(
        answer(401, &[("www-authenticate", "Basic realm=\"x\"")]),
        (Kind::GrantLost, Remedy::Reconnect, false)
    );
    assert_eq!(answer(401, &[("www-authenticate", "NTLM")]), (Kind::Misconfigured, never, false));
    let policy = [("x-ews-policy-reason", "EWS is disabled for this user or tenant")];
    assert_eq!(answer(403, &policy), (Kind::Misconfigured, never, false));
    assert_eq!(answer(403, &[]), (Kind::Misconfigured, never, false));
    assert_eq!(answer(404, &[]), (Kind::Misconfigured, never, false));
    assert_eq!(answer(302, &[]), (Kind::Misconfigured, never, false));
    // The same about one mailbox, of a server that answers for others.
    let later = Remedy::RetryAfter(BUSY);
    for status in [302, 403, 404, 405] {
        for one in [RequestSubject::Mailbox, RequestSubject::Item] {
            assert_eq!(about(one, status, &[]), (Kind::Unavailable, later, false), "{status}");
        }
    }
    assert_eq!(about(RequestSubject::Mailbox, 403, &policy), (Kind::NotServed, Remedy::SkipMailbox, false));
    assert_eq!(answer(200, &[]), (Kind::Misconfigured, never, true));
    assert_eq!(answer(503, &[]), (Kind::Unavailable, Remedy::RetryAfter(PAUSE), true));
    let told = Remedy::RetryAfter(Duration::from_secs(7));
    assert_eq!(answer(503, &[("retry-after", "7")]), (Kind::Unavailable, told, true));
    assert_eq!(answer(429, &[("retry-after", "7")]), (Kind::Throttled, told, false));
    assert_eq!(answer(400, &[]), (Kind::Invalid, never, false));
}
