//! A client for the control interface of a running sandbox.

use serde_json::Value;
use url::Url;

use crate::Error;

/// A request for a resource below `/control`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    /// The HTTP method: GET reads, POST changes, DELETE removes.
    pub method: reqwest::Method,
    /// The segments of the path after `/control`, unescaped.
    pub path: Vec<String>,
    /// The names and values of the query.
    pub query: Vec<(&'static str, String)>,
    /// The JSON body; `None` for none.
    pub body: Option<Value>,
}

impl Request {
    /// Builds a GET request, which reads a resource.
    pub(super) fn get<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(reqwest::Method::GET, path)
    }

    /// Builds a POST request, which changes a resource.
    pub(super) fn post<'a>(path: impl IntoIterator<Item = &'a str>, body: Value) -> Self {
        Self { body: Some(body), ..Self::new(reqwest::Method::POST, path) }
    }

    /// Builds a DELETE request, which removes a resource.
    pub(super) fn delete<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(reqwest::Method::DELETE, path)
    }

    fn new<'a>(method: reqwest::Method, path: impl IntoIterator<Item = &'a str>) -> Self {
        let path = path.into_iter().map(str::to_owned).collect();
        Self { method, path, query: Vec::new(), body: None }
    }

    /// Adds a query parameter if `value` is given.
    #[must_use]
    pub(super) fn with_query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }
}

/// An HTTP client for one sandbox.
#[derive(Debug)]
pub(super) struct Client {
    client: reqwest::Client,
    url: Url,
}

impl Client {
    /// A client for the sandbox at `url`.
    pub(super) fn new(url: Url) -> Result<Self, Error> {
        let client = reqwest::Client::builder().no_proxy().build().map_err(Error::Client)?;
        Ok(Self { client, url })
    }

    /// Sends a request and returns the sandbox's response; a refusal becomes an error with the sandbox's own message.
    pub(super) async fn send(&self, request: &Request) -> Result<Value, Error> {
        let mut url = self.url.clone();
        let wrong = || Error::Order(format!("{} is no address of a sandbox.", self.url));
        url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().push("control").extend(&request.path);
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let mut call = self.client.request(request.method.clone(), url);
        if let Some(body) = &request.body {
            call = call.json(body);
        }
        let unreachable = |_| Error::Order(format!("No sandbox answers at {}.", self.url));
        let answer = call.send().await.map_err(unreachable)?;
        let is_refused = !answer.status().is_success();
        let told: Value = answer
            .json()
            .await
            .map_err(|_| Error::Order(format!("What answers at {} is no sandbox.", self.url)))?;
        if is_refused {
            let text = |member: &str| told["error"][member].as_str().unwrap_or("UNKNOWN").to_owned();
            return Err(Error::Order(format!("{}: {}.", text("code"), text("message"))));
        }
        Ok(told)
    }
}
