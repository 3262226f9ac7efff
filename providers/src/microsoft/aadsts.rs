//! Classifies the errors of the identity platform: by the AADSTS number, otherwise by `error`, otherwise by the
//! HTTP status. Numbers may change, so no decision depends on them alone.

use std::time::Duration;

use domain::Message;
use http::Response;
use serde::Deserialize;

use super::classify::DEFAULT_WAIT;
use crate::{Error, ErrorKind as Kind, Remedy, messages};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TokenRefusal {
    error: String,
    error_description: String,
    error_codes: Vec<u32>,
    trace_id: Option<String>,
}

/// Classifies an error response of the token endpoint: by the AADSTS number, then `error`, then the status.
pub(super) fn token_error(response: &Response, jitter: Duration) -> Error {
    let refusal: TokenRefusal = crate::json::parse_short(response).unwrap_or_default();
    let status = response.status.as_u16();
    let number = refusal.error_codes.first().copied().or_else(|| aadsts(&refusal.error_description));
    let verdict = number
        .and_then(by_number)
        .or_else(|| by_error(&refusal.error))
        .unwrap_or(if status == 429 || status >= 500 { RETRY } else { BUG });
    let wait = response.retry_after().unwrap_or(verdict.0.pause() + jitter);
    let code = match number {
        Some(number) => format!("AADSTS{number}"),
        None if refusal.error.is_empty() => format!("HTTP_{status}"),
        None => refusal.error,
    };
    let request_id = refusal.trace_id.or_else(|| response.header("x-ms-request-id").map(str::to_owned));
    let (kind, remedy) = verdict.0.express(wait);
    Error { request_id, ..Error::new(kind, remedy, code, verdict.1()) }
}

/// The number in a description such as `AADSTS700082: ...`, for responses that contain it only there.
fn aadsts(description: &str) -> Option<u32> {
    let digits = description.split_once("AADSTS")?.1;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Reconnect,
    Misconfigured,
    Restart,
    Retry,
    Slow,
    Bug,
}

impl Class {
    fn pause(self) -> Duration {
        if self == Self::Slow { Duration::from_mins(5) } else { DEFAULT_WAIT }
    }

    fn express(self, wait: Duration) -> (Kind, Remedy) {
        match self {
            Self::Reconnect => (Kind::GrantLost, Remedy::Reconnect),
            Self::Misconfigured => (Kind::Misconfigured, Remedy::Never),
            Self::Restart => (Kind::Invalid, Remedy::Reconnect),
            Self::Retry => (Kind::Unavailable, Remedy::RetryAfter(wait)),
            Self::Slow => (Kind::Throttled, Remedy::RetryAfter(wait)),
            Self::Bug => (Kind::Invalid, Remedy::Never),
        }
    }
}

/// Classification of a refusal, and the message for it.
type Verdict = (Class, fn() -> Message);

const RETRY: Verdict = (Class::Retry, messages::microsoft_sign_in_problem);
const BUG: Verdict = (Class::Bug, messages::microsoft_sign_in_refused);
const CONSENT: Verdict = (Class::Reconnect, messages::consent_no_longer_valid);
const BY_ADMIN: Verdict = (Class::Reconnect, messages::microsoft_approval_needed);
const APP_GONE: Verdict = (Class::Reconnect, messages::microsoft_muster_removed);
const ACCOUNT: Verdict = (Class::Reconnect, messages::microsoft_account_blocked);
const STEPS: Verdict = (Class::Reconnect, messages::microsoft_another_step);
const POLICY: Verdict = (Class::Reconnect, messages::microsoft_blocked_by_policy);
const OUR_KEY: Verdict = (Class::Misconfigured, messages::microsoft_credential_refused);
const REGISTRATION: Verdict = (Class::Misconfigured, messages::microsoft_registration_incomplete);
const NO_TENANT: Verdict = (Class::Misconfigured, messages::microsoft_organisation_unknown);
const RESTART: Verdict = (Class::Restart, messages::microsoft_sign_in_used);

fn by_number(number: u32) -> Option<Verdict> {
    Some(match number {
        65001 | 65004 | 70000 | 70008 | 700_082 | 700_084 | 70043 | 50173 | 50132 | 50133 | 50089 => CONSENT,
        90094 | 90095 => BY_ADMIN,
        700_016 | 70001 | 7_000_112 => APP_GONE,
        50034 | 50053 | 50055 | 50057 | 50126 | 50105 => ACCOUNT,
        50072 | 50074 | 50076 | 50078 | 50079 | 50158 => STEPS,
        53000..=53003 | 530_032 | 530_035 => POLICY,
        7_000_215 | 70002 | 7_000_222 | 700_027 | 50012 | 50013 | 500_133 => OUR_KEY,
        65005 | 650_052 | 650_056 | 650_057 | 50011 | 500_011 | 50194 | 500_021 => REGISTRATION,
        90002 => NO_TENANT,
        54005 | 501_481 | 700_005 => RESTART,
        50033 | 50087 | 90006 | 90012 | 90024 | 90033 | 90090 => RETRY,
        90055 | 50196 => (Class::Slow, RETRY.1),
        7_000_218 | 700_025 | 9_001_023 | 70011 => BUG,
        _ => return None,
    })
}

fn by_error(error: &str) -> Option<Verdict> {
    Some(match error {
        "invalid_grant" | "interaction_required" | "consent_required" | "login_required" => CONSENT,
        "access_denied" | "permission_denied" => (Class::Reconnect, messages::microsoft_consent_declined),
        "invalid_client" => OUR_KEY,
        "unauthorized_client" => REGISTRATION,
        "temporarily_unavailable" | "server_error" => RETRY,
        "invalid_scope"
        | "invalid_request"
        | "unsupported_grant_type"
        | "invalid_resource"
        | "unsupported_response_type" => BUG,
        _ => return None,
    })
}

/// Classifies the error in a redirect from Microsoft, by the query parameters `error` and `error_description`.
pub(super) fn redirect_error(error: &str, description: &str) -> Error {
    let number = aadsts(description);
    let (class, message) = number.and_then(by_number).or_else(|| by_error(error)).unwrap_or(BUG);
    let (kind, remedy) = class.express(DEFAULT_WAIT);
    let known = by_error(error).map_or("UNKNOWN", |_| error);
    Error::new(kind, remedy, number.map_or_else(|| known.to_owned(), |n| format!("AADSTS{n}")), message())
}

#[cfg(test)]
#[path = "aadsts_tests.rs"]
mod tests;
