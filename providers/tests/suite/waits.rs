//! What servers say about waiting, through each connector: nobody is obeyed for more than a day.

use std::time::Duration;

use providers::{ErrorKind, Remedy};
use serde_json::json;

use crate::answering::{Server, Told, connectors, december};

const ADA: &str = "ada@corp.test";

async fn remedies(
    answer: impl Fn() -> Told + Send + Clone + 'static,
) -> Vec<(&'static str, ErrorKind, Remedy)> {
    let mut all = Vec::new();
    for which in 0..3 {
        let answer = answer.clone();
        let server = Server::start(move |_| answer());
        let (name, provider, session) = connectors(&server.url, None).remove(which);
        let window = december("07T00:00", "14T00:00");
        let error = provider.events(&session, ADA, window, None).await.unwrap_err();
        all.push((name, error.kind, error.remedy));
    }
    all
}

#[tokio::test]
async fn no_server_makes_us_wait_for_more_than_a_day() {
    for (asked, given) in [
        ("18446744073709551615", http::MAX_RETRY_WAIT),
        ("3153600000", http::MAX_RETRY_WAIT),
        ("99999999999999999999999999", http::MAX_RETRY_WAIT),
        ("0", http::MIN_RETRY_WAIT),
        ("7", Duration::from_secs(7)),
    ] {
        for status in [429, 503] {
            let headers = format!("retry-after: {asked}\r\n");
            for (name, kind, remedy) in remedies(move || Told::refused(status, &headers)).await {
                assert_eq!(remedy, Remedy::RetryAfter(given), "{name} {status} {asked}");
                let throttled = kind == ErrorKind::Throttled;
                assert_eq!(throttled, status == 429, "{name} {status} {asked}");
            }
        }
    }
    let until = "retry-after: Fri, 31 Dec 9999 23:59:59 GMT\r\ndate: Sun, 29 Nov 2026 12:00:00 GMT\r\n";
    for (name, _, remedy) in remedies(move || Told::refused(429, until)).await {
        assert_eq!(remedy, Remedy::RetryAfter(http::MAX_RETRY_WAIT), "{name}");
    }
}

#[tokio::test]
async fn a_busy_exchange_server_is_obeyed_within_the_same_bounds() {
    for (asked, given) in [
        ("18446744073709551615", http::MAX_RETRY_WAIT),
        ("3153600000000", http::MAX_RETRY_WAIT),
        (" 297749 ", Duration::from_millis(297_749)),
        ("0", http::MIN_RETRY_WAIT),
    ] {
        let fault = format!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>a:ErrorServerBusy</faultcode><detail><e:ResponseCode xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">ErrorServerBusy</e:ResponseCode><t:MessageXml xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><t:Value Name="BackOffMilliseconds">{asked}</t:Value></t:MessageXml></detail></s:Fault></s:Body></s:Envelope>"#
        );
        let answer = move || Told { status: 500, ..Told::ok(fault.clone()) };
        let (_, kind, remedy) = remedies(answer).await.remove(2);
        assert_eq!((kind, remedy), (ErrorKind::Throttled, Remedy::RetryAfter(given)), "{asked}");
    }
}

/// The refusals that public clients stumbled over.
#[tokio::test]
async fn refusals_in_odd_dress_are_known_for_what_they_are() {
    let quiet = remedies(|| Told::refused(429, "")).await;
    assert!(quiet.iter().all(|(_, kind, _)| *kind == ErrorKind::Throttled), "without Retry-After: {quiet:?}");
    let gateway = || Told { status: 504, ..Told::ok("<html>Gateway Timeout</html>") };
    for (name, kind, remedy) in remedies(gateway).await {
        assert_eq!(kind, ErrorKind::Unavailable, "{name}");
        assert!(matches!(remedy, Remedy::RetryAfter(_)), "{name}");
    }
    let both = json!({ "error": { "code": 403, "status": "PERMISSION_DENIED", "message": "x", "errors":
        [{ "domain": "usageLimits", "reason": "rateLimitExceeded" }] } });
    let both = move || Told { status: 403, ..Told::ok(both.to_string()) };
    assert_eq!(remedies(both).await[1].1, ErrorKind::Throttled, "the reason goes before the status word");
}

#[tokio::test]
async fn a_dead_sync_token_is_read_anew_and_an_empty_page_with_a_token_goes_on() {
    let gone = json!({ "error": { "code": 410, "errors": [{ "domain": "calendar", "reason": "fullSyncRequired" }] } });
    let server = Server::start(move |asked| {
        let query = |name: &str| asked.line.contains(name);
        let event = json!({ "id": "1", "start": { "dateTime": "2026-12-08T09:00:00Z" },
            "end": { "dateTime": "2026-12-08T10:00:00Z" } });
        match (query("syncToken="), query("pageToken=")) {
            (true, _) => Told { status: 410, ..Told::ok(gone.to_string()) },
            (_, false) => Told::ok(json!({ "items": [], "nextPageToken": "p2" }).to_string()),
            (_, true) => Told::ok(json!({ "items": [event], "nextSyncToken": "s1" }).to_string()),
        }
    });
    let (_, google, session) = connectors(&server.url, None).remove(1);
    let window = december("07T00:00", "14T00:00");
    let empty = google.changes(&session, ADA, window, None).await.unwrap();
    assert!(empty.changed.is_empty() && empty.more, "{empty:?}");
    let full = google.changes(&session, ADA, window, Some(&empty.cursor)).await.unwrap();
    assert!(full.changed.len() == 1 && !full.more, "{full:?}");
    let error = google.changes(&session, ADA, window, Some(&full.cursor)).await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::Gone, Remedy::Resync));
    let page = google.events(&session, ADA, window, None).await.unwrap();
    assert!(page.items.is_empty() && page.next.is_some(), "{page:?}");
}
