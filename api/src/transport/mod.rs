//! GraphQL over HTTP and over WebSocket.
//!
//! Both transports parse a [`params::Params`], pass it to [`validate`], authenticate the caller, let [`execute`]
//! run it and send an [`answer::Answer`]. What one refuses, the other refuses with the same code.

mod accept;
pub mod answer;
pub(crate) mod body;
pub(crate) mod charge;
pub mod execute;
pub mod http;
pub mod params;
pub mod validate;
pub mod websocket;
