//! GraphQL over HTTP and over WebSocket.
//!
//! Both transports parse a [`params::RequestParams`], pass it to [`validate`], authenticate the caller, let [`execute`]
//! run it and send a [`response::GraphQlResponse`]. What one refuses, the other refuses with the same code.

mod accept;
pub(crate) mod body;
pub(crate) mod charge;
pub mod execute;
pub mod http;
pub mod params;
pub mod response;
pub mod validate;
pub mod websocket;
