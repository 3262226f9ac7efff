//! One module per database table, with finders whose first argument is the tenant.
//!
//! `services` reads and writes tables through this crate; the set-based statements on runs and jobs are in `runs`. Enum
//! values such as states are [`Stored`]: they are parsed once, in this crate, and kept as strings if only a newer
//! version supports them, so that one such row never makes a whole list fail.

mod failure;
mod sqlite_file;
mod state_name;
pub mod store;
mod stored;
mod table;

pub mod access_token;
pub mod api_key;
pub mod audit;
pub mod audit_chain;
pub mod audit_key;
pub mod booking;
pub mod booking_change;
pub mod booking_participant;
pub mod busy_bitmap;
pub mod calendar_event;
pub mod campaign;
pub mod campaign_item;
pub mod channel;
pub mod connect_link;
pub mod connect_session;
pub mod connection;
pub mod consent_grant;
pub mod erasure_receipt;
pub mod event_log;
pub mod external_binding;
pub mod former_data_key;
pub mod idempotency;
pub mod installation_secret;
pub mod integration;
pub mod occupancy;
pub mod openid_identity;
pub mod openid_issuer;
pub mod openid_unlinked;
pub mod role;
pub mod room;
pub mod run;
pub mod run_history;
pub mod service_account;
pub mod sign_in;
pub mod signal;
pub mod signing_key;
pub mod tenant;
pub mod tenant_feature;
pub mod tenant_lookup;
pub mod tenant_user;
pub mod terms_acceptance;
pub mod user_role;
pub mod verification;

pub use failure::DatabaseError;
pub use state_name::StateName;
pub use store::{Logins, ReadTransaction, Store, StoreError};
pub use stored::{Stored, UnknownWord, column_equals};

/// Proves that the calling code depends on this crate and could therefore access every row anyway. `services` requires
/// the proof wherever a caller is asserted instead of authenticated. No item that is visible to `api` provides it.
#[derive(Debug, Clone, Copy)]
pub struct TrustedCode;
