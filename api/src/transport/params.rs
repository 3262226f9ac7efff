//! The shape of a GraphQL request: `query` or `documentId`, `operationName`, `variables`, `extensions`.

use serde_json::{Map, Value};

use crate::error::Error;

/// A request of valid shape whose document has not been checked yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestParams {
    /// Source text of the document; empty while only its id is known.
    pub query: String,
    /// Id of a persisted document, sent in place of its source text.
    pub document_id: Option<String>,
    /// Name of the operation to execute, if the document has several.
    pub operation_name: Option<String>,
    /// Values of the variables.
    pub variables: Map<String, Value>,
}

impl RequestParams {
    /// Parses a JSON body.
    pub fn from_json(body: &[u8]) -> Result<Self, Error> {
        Self::from_value(serde_json::from_slice(body).map_err(|_| Error::MalformedJson)?)
    }

    /// Parses a JSON value: the body of a POST, or the payload of a `subscribe` message.
    pub fn from_value(value: Value) -> Result<Self, Error> {
        let mut fields = match value {
            Value::Object(fields) => fields,
            Value::Array(_) => return Err(Error::BatchRefused),
            _ => return Err(Error::MalformedRequest("The request must be a JSON object.")),
        };
        let (query, document_id) = match (fields.remove("query"), fields.remove("documentId")) {
            (Some(Value::String(query)), None | Some(Value::Null)) => (query, None),
            (None | Some(Value::Null), Some(Value::String(id))) => (String::new(), Some(id)),
            _ => return Err(Error::MalformedRequest(ONE_DOCUMENT)),
        };
        let operation_name = match fields.remove("operationName") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(name),
            Some(_) => return Err(Error::MalformedRequest("\"operationName\" must be a string.")),
        };
        let variables = object(fields.remove("variables"), "\"variables\" must be an object.")?;
        object(fields.remove("extensions"), "\"extensions\" must be an object.")?;
        Ok(Self { query, document_id, operation_name, variables })
    }

    /// Parses the query string of a GET; `variables` and `extensions` are JSON in it.
    pub fn from_query_string(text: &str) -> Result<Self, Error> {
        let mut fields = Map::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let value = match name.as_ref() {
                "query" | "documentId" | "operationName" => Value::String(value.into_owned()),
                "variables" | "extensions" => {
                    serde_json::from_str(&value).map_err(|_| Error::MalformedJson)?
                }
                _ => continue,
            };
            if fields.insert(name.into_owned(), value).is_some() {
                return Err(Error::MalformedRequest("A parameter of the URL is specified more than once."));
            }
        }
        Self::from_value(Value::Object(fields))
    }
}

const ONE_DOCUMENT: &str = "Either \"query\" or \"documentId\" must be given, as a string.";

fn object(value: Option<Value>, otherwise: &'static str) -> Result<Map<String, Value>, Error> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(fields)) => Ok(fields),
        Some(_) => Err(Error::MalformedRequest(otherwise)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_the_wrong_shape_is_refused() {
        for bad in [
            "1",
            "{}",
            r#"{"query":1}"#,
            r#"{"documentId":1}"#,
            r#"{"documentId":"a","query":"{a}"}"#,
            r#"{"query":"{a}","variables":[]}"#,
            r#"{"query":"{a}","operationName":7}"#,
            r#"{"query":"{a}","extensions":"x"}"#,
        ] {
            let refused = RequestParams::from_json(bad.as_bytes());
            assert!(matches!(refused, Err(Error::MalformedRequest(_))), "{bad} gave {refused:?}");
        }
        assert_eq!(RequestParams::from_json(b"[]"), Err(Error::BatchRefused));
        assert_eq!(RequestParams::from_json(b"{"), Err(Error::MalformedJson));
    }

    #[test]
    fn a_query_string_carries_variables_as_json() {
        let params =
            RequestParams::from_query_string("query=%7Ba%7D&variables=%7B%22n%22%3A1%7D&operationName=A")
                .unwrap();
        assert_eq!(params.query, "{a}");
        assert_eq!(params.operation_name.as_deref(), Some("A"));
        assert_eq!(params.variables.get("n"), Some(&Value::from(1)));
        assert!(
            RequestParams::from_query_string("query=a&query=b").is_err(),
            "a parameter that is there twice"
        );
    }
}
