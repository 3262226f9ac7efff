//! Errors of requests that are refused before execution, with Muster's own messages.
//!
//! Messages of the engine and the parser never reach a client, because they span several lines and may echo the input.
//! Messages here quote input only up to a bounded length.

use actix_web::http::StatusCode;
use serde::Serialize;
pub use services::ExceededLimit;

use crate::authenticate::AuthError;

/// Maximum length of an error message sent to a client, in characters.
const MESSAGE_CHARS: usize = 300;

/// Value of `Retry-After` when the server is temporarily unable to respond, in seconds.
pub(crate) const RETRY_AFTER_SECONDS: u64 = 5;

/// A validation error in a document or in the values of its variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationError {
    /// Description of the error in one sentence.
    pub message: String,
    /// Position of the error in the document, if known.
    pub location: Option<Location>,
}

/// A position in a document, counted from line 1, column 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Location {
    /// Line number, from 1.
    pub line: usize,
    /// Column number in characters, from 1.
    pub column: usize,
}

impl ValidationError {
    /// Creates an error whose message is truncated to the maximum length.
    pub fn new(message: &str, location: Option<Location>) -> Self {
        Self { message: truncate_to_line(message), location }
    }
}

/// Truncates client input for quotation in a message, and replaces its line breaks.
pub(crate) fn truncate_to_line(text: &str) -> String {
    let line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_CHARS).collect();
    if line.len() < text.len() && text.chars().count() > MESSAGE_CHARS { format!("{line}…") } else { line }
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The method is neither GET nor POST.
    #[error("Send the request with POST, or a query with GET.")]
    MethodNotAllowed,
    /// `Accept` allows none of the media types that the server can produce.
    #[error("Accept application/graphql-response+json or application/json.")]
    NotAcceptable,
    /// The body is not declared as JSON in UTF-8.
    #[error("Send the body as application/json in UTF-8.")]
    UnsupportedMediaType,
    /// The body exceeds its size limit.
    #[error("The body is larger than {limit} bytes.")]
    BodyTooLarge {
        /// Maximum size of a body in bytes.
        limit: usize,
        /// The declared size in bytes, or the number of bytes received so far.
        found: u64,
    },
    /// The body took too long to arrive.
    #[error("The body did not arrive in time.")]
    BodyTimeout,
    /// The connection broke or the body's framing is invalid.
    #[error("The body could not be read.")]
    BodyUnreadable,
    /// The body is not valid JSON.
    #[error("The body is not valid JSON.")]
    MalformedJson,
    /// The JSON is not a GraphQL request; contains a message that names the defect.
    #[error("{0}")]
    MalformedRequest(&'static str),
    /// The body contains several requests (a batch).
    #[error("Send one request at a time: batches are not supported.")]
    BatchRefused,
    /// The document is not valid GraphQL syntax.
    #[error("The document is not valid GraphQL.")]
    Unparsable(Vec<ValidationError>),
    /// The document does not match the schema.
    #[error("The document does not match the schema.")]
    Invalid(Vec<ValidationError>),
    /// The values of the variables do not match their types.
    #[error("The values of the variables do not match their types.")]
    BadVariables(Vec<ValidationError>),
    /// A string exceeds the length limit of its type.
    #[error("A text is too long.")]
    TextTooLong(ValidationError, ExceededLimit),
    /// A string contains a character that its type does not allow.
    #[error("A string contains a character that is not allowed.")]
    TextMalformed(ValidationError),
    /// The document exceeds a limit.
    #[error("The document has {found} {what}; {limit} are allowed.")]
    LimitExceeded {
        /// The limited quantity as a plural noun, such as `tokens`.
        what: &'static str,
        /// The amount in the document.
        found: u64,
        /// The maximum that is allowed.
        limit: u64,
    },
    /// `operationName` names no operation, or is missing although the document has several.
    #[error("{0}")]
    OperationUnknown(&'static str),
    /// `documentId` is not the id of a persisted document.
    #[error("No document with this id is registered on this server.")]
    DocumentUnknown,
    /// Only persisted documents are allowed, and this document is not one of them.
    #[error("This server runs only persisted documents. Send the id of one in \"documentId\".")]
    DocumentRequired,
    /// A GET request contains a mutation or subscription.
    #[error("Only queries run with GET. Send this operation with POST.")]
    OnlyQueriesByGet,
    /// A subscription was requested over plain HTTP.
    #[error("Subscriptions run over a WebSocket (graphql-transport-ws) at /graphql/ws.")]
    SubscriptionNeedsSocket,
    /// The caller may not introspect the schema.
    #[error("You may not introspect the schema of this server.")]
    IntrospectionDisabled,
    /// Authentication failed.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The calling page comes from an origin that is not allowed.
    #[error("Pages of this origin may not open a WebSocket to this server.")]
    OriginRefused,
    /// The request names a host that this server does not serve.
    #[error("This server does not serve this host name.")]
    HostRefused,
    /// The path is not written in its normal form.
    #[error(
        "Write the path in its normal form: without empty or dot segments and without unnecessary percent-encoding."
    )]
    PathMalformed,
    /// The quota of the caller, its tenant or its IP address is exhausted.
    #[error("You have used up your request quota for now. Try again in {after} s.")]
    RateLimited {
        /// How long to wait, in seconds.
        after: u64,
    },
    /// The node is overloaded and cannot respond in time.
    #[error("The server is overloaded. Try again in {after} s.")]
    Overloaded {
        /// How long to wait, in seconds.
        after: u64,
    },
    /// The limit on open WebSockets has been reached.
    #[error("There are too many open WebSockets. Try again shortly.")]
    TooManySockets,
    /// A plain HTTP request was sent to the WebSocket endpoint.
    #[error("Open a WebSocket with the subprotocol graphql-transport-ws at this URL.")]
    UpgradeRequired,
    /// The WebSocket already runs its maximum number of operations.
    #[error("This socket already runs {limit} operations. Complete one first, or open another socket.")]
    TooManyOperations {
        /// Maximum number of concurrent operations on one WebSocket.
        limit: usize,
    },
    /// The response exceeds its size limit.
    #[error(
        "The response has more than {limit} bytes: request less at once. A mutation that had started still \
            completes: check its result before you repeat it."
    )]
    AnswerTooLarge {
        /// Maximum size of a response in bytes.
        limit: usize,
        /// Size in bytes at which the response was abandoned.
        found: usize,
    },
    /// Execution took too long and was abandoned.
    #[error(
        "The request took too long. A mutation that had started still completes: check its result before \
            you repeat it."
    )]
    Timeout,
    /// An unexpected defect of the server.
    #[error("An internal error occurred. Include the request id when you report it.")]
    Internal,
    /// The server is shutting down.
    #[error("The server is about to restart. Try again shortly.")]
    ShuttingDown,
}

impl Error {
    /// Stable, machine-readable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::NotAcceptable => "NOT_ACCEPTABLE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::BodyTooLarge { .. } => "BODY_TOO_LARGE",
            Self::BodyTimeout => "BODY_TIMEOUT",
            Self::BodyUnreadable | Self::MalformedRequest(_) => "BAD_REQUEST",
            Self::MalformedJson => "MALFORMED_JSON",
            Self::BatchRefused => "BATCH_REFUSED",
            Self::Unparsable(_) => "GRAPHQL_PARSE_FAILED",
            Self::Invalid(_) => "GRAPHQL_VALIDATION_FAILED",
            Self::BadVariables(_) => "BAD_USER_INPUT",
            Self::TextTooLong(..) => "TEXT_TOO_LONG",
            Self::TextMalformed(_) => "TEXT_MALFORMED",
            Self::LimitExceeded { .. } => "LIMIT_EXCEEDED",
            Self::OperationUnknown(_) => "OPERATION_UNKNOWN",
            Self::DocumentUnknown => "DOCUMENT_UNKNOWN",
            Self::DocumentRequired => "DOCUMENT_REQUIRED",
            Self::OnlyQueriesByGet => "ONLY_QUERIES_BY_GET",
            Self::SubscriptionNeedsSocket => "SUBSCRIPTION_NEEDS_SOCKET",
            Self::IntrospectionDisabled => "INTROSPECTION_DISABLED",
            Self::Auth(error) => error.code(),
            Self::OriginRefused => "ORIGIN_REFUSED",
            Self::HostRefused => "HOST_REFUSED",
            Self::PathMalformed => "PATH_MALFORMED",
            Self::RateLimited { .. } => "RATE_LIMITED",
            Self::Overloaded { .. } => "OVERLOADED",
            Self::TooManySockets => "TOO_MANY_SOCKETS",
            Self::UpgradeRequired => "UPGRADE_REQUIRED",
            Self::TooManyOperations { .. } => "TOO_MANY_OPERATIONS",
            Self::AnswerTooLarge { .. } => "ANSWER_TOO_LARGE",
            Self::Timeout => "TIMEOUT",
            Self::Internal => "INTERNAL",
            Self::ShuttingDown => "UNAVAILABLE",
        }
    }

    /// HTTP status for media types whose status reflects the GraphQL result.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::MethodNotAllowed | Self::OnlyQueriesByGet => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Auth(error) => error.status(),
            Self::OriginRefused | Self::IntrospectionDisabled => StatusCode::FORBIDDEN,
            Self::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
            Self::TooManyOperations { .. } | Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::HostRefused => StatusCode::MISDIRECTED_REQUEST,
            Self::ShuttingDown | Self::TooManySockets | Self::Overloaded { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether the HTTP request is well formed and only its GraphQL document is invalid; `application/json` responses
    /// then have status 200.
    pub const fn is_request_well_formed(&self) -> bool {
        matches!(
            self,
            Self::Unparsable(_)
                | Self::Invalid(_)
                | Self::BadVariables(_)
                | Self::TextTooLong(..)
                | Self::AnswerTooLarge { .. }
                | Self::TextMalformed(_)
                | Self::LimitExceeded { .. }
                | Self::OperationUnknown(_)
                | Self::DocumentUnknown
                | Self::DocumentRequired
                | Self::SubscriptionNeedsSocket
                | Self::IntrospectionDisabled
        )
    }

    /// Number of seconds after which the same request may succeed, if known.
    pub const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited { after } | Self::Overloaded { after } => Some(*after),
            Self::TooManySockets | Self::ShuttingDown | Self::Auth(AuthError::Unavailable) => {
                Some(RETRY_AFTER_SECONDS)
            }
            _ => None,
        }
    }

    /// The exceeded limit and the actual amount; `None` for errors that do not concern a limit.
    pub const fn exceeded_limit(&self) -> Option<ExceededLimit> {
        match *self {
            Self::LimitExceeded { limit, found, .. } => Some(ExceededLimit { limit, actual: found }),
            Self::BodyTooLarge { limit, found } => Some(ExceededLimit { limit: limit as u64, actual: found }),
            Self::TooManyOperations { limit } => {
                Some(ExceededLimit { limit: limit as u64, actual: limit as u64 + 1 })
            }
            Self::AnswerTooLarge { limit, found } => {
                Some(ExceededLimit { limit: limit as u64, actual: found as u64 })
            }
            Self::TextTooLong(_, excess) => Some(excess),
            _ => None,
        }
    }

    /// The individual validation errors, or the error's own message if there are none.
    pub fn validation_errors(&self) -> Vec<ValidationError> {
        match self {
            Self::Unparsable(findings) | Self::Invalid(findings) | Self::BadVariables(findings)
                if !findings.is_empty() =>
            {
                findings.clone()
            }
            Self::TextTooLong(finding, _) | Self::TextMalformed(finding) => vec![finding.clone()],
            other => vec![ValidationError::new(&other.to_string(), None)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_bounded_line() {
        let finding = ValidationError::new(&"ab\n".repeat(1_000), None);
        assert_eq!(finding.message.chars().count(), MESSAGE_CHARS + 1);
        assert!(!finding.message.contains('\n'), "a message is one line");
        assert_eq!(truncate_to_line("short é"), "short é");
    }
}
