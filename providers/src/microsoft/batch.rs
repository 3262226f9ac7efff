//! Several questions in one request. Each is answered, and refused, by itself.

use http::{
    Response, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Value, json};

use super::{Microsoft, request::Call, wire};
use crate::{Error, ErrorKind, Remedy, Result, Session, parts};

/// Graph takes no more in one request.
pub(super) const MAX: usize = 20;

impl Microsoft {
    /// Asks all of them at once, at most [`MAX`]; one verdict each, in their order. The place at the gate is that of the
    /// first one's mailbox. An answer that is missing is unreadable, never empty.
    pub(super) async fn send_batch(
        &self,
        session: &Session,
        calls: &[Call<'_>],
    ) -> Result<Vec<Result<Response>>> {
        let Some(first) = calls.first() else { return Ok(Vec::new()) };
        let items: Vec<Value> =
            calls.iter().enumerate().map(|(n, call)| call.in_batch(n, &self.config.graph)).collect();
        let mut whole = Call::post(self.url(&["$batch"])?, json!({ "requests": items })).asks();
        if let Some(mailbox) = first.mailbox() {
            whole = whole.of(mailbox);
        }
        let answers = self.call_json::<wire::Batch>(session, &whole).await?.responses;
        let mut answers: Vec<_> = answers.readable("batch").collect();
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

/// A question that was not answered.
fn missing() -> Error {
    let pause = std::time::Duration::from_secs(5);
    let message = "Microsoft 365 left out a response.";
    Error::new(ErrorKind::Unavailable, Remedy::RetryAfter(pause), parts::UNREADABLE, message)
}

/// One answer of a batch, as if it had come alone.
fn read(answer: wire::BatchAnswer) -> Response {
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
