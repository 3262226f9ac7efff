//! Code shared by the connectors for REST APIs: rate-limited requests that are repeated once after a refused token,
//! classification of errors, pages, URLs, watermarks and push channels.
//!
//! A connector implements [`RestApi`], which obtains tokens, builds requests, and classifies error responses.
//! Everything else about a request is implemented here.

mod address;
pub(crate) mod push;
pub(crate) mod watermark;

use std::time::Duration;

use async_trait::async_trait;
use domain::Ids;
use http::{Method, Request, Response, StatusCode};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

pub(crate) use self::address::url_below;
use crate::{Credential, Error, ErrorKind, Remedy, Result, Session, json, messages, parts};

/// Maximum number of pages of a list; a longer list is treated as an endless loop.
pub(crate) const MAX_PAGES: usize = 2_000;

/// Upper bound of the random part of a wait, in milliseconds, so that requests that are refused together are not
/// repeated together.
const JITTER_MS: u64 = 2_000;

/// A request to be sent, without a token. `D` holds API-specific details.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a, D> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<Value>,
    /// Whether the request may have an effect.
    pub(crate) writes: bool,
    /// The mailbox that the request is about; `None` for the directory.
    pub(crate) mailbox: Option<&'a str>,
    pub(crate) detail: D,
}

impl<D> Call<'_, D> {
    /// Creates a request without side effects.
    pub(crate) fn new_read_only(method: Method, url: Url, detail: D) -> Self {
        Self { method, url, body: None, writes: false, mailbox: None, detail }
    }

    /// Marks a POST request as one without side effects.
    pub(crate) fn without_effects(self) -> Self {
        Self { writes: false, ..self }
    }
}

/// A provider's REST API.
#[async_trait]
pub(crate) trait RestApi: Send + Sync {
    /// API-specific details of a request.
    type RequestDetails: std::fmt::Debug + Send + Sync;
    /// The provider's name for messages and logs.
    const NAME: &'static str;

    /// The client that sends the requests.
    fn client(&self) -> &http::Client;

    /// The source of randomness.
    fn ids(&self) -> &Ids;

    /// Returns the token for a request. `refused` is the token that the provider has just refused, with its response;
    /// the result must differ from it.
    async fn token(
        &self,
        session: &Session,
        call: &Call<'_, Self::RequestDetails>,
        credential: &Credential,
        refused: Option<(&SecretString, &Response)>,
    ) -> Result<SecretString>;

    /// Builds the HTTP request.
    fn request(
        &self,
        session: &Session,
        call: &Call<'_, Self::RequestDetails>,
        token: &SecretString,
    ) -> Request;

    /// Classifies an error response. `jitter` is added to waits that the provider does not specify.
    fn classify(&self, answer: &Response, call: &Call<'_, Self::RequestDetails>, jitter: Duration) -> Error;

    /// Converts an authentication error that persists with a fresh token to an error that requires a new consent.
    fn consent_lost(&self, error: Error) -> Error;

    /// The provider's id of a request; `None` if its responses name none.
    fn request_id(&self, _answer: &Response) -> Option<String> {
        None
    }

    /// Sends a request; an error response becomes an error.
    async fn call(&self, session: &Session, call: &Call<'_, Self::RequestDetails>) -> Result<Response> {
        let permit = session.gate.enter(call.mailbox).await?;
        let credential = session.credentials.current().await?;
        let token = self.token(session, call, &credential, None).await?;
        let answer = self.send(session, call, &token).await?;
        drop(permit);
        if answer.status != StatusCode::UNAUTHORIZED {
            return self.judge(session, call, answer).await;
        }
        let fresh = self.token(session, call, &credential, Some((&token, &answer))).await?;
        let _permit = session.gate.enter(call.mailbox).await?;
        let answer = self.send(session, call, &fresh).await?;
        self.judge(session, call, answer).await.map_err(|error| match error.kind {
            // If a fresh token is refused too, the cause is not its age.
            ErrorKind::TokenRefused => self.consent_lost(error),
            _ => error,
        })
    }

    /// Sends a request and parses the JSON response.
    async fn call_json<T: DeserializeOwned + Send + 'static>(
        &self,
        session: &Session,
        call: &Call<'_, Self::RequestDetails>,
    ) -> Result<T> {
        let answer = self.call(session, call).await?;
        self.parse(call, &answer).await
    }

    /// Parses the JSON of a response.
    async fn parse<T: DeserializeOwned + Send + 'static>(
        &self,
        call: &Call<'_, Self::RequestDetails>,
        answer: &Response,
    ) -> Result<T> {
        json::parse_async(&answer.body).await.map_err(|refused| Error {
            request_id: self.request_id(answer),
            unknown: call.writes,
            ..parts::unreadable_body(refused, &answer.body, Self::NAME)
        })
    }

    /// Sends a request once. A write without a response is marked as unknown.
    async fn send(
        &self,
        session: &Session,
        call: &Call<'_, Self::RequestDetails>,
        token: &SecretString,
    ) -> Result<Response> {
        let request = self.request(session, call, token);
        self.client().send(request).await.map_err(|error| {
            let error = Error::from(error);
            Error { unknown: error.unknown && call.writes, ..error }
        })
    }

    /// Classifies an error response, and informs the gate if the provider requests a wait.
    async fn judge(
        &self,
        session: &Session,
        call: &Call<'_, Self::RequestDetails>,
        answer: Response,
    ) -> Result<Response> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        let error = self.classify(&answer, call, self.jitter());
        tracing::info!(
            provider = Self::NAME,
            status = answer.status.as_u16(),
            code = error.code,
            request_id = error.request_id,
            method = %call.method,
            "the provider refused a request"
        );
        if let (Remedy::RetryAfter(wait), true) =
            (error.remedy, error.kind == ErrorKind::Throttled || answer.retry_after().is_some())
        {
            session.gate.throttled(call.mailbox, wait).await;
        }
        Err(error)
    }

    /// A random addition to a wait.
    fn jitter(&self) -> Duration {
        Duration::from_millis(self.ids().random_below(JITTER_MS))
    }
}

/// The error for a response with unexpected content.
pub(crate) fn unexpected_response(name: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(Duration::from_secs(5)),
        parts::UNREADABLE_RESPONSE,
        messages::response_not_understood(name),
    )
}

/// The error for a list with more than [`MAX_PAGES`] pages.
pub(crate) fn too_many_pages(name: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(Duration::from_mins(1)),
        "ENDLESS_LIST",
        messages::endless_list(name),
    )
}
