//! Executes validated documents for an authenticated caller.
//!
//! Both transports call it. A mutation that has started runs to its end even if the client disconnects: it is spawned
//! on the task set that a shutdown waits for. A query is dropped with its request.

use std::{any::Any, net::IpAddr, panic::AssertUnwindSafe, sync::Arc};

use actix_web::web;
use async_graphql::{Request, Response, Variables};
use futures::{FutureExt as _, StreamExt as _, stream::BoxStream};
use services::audit::with_request_id;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

use crate::{
    admission::PermitHolder,
    authenticate::AuthenticatedCaller,
    error::Error,
    mutation_access::MutationAccess,
    request::{Credentials, CurrentCaller, RequestId, with_context},
    response_budget::ResponseBudget,
    state::State,
    transport::{
        params::RequestParams,
        response,
        validate::{CheckedDocument, OperationKind},
    },
    wording::{self, in_language},
};

/// The party that sends an operation.
pub struct Requester<'a> {
    /// The authenticated caller.
    pub by: &'a AuthenticatedCaller,
    /// The caller for resolvers; the operations of a socket share it.
    pub current: &'a CurrentCaller,
    /// The caller's credentials.
    pub credentials: Credentials,
    /// IP address of the client.
    pub address: Option<IpAddr>,
    /// When the request times out.
    pub ends: Instant,
}

/// A validated operation of an authenticated caller.
pub struct AuthorisedOperation {
    /// Kind of the selected operation.
    pub kind: OperationKind,
    holder: PermitHolder,
    request: Request,
    budget: Arc<ResponseBudget>,
    ends: Instant,
    id: RequestId,
}

/// Checks whether the caller may execute the operation, and builds the engine's request.
pub fn authorise(
    state: &State,
    params: RequestParams,
    document: &CheckedDocument,
    by: Requester<'_>,
    id: &RequestId,
) -> Result<AuthorisedOperation, Error> {
    let operation = document.operation_facts(params.operation_name.as_deref())?;
    if operation.introspects && !state.config.introspection.allows(&by.by.caller) {
        return Err(Error::IntrospectionDisabled);
    }
    let variables = Variables::from_json(serde_json::Value::Object(params.variables));
    let mut request = Request::new(params.query).variables(variables);
    if let Some(name) = params.operation_name {
        request = request.operation_name(name);
    }
    request.set_parsed_query(document.parsed.clone());
    let time = (operation.kind != OperationKind::Mutation).then_some(state.config.execution_timeout);
    let budget = Arc::new(ResponseBudget::new(state.config.answer_limit, time));
    let mut request = with_context(request, by.current, id).data(Arc::clone(&budget));
    let (holder, ends) = (PermitHolder::from_caller(&by.by.caller, by.address), by.ends);
    if operation.kind == OperationKind::Mutation {
        let (authenticate, caller) = (Arc::clone(&state.authenticate), by.current.clone());
        let access = MutationAccess { authenticate, credentials: by.credentials, caller, ends };
        request = request.data(Arc::new(access));
    }
    Ok(AuthorisedOperation { kind: operation.kind, holder, request, budget, ends, id: id.clone() })
}

/// Executes a query or mutation within its time limit, once it has a permit.
pub async fn execute_operation(
    state: &web::Data<State>,
    operation: AuthorisedOperation,
) -> Result<Response, Error> {
    let place = state.admission.acquire(operation.holder).await.map_err(|_| state.overload_error())?;
    let engine = state.engine.clone();
    // Around the mutation's own task: what it leaves in the audit carries the request's id.
    let running = in_language(
        wording::language(),
        with_request_id(operation.id.to_string(), async move {
            let _place = place;
            let ended = AssertUnwindSafe(engine.execute(operation.request)).catch_unwind().await;
            caught(ended).and_then(|response| within(&operation.budget, response))
        }),
    );
    if operation.kind != OperationKind::Mutation {
        return timeout_at(operation.ends, running).await.map_err(|_| Error::Timeout)?;
    }
    if state.closing.is_cancelled() {
        return Err(Error::ShuttingDown);
    }
    let ended = timeout_at(operation.ends, state.tasks.spawn(running.in_current_span())).await;
    ended.map_err(|_| Error::Timeout)?.map_err(|_| Error::Internal)?
}

/// Executes a subscription.
pub fn subscribe(
    state: &State,
    operation: AuthorisedOperation,
) -> BoxStream<'static, Result<Response, Error>> {
    let events = AssertUnwindSafe(state.engine.subscribe(operation.request)).catch_unwind();
    let budget = operation.budget;
    events.map(move |event| caught(event).and_then(|response| within(&budget, response))).boxed()
}

/// The response, unless it exceeded its budget.
fn within(budget: &ResponseBudget, response: Response) -> Result<Response, Error> {
    if budget.has_timed_out() {
        return Err(Error::Timeout);
    }
    match budget.exceeded_bytes().or_else(|| response::size_over_limit(&response, budget.bytes)) {
        Some(found) => Err(Error::AnswerTooLarge { limit: budget.bytes, found }),
        None => Ok(response),
    }
}

/// Converts a panic, which is a defect of one resolver, to an error: its message is logged but not sent, and other
/// operations of the connection continue.
fn caught(ended: Result<Response, Box<dyn Any + Send>>) -> Result<Response, Error> {
    ended.map_err(|_| {
        tracing::error!("a resolver panicked");
        Error::Internal
    })
}
