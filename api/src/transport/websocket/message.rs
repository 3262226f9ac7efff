//! Messages of `graphql-transport-ws`. <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>

use serde::Serialize;
use serde_json::{Map, Value};

use super::close::CloseCause;
use crate::transport::response::{GraphQlResponse, ResponseError};

/// Maximum length of an operation id, in bytes.
const LONGEST_ID: usize = 128;

/// Messages from clients, as defined by `graphql-transport-ws`.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// Opens the connection; the payload may contain credentials.
    ConnectionInit(Map<String, Value>),
    /// Requests a pong.
    Ping(Option<Value>),
    /// Responds to a ping.
    Pong,
    /// Starts an operation.
    Subscribe {
        /// Id of the operation, chosen by the client.
        id: String,
        /// The GraphQL request, not parsed yet.
        payload: Value,
    },
    /// Ends the operation with this id.
    Complete(String),
}

/// Messages to clients, as defined by `graphql-transport-ws`.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage<'a> {
    /// Confirms that the connection is open.
    ConnectionAck,
    /// Requests a pong to check that the client is alive.
    Ping,
    /// Responds to a ping with the ping's payload.
    Pong {
        /// Payload of the ping.
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Value>,
    },
    /// A response or subscription event.
    Next {
        /// Id of the operation.
        id: &'a str,
        /// The response or event.
        payload: &'a GraphQlResponse,
    },
    /// The operation was refused; nothing more follows for this id.
    Error {
        /// Id of the operation.
        id: &'a str,
        /// Errors that explain the refusal.
        payload: Vec<ResponseError>,
    },
    /// The operation has ended.
    Complete {
        /// Id of the operation.
        id: &'a str,
    },
}

impl ClientMessage {
    /// Parses a message; an invalid one closes the socket.
    pub fn parse(text: &str) -> Result<Self, CloseCause> {
        let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else {
            return Err(CloseCause::BadMessage("A message must be a JSON object"));
        };
        let Some(Value::String(kind)) = fields.remove("type") else {
            return Err(CloseCause::BadMessage("A message must have a type"));
        };
        let payload = fields.remove("payload");
        match kind.as_str() {
            "connection_init" => match payload {
                None | Some(Value::Null) => Ok(Self::ConnectionInit(Map::new())),
                Some(Value::Object(payload)) => Ok(Self::ConnectionInit(payload)),
                Some(_) => Err(CloseCause::BadMessage("The payload of connection_init must be an object")),
            },
            "ping" => object_or_nothing(payload).map(Self::Ping),
            "pong" => object_or_nothing(payload).map(|_| Self::Pong),
            "subscribe" => match payload {
                Some(payload @ Value::Object(_)) => Ok(Self::Subscribe { id: id(&mut fields)?, payload }),
                _ => Err(CloseCause::BadMessage("The payload of subscribe must be an object")),
            },
            "complete" => Ok(Self::Complete(id(&mut fields)?)),
            _ => Err(CloseCause::BadMessage("The type of the message is unknown")),
        }
    }
}

fn object_or_nothing(payload: Option<Value>) -> Result<Option<Value>, CloseCause> {
    match payload {
        None | Some(Value::Null) => Ok(None),
        Some(payload @ Value::Object(_)) => Ok(Some(payload)),
        Some(_) => Err(CloseCause::BadMessage("The payload must be an object")),
    }
}

fn id(fields: &mut Map<String, Value>) -> Result<String, CloseCause> {
    match fields.remove("id") {
        Some(Value::String(id)) if (1..=LONGEST_ID).contains(&id.len()) => Ok(id),
        _ => Err(CloseCause::BadMessage("The id must be a string of 1 to 128 bytes")),
    }
}

/// The value of the `connection_init` payload under one of these names, ignoring case. As with HTTP headers, a value
/// that occurs twice or is not a string is refused.
pub fn connection_init_value(
    payload: &Map<String, Value>,
    names: &[&str],
) -> Result<Option<String>, CloseCause> {
    let is_meant = |key: &str| names.iter().any(|name| key.eq_ignore_ascii_case(name));
    let mut values = payload.iter().filter(|(key, _)| is_meant(key)).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (None | Some(Value::Null), None) => Ok(None),
        (Some(Value::String(text)), None) => Ok(Some(text.clone())),
        _ => Err(CloseCause::Forbidden),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_refused() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"type":"hello"}"#,
            r#"{"type":"connection_init","payload":1}"#,
            r#"{"type":"ping","payload":"x"}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"complete","id":7}"#,
        ] {
            assert!(matches!(ClientMessage::parse(bad), Err(CloseCause::BadMessage(_))), "{bad}");
        }
    }

    #[test]
    fn messages_of_the_protocol_are_read() {
        assert_eq!(
            ClientMessage::parse(r#"{"type":"connection_init"}"#),
            Ok(ClientMessage::ConnectionInit(Map::new()))
        );
        assert_eq!(
            ClientMessage::parse(r#"{"type":"complete","id":"a"}"#),
            Ok(ClientMessage::Complete("a".to_owned()))
        );
        assert_eq!(ClientMessage::parse(r#"{"type":"pong"}"#), Ok(ClientMessage::Pong));
    }
}
