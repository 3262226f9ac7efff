//! Checks for every route: the host name, the size of the body, and the time for body and response.
//!
//! `/graphql` and its WebSocket enforce these checks themselves, because their specifications prescribe the order and
//! form of errors.

use std::{
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use bytes::Bytes;
use services::audit::with_request_id;
use tokio::time::timeout;

use super::{connection::ConnectionActivity, hosts, path};
use crate::{
    admission::{Overloaded, PermitHolder},
    error::Error,
    open_requests::OpenRequest,
    request::{REQUEST_ID_HEADER, RequestId},
    state::State,
    transport::{body, charge, response::GraphQlResponse},
};

/// Routes that read their bodies and enforce their time limits themselves.
const OWN: [&str; 2] = ["/graphql", "/graphql/ws"];
/// Routes that are exempt from admission control: operators depend on the health endpoints, and sockets have limits of
/// their own.
const UNCOUNTED: [&str; 3] = ["/graphql/ws", "/health", "/ready"];
/// Path prefix of push notifications: notifications for many tenants come from few IP addresses, and each costs only
/// one look-up.
const HOOKS: &str = "/hooks/";
/// Number of bytes of an unread body that are discarded to keep a connection open.
const LITTLE: usize = 64 * 1024;
/// Value of `Strict-Transport-Security`: one year, the minimum that browsers' preload lists accept.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Checks a request and passes it on, or refuses it.
pub(super) async fn guard_request<B: MessageBody + 'static>(
    state: web::Data<State>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let activity = request.conn_data::<Rc<ConnectionActivity>>().cloned();
    let under_way = activity.as_ref().map(ConnectionActivity::begin_request);
    let id = RequestId::from_request(request.request(), &state.ids);
    let mut response = with_request_id(id.to_string(), answer(&state, request, next)).await?;
    secure(&state, response.headers_mut());
    name(&id, response.headers_mut());
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(activity) = &activity
    {
        activity.mark_upgraded();
    }
    drop(under_way);
    Ok(response)
}

async fn answer<B: MessageBody + 'static>(
    state: &State,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if let Err(error) = hosts::check_host(request.request(), &state.config) {
        return Ok(refuse(state, request, &error).await);
    }
    if !path::is_normalized(request.path()) {
        return Ok(refuse(state, request, &Error::PathMalformed).await);
    }
    let address = state.client_address(request.request());
    if UNCOUNTED.contains(&request.path()) {
        return admit(state, request, next, address).await;
    }
    let holder = state.permit_holder(request.request(), address);
    let opened = match state.open_request(holder) {
        Ok(held) => held,
        Err(error) => return Ok(refuse(state, request, &error).await),
    };
    if let Some(arriving) = opened.incoming_body() {
        match request.parts() {
            (_, Payload::None) => drop(arriving.read(std::future::ready(())).await),
            (http, _) => drop(http.extensions_mut().insert(arriving)),
        }
    }
    let answered = admit(state, request, next, address).await?;
    opened.mark_responding();
    // It is open until its answer has been sent.
    Ok(answered.map_body(|_, body| BoxBody::new(CountedBody { body, _opened: opened })))
}

/// A response body whose request counts as open until the body is dropped.
struct CountedBody {
    body: BoxBody,
    _opened: OpenRequest,
}

impl MessageBody for CountedBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

async fn admit<B: MessageBody + 'static>(
    state: &State,
    mut request: ServiceRequest,
    next: Next<B>,
    address: Option<IpAddr>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if OWN.contains(&request.path()) {
        if is_hopeless(state, request.request(), address) {
            return Ok(refuse(state, request, &state.overload_error()).await);
        }
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let is_charged = !UNCOUNTED.contains(&request.path()) && !request.path().starts_with(HOOKS);
    if is_charged && let (_, Err(error)) = charge::charge_page_request(state, address).await {
        return Ok(refuse(state, request, &error).await);
    }
    // Before a place is taken: whoever sends slowly keeps nobody else from one.
    if let Err(error) = take_body(state, &mut request).await {
        return Ok(refuse(state, request, &error).await);
    }
    let place = match UNCOUNTED.contains(&request.path()) {
        true => None,
        false => match state.admission.acquire(PermitHolder::Address(address)).await {
            Ok(place) => Some(place),
            Err(Overloaded) => return Ok(refuse(state, request, &state.overload_error()).await),
        },
    };
    let answered = serve(state, request, next).await;
    drop(place);
    answered
}

/// Whether a request would be refused for lack of a permit, as far as can be determined without I/O; if so, its body
/// is not read.
fn is_hopeless(state: &State, request: &HttpRequest, address: Option<IpAddr>) -> bool {
    state.admission.is_full(state.permit_holder(request, address))
}

async fn serve<B: MessageBody + 'static>(
    state: &State,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let id = RequestId::from_request(request.request(), &state.ids);
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

/// Adds the request id, as used in the log and the audit log, to the response headers if it is missing.
fn name(id: &RequestId, headers: &mut HeaderMap) {
    let said = HeaderName::from_static(REQUEST_ID_HEADER);
    if !headers.contains_key(&said)
        && let Ok(id) = HeaderValue::from_str(id.as_str())
    {
        headers.insert(said, id);
    }
}

/// Reads the whole body within its size and time limits and stores it for the route. A body that is not read to its
/// end is kept: see [`body::with_unread_body`].
async fn take_body(state: &State, request: &mut ServiceRequest) -> Result<(), Error> {
    let mut payload = request.take_payload();
    if matches!(payload, Payload::None) {
        return Ok(());
    }
    let (limit, time) = (state.config.body_limit, state.config.body_timeout);
    match body::read_body(request.request(), &mut payload, limit, time).await {
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

async fn refuse(state: &State, request: ServiceRequest, error: &Error) -> ServiceResponse<BoxBody> {
    let (request, mut unread) = request.into_parts();
    let id = RequestId::from_request(&request, &state.ids);
    if error.retry_after().is_some()
        && body::discard_body(&request, &mut unread, LITTLE, state.config.head_timeout).await
    {
        // The client will retry: a connection that is closed while its body arrives is reset before the client has read
        // the response.
        return ServiceResponse::new(request, refusal(&id, error));
    }
    let response = refusal(&id, error).map_body(|_, answer| match answer.try_into_bytes() {
        Ok(answer) => BoxBody::new(body::with_unread_body(answer, unread)),
        Err(answer) => answer,
    });
    ServiceResponse::new(request, response)
}

fn refusal(id: &RequestId, error: &Error) -> HttpResponse {
    tracing::debug!(request_id = %id, code = error.code(), "a request was refused");
    let mut response = HttpResponse::build(error.status());
    charge::add_retry_after(&mut response, error);
    response
        .insert_header((REQUEST_ID_HEADER, id.as_str()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(GraphQlResponse::from_error(error, id))
}
