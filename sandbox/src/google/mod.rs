//! Google: sign-in and tokens, the Admin SDK's Directory API, Calendar v3. All paths begin with `/google`.

pub mod assertion;
pub mod calendar;
pub mod caller;
pub mod consent;
pub mod control;
pub mod directory;
pub mod failure;
pub mod iam;
pub(crate) mod notices;
pub mod page;
pub mod state;
pub mod token;

use std::sync::Arc;

use caller::{Call, Caller};
use failure::{Failure, Refused};
use serde_json::json;

use crate::{
    Error,
    app::App,
    wire::{Answer, Note, Request},
};

/// The first segment of Google's paths.
pub const PREFIX: &str = "google";

/// Whether a request is for Google.
pub fn serves(request: &Request) -> bool {
    request.segments.first().is_some_and(|first| first == PREFIX)
}

/// Handles a request below `/google`.
pub fn route(app: &Arc<App>, request: &Request, note: &mut Note) -> Result<Answer, Error> {
    let parts = request.parts();
    match (request.method.as_str(), &parts[1..]) {
        ("POST", ["token"]) => token::issue(app, request, note),
        ("POST", ["revoke"]) => token::revoke(app, request),
        ("GET", ["o", "oauth2", "v2", "auth"]) => Ok(consent::begin(app, request, note)),
        ("POST", ["o", "oauth2", "v2", "auth"]) => consent::handle_form(app, request, note),
        ("GET", [".well-known", "openid-configuration"]) => Ok(discovery(request)),
        ("GET", ["oauth2", "v3", "certs"]) => {
            Ok(Answer::json(200, json!({ "keys": [app.signer.public(&origin(request))] })))
        }
        ("GET", ["computeMetadata", "v1", "instance", "service-accounts", "default", "token"]) => {
            iam::token(app, request, note)
        }
        ("POST", ["iam", "v1", "projects", "-", "serviceAccounts", call]) => {
            match call.strip_suffix(":signJwt") {
                Some(account) => iam::sign(app, request, account, note),
                None => Ok(Failure::not_found().answer()),
            }
        }
        (_, [api @ ("calendar" | "admin"), rest @ ..]) => {
            let caller = match Caller::authenticate(app, request) {
                Ok(caller) => caller,
                Err(failure) => return Ok(failure.answer()),
            };
            note.app = Some(caller.client_id.clone());
            let call = &mut Call { app, request, note, caller };
            let answer = match (*api, rest) {
                ("calendar", ["v3", rest @ ..]) => calendar::dispatch(call, rest),
                ("admin", ["directory", "v1", rest @ ..]) => directory::dispatch(call, rest),
                _ => Err(Failure::not_found().into()),
            };
            match answer {
                Ok(answer) => Ok(answer),
                Err(Refused::Because(failure)) => Ok(failure.answer()),
                Err(Refused::Broken(error)) => Err(error),
            }
        }
        _ => Ok(Failure::not_found().answer()),
    }
}

/// Base URL of the imitation, without a trailing slash; also the issuer of its ID tokens.
pub fn origin(request: &Request) -> String {
    format!("{}/{PREFIX}", request.origin)
}

fn discovery(request: &Request) -> Answer {
    let origin = origin(request);
    Answer::json(
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
pub fn throttled(retry_after: Option<u32>) -> Answer {
    let answer = Failure::limit(429, "rateLimitExceeded", "Rate Limit Exceeded").answer();
    match retry_after {
        Some(seconds) => answer.with("retry-after", seconds.to_string()),
        None => answer,
    }
}

/// The response for a planted refusal.
pub fn refused(status: u16, reason: &str) -> Answer {
    let domain =
        if reason.contains("LimitExceeded") || reason == "quotaExceeded" { "usageLimits" } else { "global" };
    Failure::new(status, domain, reason, reason).answer()
}

/// The response to every request during an outage.
pub fn outage() -> Answer {
    Failure::new(503, "global", "backendError", "Backend Error").answer()
}
