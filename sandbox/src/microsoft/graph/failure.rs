//! Error responses of Graph.

use serde_json::json;

use crate::{
    Error,
    app::App,
    wire::{Request, WireResponse},
};

/// An error response with its status, code and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// The machine-readable cause, such as `ErrorItemNotFound`.
    pub code: &'static str,
    /// The human-readable sentence.
    pub message: String,
    /// The wait in seconds sent as `Retry-After`; `None` for none.
    pub retry_after: Option<u32>,
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
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// A value in the request is invalid; `message` names it.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(400, "ErrorInvalidRequest", message)
    }

    /// The request has no token, or an invalid one.
    pub fn unauthenticated(message: &str) -> Self {
        Self::new(401, "InvalidAuthenticationToken", message)
    }

    /// The token does not permit access to the mailbox.
    pub fn mailbox_access_denied() -> Self {
        Self::new(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    }

    /// The token does not permit access to the directory.
    pub fn directory_access_denied() -> Self {
        Self::new(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    }

    /// The event or calendar does not exist.
    pub fn item_not_found() -> Self {
        Self::new(404, "ErrorItemNotFound", "The specified object was not found in the store.")
    }

    /// The directory has no such object.
    pub fn no_such_object(key: &str) -> Self {
        Self::new(
            404,
            "Request_ResourceNotFound",
            format!(
                "Resource '{key}' does not exist or one of its queried reference-property objects are not present."
            ),
        )
    }

    /// There are too many concurrent requests.
    pub fn throttled() -> Self {
        Self::new(429, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.")
    }

    /// The service is unavailable.
    pub fn unavailable() -> Self {
        Self::new(503, "serviceNotAvailable", "The service is temporarily unavailable.")
    }

    /// The HTTP response in Graph's JSON format for errors.
    pub fn to_response(&self, app: &App, request: &Request) -> WireResponse {
        let id = app.new_guid().to_string();
        let client = request.header("client-request-id").unwrap_or(&id).to_owned();
        let answer = WireResponse::json(
            self.status,
            json!({ "error": {
                "code": self.code,
                "message": self.message,
                "innerError": {
                    "date": app.now().format("%Y-%m-%dT%H:%M:%S").to_string(),
                    "request-id": id,
                    "client-request-id": client,
                },
            }}),
        );
        let answer = answer.with_header("request-id", id).with_header("client-request-id", client);
        let answer = match self.retry_after {
            Some(seconds) => answer.with_header("retry-after", seconds.to_string()),
            None => answer,
        };
        if self.status == 401 {
            return answer.with_header("www-authenticate", "Bearer realm=\"\"");
        }
        answer
    }
}
