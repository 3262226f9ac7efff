//! Authorisation codes and refresh tokens issued when users sign in.

use std::collections::BTreeSet;

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A code with which a client obtains the tokens of a sign-in, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorisationCode {
    /// The grant for which the code is exchanged.
    pub grant: Grant,
    /// The redirect URI to which the browser was redirected.
    pub redirect_uri: String,
    /// The PKCE challenge (S256); `None` if the client sent none.
    pub challenge: Option<String>,
    /// The nonce of the request; `None` if the client sent none.
    pub nonce: Option<String>,
    /// The time from which redemption fails, by the sandbox's clock.
    pub expires_at: Timestamp,
    /// Whether the code was redeemed, which is possible only once.
    pub used: bool,
}

/// The account, client and scopes of a code or refresh token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The id of the organisation.
    pub tenant: Uuid,
    /// The account's directory id.
    pub account: String,
    /// The id of the application that the person signed in to.
    pub client_id: String,
    /// The scopes that were requested and granted.
    pub scopes: BTreeSet<String>,
    /// The number of revocations at the time of the grant.
    pub epoch: u64,
}

/// A token with which a client obtains new access tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshToken {
    /// The grant for which the token is exchanged.
    pub grant: Grant,
    /// The time from which the token is refused, by the sandbox's clock.
    pub expires_at: Timestamp,
}
