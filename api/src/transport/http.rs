//! GraphQL over HTTP: POST with a JSON body, and GET for queries.
//!
//! Checks and their errors have this order: method, `Accept`, content type, size, JSON, request shape, syntax, only
//! queries by GET, validation and coercion, authorisation, execution. A refused request has executed nothing and its
//! response has no `data`. <https://graphql.github.io/graphql-over-http/draft/>; released clients expect 400 and 200
//! where its later drafts specify 422 and 294.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
    web,
};
use services::quotas::ChargeResult;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::{
    error::Error,
    request::{Credentials, CurrentCaller, REQUEST_ID_HEADER, RequestId, read_credentials},
    state::State,
    transport::{
        accept::{self, MediaType},
        body, charge,
        execute::{self, Requester},
        params::RequestParams,
        response::GraphQlResponse,
        validate::{OperationKind, ValidatedOperation},
    },
};

/// Serves `/graphql`.
pub async fn handle(request: HttpRequest, mut body: web::Payload, state: web::Data<State>) -> HttpResponse {
    let id = RequestId::from_request(&request, &state.ids);
    let span = tracing::info_span!("graphql", request_id = %id);
    let media = accept::negotiate(request.headers());
    let mut charge = ChargeResult::default();
    let answered = answer(&request, &mut body, &state, media, &id, &mut charge).instrument(span).await;
    respond(answered, media.unwrap_or(MediaType::Json), &id, &charge, body)
}

async fn answer(
    request: &HttpRequest,
    body: &mut web::Payload,
    state: &web::Data<State>,
    media: Option<MediaType>,
    id: &RequestId,
    charge: &mut ChargeResult,
) -> Result<GraphQlResponse, Error> {
    let is_get = match *request.method() {
        Method::GET => true,
        Method::POST => false,
        _ => return Err(Error::MethodNotAllowed),
    };
    if media.is_none() {
        return Err(Error::NotAcceptable);
    }
    let params = if is_get {
        RequestParams::from_query_string(request.query_string())?
    } else {
        body::check_content_type(request)?;
        let config = &state.config;
        RequestParams::from_json(
            &body::read_body(request, body, config.body_limit, config.body_timeout).await?,
        )?
    };
    let params = state.config.documents.resolve_document(params)?;
    let address = state.client_address(request);
    let known = read_credentials(request).ok();
    let known =
        known.and_then(|(authorization, tenant)| state.authenticate.remembered(authorization, tenant));
    charge::charge_parsing(state, known.as_ref().map(|by| &by.caller), address, &params.query).await?;
    let approved = state.validator.validate(&params, is_get)?;
    let kind = approved.document.operation_facts(params.operation_name.as_deref())?.kind;
    if kind == OperationKind::Subscription {
        return Err(Error::SubscriptionNeedsSocket);
    }
    // A mutation that has begun goes on behind the time-out.
    let ends = Instant::now() + state.config.execution_timeout;
    let run = authenticate_and_run(request, state, params, (&approved, kind, ends), id, charge);
    tokio::time::timeout_at(ends, run).await.map_err(|_| Error::Timeout)?
}

async fn authenticate_and_run(
    request: &HttpRequest,
    state: &web::Data<State>,
    params: RequestParams,
    (approved, kind, ends): (&ValidatedOperation, OperationKind, Instant),
    id: &RequestId,
    charge: &mut ChargeResult,
) -> Result<GraphQlResponse, Error> {
    let address = state.client_address(request);
    let presented = read_credentials(request);
    let by = charge::authenticate_caller(state, address, presented).await?;
    let (authorization, tenant) = presented.unwrap_or_default();
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let credentials = Credentials { authorization: owned(authorization), tenant: owned(tenant) };
    let current = &CurrentCaller::new(by.caller.clone());
    let requester = Requester { by: &by, current, credentials, address, ends };
    let ready = execute::authorise(state, params, &approved.document, requester, id)?;
    let charged;
    (*charge, charged) = charge::charge_document(state, &by.caller, address, approved, kind).await;
    charged?;
    Ok(GraphQlResponse::from_execution(execute::execute_operation(state, ready).await?, id))
}

fn respond(
    answered: Result<GraphQlResponse, Error>,
    media: MediaType,
    id: &RequestId,
    charge: &ChargeResult,
    unread: web::Payload,
) -> HttpResponse {
    let (answer, status, refused) = match answered {
        Ok(answer) => {
            let refused = !answer.was_executed() && media == MediaType::GraphQl;
            let status = if refused { StatusCode::BAD_REQUEST } else { StatusCode::OK };
            (answer, status, None)
        }
        Err(error) => {
            let hidden = media == MediaType::Json && error.is_request_well_formed();
            let status = if hidden { StatusCode::OK } else { error.status() };
            tracing::debug!(request_id = %id, code = error.code(), %error, "a request was refused");
            (GraphQlResponse::from_error(&error, id), status, Some(error))
        }
    };
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_TYPE, media.content_type()))
        .insert_header((header::VARY, "Accept"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((REQUEST_ID_HEADER, id.as_str()));
    charge::add_quota_headers(&mut response, charge);
    if let Some(error) = &refused {
        add_advice(&mut response, error);
    }
    match serde_json::to_vec(&answer) {
        Ok(body) if refused.is_some_and(|error| leaves_body_unread(&error)) => {
            response.body(body::with_unread_body(body.into(), unread))
        }
        Ok(body) => response.body(body),
        Err(failed) => {
            tracing::error!(request_id = %id, error = %failed, "an answer could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// Headers that name the method or media type that the client must use instead.
fn add_advice(response: &mut actix_web::HttpResponseBuilder, error: &Error) {
    charge::add_retry_after(response, error);
    match error {
        Error::MethodNotAllowed => {
            response.insert_header((header::ALLOW, "GET, POST"));
        }
        Error::OnlyQueriesByGet => {
            response.insert_header((header::ALLOW, "POST"));
        }
        Error::Auth(refused) if refused.status() == StatusCode::UNAUTHORIZED => {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        _ => {}
    }
}

/// Whether the client may still be sending the body of a request that has its response already.
fn leaves_body_unread(error: &Error) -> bool {
    matches!(
        error,
        Error::UnsupportedMediaType
            | Error::MethodNotAllowed
            | Error::NotAcceptable
            | Error::BodyTooLarge { .. }
            | Error::BodyTimeout
            | Error::BodyUnreadable
    )
}
