//! What must hold of the whole: which crate may know which, the walls between tenants in PostgreSQL, the files that
//! describe a small production, and doc comments that say something.

#![expect(clippy::unwrap_used, reason = "what a test sets up must succeed")]

mod audit;
mod compose;
mod direction;
mod docs;
mod erasure;
mod errors;
mod files;
mod ids;
mod keys;
mod kinds;
mod links;
mod lookups;
mod messages;
mod nodes;
mod postgres;
mod proofs;
mod roles;
mod rotation;
mod row_level_security;
mod sealed;
mod sizes;
mod storage;
mod words;
