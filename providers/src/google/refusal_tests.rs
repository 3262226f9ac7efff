use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::*;

fn refused(status: u16, error: &str, description: &str) -> (Kind, Remedy) {
    let body = json!({ "error": error, "error_description": description }).to_string();
    let answer = Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.into(),
    };
    let error = token_error(&answer, Duration::ZERO);
    (error.kind, error.remedy)
}

#[test]
fn every_word_of_the_token_endpoint_has_its_meaning() {
    let lost = (Kind::GrantLost, Remedy::Reconnect);
    let ours = (Kind::Misconfigured, Remedy::Never);
    let skip = (Kind::NoMailbox, Remedy::SkipMailbox);
    let later = (Kind::Unavailable, Remedy::RetryAfter(DEFAULT_WAIT));
    let rows = [
        (401, "unauthorized_client", "Unauthorized client or scope in request.", lost),
        (401, "access_denied", "Requested client not authorized.", lost),
        (400, "admin_policy_enforced", "", lost),
        (400, "invalid_grant", "Token has been expired or revoked.", lost),
        (400, "invalid_grant", "Invalid email or User ID", skip),
        (400, "invalid_grant", "Not a valid email", skip),
        (400, "invalid_grant", "Invalid JWT Signature.", ours),
        (400, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes)", ours),
        (400, "invalid_request", "Invalid impersonation prn email address.", skip),
        (401, "invalid_client", "The OAuth client was not found.", ours),
        (401, "deleted_client", "", ours),
        (401, "disabled_client", "", ours),
        (403, "org_internal", "", ours),
        (500, "internal_failure", "Backend Error", later),
        (400, "invalid_scope", "Some requested scopes were invalid.", (Kind::Invalid, Remedy::Never)),
        (503, "", "", later),
    ];
    for (status, error, description, expected) in rows {
        assert_eq!(refused(status, error, description), expected, "{error}: {description}");
    }
}

#[test]
fn a_user_who_is_gone_never_looks_like_a_dead_connection() {
    let (user, _) = refused(400, "invalid_grant", "Invalid email or User ID");
    let (consent, _) = refused(400, "invalid_grant", "Token has been expired or revoked.");
    assert_ne!(user, consent);
}
