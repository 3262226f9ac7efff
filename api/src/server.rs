//! Registers the routes and limits the connections.
//!
//! The root calls [`serve`], or [`configure`] inside its own application.

mod connection;
mod cors;
mod guard;
mod hosts;
mod path;

use std::{
    future::ready,
    io::{self, Write as _},
    net::TcpListener,
    rc::Rc,
    time::Duration,
};

use actix_http::{HttpService, KeepAlive, Protocol, error::DispatchError};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, map_config};
use actix_web::{
    App,
    dev::{AppConfig, Extensions, Server, fn_service},
    middleware::from_fn,
    web,
};
use tokio::net::TcpStream;

pub(crate) use self::connection::ConnectionActivity;
use self::connection::{ClientTimeouts, DeadlineStream};

use crate::{
    graphiql, health,
    request::{REQUEST_ID_HEADER, RequestId},
    state::{State, TooManyConnections},
    transport::{http, response::GraphQlResponse, websocket},
};

/// How long a client may take to acknowledge the end of its connection.
const DISCONNECT: Duration = Duration::from_secs(2);
/// How long a server that is shutting down waits for responses in progress, in seconds.
const SHUTDOWN_SECS: u64 = 20;

/// Registers the routes of GraphQL, GraphiQL and the health endpoints.
pub fn configure(routes: &mut web::ServiceConfig, state: &web::Data<State>) {
    routes
        .app_data(state.clone())
        .service(
            web::resource("/graphql")
                .wrap(cors::allow_origins(&state.config.allowed_origins))
                .to(http::handle),
        )
        .service(web::resource("/graphql/ws").to(websocket::handle))
        .service(web::resource("/health").get(health::live))
        .service(web::resource("/ready").get(health::ready));
    if state.config.graphiql.is_some() {
        routes
            .service(web::resource("/graphiql").get(graphiql::serve_page))
            .service(web::resource("/graphiql/{file:.*}").get(graphiql::serve_file));
    }
}

/// Starts an HTTP server that enforces the time and size limits of [`crate::Config`].
///
/// `more` registers routes of other crates, such as pages and notifications. The future ends when the server has
/// stopped; the root handles signals and calls [`State::shut_down`] first.
pub fn serve(
    listener: TcpListener,
    state: web::Data<State>,
    workers: usize,
    more: impl Fn(&mut web::ServiceConfig) + Send + Clone + 'static,
) -> std::io::Result<Server> {
    let address = listener.local_addr()?;
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    let connections = move || {
        let (shared, more, stopping) = (state.clone(), more.clone(), stopping.clone());
        let timeouts = ClientTimeouts {
            head: state.config.head_timeout,
            idle: state.config.keep_alive,
            unread: state.config.unread_timeout,
            least: state.config.unread_least,
        };
        let places = state.clone();
        let app = App::new()
            .configure(|routes| configure(routes, &state))
            .configure(more)
            .wrap(from_fn(crate::wording::choose_language))
            .wrap(from_fn(move |request, next| guard::guard_request(shared.clone(), request, next)))
            .into_factory()
            .map_err(|error: actix_web::Error| error.error_response());
        let http = HttpService::build()
            // Connections are kept; how long, their streams decide.
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(DISCONNECT)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .local_addr(address)
            .on_connect_ext(|stream: &DeadlineStream<TcpStream>, shared: &mut Extensions| {
                shared.insert(Rc::clone(stream.activity()));
            })
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(move |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            ready(match places.count_connection(peer.map(|peer| peer.ip())) {
                Ok(place) => Ok((DeadlineStream::new(stream, timeouts, place), Protocol::Http1, peer)),
                Err(TooManyConnections) => {
                    // Best effort: the connection is closed without waiting for the client.
                    let _told =
                        stream.into_std().and_then(|mut stream| stream.write(&too_many_connections(&places)));
                    Err(DispatchError::Io(io::ErrorKind::ConnectionRefused.into()))
                }
            })
        })
        .and_then(http)
    };
    let server = builder.workers(workers).shutdown_timeout(SHUTDOWN_SECS).disable_signals().listen(
        "muster",
        listener,
        connections,
    )?;
    Ok(server.run())
}

/// The response to a connection that exceeds the limit of its client's IP address. Nothing of the request has been
/// read.
fn too_many_connections(state: &State) -> Vec<u8> {
    let (id, error) = (RequestId::generate(&state.ids), state.overload_error());
    let body = serde_json::to_string(&GraphQlResponse::from_error(&error, &id)).unwrap_or_default();
    let (status, wait) = (error.status(), error.retry_after().unwrap_or_default());
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nretry-after: {wait}\r\n\
         {REQUEST_ID_HEADER}: {id}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
