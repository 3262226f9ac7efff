//! What holds for every route: which names are served, how long a body and an answer may take, and how large a body
//! may be.
//!
//! `/graphql` and its socket read by themselves: they refuse in the order and the form that their specifications ask.

use std::rc::Rc;

use actix_web::{
    HttpMessage as _, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
    middleware::Next,
    web,
};
use tokio::time::timeout;

use super::{connection::Activity, hosts};
use crate::{
    error::Error,
    request::{REQUEST_ID, RequestId},
    state::State,
    transport::{answer::Answer, body},
};

/// Routes that read their bodies and keep their time by themselves.
const OWN: [&str; 2] = ["/graphql", "/graphql/ws"];
/// For a year: what browsers and their lists take for serious.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Answers a request, or refuses it.
pub(super) async fn guard<B: MessageBody + 'static>(
    state: web::Data<State>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let activity = request.conn_data::<Rc<Activity>>().cloned();
    let under_way = activity.as_ref().map(Activity::begin);
    let mut response = answer(&state, request, next).await?;
    secure(&state, response.headers_mut());
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(activity) = &activity
    {
        activity.upgrade();
    }
    drop(under_way);
    Ok(response)
}

async fn answer<B: MessageBody + 'static>(
    state: &State,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if let Err(error) = hosts::check(request.request(), &state.config) {
        return Ok(refuse(state, request, &error));
    }
    if OWN.contains(&request.path()) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    if let Err(error) = take_body(state, &mut request).await {
        return Ok(refuse(state, request, &error));
    }
    let id = RequestId::of(request.request(), &state.ids);
    match timeout(state.config.execution_timeout, next.call(request)).await {
        Ok(answered) => Ok(answered?.map_into_boxed_body()),
        Err(late) => {
            // The request itself went with the route that was given up, so this cannot be an answer to it.
            let mut response = refusal(&id, &Error::Timeout);
            secure(state, response.headers_mut());
            Err(InternalError::from_response(late, response).into())
        }
    }
}

fn secure(state: &State, headers: &mut HeaderMap) {
    if state.config.hsts {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
}

/// Reads the whole body, within its limit and in time, and puts it where the route reads it from. A body that is not
/// read to its end is kept: see [`body::last_words`].
async fn take_body(state: &State, request: &mut ServiceRequest) -> Result<(), Error> {
    let mut payload = request.take_payload();
    if matches!(payload, Payload::None) {
        return Ok(());
    }
    let (limit, time) = (state.config.body_limit, state.config.body_timeout);
    match body::read(request.request(), &mut payload, limit, time).await {
        Ok(body) => {
            request.set_payload(Payload::from(body));
            Ok(())
        }
        Err(error) => {
            request.set_payload(payload);
            Err(error)
        }
    }
}

fn refuse(state: &State, request: ServiceRequest, error: &Error) -> ServiceResponse<BoxBody> {
    let (request, unread) = request.into_parts();
    let id = RequestId::of(&request, &state.ids);
    let response = refusal(&id, error).map_body(|_, answer| match answer.try_into_bytes() {
        Ok(answer) => BoxBody::new(body::last_words(answer, unread)),
        Err(answer) => answer,
    });
    ServiceResponse::new(request, response)
}

fn refusal(id: &RequestId, error: &Error) -> HttpResponse {
    tracing::debug!(request_id = %id, code = error.code(), "a request was refused");
    HttpResponse::build(error.status())
        .insert_header((REQUEST_ID, id.as_str()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(Answer::refused(error, id))
}
