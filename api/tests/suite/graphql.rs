//! The schema, asked through the engine over the real use cases on SQLite.

#![expect(clippy::unwrap_used, reason = "what a test sets up must succeed")]

mod access;
mod audit;
mod bookings;
mod doors;
mod foreign_calls;
mod issuer;
mod pages;
mod people;
mod schema;
mod setup;
mod strangers;
mod subscriptions;
