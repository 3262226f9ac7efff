//! Authentication of callers: the trait that transports call and the services implement.

use actix_web::http::StatusCode;
use async_trait::async_trait;
use domain::Timestamp;
use futures::stream::BoxStream;
use services::{
    Caller,
    access::AccessChange,
    quotas::{ChargeResult, QuotaSubject},
};

/// Identifies the caller from the credentials of a request.
#[async_trait]
pub trait Authenticate: Send + Sync + 'static {
    /// Authenticates the `Authorization` value for the tenant that the request names (`Muster-Tenant`).
    ///
    /// Without credentials it returns [`Caller::anonymous`], which each resolver may refuse.
    async fn authenticate(
        &self,
        authorization: Option<&str>,
        tenant: Option<&str>,
    ) -> Result<AuthenticatedCaller, AuthError>;

    /// The result of [`Authenticate::authenticate`] if it is cached; never does any I/O.
    fn remembered(&self, authorization: Option<&str>, tenant: Option<&str>) -> Option<AuthenticatedCaller>;

    /// The caller who recently presented valid credentials like these. Used only to attribute a request to a permit
    /// holder before authentication; grants no permissions.
    fn recently_authenticated(&self, authorization: Option<&str>, tenant: Option<&str>) -> Option<Caller>;

    /// Charges a request to the quotas of its caller.
    async fn charge(&self, whose: QuotaSubject<'_>, units: u32) -> ChargeResult;

    /// Stream of changes to callers' permissions; a WebSocket authenticates again when a change affects its caller.
    fn changes(&self) -> BoxStream<'static, AccessChange>;
}

/// An authenticated caller and how long the authentication is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedCaller {
    /// The authenticated caller, or the anonymous one.
    pub caller: Caller,
    /// When the token expires, at which time a WebSocket is closed; `None` for keys that do not expire.
    pub expires_at: Option<Timestamp>,
}

/// Why authentication failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The credentials are not a valid key or token.
    #[error("Sign in again: the key or token of this request is not valid.")]
    Invalid,
    /// The token has expired.
    #[error("Sign in again: the token of this request has expired.")]
    Expired,
    /// The tenant named in the request does not exist, or the caller may not access it.
    #[error("The tenant that this request names was not found.")]
    TenantNotFound,
    /// Authentication is temporarily not possible, such as while the database is down.
    #[error("The caller cannot be authenticated at the moment. Try again shortly.")]
    Unavailable,
}

impl AuthError {
    /// Stable, machine-readable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Invalid => "UNAUTHENTICATED",
            Self::Expired => "TOKEN_EXPIRED",
            Self::TenantNotFound => "TENANT_NOT_FOUND",
            Self::Unavailable => "UNAVAILABLE",
        }
    }

    /// HTTP status of the response.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Invalid | Self::Expired => StatusCode::UNAUTHORIZED,
            Self::TenantNotFound => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
