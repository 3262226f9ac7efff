use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::*;

fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    Response { status, headers: HeaderMap::new(), body: body.to_string().into() }
}

fn of_token(status: u16, error: &str, number: Option<u32>) -> (Kind, Remedy) {
    let numbers: Vec<u32> = number.into_iter().collect();
    let body = json!({"error": error, "error_codes": numbers, "trace_id": "t-1"});
    let error = token_error(&answer(status, &body), Duration::ZERO);
    assert_eq!(error.request_id.as_deref(), Some("t-1"));
    (error.kind, error.remedy)
}

#[test]
fn every_number_of_the_sign_in_has_its_class() {
    let reconnect = [
        65001, 65004, 90094, 90095, 50173, 50132, 50133, 50089, 70000, 70008, 700_082, 700_084, 70043, 50034,
        50053, 50055, 50057, 50126, 50105, 50072, 50074, 50076, 50078, 50079, 50158, 53000, 53001, 53002,
        53003, 530_032, 530_035, 700_016, 70001, 7_000_112,
    ];
    for number in reconnect {
        assert_eq!(
            of_token(400, "invalid_grant", Some(number)),
            (Kind::GrantLost, Remedy::Reconnect),
            "{number}"
        );
    }
    let misconfigured = [
        7_000_215, 7_000_222, 70002, 700_027, 50012, 50013, 500_133, 50011, 500_011, 90002, 50194, 65005,
        650_052, 650_056, 650_057, 500_021,
    ];
    for number in misconfigured {
        let found = of_token(401, "invalid_client", Some(number));
        assert_eq!(found, (Kind::Misconfigured, Remedy::Never), "{number}");
    }
    for number in [50033, 50087, 90006, 90012, 90024, 90033, 90090] {
        let found = of_token(400, "invalid_grant", Some(number));
        assert_eq!(found, (Kind::Unavailable, Remedy::RetryAfter(DEFAULT_WAIT)), "{number}");
    }
    for number in [90055, 50196] {
        let found = of_token(400, "invalid_grant", Some(number));
        assert_eq!(found, (Kind::Throttled, Remedy::RetryAfter(Duration::from_mins(5))), "{number}");
    }
    for number in [7_000_218, 700_025, 9_001_023, 70011] {
        assert_eq!(of_token(400, "invalid_client", Some(number)), (Kind::Invalid, Remedy::Never), "{number}");
    }
    for number in [54005, 501_481, 700_005] {
        assert_eq!(
            of_token(400, "invalid_grant", Some(number)),
            (Kind::Invalid, Remedy::Reconnect),
            "{number}"
        );
    }
}

#[test]
fn without_a_known_number_the_error_and_then_the_status_decide() {
    assert_eq!(of_token(400, "invalid_grant", Some(1)).0, Kind::GrantLost);
    assert_eq!(of_token(400, "interaction_required", None).0, Kind::GrantLost);
    assert_eq!(of_token(401, "invalid_client", None).0, Kind::Misconfigured);
    assert_eq!(of_token(400, "unauthorized_client", None).0, Kind::Misconfigured);
    assert_eq!(of_token(400, "invalid_scope", None).0, Kind::Invalid);
    assert_eq!(of_token(200, "temporarily_unavailable", None).0, Kind::Unavailable);
    assert_eq!(of_token(503, "", None).0, Kind::Unavailable);
    assert_eq!(of_token(429, "", None).0, Kind::Unavailable);
    assert_eq!(of_token(400, "", None).0, Kind::Invalid);
}

#[test]
fn a_number_that_stands_in_the_text_alone_is_found() {
    let body =
        json!({"error": "invalid_grant", "error_description": "AADSTS53003: Access has been blocked."});
    let error = token_error(&answer(400, &body), Duration::ZERO);
    assert_eq!((error.code.as_str(), error.message), ("AADSTS53003", POLICY.1()));
}

#[test]
fn a_redirect_with_an_error_is_classified_without_repeating_its_text() {
    let declined = redirect_error("access_denied", "AADSTS65004: User declined to consent. Trace ID: x");
    assert_eq!((declined.kind, declined.code.as_str()), (Kind::GrantLost, "AADSTS65004"));
    let strange = redirect_error("<script>", "<b>hello</b>");
    assert_eq!((strange.kind, strange.code.as_str()), (Kind::Invalid, "UNKNOWN"));
    assert_eq!(strange.message.args().count(), 0, "text of the redirect must not be passed on");
}
