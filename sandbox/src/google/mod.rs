//! Google: sign-in and tokens, the Admin SDK's Directory API, Calendar v3. All paths begin with `/google`.

pub mod assertion;
pub mod calendar;
pub mod caller;
pub mod consent;
pub mod control;
pub mod directory;
pub mod failure;
pub mod iam;
pub(crate) mod notifications;
pub mod page;
pub mod state;
pub mod token;

use std::sync::Arc;

use caller::{CallContext, Caller};
use failure::{Failure, RequestError};
use serde_json::json;

use crate::{
    Error,
    app::App,
    wire::{JournalDetails, Request, WireResponse},
};

/// The first segment of Google's paths.
pub const PATH_PREFIX: &str = "google";

/// Whether a request is for Google.
pub fn is_google_request(request: &Request) -> bool {
    request.segments.first().is_some_and(|first| first == PATH_PREFIX)
}

/// Handles a request below `/google`.
pub fn route(app: &Arc<App>, request: &Request, note: &mut JournalDetails) -> Result<WireResponse, Error> {
    let parts = request.path_segments();
    match (request.method.as_str(), &parts[1..]) {
        ("POST", ["token"]) => token::issue_tokens(app, request, note),
        ("POST", ["revoke"]) => token::revoke_token(app, request),
        ("GET", ["o", "oauth2", "v2", "auth"]) => Ok(consent::begin_consent(app, request, note)),
        ("POST", ["o", "oauth2", "v2", "auth"]) => consent::handle_form(app, request, note),
        ("GET", [".well-known", "openid-configuration"]) => Ok(discovery(request)),
        ("GET", ["oauth2", "v3", "certs"]) => {
            Ok(WireResponse::json(200, json!({ "keys": [app.signer.public_jwk(&base_url(request))] })))
        }
        ("GET", ["computeMetadata", "v1", "instance", "service-accounts", "default", "token"]) => {
            iam::issue_machine_token(app, request, note)
        }
        ("POST", ["iam", "v1", "projects", "-", "serviceAccounts", call]) => {
            match call.strip_suffix(":signJwt") {
                Some(account) => iam::sign_jwt(app, request, account, note),
                None => Ok(Failure::not_found().to_response()),
            }
        }
        (_, [api @ ("calendar" | "admin"), rest @ ..]) => {
            let caller = match Caller::authenticate(app, request) {
                Ok(caller) => caller,
                Err(failure) => return Ok(failure.to_response()),
            };
            note.app = Some(caller.client_id.clone());
            let call = &mut CallContext { app, request, note, caller };
            let answer = match (*api, rest) {
                ("calendar", ["v3", rest @ ..]) => calendar::dispatch(call, rest),
                ("admin", ["directory", "v1", rest @ ..]) => directory::dispatch(call, rest),
                _ => Err(Failure::not_found().into()),
            };
            match answer {
                Ok(answer) => Ok(answer),
                Err(RequestError::Because(failure)) => Ok(failure.to_response()),
                Err(RequestError::Broken(error)) => Err(error),
            }
        }
        _ => Ok(Failure::not_found().to_response()),
    }
}

/// Base URL of the Google emulator, without a trailing slash; also the issuer of its ID tokens.
pub fn base_url(request: &Request) -> String {
    format!("{}/{PATH_PREFIX}", request.origin)
}

fn discovery(request: &Request) -> WireResponse {
    let origin = base_url(request);
    WireResponse::json(
        200,
        json!({
            "issuer": origin,
            "authorization_endpoint": format!("{origin}/o/oauth2/v2/auth"),
            "token_endpoint": format!("{origin}/token"),
            "revocation_endpoint": format!("{origin}/revoke"),
            "jwks_uri": format!("{origin}/oauth2/v3/certs"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "grant_types_supported":
                ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        }),
    )
}

/// The response to a throttled request.
pub fn throttle_response(retry_after: Option<u32>) -> WireResponse {
    let answer = Failure::rate_limited(429, "rateLimitExceeded", "Rate Limit Exceeded").to_response();
    match retry_after {
        Some(seconds) => answer.with_header("retry-after", seconds.to_string()),
        None => answer,
    }
}

/// The response for an injected error.
pub fn error_response(status: u16, reason: &str) -> WireResponse {
    let domain =
        if reason.contains("LimitExceeded") || reason == "quotaExceeded" { "usageLimits" } else { "global" };
    Failure::new(status, domain, reason, reason).to_response()
}

/// The response to every request during an outage.
pub fn outage_response() -> WireResponse {
    Failure::new(503, "global", "backendError", "Backend Error").to_response()
}
