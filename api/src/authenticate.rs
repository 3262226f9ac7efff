//! Who calls: asked by every transport, answered by the services.

use actix_web::http::StatusCode;
use async_trait::async_trait;
use domain::{Caller, Timestamp};
use futures::stream::BoxStream;
use services::{
    access::AccessChange,
    quotas::{Charge, Charged},
};

/// Turns what a client presents into a caller.
#[async_trait]
pub trait Authenticate: Send + Sync + 'static {
    /// Reads the `Authorization` value and the tenant that the request names (`Muster-Tenant`).
    ///
    /// Nothing presented is no error: it is [`Caller::anonymous`], whom each resolver turns away by itself.
    async fn authenticate(
        &self,
        authorization: Option<&str>,
        tenant: Option<&str>,
    ) -> Result<Authenticated, AuthError>;

    /// What [`Authenticate::authenticate`] would answer, if that is known without asking anybody.
    fn remembered(&self, authorization: Option<&str>, tenant: Option<&str>) -> Option<Authenticated>;

    /// Who presented this lately, when it was valid: whose places and queues a request takes until it is known who calls.
    /// It says nothing about rights.
    fn familiar(&self, authorization: Option<&str>, tenant: Option<&str>) -> Option<Caller>;

    /// Charges a request to the quotas of whoever sends it.
    async fn charge(&self, whose: Charged<'_>, units: u32) -> Charge;

    /// Every change of what callers may do, from now on: a socket asks again who calls when one concerns its caller.
    fn changes(&self) -> BoxStream<'static, AccessChange>;
}

/// A caller, and until when this holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// Who calls.
    pub caller: Caller,
    /// When the token expires; a socket is closed then. Absent for keys that do not expire.
    pub expires_at: Option<Timestamp>,
}

/// Why a caller could not be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// What was presented is no valid key or token.
    #[error("Sign in again: the key or token of this request is not valid.")]
    Invalid,
    /// The token was valid once.
    #[error("Sign in again: the token of this request has expired.")]
    Expired,
    /// The named tenant does not exist, or not for this caller.
    #[error("The tenant that this request names was not found.")]
    TenantNotFound,
    /// It cannot be told at the moment.
    #[error("Who calls cannot be told at the moment. Try again shortly.")]
    Unavailable,
}

impl AuthError {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Invalid => "UNAUTHENTICATED",
            Self::Expired => "TOKEN_EXPIRED",
            Self::TenantNotFound => "TENANT_NOT_FOUND",
            Self::Unavailable => "UNAVAILABLE",
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Invalid | Self::Expired => StatusCode::UNAUTHORIZED,
            Self::TenantNotFound => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
