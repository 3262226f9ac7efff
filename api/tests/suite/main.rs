//! The API: its schema over the real use cases, its transport from outside, and its error codes.

mod error_codes;
mod graphql;
mod transport;
