//! GraphQL responses: data, and errors with our own messages.
//!
//! Every error has `extensions.code` and `extensions.requestId`. An error to which a resolver gave a code is passed
//! on; one without is a defect or the engine's own, so its message is logged here and not sent.

use std::{collections::BTreeMap, io};

use async_graphql::{PathSegment, Response, ServerError, Value};
use serde::Serialize;
use serde_json::{Map, json};

use crate::{
    error::{Error, Location, truncate_to_line},
    request::RequestId,
};

/// The response to one request, or one event of a subscription.
#[derive(Debug, Serialize)]
pub struct GraphQlResponse {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ResponseError>,
    /// Result data; `None` if nothing was executed, which differs from null.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: BTreeMap<String, Value>,
}

/// One error in a response.
#[derive(Debug, Serialize)]
pub struct ResponseError {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path: Vec<PathSegment>,
    extensions: Map<String, serde_json::Value>,
}

impl GraphQlResponse {
    /// The response to a request that was refused before execution.
    pub fn from_error(error: &Error, id: &RequestId) -> Self {
        let errors = error
            .validation_errors()
            .into_iter()
            .map(|finding| ResponseError {
                message: finding.message,
                locations: finding.location.into_iter().collect(),
                path: Vec::new(),
                extensions: refusal(error, id),
            })
            .collect();
        Self { errors, data: None, extensions: BTreeMap::new() }
    }

    /// Converts the engine's response.
    pub fn from_execution(response: Response, id: &RequestId) -> Self {
        let ran = !refused_by_engine(&response);
        let errors = response.errors.into_iter().map(|error| ResponseError::of(error, ran, id)).collect();
        Self { errors, data: ran.then_some(response.data), extensions: response.extensions }
    }

    /// Whether anything was executed.
    pub fn was_executed(&self) -> bool {
        self.data.is_some()
    }

    /// The errors, for socket messages that carry nothing else.
    pub fn into_errors(self) -> Vec<ResponseError> {
        self.errors
    }
}

/// Size at which a response exceeded `limit`; `None` if it fits.
pub fn size_over_limit(response: &Response, limit: usize) -> Option<usize> {
    let mut counter = Counter { written: 0, limit };
    serde_json::to_writer(&mut counter, response).is_err().then_some(counter.written)
}

/// Counts written bytes and stops at a limit.
struct Counter {
    written: usize,
    limit: usize,
}

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written += bytes.len();
        if self.written > self.limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the engine refused the request before it executed a field, for errors that validation cannot detect, such
/// as a malformed value of a custom scalar.
fn refused_by_engine(response: &Response) -> bool {
    response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty() && code_of(error).is_none())
}

fn code_of(error: &ServerError) -> Option<&Value> {
    error.extensions.as_ref().and_then(|extensions| extensions.get("code"))
}

fn extensions(code: &str, id: &RequestId) -> Map<String, serde_json::Value> {
    let mut extensions = Map::new();
    extensions.insert("code".to_owned(), json!(code));
    extensions.insert("requestId".to_owned(), json!(id));
    extensions
}

/// Extensions of an error for a refused request: the exceeded limit and the actual amount, whether a retry may
/// succeed, and after how many seconds.
fn refusal(error: &Error, id: &RequestId) -> Map<String, serde_json::Value> {
    let mut extensions = extensions(error.code(), id);
    if let Some(excess) = error.exceeded_limit() {
        extensions.insert("limit".to_owned(), json!(excess.limit));
        extensions.insert("actual".to_owned(), json!(excess.actual));
    }
    extensions.insert("retryable".to_owned(), json!(error.retry_after().is_some()));
    if let Some(seconds) = error.retry_after() {
        extensions.insert("retryAfter".to_owned(), json!(seconds));
    }
    extensions
}

impl ResponseError {
    fn of(error: ServerError, ran: bool, id: &RequestId) -> Self {
        let locations =
            error.locations.iter().map(|at| Location { line: at.line, column: at.column }).collect();
        let (message, extensions) = match (code_of(&error), bad_value(&error.message)) {
            (Some(_), _) => (truncate_to_line(&error.message), kept(&error, id)),
            (None, Some(message)) => (message, extensions("BAD_USER_INPUT", id)),
            (None, None) if !ran => {
                tracing::info!(request_id = %id, engine = %error.message, "the engine refused a document");
                (
                    "The document does not match the schema.".to_owned(),
                    extensions("GRAPHQL_VALIDATION_FAILED", id),
                )
            }
            (None, None) => {
                tracing::error!(request_id = %id, path = ?error.path, error = %error.message, "a resolver failed");
                (Error::Internal.to_string(), extensions(Error::Internal.code(), id))
            }
        };
        Self { message, locations, path: error.path, extensions }
    }
}

/// Extensions that a resolver gave to its error, with the request id added.
fn kept(error: &ServerError, id: &RequestId) -> Map<String, serde_json::Value> {
    let mut extensions = match serde_json::to_value(&error.extensions) {
        Ok(serde_json::Value::Object(extensions)) => extensions,
        _ => Map::new(),
    };
    extensions.insert("requestId".to_owned(), json!(id));
    extensions
}

/// The message for a value that a scalar refused. Messages of Muster's own scalars are kept.
fn bad_value(engine: &str) -> Option<String> {
    if let Some(rest) = engine.strip_prefix("Failed to parse \"") {
        let (name, said) = rest.split_once("\": ")?;
        let said = said.split(" (occurred while parsing").next().unwrap_or_default();
        return Some(truncate_to_line(&format!("A value is not a valid {name}: {said}")));
    }
    let starts = ["Invalid value for argument ", "Expected input type ", "Invalid value for "];
    starts
        .iter()
        .any(|start| engine.starts_with(start))
        .then(|| "An argument has a value that its type does not allow.".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_graphql::{ErrorExtensionValues, Pos};
    use domain::{Ids, SystemClock};

    use super::*;

    fn answer(errors: Vec<ServerError>) -> serde_json::Value {
        let id = RequestId::generate(&Ids::seeded(Arc::new(SystemClock), 1));
        serde_json::to_value(GraphQlResponse::from_execution(Response::from_errors(errors), &id)).unwrap()
    }

    fn at_field(message: &str) -> ServerError {
        let mut error = ServerError::new(message, Some(Pos { line: 1, column: 3 }));
        error.path = vec![PathSegment::Field("a".to_owned())];
        error
    }

    #[test]
    fn an_error_without_a_code_keeps_its_words_to_itself() {
        let answer = answer(vec![at_field("connection to 10.0.0.1 refused")]);
        assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL");
        assert!(!answer.to_string().contains("10.0.0.1"), "the cause must not leak: {answer}");
        assert!(answer.get("data").is_some(), "a field ran, so data is there");
    }

    #[test]
    fn an_error_with_a_code_passes_with_its_extensions() {
        let mut error = at_field("Taken.");
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", "SLOT_TAKEN");
        extensions.set("retryable", false);
        error.extensions = Some(extensions);
        let answer = answer(vec![error]);
        assert_eq!(answer["errors"][0]["message"], "Taken.");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "SLOT_TAKEN");
        assert_eq!(answer["errors"][0]["extensions"]["retryable"], false);
        assert!(answer["errors"][0]["extensions"]["requestId"].is_string(), "the request id is added");
    }

    #[test]
    fn a_value_that_a_scalar_refuses_is_bad_input_without_data() {
        let answer = answer(vec![ServerError::new(
            "Failed to parse \"TimeZone\": not an IANA name (occurred while parsing \"Input\")",
            None,
        )]);
        assert_eq!(answer["errors"][0]["message"], "A value is not a valid TimeZone: not an IANA name");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        assert!(answer.get("data").is_none(), "nothing ran");
    }
}
