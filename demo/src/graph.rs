//! A client of Muster's GraphQL API, as a vendor's back end would use it.
//!
//! A request is repeated, with the same variables and so with the same `idempotencyKey`, while the server is
//! unreachable or already working on it. A request without such a key is sent with [`GraphQlClient::send_once`], and
//! its effect is looked up by name before it is sent again.

use http::{Client, HeaderName, Method, Request};
use serde_json::{Value, json};
use url::Url;

use super::{
    backoff::{Backoff, MAX_OUTAGE},
    error::{Error, Result, unexpected},
    wire,
};

const TENANT: HeaderName = HeaderName::from_static("muster-tenant");

/// A client of the GraphQL API; sends the tenant's id with every request after the tenant has been created.
#[derive(Debug, Clone)]
pub struct GraphQlClient {
    client: Client,
    url: Url,
    key: String,
    tenant: Option<String>,
}

/// The outcome of one attempt.
#[derive(Debug)]
pub enum Attempt {
    /// The server responded with this `data`.
    Answered(Value),
    /// The server was unreachable: whether the request took effect is unknown.
    Unknown(String),
}

impl GraphQlClient {
    /// A client for the API at `url` with a vendor key.
    pub fn new(client: Client, url: Url, key: String) -> Self {
        Self { client, url, key, tenant: None }
    }

    /// Sets the tenant that later requests access.
    pub fn set_tenant(&mut self, tenant: &str) {
        self.tenant = Some(tenant.to_owned());
    }

    /// Lets later requests access no tenant.
    pub fn leave_tenant(&mut self) {
        self.tenant = None;
    }

    /// Executes a document, repeatedly until there is a response.
    pub async fn query(&self, document: &str, variables: Value) -> Result<Value> {
        let mut patience = Backoff::with_time_limit(MAX_OUTAGE);
        loop {
            let why = match self.send_once(document, variables.clone()).await? {
                Attempt::Answered(data) => return Ok(data),
                Attempt::Unknown(why) => why,
            };
            if !patience.wait().await {
                return Err(Error::Unreachable { what: "the API".to_owned(), why });
            }
        }
    }

    /// Executes a mutation with one field, repeatedly until there is a response; a refusal is an error.
    pub async fn mutate(&self, document: &str, variables: Value) -> Result<Value> {
        let mut patience = Backoff::with_time_limit(MAX_OUTAGE);
        loop {
            let payload = mutation_payload(self.query(document, variables.clone()).await?);
            match payload {
                Err(error) if is_in_progress(error.code()) && patience.wait().await => {}
                answered => return answered,
            }
        }
    }

    /// Executes a document once.
    pub async fn send_once(&self, document: &str, variables: Value) -> Result<Attempt> {
        let body = json!({ "query": document, "variables": variables }).to_string();
        let mut request = Request::new(Method::POST, self.url.clone())
            .authorization(&format!("Bearer {}", self.key))
            .header(http::header::ACCEPT, "application/graphql-response+json, application/json")
            .body("application/json", body);
        if let Some(tenant) = &self.tenant {
            request = request.header(TENANT, tenant);
        }
        let answer = match wire::send_once(&self.client, request).await? {
            Ok(answer) => answer,
            Err(why) => return Ok(Attempt::Unknown(why)),
        };
        let value: Value = answer
            .json()
            .map_err(|_| unexpected(format!("the API answered {} without JSON", answer.status)))?;
        read(value)
    }
}

fn read(mut answer: Value) -> Result<Attempt> {
    if let Some(error) = answer["errors"].get(0) {
        let (code, message) = code_and_message(error, "/extensions/code");
        if is_away(&code) || is_in_progress(&code) || error["extensions"]["retryable"] == true {
            return Ok(Attempt::Unknown(code));
        }
        return Err(Error::Refused { code, message });
    }
    Ok(Attempt::Answered(answer["data"].take()))
}

/// The payload of a mutation's one field; an error if the mutation was refused.
pub fn mutation_payload(mut data: Value) -> Result<Value> {
    let members = data.as_object_mut().and_then(|members| members.iter_mut().next());
    let payload = members.map(|(_, payload)| payload.take());
    let payload = payload.ok_or_else(|| unexpected("the API answered without a payload"))?;
    match payload["userErrors"].get(0) {
        None => Ok(payload),
        Some(error) => {
            let (code, message) = code_and_message(error, "/code");
            Err(Error::Refused { code, message })
        }
    }
}

fn code_and_message(error: &Value, code: &str) -> (String, String) {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("UNKNOWN").to_owned();
    (text(error.pointer(code)), text(error.get("message")))
}

fn is_away(code: &str) -> bool {
    matches!(code, "UNAVAILABLE" | "TIMEOUT")
}

fn is_in_progress(code: &str) -> bool {
    matches!(code, "IN_PROGRESS" | "BOOKING_IN_PROGRESS")
}

/// A string in a response; an error if it is absent.
pub fn string_at<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| unexpected(format!("the answer has no text at {pointer}: {value}")))
}

/// A number in a response; an error if it is absent.
pub fn number_at(value: &Value, pointer: &str) -> Result<u64> {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.ok_or_else(|| unexpected(format!("the answer has no number at {pointer}: {value}")))
}

/// A list in a response; an error if it is absent.
pub fn list_at<'a>(value: &'a Value, pointer: &str) -> Result<&'a [Value]> {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found
        .map(Vec::as_slice)
        .ok_or_else(|| unexpected(format!("the answer has no list at {pointer}: {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_away_is_not_a_refusal() {
        let error = |code: &str| json!({ "errors": [{ "message": "x", "extensions": { "code": code } }] });
        for code in ["UNAVAILABLE", "TIMEOUT", "IN_PROGRESS"] {
            assert!(matches!(read(error(code)), Ok(Attempt::Unknown(_))), "{code}");
        }
        assert_eq!(read(error("FORBIDDEN")).unwrap_err().code(), "FORBIDDEN");
    }

    #[test]
    fn what_a_mutation_refuses_is_an_error_with_its_code() {
        let refused =
            json!({ "setFeature": { "tenant": null, "userErrors": [{ "code": "NO", "message": "No." }] } });
        assert_eq!(mutation_payload(refused).unwrap_err().code(), "NO");
        let done = json!({ "setFeature": { "tenant": { "id": "ten_1" }, "userErrors": [] } });
        assert_eq!(string_at(&mutation_payload(done).unwrap(), "/tenant/id").unwrap(), "ten_1");
    }
}
