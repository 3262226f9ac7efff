//! The front door from outside: bytes in, bytes out, against a small schema.
//!
//! HTTP is spoken by hand, WebSocket by a client that may break the protocol, and both by the npm reference
//! clients (`clients`), which are found through `MUSTER_NODE_DIR`.

#![expect(clippy::unwrap_used, reason = "what a test sets up must succeed")]

mod browser;
mod clients;
mod edges;
mod http;
mod limits;
mod overload;
mod revocation;
mod schema;
mod socket;
mod support;
mod t19;
mod t26;
