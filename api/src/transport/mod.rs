//! GraphQL over HTTP and over WebSocket.
//!
//! Both transports parse a [`params::RequestParams`], pass it to [`validate`], authenticate the caller, let
//! [`execute`] run it and send a [`response::GraphQlResponse`]. Both refuse the same requests, with the same codes.

mod accept;
pub(crate) mod body;
pub(crate) mod charge;
pub mod execute;
pub mod http;
pub mod params;
pub mod response;
pub mod validate;
pub mod websocket;
