//! GraphQL over WebSocket: `graphql-transport-ws`, including queries and mutations.
//!
//! A socket has one caller, authenticated by `connection_init` (`authorization`, `tenant`) or by the headers of the
//! upgrade, never by a cookie. Pages of other origins are refused before the upgrade.

mod close;
mod frames;
mod message;
mod origin;
mod socket;
mod socket_limits;

use std::{rc::Rc, time::Duration};

use actix_web::{FromRequest as _, HttpRequest, HttpResponse, http::header, web};

pub use close::CloseCause;
pub use socket_limits::{SocketLimits, SocketPermit};

use crate::{
    error::Error,
    request::{REQUEST_ID_HEADER, RequestId, read_credentials},
    server::ConnectionActivity,
    state::State,
    transport::{charge, response::GraphQlResponse},
    wording::{self, in_language},
};

/// The only supported subprotocol.
pub const SUBPROTOCOL: &str = "graphql-transport-ws";

/// Configuration of WebSockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketConfig {
    /// How long the client may take to send `connection_init`.
    pub init_timeout: Duration,
    /// Interval between pings. A client that is silent for three intervals is disconnected.
    pub keep_alive: Duration,
    /// How long a client may leave a message unread.
    pub send_timeout: Duration,
    /// Maximum size of a message in bytes.
    pub message_limit: usize,
    /// Maximum number of operations running on one socket.
    pub operations: usize,
    /// Maximum number of open sockets of a user on one node.
    pub per_user: usize,
    /// Maximum number of open sockets of a tenant on one node.
    pub per_tenant: usize,
    /// Maximum number of unidentified sockets of one IP address on one node: those whose caller is not known yet, or
    /// has neither user nor tenant. Behind a load balancer, all of them have the load balancer's address.
    pub unidentified_per_address: usize,
    /// Maximum number of unidentified sockets on one node; when it is exceeded, the oldest one is closed.
    pub unidentified: usize,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            init_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(12),
            send_timeout: Duration::from_secs(10),
            message_limit: 64 * 1024,
            operations: 50,
            per_user: 20,
            per_tenant: 500,
            unidentified_per_address: 250,
            unidentified: 1_000,
        }
    }
}

/// Serves `/graphql/ws`.
pub async fn handle(request: HttpRequest, body: web::Payload, state: web::Data<State>) -> HttpResponse {
    if !origin::is_allowed(&request, &state.config.allowed_origins) {
        return refuse(&request, &state, &Error::OriginRefused);
    }
    if state.closing.is_cancelled() {
        return refuse(&request, &state, &Error::ShuttingDown);
    }
    let (authorization, tenant) = match read_credentials(&request) {
        Ok(presented) => presented,
        Err(refused) => return refuse(&request, &state, &refused.into()),
    };
    let address = state.client_address(&request);
    let Some(seat) = state.seats.try_acquire(address) else {
        return refuse(&request, &state, &Error::TooManySockets);
    };
    let limit = state.config.socket.message_limit;
    let mut inbound = frames::limit_frames(body.into_inner(), limit);
    let Ok(body) = web::Payload::from_request(&request, &mut inbound).await else {
        return refuse(&request, &state, &Error::UpgradeRequired);
    };
    let Ok((response, session, stream)) = actix_ws::handle_with_protocols(&request, body, &[SUBPROTOCOL])
    else {
        return refuse(&request, &state, &Error::UpgradeRequired);
    };
    let speaks = response.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL);
    let inbound = stream.max_frame_size(limit).aggregate_continuations().max_continuation_size(limit);
    let presented = socket::PresentedCredentials {
        authorization: authorization.map(str::to_owned),
        tenant: tenant.map(str::to_owned),
        address,
    };
    let socket = socket::Socket::new(state.clone(), session, presented, seat);
    let activity = request.conn_data::<Rc<ConnectionActivity>>().cloned();
    let ended = move || activity.iter().for_each(|activity| activity.mark_closed());
    // The socket speaks the language of its upgrade request.
    state.tasks.spawn_local(in_language(wording::language(), socket.run(inbound, speaks, ended)));
    response
}

fn refuse(request: &HttpRequest, state: &State, error: &Error) -> HttpResponse {
    let id = RequestId::from_request(request, &state.ids);
    let mut response = HttpResponse::build(error.status());
    response.insert_header((REQUEST_ID_HEADER, id.as_str()));
    match error {
        Error::UpgradeRequired => response.insert_header((header::UPGRADE, "websocket")),
        _ => &mut response,
    };
    charge::add_retry_after(&mut response, error);
    response.json(GraphQlResponse::from_error(error, &id))
}
