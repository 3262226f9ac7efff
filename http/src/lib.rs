//! The guarded HTTP client, through which Muster makes all outgoing calls.
//!
//! Every request has time-outs and every response a size limit. Redirects are never followed (a caller that knows its
//! protocol decides), and plain `http` and private addresses are refused unless the operator allowed the host. IP
//! addresses are checked in the resolver that the connection itself uses, so that a name cannot resolve differently the
//! second time. No part of a request's query, headers or body is logged.

mod guard;
mod wait;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
pub use guard::{AllowedHosts, Refusal, UrlClass};
pub use reqwest::{
    Method, StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use url::Url;
pub use wait::{MAX_RETRY_WAIT, MIN_RETRY_WAIT, clamp_retry_wait, parse_retry_wait};

/// Limits of an HTTP client.
#[derive(Debug, Clone)]
pub struct Config {
    /// Maximum time to establish a connection.
    pub connect_timeout: Duration,
    /// Maximum time from the start of a request to the last byte of its response.
    pub timeout: Duration,
    /// Maximum size of a response body, in bytes.
    pub max_body: usize,
    /// Hosts outside the public internet that may be called.
    pub allowance: AllowedHosts,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            max_body: 16 * 1024 * 1024,
            allowance: AllowedHosts::default(),
        }
    }
}

/// A request, ready to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// The HTTP method; WebDAV's methods are allowed too.
    pub method: Method,
    /// The absolute URL.
    pub url: Url,
    /// The headers, including secrets, which must be marked sensitive.
    pub headers: HeaderMap,
    /// The request body; empty for none.
    pub body: Bytes,
}

impl Request {
    /// Builds a request without headers or body.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// Adds a header; a value that no HTTP header may have is silently omitted.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Adds the `Authorization` header, marked sensitive.
    #[must_use]
    pub fn authorization(mut self, value: &str) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(true);
            self.headers.insert(header::AUTHORIZATION, value);
        }
        self
    }

    /// Sets the body and its content type.
    #[must_use]
    pub fn body(self, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }.header(header::CONTENT_TYPE, content_type)
    }
}

/// A response whose body was read to its end.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status code; a redirect is returned, not followed.
    pub status: StatusCode,
    /// All response headers, names in lower case.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Response {
    /// The value of a header; `None` when absent or not a valid string.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The wait that a `Retry-After` header requests, limited to [`MIN_RETRY_WAIT`] and [`MAX_RETRY_WAIT`].
    pub fn retry_after(&self) -> Option<Duration> {
        wait::retry_after(self.header("retry-after")?, self.header("date"))
    }

    /// Parses the body as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The body as a string; invalid UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client may not call this URL. Nothing was sent.
    #[error("the address {host} may not be called: {why}")]
    Forbidden {
        /// The host of the refused URL.
        host: String,
        /// The rule that refused the URL.
        why: Refusal,
    },
    /// No connection could be established. Nothing was sent.
    #[error("{host} could not be reached")]
    Unreachable {
        /// The host name that was called.
        host: String,
        /// The underlying network error.
        #[source]
        source: reqwest::Error,
    },
    /// The connection broke or timed out after the request had been sent, so it is unknown whether the request took
    /// effect.
    #[error("{host} did not finish its response")]
    Broken {
        /// The host name that was called.
        host: String,
        /// The underlying network error.
        #[source]
        source: reqwest::Error,
    },
    /// The response is larger than the limit; the request may have taken effect.
    #[error("{host} sent a response of more than {limit} bytes")]
    TooLarge {
        /// The host name that was called.
        host: String,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl Error {
    /// Whether the request may have taken effect.
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::TooLarge { .. })
    }

    /// Stable, machine-readable code of the error; see `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Forbidden { .. } => "ADDRESS_FORBIDDEN",
            Self::Unreachable { .. } => "PROVIDER_UNREACHABLE",
            Self::Broken { .. } => "PROVIDER_TIMEOUT",
            Self::TooLarge { .. } => "PROVIDER_ANSWER_TOO_LARGE",
        }
    }
}

/// An HTTP client. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    config: Config,
}

impl Client {
    /// Builds a client with these limits.
    pub fn new(config: Config) -> Result<Self, reqwest::Error> {
        let inner = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .timeout(config.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(std::sync::Arc::new(guard::Resolver(config.allowance.clone())))
            .no_proxy()
            .user_agent(concat!("Muster/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { inner, config })
    }

    /// Checks whether a URL may be called; returns why it may. A host name is checked again when it is resolved.
    pub fn check_url(&self, url: &Url) -> Result<UrlClass, Error> {
        let host = || url.host_str().unwrap_or_default().to_owned();
        self.config.allowance.check(url).map_err(|why| Error::Forbidden { host: host(), why })
    }

    /// Sends a request and reads the whole response.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let host = request.url.host_str().unwrap_or_default().to_owned();
        self.check_url(&request.url)?;
        let broken = |source: reqwest::Error| match source.is_connect() {
            true if guard::is_guard_refusal(&source) => {
                Error::Forbidden { host: host.clone(), why: Refusal::ResolvesToPrivate }
            }
            // What the network says would repeat the address, query included.
            true => Error::Unreachable { host: host.clone(), source: source.without_url() },
            false => Error::Broken { host: host.clone(), source: source.without_url() },
        };
        // A path has mailboxes' addresses in it, and what a link leads by.
        tracing::debug!(method = %request.method, host, "calling");
        let answer = self
            .inner
            .request(request.method, request.url)
            .headers(request.headers)
            .body(request.body)
            .send()
            .await
            .map_err(broken)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = BytesMut::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(broken)?);
            if body.len() > self.config.max_body {
                return Err(Error::TooLarge { host, limit: self.config.max_body });
            }
        }
        tracing::debug!(%status, host, bytes = body.len(), "answered");
        Ok(Response { status, headers, body: body.freeze() })
    }
}
