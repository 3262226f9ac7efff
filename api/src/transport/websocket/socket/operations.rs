//! Operations of a socket, from the `subscribe` message to completion.

use futures::{Stream, StreamExt as _, future::Either, stream};
use serde_json::Value;
use tokio::{task::AbortHandle, time::Instant};

use super::{
    super::{close::CloseCause, message::ServerMessage},
    AcknowledgedConnection, Socket,
};
use crate::{
    error::Error,
    request::{Credentials, RequestId},
    transport::{
        charge,
        execute::{self, AuthorisedOperation, Requester},
        params::RequestParams,
        response::GraphQlResponse,
        validate::OperationKind,
    },
    wording::{self, in_language},
};

/// An event of an operation.
pub(super) enum Event {
    Next(GraphQlResponse),
    Error(Error, RequestId),
    Complete,
}

/// An event, with the id and number of its operation.
pub(super) type NumberedEvent = (String, u64, Event);

/// An operation that has not ended.
pub(super) struct RunningOperation {
    /// Tells the operation from an earlier one of the same id, whose events may still arrive.
    number: u64,
    task: AbortHandle,
}

impl Socket {
    pub(super) async fn start(&mut self, id: String, payload: Value) -> Result<(), CloseCause> {
        self.ask_again().await?;
        let Some(acknowledged) = &self.acknowledged else {
            return Err(CloseCause::Unauthorized);
        };
        if self.running.contains_key(&id) {
            return Err(CloseCause::DuplicateId(id));
        }
        let request_id = RequestId::generate(&self.state.ids);
        match self.prepare(payload, acknowledged, &request_id).await {
            Ok(ready) => {
                self.run_operation(id, ready, request_id);
                Ok(())
            }
            Err(error) => self.refuse(&id, &error, &request_id).await,
        }
    }

    async fn prepare(
        &self,
        payload: Value,
        known: &AcknowledgedConnection,
        id: &RequestId,
    ) -> Result<AuthorisedOperation, Error> {
        let limit = self.state.config.socket.operations;
        if self.running.len() >= limit {
            return Err(Error::TooManyOperations { limit });
        }
        let params = self.state.config.documents.resolve_document(RequestParams::from_value(payload)?)?;
        let address = known.presented.address;
        charge::charge_parsing(&self.state, Some(&known.by.caller), address, &params.query).await?;
        let approved = self.state.validator.validate(&params, false)?;
        let (authorization, tenant) = (known.presented.authorization.clone(), known.presented.tenant.clone());
        let credentials = Credentials { authorization, tenant };
        let ends = Instant::now() + self.state.config.execution_timeout;
        let by = Requester { by: &known.by, current: &known.current, credentials, address, ends };
        let ready = execute::authorise(&self.state, params, &approved.document, by, id)?;
        let caller = &known.by.caller;
        let (_, charged) = charge::charge_document(&self.state, caller, address, &approved, ready.kind).await;
        charged.map(|()| ready)
    }

    fn run_operation(&mut self, id: String, ready: AuthorisedOperation, request_id: RequestId) {
        self.started += 1;
        let number = self.started;
        let events = self.events_of(ready, request_id);
        let (outlet, of) = (self.outlet.clone(), id.clone());
        let sending = async move {
            let mut events = std::pin::pin!(events);
            while let Some(event) = events.next().await {
                if outlet.send((of.clone(), number, event)).await.is_err() {
                    return;
                }
            }
        };
        let task = self.tasks.spawn_local(in_language(wording::language(), sending));
        self.running.insert(id, RunningOperation { number, task });
    }

    /// The operation's events: its responses, then its completion.
    fn events_of(
        &self,
        ready: AuthorisedOperation,
        request_id: RequestId,
    ) -> impl Stream<Item = Event> + use<> {
        let answers = if ready.kind == OperationKind::Subscription {
            Either::Left(execute::subscribe(&self.state, ready))
        } else {
            let state = self.state.clone();
            Either::Right(stream::once(async move { execute::execute_operation(&state, ready).await }))
        };
        let answers = answers.map(move |answered| match answered {
            Ok(response) => Event::Next(GraphQlResponse::from_execution(response, &request_id)),
            Err(error) => Event::Error(error, request_id.clone()),
        });
        answers.chain(stream::once(async { Event::Complete }))
    }

    pub(super) async fn tell(&mut self, id: String, number: u64, event: Event) -> Result<(), CloseCause> {
        if self.running.get(&id).is_none_or(|running| running.number != number) {
            return Ok(());
        }
        self.ask_again().await?;
        match event {
            Event::Next(answer) if answer.was_executed() => {
                self.send(&ServerMessage::Next { id: &id, payload: &answer }).await
            }
            Event::Next(answer) => {
                self.end(&id);
                self.send(&ServerMessage::Error { id: &id, payload: answer.into_errors() }).await
            }
            Event::Error(error, request_id) => {
                self.end(&id);
                self.refuse(&id, &error, &request_id).await
            }
            Event::Complete => {
                self.end(&id);
                self.send(&ServerMessage::Complete { id: &id }).await
            }
        }
    }

    /// Removes an operation; its further messages are dropped.
    pub(super) fn end(&mut self, id: &str) {
        if let Some(operation) = self.running.remove(id) {
            operation.task.abort();
        }
    }

    async fn refuse(&mut self, id: &str, error: &Error, request_id: &RequestId) -> Result<(), CloseCause> {
        let payload = GraphQlResponse::from_error(error, request_id).into_errors();
        self.send(&ServerMessage::Error { id, payload }).await
    }
}
