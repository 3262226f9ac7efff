//! HTTP requests and responses, as the emulated providers process them.
//!
//! The emulated providers match on the decoded segments of a path instead of using a router, so that one `match` lists
//! each provider's endpoints.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
    },
    web::Bytes,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded;

use crate::mailbox_concurrency::Permit;

/// A request that was read to its end.
#[derive(Debug)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path as received.
    pub path: String,
    /// The decoded segments of the path; `users('x')` counts as `users/x`.
    pub segments: Vec<String>,
    /// The content as received; empty for none.
    pub body: Bytes,
    /// The scheme, host and port that the caller used, without a trailing slash.
    pub origin: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
}

impl Request {
    /// Converts an actix request.
    pub fn from_actix(request: &HttpRequest, body: Bytes) -> Self {
        let path = request.uri().path().to_owned();
        let info = request.connection_info();
        Self {
            method: request.method().to_string(),
            segments: segments(&path),
            path,
            query: pairs(request.query_string().as_bytes()),
            headers: request.headers().clone(),
            origin: format!("{}://{}", info.scheme(), info.host()),
            body,
        }
    }

    /// A request inside a batch, with the outer request's token unless it has its own. `url` is relative to the outer
    /// request's first segment.
    #[must_use]
    pub fn batch_part_request(
        &self,
        method: &str,
        url: &str,
        headers: &BTreeMap<String, String>,
        body: Option<&Value>,
    ) -> Self {
        let root = self.segments.first().map(String::as_str).unwrap_or_default();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let path = format!("/{root}/{}", path.trim_start_matches('/'));
        let mut own = HeaderMap::new();
        if let Some(token) = self.headers.get(AUTHORIZATION) {
            own.insert(AUTHORIZATION, token.clone());
        }
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                own.insert(name, value);
            }
        }
        Self {
            method: method.to_uppercase(),
            segments: segments(&path),
            path,
            query: pairs(query.as_bytes()),
            headers: own,
            origin: self.origin.clone(),
            body: body.map(Value::to_string).unwrap_or_default().into(),
        }
    }

    /// The segments, for matching.
    pub fn path_segments(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// A query parameter; `None` when absent.
    pub fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// All query parameters.
    pub fn query_pairs(&self) -> &[(String, String)] {
        &self.query
    }

    /// The value of a header, by its name in any case; `None` when absent or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The values of all `Prefer` headers.
    pub fn prefer_headers(&self) -> Vec<String> {
        self.headers
            .get_all("prefer")
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|part| part.trim().to_owned())
            .collect()
    }

    /// Parses the body as a form.
    pub fn form(&self) -> Form {
        Form(pairs(&self.body))
    }

    /// Parses the body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// The fields of a submitted form.
#[derive(Debug)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// A field's value; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        find(&self.0, name).filter(|value| !value.is_empty())
    }

    /// All values of a field.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn segments(path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for raw in path.split('/').filter(|segment| !segment.is_empty()) {
        let segment = unescape(raw);
        match segment.strip_suffix("')").and_then(|rest| rest.split_once("('")) {
            Some((name, key)) => found.extend([name.to_owned(), key.replace("''", "'")]),
            None => found.push(segment),
        }
    }
    found
}

/// Decodes percent signs and nothing else: a plus stays a plus.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A response to send.
#[derive(Debug)]
pub struct WireResponse {
    /// The HTTP status.
    pub status: u16,
    /// Headers besides the content type.
    pub headers: Vec<(&'static str, String)>,
    /// The content.
    pub body: Body,
}

/// The content of a response.
#[derive(Debug)]
pub enum Body {
    /// No content.
    Empty,
    /// A value sent as `application/json`.
    Json(Value),
    /// A page, sent as `text/html`.
    Html(String),
    /// A document sent as `text/xml`.
    Xml(String),
}

impl WireResponse {
    /// A JSON response with a status.
    pub fn json(status: u16, value: Value) -> Self {
        Self { status, headers: Vec::new(), body: Body::Json(value) }
    }

    /// An XML response with a status.
    pub fn xml(status: u16, text: String) -> Self {
        Self { status, headers: Vec::new(), body: Body::Xml(text) }
    }

    /// A response without content.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Empty }
    }

    /// A response with a page.
    pub fn html(status: u16, page: String) -> Self {
        Self { status, headers: vec![("cache-control", "no-store".to_owned())], body: Body::Html(page) }
    }

    /// A redirect of the browser.
    pub fn redirect(to: String) -> Self {
        Self { status: 302, headers: vec![("location", to)], body: Body::Empty }
    }

    /// The same response with another header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Converts the response for actix.
    pub fn into_http(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponseBuilder::new(status);
        for (name, value) in self.headers {
            response.append_header((name, value));
        }
        match self.body {
            Body::Empty => response.finish(),
            Body::Json(value) => response.json(value),
            Body::Xml(text) => response.content_type("text/xml; charset=utf-8").body(text),
            Body::Html(page) => response.content_type("text/html; charset=utf-8").body(page),
        }
    }
}

/// Details that the journal records about a request, besides its method and path.
#[derive(Debug, Default)]
pub struct JournalDetails {
    /// The client id of the caller.
    pub app: Option<String>,
    /// The email address of the accessed mailbox.
    pub mailbox: Option<String>,
    /// The effect key of a write.
    pub key: Option<String>,
    /// The recorded action; `None` stands for `read` or `refused`, depending on the status.
    pub outcome: Option<&'static str>,
    /// The id of the copy that the request read or wrote.
    pub event_id: Option<String>,
    /// The permit that counts the request among the concurrent ones to its mailbox; released after the response.
    pub permit: Option<Permit>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_segment_by_segment() {
        assert_eq!(
            segments("/v1.0/users/a%40b.test/events/AA%2FBq+c%3D"),
            ["v1.0", "users", "a@b.test", "events", "AA/Bq+c="]
        );
        assert_eq!(segments("/v1.0/users('$o''x')"), ["v1.0", "users", "$o'x"]);
    }
}
