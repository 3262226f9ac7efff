//! Error responses of Google's APIs.

use serde_json::json;

use crate::{Error, wire::WireResponse};

/// An error response with its status, reason and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// The error domain: `global`, `calendar` or `usageLimits`.
    pub domain: &'static str,
    /// The machine-readable cause within the domain, such as `notFound`.
    pub reason: String,
    /// The human-readable sentence.
    pub message: String,
}

/// Why a request was not served.
#[derive(Debug)]
pub enum RequestError {
    /// The request is invalid or not permitted.
    Because(Failure),
    /// An internal error of the sandbox.
    Broken(Error),
}

impl From<Failure> for RequestError {
    fn from(failure: Failure) -> Self {
        Self::Because(failure)
    }
}

impl From<Error> for RequestError {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

impl Failure {
    /// Builds an error response.
    pub fn new(status: u16, domain: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self { status, domain, reason: reason.to_owned(), message: message.into() }
    }

    /// A rate limit was reached.
    pub fn rate_limited(status: u16, reason: &str, message: &str) -> Self {
        Self::new(status, "usageLimits", reason, message)
    }

    /// A value in the request is invalid; `message` names it.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(400, "global", "invalid", message)
    }

    /// A required value is missing in the request.
    pub fn missing_value(message: impl Into<String>) -> Self {
        Self::new(400, "global", "required", message)
    }

    /// The request has no token, or an invalid one.
    pub fn unauthenticated() -> Self {
        Self::new(401, "global", "authError", "Invalid Credentials")
    }

    /// The token lacks a scope.
    pub fn missing_scope() -> Self {
        let message = "Request had insufficient authentication scopes.";
        Self::new(403, "global", "insufficientPermissions", message)
    }

    /// The caller lacks permission for the request.
    pub fn forbidden() -> Self {
        Self::new(403, "global", "forbidden", "Forbidden")
    }

    /// The caller is not an administrator.
    pub fn not_administrator() -> Self {
        Self::new(403, "global", "forbidden", "Not Authorized to access this resource/api")
    }

    /// Google Calendar is disabled for the account.
    pub fn calendar_disabled() -> Self {
        let message = "The user must be signed up for Google Calendar.";
        Self::new(403, "calendar", "notACalendarUser", message)
    }

    /// The resource does not exist, or the caller may not see it.
    pub fn not_found() -> Self {
        Self::new(404, "global", "notFound", "Not Found")
    }

    /// The HTTP response in Google's JSON format for errors.
    pub fn to_response(&self) -> WireResponse {
        let answer = WireResponse::json(
            self.status,
            json!({ "error": {
                "errors": [{ "domain": self.domain, "reason": self.reason, "message": self.message }],
                "code": self.status,
                "message": self.message,
            }}),
        );
        match self.status {
            401 => answer.with_header(
                "www-authenticate",
                "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"",
            ),
            _ => answer,
        }
    }
}
