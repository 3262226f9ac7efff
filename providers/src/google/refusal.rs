//! Classifies the errors of the token endpoint: by `error`, and for `invalid_grant` by the description, because that
//! code covers a deleted user, a withdrawn consent, an incorrect key and an incorrect clock.
//!
//! `unauthorized_client` means a lost consent here. Within the first day after the administrator authorised the client
//! it may mean that Google has not propagated the authorisation yet; only the connect workflow has that date, and
//! waits.
//!
//! Source: the error table of Google's "Using OAuth 2.0 for Server to Server Applications".

use std::time::Duration;

use domain::Message;
use http::Response;
use serde::Deserialize;

use super::classify::DEFAULT_WAIT;
use crate::{Error, ErrorKind as Kind, Remedy, messages};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: String,
    error_description: String,
    error_subtype: String,
}

/// Classifies an error response of the token endpoint.
pub(super) fn token_error(response: &Response, jitter: Duration) -> Error {
    let refusal: Refusal = crate::json::parse_short(response).unwrap_or_default();
    let status = response.status.as_u16();
    let wait = response.retry_after().unwrap_or(DEFAULT_WAIT + jitter);
    let (kind, remedy, message) = match by_error(&refusal) {
        Some((Kind::Unavailable, message)) => (Kind::Unavailable, Remedy::RetryAfter(wait), message),
        Some((kind, message)) => (kind, remedy(kind), message),
        None if status == 429 => {
            (Kind::Throttled, Remedy::RetryAfter(wait), messages::google_sign_in_problem())
        }
        None if status >= 500 => {
            (Kind::Unavailable, Remedy::RetryAfter(wait), messages::google_sign_in_problem())
        }
        None => (Kind::Invalid, Remedy::Never, messages::google_sign_in_refused()),
    };
    let code = match (refusal.error.is_empty(), refusal.error_subtype.is_empty()) {
        (true, _) => format!("HTTP_{status}"),
        (false, true) => refusal.error,
        (false, false) => format!("{}/{}", refusal.error, refusal.error_subtype),
    };
    Error::new(kind, remedy, code, message)
}

fn by_error(refusal: &Refusal) -> Option<(Kind, Message)> {
    let description = refusal.error_description.to_ascii_lowercase();
    Some(match refusal.error.as_str() {
        "unauthorized_client" => (Kind::GrantLost, messages::google_delegation_refused()),
        "access_denied" => (Kind::GrantLost, messages::google_scopes_missing()),
        "admin_policy_enforced" => (Kind::GrantLost, messages::google_blocked_by_policy()),
        "invalid_grant" if description.contains("invalid jwt signature") => {
            (Kind::Misconfigured, messages::google_key_refused())
        }
        "invalid_grant" if description.contains("invalid jwt") => {
            (Kind::Misconfigured, messages::google_signature_refused())
        }
        "invalid_grant" if description.contains("email") => {
            (Kind::NoMailbox, messages::google_no_active_user())
        }
        "invalid_grant" => (Kind::GrantLost, messages::consent_no_longer_valid()),
        "invalid_request" if description.contains("impersonation") || description.contains("prn") => {
            (Kind::NoMailbox, messages::google_no_address_of_a_user())
        }
        "invalid_client" | "deleted_client" | "disabled_client" => {
            (Kind::Misconfigured, messages::google_account_unknown())
        }
        "org_internal" => (Kind::Misconfigured, messages::google_application_of_another()),
        "internal_failure" | "temporarily_unavailable" | "server_error" => {
            (Kind::Unavailable, messages::google_sign_in_problem())
        }
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
