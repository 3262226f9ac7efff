//! One socket: reads messages, executes operations, writes responses, and decides when to close.
//!
//! The caller is authenticated again before every operation and event, at every ping, and whenever a key, token, role
//! or assignment changed: revoked access closes the socket. Authentication results are cached for seconds.
//!
//! Each operation runs in a task of its own, because it may hold a database connection or a permit and must not pause
//! while the socket waits for its client or for the database. Only complete events wait: one of each operation, and
//! the next is begun after the previous one was handed over. A client that does not read is disconnected after a
//! while. The source of a subscription decides what happens to events missed meanwhile.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use actix_web::web;
use actix_ws::{AggregatedMessage, AggregatedMessageStream, ProtocolError, Session};
use futures::{
    Stream, StreamExt as _,
    future::Either,
    stream::{self, BoxStream},
};
use serde_json::{Map, Value};
use services::access::AccessChange;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until},
};

use super::{
    close::CloseCause,
    frames,
    message::{ClientMessage, ServerMessage, init_value},
    socket_limits::SocketPermit,
};
use crate::{
    authenticate::{AuthError, AuthenticatedCaller},
    error::Error,
    request::{Credentials, CurrentCaller, RequestId},
    state::State,
    transport::{
        charge,
        execute::{self, AuthorisedOperation, Requester},
        params::RequestParams,
        response::GraphQlResponse,
        validate::OperationKind,
    },
};

/// Number of silent ping intervals after which a client is disconnected.
const SILENT_PERIODS: u8 = 3;
/// How long a client has to read the close reason.
const FAREWELL: Duration = Duration::from_secs(1);
/// Maximum time to wait for an expiry; later expiries are checked again after this time.
const FARTHEST: Duration = Duration::from_hours(24);

/// Credentials of a socket: the headers of the upgrade, or the payload of `connection_init` in place of them.
#[derive(Default)]
pub struct PresentedCredentials {
    /// Value of `Authorization`.
    pub authorization: Option<String>,
    /// Value of `Muster-Tenant`.
    pub tenant: Option<String>,
    /// IP address of the client.
    pub address: Option<IpAddr>,
}

impl PresentedCredentials {
    /// Authenticates the credentials.
    async fn ask(&self, state: &State) -> Result<AuthenticatedCaller, CloseCause> {
        let (authorization, tenant) = (self.authorization.as_deref(), self.tenant.as_deref());
        let asked = charge::authenticate_caller(state, self.address, Ok((authorization, tenant))).await;
        asked.map_err(|refused| match refused {
            Error::Auth(refused) => closing(refused),
            _ => CloseCause::TryLater,
        })
    }

    /// Authenticates the credentials again; an open socket waits for no permit.
    async fn ask_again(&self, state: &State) -> Result<AuthenticatedCaller, CloseCause> {
        let (authorization, tenant) = (self.authorization.as_deref(), self.tenant.as_deref());
        state.authenticate.authenticate(authorization, tenant).await.map_err(closing)
    }
}

const fn closing(refused: AuthError) -> CloseCause {
    match refused {
        AuthError::Expired => CloseCause::TokenExpired,
        AuthError::Unavailable => CloseCause::TryLater,
        AuthError::Invalid | AuthError::TenantNotFound => CloseCause::Forbidden,
    }
}

/// The next change of access permissions; pending for ever while no caller is known.
async fn next(changes: Option<&mut BoxStream<'static, AccessChange>>) -> Option<AccessChange> {
    changes?.next().await
}

/// An event of an operation.
enum Event {
    Next(GraphQlResponse),
    Error(Error, RequestId),
    Complete,
}

/// An event, with the id and number of its operation.
type NumberedEvent = (String, u64, Event);

/// An operation that has not ended.
struct RunningOperation {
    /// Distinguishes the operation from an earlier one with the same id, whose events may still arrive.
    number: u64,
    task: AbortHandle,
}

/// State of a connection after its acknowledgement.
struct AcknowledgedConnection {
    by: AuthenticatedCaller,
    /// The caller for resolvers of running operations.
    current: CurrentCaller,
    presented: PresentedCredentials,
    changes: BoxStream<'static, AccessChange>,
}

/// One open socket and its running operations.
pub struct Socket {
    state: web::Data<State>,
    session: Session,
    presented: PresentedCredentials,
    seat: SocketPermit,
    acknowledged: Option<AcknowledgedConnection>,
    running: HashMap<String, RunningOperation>,
    /// Number of operations started so far.
    started: u64,
    tasks: JoinSet<()>,
    /// Channel on which the operations' tasks send their events.
    outlet: mpsc::Sender<NumberedEvent>,
    events: mpsc::Receiver<NumberedEvent>,
    deadline: Instant,
    keep_alive: Interval,
    silent: u8,
}

/// The event that the socket handles next.
enum SocketInput {
    Closing,
    Deadline,
    Heartbeat,
    AccessChanged(AccessChange),
    Inbound(Option<Result<AggregatedMessage, ProtocolError>>),
    Event(NumberedEvent),
}

impl Socket {
    /// Creates a socket that expects `connection_init` as its first message.
    pub fn new(
        state: web::Data<State>,
        session: Session,
        presented: PresentedCredentials,
        seat: SocketPermit,
    ) -> Self {
        let config = state.config.socket;
        let mut keep_alive = interval_at(Instant::now() + config.keep_alive, config.keep_alive);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (outlet, events) = mpsc::channel(1);
        Self {
            session,
            presented,
            seat,
            acknowledged: None,
            running: HashMap::new(),
            started: 0,
            tasks: JoinSet::new(),
            outlet,
            events,
            deadline: Instant::now() + config.init_timeout,
            keep_alive,
            silent: 0,
            state,
        }
    }

    /// Serves the socket until it is closed. `offers_protocol`: whether the client offered our subprotocol. `ended` is
    /// called when further input of the client is ignored.
    pub async fn run(
        mut self,
        mut inbound: AggregatedMessageStream,
        offers_protocol: bool,
        ended: impl FnOnce(),
    ) {
        let close = if offers_protocol {
            self.converse(&mut inbound).await
        } else {
            CloseCause::SubprotocolNotAcceptable
        };
        ended();
        tracing::debug!(?close, "a socket is closed");
        self.tasks.shutdown().await;
        drop(self.acknowledged);
        drop(self.seat);
        let Some(reason) = close.reason() else { return };
        let farewell = async {
            if self.session.close(Some(reason)).await.is_ok() {
                // Unread bytes would make the kernel reset the connection and lose the reason.
                while inbound.recv().await.is_some_and(|message| message.is_ok()) {}
            }
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }

    async fn converse(&mut self, inbound: &mut AggregatedMessageStream) -> CloseCause {
        let given_away = self.seat.eviction_token();
        loop {
            let changes = self.acknowledged.as_mut().map(|acknowledged| &mut acknowledged.changes);
            let happened = tokio::select! {
                () = self.state.closing.cancelled() => SocketInput::Closing,
                () = given_away.cancelled() => return CloseCause::TryLater,
                () = sleep_until(self.deadline) => SocketInput::Deadline,
                _ = self.keep_alive.tick() => SocketInput::Heartbeat,
                Some(change) = next(changes) => SocketInput::AccessChanged(change),
                message = inbound.recv() => SocketInput::Inbound(message),
                Some(event) = self.events.recv() => SocketInput::Event(event),
                Some(_) = self.tasks.join_next() => continue,
            };
            let next = match happened {
                SocketInput::Closing => Err(CloseCause::Restart),
                SocketInput::Deadline => self.on_deadline(),
                SocketInput::Heartbeat => self.beat().await,
                SocketInput::AccessChanged(change) => self.on_change(change).await,
                SocketInput::Inbound(message) => self.hear(message).await,
                SocketInput::Event((id, number, event)) => self.tell(id, number, event).await,
            };
            if let Err(close) = next {
                return close;
            }
        }
    }

    fn on_deadline(&mut self) -> Result<(), CloseCause> {
        match &self.acknowledged {
            None => Err(CloseCause::InitTimeout),
            Some(acknowledged) => {
                self.deadline = self.expiry(&acknowledged.by)?;
                Ok(())
            }
        }
    }

    /// When to check the token again; an error if it has expired.
    fn expiry(&self, by: &AuthenticatedCaller) -> Result<Instant, CloseCause> {
        let left = match by.expires_at {
            None => FARTHEST,
            Some(at) => match (at - self.state.ids.now()).to_std() {
                Ok(left) if !left.is_zero() => left.min(FARTHEST),
                _ => return Err(CloseCause::TokenExpired),
            },
        };
        Ok(Instant::now() + left)
    }

    async fn beat(&mut self) -> Result<(), CloseCause> {
        if self.silent >= SILENT_PERIODS {
            return Err(CloseCause::Silent);
        }
        self.silent += 1;
        if self.acknowledged.is_none() {
            return Ok(());
        }
        self.ask_again().await?;
        self.send(&ServerMessage::Ping).await
    }

    async fn on_change(&mut self, change: AccessChange) -> Result<(), CloseCause> {
        match &self.acknowledged {
            Some(known) if change.concerns(known.by.caller.tenant()) => self.ask_again().await,
            _ => Ok(()),
        }
    }

    /// Authenticates again; closes the socket if the caller changed or lost access.
    async fn ask_again(&mut self) -> Result<(), CloseCause> {
        let Some(known) = &mut self.acknowledged else { return Ok(()) };
        let now = known.presented.ask_again(&self.state).await?;
        if (now.caller.kind(), now.caller.tenant()) != (known.by.caller.kind(), known.by.caller.tenant()) {
            return Err(CloseCause::Forbidden);
        }
        known.current.set(now.caller.clone());
        known.by = now.clone();
        self.deadline = self.expiry(&now)?;
        Ok(())
    }

    async fn hear(
        &mut self,
        message: Option<Result<AggregatedMessage, ProtocolError>>,
    ) -> Result<(), CloseCause> {
        self.silent = 0;
        match message {
            Some(Err(error)) if let Some(close) = frames::close_cause(&error) => Err(close),
            None | Some(Err(ProtocolError::Io(_))) => Err(CloseCause::Gone),
            Some(Ok(AggregatedMessage::Close(theirs))) => Err(CloseCause::Asked(theirs)),
            Some(Err(_)) => Err(CloseCause::ProtocolError),
            Some(Ok(AggregatedMessage::Ping(bytes))) => {
                self.session.pong(&bytes).await.map_err(|_| CloseCause::Gone)
            }
            Some(Ok(AggregatedMessage::Pong(_))) => Ok(()),
            Some(Ok(AggregatedMessage::Binary(_))) => Err(CloseCause::BadMessage("Messages must be text")),
            Some(Ok(AggregatedMessage::Text(text))) => self.obey(ClientMessage::parse(&text)?).await,
        }
    }

    async fn obey(&mut self, message: ClientMessage) -> Result<(), CloseCause> {
        match message {
            ClientMessage::ConnectionInit(payload) => self.open(&payload).await,
            ClientMessage::Ping(payload) => self.send(&ServerMessage::Pong { payload }).await,
            ClientMessage::Pong => Ok(()),
            ClientMessage::Subscribe { id, payload } => self.start(id, payload).await,
            ClientMessage::Complete(id) => {
                self.end(&id);
                Ok(())
            }
        }
    }

    async fn open(&mut self, payload: &Map<String, Value>) -> Result<(), CloseCause> {
        if self.acknowledged.is_some() {
            return Err(CloseCause::TooManyInits);
        }
        let authorization =
            init_value(payload, &["authorization"])?.or_else(|| self.presented.authorization.take());
        let tenant =
            init_value(payload, &["tenant", "Muster-Tenant"])?.or_else(|| self.presented.tenant.take());
        let presented = PresentedCredentials { authorization, tenant, address: self.presented.address };
        // Changes are listened to before it is asked who calls, so that none falls between the two.
        let changes = self.state.authenticate.changes();
        let by = tokio::time::timeout_at(self.deadline, presented.ask(&self.state));
        let by = by.await.map_err(|_| CloseCause::TryLater)??;
        self.deadline = self.expiry(&by)?;
        if !self.seat.identify(&by.caller) {
            return Err(CloseCause::TryLater);
        }
        let current = CurrentCaller::new(by.caller.clone());
        self.acknowledged = Some(AcknowledgedConnection { by, current, presented, changes });
        self.send(&ServerMessage::ConnectionAck).await
    }

    async fn start(&mut self, id: String, payload: Value) -> Result<(), CloseCause> {
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
        let params = self.state.config.documents.resolve(RequestParams::from_value(payload)?)?;
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
        let task = self.tasks.spawn_local(async move {
            let mut events = std::pin::pin!(events);
            while let Some(event) = events.next().await {
                if outlet.send((of.clone(), number, event)).await.is_err() {
                    return;
                }
            }
        });
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
            Either::Right(stream::once(async move { execute::run(&state, ready).await }))
        };
        let answers = answers.map(move |answered| match answered {
            Ok(response) => Event::Next(GraphQlResponse::from_execution(response, &request_id)),
            Err(error) => Event::Error(error, request_id.clone()),
        });
        answers.chain(stream::once(async { Event::Complete }))
    }

    async fn tell(&mut self, id: String, number: u64, event: Event) -> Result<(), CloseCause> {
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
    fn end(&mut self, id: &str) {
        if let Some(operation) = self.running.remove(id) {
            operation.task.abort();
        }
    }

    async fn refuse(&mut self, id: &str, error: &Error, request_id: &RequestId) -> Result<(), CloseCause> {
        let payload = GraphQlResponse::from_error(error, request_id).into_errors();
        self.send(&ServerMessage::Error { id, payload }).await
    }

    async fn send(&mut self, message: &ServerMessage<'_>) -> Result<(), CloseCause> {
        let text = serde_json::to_string(message).map_err(|failed| {
            tracing::error!(error = %failed, "a message could not be written");
            CloseCause::Restart
        })?;
        let limit = self.state.config.socket.send_timeout;
        match tokio::time::timeout(limit, self.session.text(text)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(CloseCause::Gone),
            Err(_) => Err(CloseCause::Slow),
        }
    }
}
