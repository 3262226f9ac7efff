//! The HTTP and WebSocket server, on actix-web and async-graphql.
//!
//! The root builds an HTTP server from [`configure`] and a [`State`]. async-graphql only executes documents: the
//! transports in this crate parse requests, decide whether they may run, and format responses, so that
//! async-graphql can be upgraded to a new major version without visible changes for clients.

pub mod admission;
pub mod authenticate;
mod client;
pub mod engine;
pub mod error;
pub mod graphiql;
pub mod graphql;
mod guides;
pub mod health;
mod holder_counts;
pub mod messages;
mod mutation_access;
mod open_requests;
pub mod pages;
pub mod persisted_documents;
pub mod request;
pub mod response_budget;
pub mod server;
pub mod service_adapter;
pub mod state;
pub mod transport;
mod wording;

pub use authenticate::{AuthError, Authenticate, AuthenticatedCaller};
pub use engine::Engine;
pub use error::Error;
pub use mutation_access::MutationAccessExtension;
pub use request::{CurrentCaller, RequestId};
pub use server::{configure, serve};
pub use state::{Config, Introspection, State};
