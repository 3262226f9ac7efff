//! How the pieces are put on addresses, and the limits of the connections themselves.
//!
//! The root calls [`serve`], or [`configure`] inside an application of its own.

use std::{net::TcpListener, time::Duration};

use actix_web::{App, HttpServer, dev::Server, web};

use crate::{
    graphiql, health,
    state::State,
    transport::{http, websocket},
};

/// How long a client may take to send the head of a request.
const SLOW_HEAD: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a stopping server waits for answers that are being sent.
const SHUTDOWN_SECS: u64 = 20;

/// Puts GraphQL, GraphiQL and the health pages on their addresses.
pub fn configure(routes: &mut web::ServiceConfig, state: &web::Data<State>) {
    routes
        .app_data(state.clone())
        .service(web::resource("/graphql").to(http::handle))
        .service(web::resource("/graphql/ws").to(websocket::handle))
        .service(web::resource("/health").get(health::live))
        .service(web::resource("/ready").get(health::ready));
    if state.config.graphiql.is_some() {
        routes
            .service(web::resource("/graphiql").get(graphiql::page))
            .service(web::resource("/graphiql/{file:.*}").get(graphiql::file));
    }
}

/// Starts an HTTP server with slow-request time-outs and short keep-alive.
///
/// `more` adds what other crates serve: pages, notifications. The future ends when the server has stopped;
/// signals are the root's affair, which calls [`State::shut_down`] first.
pub fn serve(
    listener: TcpListener,
    state: web::Data<State>,
    workers: usize,
    more: impl Fn(&mut web::ServiceConfig) + Send + Clone + 'static,
) -> std::io::Result<Server> {
    let server = HttpServer::new(move || {
        let (state, more) = (state.clone(), more.clone());
        App::new().configure(move |routes| configure(routes, &state)).configure(more)
    });
    Ok(server
        .workers(workers)
        .client_request_timeout(SLOW_HEAD)
        .client_disconnect_timeout(Duration::from_secs(2))
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(SHUTDOWN_SECS)
        .disable_signals()
        .listen(listener)?
        .run())
}
