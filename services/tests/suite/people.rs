//! Who calls, and what they may do: the same tests on SQLite and on PostgreSQL.
//!
//! The PostgreSQL half wants a server where databases may be made, in `MUSTER_TEST_POSTGRES`
//! (`postgres://user@host:port/postgres`). Each test makes a database of its own and drops it.

#![expect(clippy::disallowed_methods, reason = "tests look behind the finders")]
#![expect(clippy::unwrap_used, reason = "what a test sets up must succeed")]

#[macro_use]
mod harness;

mod audit;
mod connecting;
mod consents;
mod failures;
mod google;
mod idempotency;
mod identities;
mod keys;
mod links;
mod notices;
mod races;
mod revocation;
mod roles;
mod rotation;
mod runs;
mod t19;
mod t22;
mod tenants;
mod tokens;
mod users;
