//! Why a request was refused before anything ran, in our own words.
//!
//! The engine's and the parser's messages never reach a client: they are drawings over many lines and may
//! echo what was sent. Whatever a sentence here quotes is cut to a bounded length.

use actix_web::http::StatusCode;
use serde::Serialize;
pub use services::Excess;

use crate::authenticate::AuthError;

/// The longest message that a client is sent.
const MESSAGE_CHARS: usize = 300;

/// After how long it is worth asking a server again that cannot answer now.
pub(crate) const RETRY_SECONDS: u64 = 5;

/// One thing that is wrong with a document or with its variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// One sentence.
    pub message: String,
    /// Where in the document.
    pub location: Option<Location>,
}

/// A place in a document, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Finding {
    /// A finding whose message is cut to a bounded length.
    pub fn new(message: &str, location: Option<Location>) -> Self {
        Self { message: bounded(message), location }
    }
}

/// The first characters of a text that may come from a client, on one line.
pub(crate) fn bounded(text: &str) -> String {
    let line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_CHARS).collect();
    if line.len() < text.len() && text.chars().count() > MESSAGE_CHARS { format!("{line}…") } else { line }
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither GET nor POST.
    #[error("Send the request with POST, or a query with GET.")]
    MethodNotAllowed,
    /// No media type that can be produced is acceptable.
    #[error("Accept application/graphql-response+json or application/json.")]
    NotAcceptable,
    /// The body is not declared as JSON in UTF-8.
    #[error("Send the body as application/json in UTF-8.")]
    UnsupportedMediaType,
    /// The body is too large.
    #[error("The body is larger than {limit} bytes.")]
    BodyTooLarge {
        /// How many bytes it may have.
        limit: usize,
        /// How many it declares to have, or how many had arrived.
        found: u64,
    },
    /// The body came too slowly.
    #[error("The body did not arrive in time.")]
    BodyTimeout,
    /// The connection broke or its framing is wrong.
    #[error("The body could not be read.")]
    BodyUnreadable,
    /// The body is not JSON.
    #[error("The body is not valid JSON.")]
    MalformedJson,
    /// The JSON is not a GraphQL request.
    #[error("{0}")]
    MalformedRequest(&'static str),
    /// Several requests in one.
    #[error("Send one request at a time: lists of requests are not taken.")]
    BatchRefused,
    /// The text is not GraphQL.
    #[error("The document is not valid GraphQL.")]
    Unparsable(Vec<Finding>),
    /// The document does not fit the schema.
    #[error("The document does not fit the schema.")]
    Invalid(Vec<Finding>),
    /// The values of the variables do not fit their types.
    #[error("The variables do not fit their types.")]
    BadVariables(Vec<Finding>),
    /// A text is longer than any that is read there.
    #[error("A text is too long.")]
    TextTooLong(Finding, Excess),
    /// A text has a character that no text may have there.
    #[error("A text has a character that is not allowed.")]
    TextMalformed(Finding),
    /// The document exceeds one of the limits.
    #[error("The document has {found} {what}; {limit} are allowed.")]
    LimitExceeded {
        /// What is counted, in the plural.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many there may be.
        limit: u64,
    },
    /// `operationName` names nothing, or is missing where there is a choice.
    #[error("{0}")]
    OperationUnknown(&'static str),
    /// `documentId` names no document that is known here.
    #[error("No document of this id is known here.")]
    DocumentUnknown,
    /// Only known documents run here, and this is none of them.
    #[error("Only documents that are known to this server run here. Send the id of one in \"documentId\".")]
    DocumentRequired,
    /// Something other than a query came with GET.
    #[error("Only queries run with GET. Send this operation with POST.")]
    OnlyQueriesByGet,
    /// A subscription came over plain HTTP.
    #[error("Subscriptions run over a WebSocket (graphql-transport-ws) at /graphql/ws.")]
    SubscriptionNeedsSocket,
    /// The caller may not look at the schema.
    #[error("The schema cannot be introspected here.")]
    IntrospectionDisabled,
    /// Who calls could not be told.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The page that calls comes from another origin.
    #[error("This origin may not open a socket here.")]
    OriginRefused,
    /// The request names a host under which this server does not answer.
    #[error("This server does not answer under this name.")]
    HostRefused,
    /// The path is not written in its normal form.
    #[error(
        "Write the path in its normal form: no empty segments, no dots, and nothing encoded that need not be."
    )]
    PathMalformed,
    /// The caller, its tenant or its address has asked for as much as it may for now.
    #[error("Too much was asked for in a short time. Try again in {after} s.")]
    RateLimited {
        /// How long to wait, in seconds.
        after: u64,
    },
    /// There is more to do than can be done in time.
    #[error("The server has more to do than it can do in time. Try again in {after} s.")]
    Overloaded {
        /// How long to wait, in seconds.
        after: u64,
    },
    /// There are as many sockets as there may be.
    #[error("There are too many open sockets. Try again shortly.")]
    TooManySockets,
    /// A plain request came to the socket's address.
    #[error("Open a WebSocket with the subprotocol graphql-transport-ws here.")]
    UpgradeRequired,
    /// A socket has as many operations as it may have.
    #[error("This socket already runs {limit} operations. Complete one first, or open another socket.")]
    TooManyOperations {
        /// How many it may have.
        limit: usize,
    },
    /// The answer is larger than any that is sent.
    #[error(
        "The answer has more than {limit} bytes: ask for less at once. A change that had begun is still carried out: look before you repeat it."
    )]
    AnswerTooLarge {
        /// How many bytes it may have.
        limit: usize,
        /// How many it had when it was given up.
        found: usize,
    },
    /// The request ran for too long and was given up.
    #[error(
        "The answer took too long. A change that had begun is still carried out: look before you repeat it."
    )]
    Timeout,
    /// A defect on our side.
    #[error("Something went wrong on our side. Name the request id when you report it.")]
    Internal,
    /// The server is being restarted.
    #[error("The server is about to restart. Try again shortly.")]
    ShuttingDown,
}

impl Error {
    /// The stable code.
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

    /// The HTTP status, where the media type lets the status tell.
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

    /// Whether the HTTP request was fine and only its document was not: `application/json` answers 200 then.
    pub const fn is_well_formed(&self) -> bool {
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

    /// After how many seconds the same request may succeed, if it is known that it may.
    pub const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited { after } | Self::Overloaded { after } => Some(*after),
            Self::TooManySockets | Self::ShuttingDown | Self::Auth(AuthError::Unavailable) => {
                Some(RETRY_SECONDS)
            }
            _ => None,
        }
    }

    /// The limit that was exceeded, if that is what is wrong.
    pub const fn excess(&self) -> Option<Excess> {
        match *self {
            Self::LimitExceeded { limit, found, .. } => Some(Excess { limit, actual: found }),
            Self::BodyTooLarge { limit, found } => Some(Excess { limit: limit as u64, actual: found }),
            Self::TooManyOperations { limit } => {
                Some(Excess { limit: limit as u64, actual: limit as u64 + 1 })
            }
            Self::AnswerTooLarge { limit, found } => {
                Some(Excess { limit: limit as u64, actual: found as u64 })
            }
            Self::TextTooLong(_, excess) => Some(excess),
            _ => None,
        }
    }

    /// What is wrong in detail; a single sentence where there is no more to say.
    pub fn findings(&self) -> Vec<Finding> {
        match self {
            Self::Unparsable(findings) | Self::Invalid(findings) | Self::BadVariables(findings)
                if !findings.is_empty() =>
            {
                findings.clone()
            }
            Self::TextTooLong(finding, _) | Self::TextMalformed(finding) => vec![finding.clone()],
            other => vec![Finding::new(&other.to_string(), None)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_bounded_line() {
        let finding = Finding::new(&"ab\n".repeat(1_000), None);
        assert_eq!(finding.message.chars().count(), MESSAGE_CHARS + 1);
        assert!(!finding.message.contains('\n'), "a message is one line");
        assert_eq!(bounded("short é"), "short é");
    }
}
