//! Sends several requests in one batch. Each has its own response and may fail independently.

use http::{
    Response, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Value, json};

use super::{Microsoft, request::Call, wire};
use crate::{Error, ErrorKind, Remedy, Result, Session, messages, parts, rest::RestApi};

/// Maximum number of requests that Graph accepts per batch.
pub(super) const MAX_BATCH_REQUESTS: usize = 20;

impl Microsoft {
    /// Sends at most [`MAX_BATCH_REQUESTS`] requests at once; returns one result each, in their order. For the request
    /// limits, the batch counts as one request for the mailbox of its first request. A missing response is an error,
    /// never an empty result.
    pub(super) async fn send_batch(
        &self,
        session: &Session,
        calls: &[Call<'_>],
    ) -> Result<Vec<Result<Response>>> {
        let Some(first) = calls.first() else { return Ok(Vec::new()) };
        let items: Vec<Value> =
            calls.iter().enumerate().map(|(n, call)| call.to_batch_part(n, &self.config.graph)).collect();
        let mut whole = Call::post(self.url(&["$batch"])?, json!({ "requests": items })).without_effects();
        if let Some(mailbox) = first.mailbox {
            whole = whole.for_mailbox(mailbox);
        }
        let answers = self.call_json::<wire::Batch>(session, &whole).await?.responses;
        let mut answers: Vec<_> = answers.into_readable("batch").collect();
        let mut verdicts = Vec::with_capacity(calls.len());
        for (n, call) in calls.iter().enumerate() {
            let place = answers.iter().position(|answer| answer.id == n.to_string());
            verdicts.push(match place.map(|place| answers.swap_remove(place)) {
                Some(answer) => self.judge(session, call, read(answer)).await,
                None => Err(missing()),
            });
        }
        Ok(verdicts)
    }
}

/// The error for a request without a response.
fn missing() -> Error {
    let pause = std::time::Duration::from_secs(5);
    let message = messages::microsoft_response_missing();
    Error::new(ErrorKind::Unavailable, Remedy::RetryAfter(pause), parts::UNREADABLE_RESPONSE, message)
}

/// Converts one response of a batch to an ordinary response.
fn read(answer: wire::BatchResponse) -> Response {
    let mut headers = HeaderMap::new();
    for (name, value) in answer.headers.into_iter().flatten() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let body = answer.body.map(|body| body.get().to_owned()).unwrap_or_default().into();
    Response { status, headers, body }
}
