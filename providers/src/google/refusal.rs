//! Classifies the errors of the token endpoint: by `error`, and for `invalid_grant` by the description, because
//! that code covers a deleted user, a withdrawn consent, a wrong key and a wrong clock.
//!
//! `unauthorized_client` means a lost consent here. Within the first day after the administrator authorised the
//! client it may mean that Google has not propagated the authorisation yet; only the connect workflow knows the
//! date, and waits.
//!
//! Source: the error table of Google's "Using OAuth 2.0 for Server to Server Applications".

use std::time::Duration;

use http::Response;
use serde::Deserialize;

use super::classify::PAUSE;
use crate::{Error, ErrorKind as Kind, Remedy};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: String,
    error_description: String,
    error_subtype: String,
}

/// Classifies an error response of the token endpoint.
pub(super) fn token(answer: &Response, jitter: Duration) -> Error {
    let refusal: Refusal = crate::json::short(answer).unwrap_or_default();
    let status = answer.status.as_u16();
    let wait = answer.retry_after().unwrap_or(PAUSE + jitter);
    let (kind, remedy, message) = match by_error(&refusal) {
        Some((Kind::Unavailable, message)) => (Kind::Unavailable, Remedy::RetryAfter(wait), message),
        Some((kind, message)) => (kind, remedy(kind), message),
        None if status == 429 => (Kind::Throttled, Remedy::RetryAfter(wait), LATER),
        None if status >= 500 => (Kind::Unavailable, Remedy::RetryAfter(wait), LATER),
        None => (Kind::Invalid, Remedy::Never, "Google's sign-in does not accept this request."),
    };
    let code = match (refusal.error.is_empty(), refusal.error_subtype.is_empty()) {
        (true, _) => format!("HTTP_{status}"),
        (false, true) => refusal.error,
        (false, false) => format!("{}/{}", refusal.error, refusal.error_subtype),
    };
    Error::new(kind, remedy, code, message)
}

const LATER: &str = "Google's sign-in has a temporary problem; Muster tries again automatically.";
const DELEGATION: &str = "Google does not let this service account act for the organisation, or not yet. \
    Ask your Google Workspace administrator to authorise its client id for domain-wide delegation.";
const SCOPES: &str = "The organisation allows this service account less than Muster needs. Ask your Google \
    Workspace administrator to complete the scopes of its domain-wide delegation.";
const POLICY: &str =
    "A policy of your organisation blocks the application. Ask your administrator to allow it.";
const DEAD: &str = "The consent is missing or no longer valid; the person who gave it must consent again.";

fn by_error(refusal: &Refusal) -> Option<(Kind, &'static str)> {
    let description = refusal.error_description.to_ascii_lowercase();
    Some(match refusal.error.as_str() {
        "unauthorized_client" => (Kind::GrantLost, DELEGATION),
        "access_denied" => (Kind::GrantLost, SCOPES),
        "admin_policy_enforced" => (Kind::GrantLost, POLICY),
        "invalid_grant" if description.contains("invalid jwt signature") => (
            Kind::Misconfigured,
            "Google no longer accepts this key: it was deleted or replaced. Enter the new one.",
        ),
        "invalid_grant" if description.contains("invalid jwt") => (
            Kind::Misconfigured,
            "Google does not accept Muster's signature: check the clock of Muster's server.",
        ),
        "invalid_grant" if description.contains("email") => {
            (Kind::NoMailbox, "Google has no active user with this address.")
        }
        "invalid_grant" => (Kind::GrantLost, DEAD),
        "invalid_request" if description.contains("impersonation") || description.contains("prn") => {
            (Kind::NoMailbox, "Google does not accept this as the address of a user.")
        }
        "invalid_client" | "deleted_client" | "disabled_client" => (
            Kind::Misconfigured,
            "Google no longer knows this service account or application, or has disabled it.",
        ),
        "org_internal" => {
            (Kind::Misconfigured, "This application is limited to another organisation at Google.")
        }
        "internal_failure" | "temporarily_unavailable" | "server_error" => (Kind::Unavailable, LATER),
        _ => return None,
    })
}

const fn remedy(kind: Kind) -> Remedy {
    match kind {
        Kind::GrantLost => Remedy::Reconnect,
        Kind::NoMailbox => Remedy::SkipMailbox,
        _ => Remedy::Never,
    }
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
