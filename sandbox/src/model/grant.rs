//! What people's sign-ins left behind.

use std::collections::BTreeSet;

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An authorisation code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Who signed in.
    pub grant: Grant,
    /// Where the browser was sent.
    pub redirect_uri: String,
    /// The PKCE challenge (S256), where one was given.
    pub challenge: Option<String>,
    /// The nonce of the request.
    pub nonce: Option<String>,
    /// When it dies.
    pub expires_at: Timestamp,
    /// Whether it was redeemed.
    pub used: bool,
}

/// What a code or a refresh token stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The organisation.
    pub tenant: Uuid,
    /// The account's directory id.
    pub account: String,
    /// The client.
    pub client_id: String,
    /// What was asked and granted.
    pub scopes: BTreeSet<String>,
    /// The revocation count at that time.
    pub epoch: u64,
}

/// A refresh token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// What it stands for.
    pub grant: Grant,
    /// When it dies.
    pub expires_at: Timestamp,
}
