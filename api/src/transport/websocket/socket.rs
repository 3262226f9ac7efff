//! One socket: reads messages, executes operations, writes responses, and decides when to close.
//!
//! The caller is authenticated again before every operation and event, at every ping, and whenever a key, token, role
//! or assignment changed: revoked access closes the socket. Authentication results are cached for seconds.
//!
//! Each operation runs in a task of its own, because it may hold a database connection or a permit and must not pause
//! while the socket waits for its client or for the database. Only complete events wait: one of each operation, and
//! the next is begun after the previous one was handed over. A client that does not read is disconnected after a
//! while. The source of a subscription decides what happens to events missed meanwhile.

mod credentials;
mod operations;

use std::{collections::HashMap, time::Duration};

use actix_web::web;
use actix_ws::{AggregatedMessage, AggregatedMessageStream, ProtocolError, Session};
use futures::{StreamExt as _, stream::BoxStream};
use serde_json::{Map, Value};
use services::access::AccessChange;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until},
};

pub use self::credentials::PresentedCredentials;
use self::operations::{NumberedEvent, RunningOperation};
use super::{
    close::CloseCause,
    frames,
    message::{ClientMessage, ServerMessage, connection_init_value},
    socket_limits::SocketPermit,
};
use crate::{authenticate::AuthenticatedCaller, request::CurrentCaller, state::State};

/// Number of silent ping intervals after which a client is disconnected.
const SILENT_PERIODS: u8 = 3;
/// How long a client has to read the close reason.
const FAREWELL: Duration = Duration::from_secs(1);
/// Maximum time to wait for an expiry; later expiries are checked again after this time.
const FARTHEST: Duration = Duration::from_hours(24);

/// The next change of access; pending for ever while no caller is known.
async fn next(changes: Option<&mut BoxStream<'static, AccessChange>>) -> Option<AccessChange> {
    changes?.next().await
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
            Some(known) if change.affects(known.by.caller.tenant()) => self.ask_again().await,
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
        known.current.replace_caller(now.caller.clone());
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
        let authorization = connection_init_value(payload, &["authorization"])?
            .or_else(|| self.presented.authorization.take());
        let tenant = connection_init_value(payload, &["tenant", "Muster-Tenant"])?
            .or_else(|| self.presented.tenant.take());
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
