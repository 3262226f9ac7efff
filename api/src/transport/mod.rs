//! GraphQL over HTTP and over WebSocket: two ways in, one way through.
//!
//! Both read a [`params::Params`], let [`validate`] look at it, ask who calls, let [`execute`] run it and send
//! an [`answer::Answer`]. What one refuses, the other refuses with the same code.

mod accept;
pub mod answer;
pub(crate) mod body;
pub(crate) mod charge;
pub mod execute;
pub mod http;
pub mod params;
pub mod validate;
pub mod websocket;
