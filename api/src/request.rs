//! Data of one request: its id, its caller, and the context for resolvers.

use std::sync::{Arc, PoisonError, RwLock};

use actix_web::{HttpMessage as _, HttpRequest};
use domain::Ids;
use serde::Serialize;

use crate::authenticate::AuthError;
use services::Caller;

/// Header that carries the request id in requests and responses.
pub const REQUEST_ID_HEADER: &str = "x-request-id";
/// Header that names the tenant that a request with a vendor key accesses.
pub const TENANT_HEADER: &str = "muster-tenant";
/// Maximum length of a request id accepted from a client, in characters.
const LONGEST: usize = 64;

/// Identifies a request in responses, logs and the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestId(String);

impl RequestId {
    /// The id sent by the client, if it is short and safe to log; otherwise a new one. Every call for the same request
    /// returns the same id.
    pub fn from_request(request: &HttpRequest, ids: &Ids) -> Self {
        if let Some(known) = request.extensions().get::<Self>() {
            return known.clone();
        }
        let sent = header(request, REQUEST_ID_HEADER).filter(|id| is_harmless(id));
        let id = sent.map_or_else(|| Self::generate(ids), |id| Self(id.to_owned()));
        request.extensions_mut().insert(id.clone());
        id
    }

    /// Creates a new request id.
    pub fn generate(ids: &Ids) -> Self {
        Self(format!("req_{}", ids.uuid().simple()))
    }

    /// The id as a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether an id sent by a client can be logged, and is not taken for that of a run or of an operator's command.
fn is_harmless(id: &str) -> bool {
    let is_ours = ["run_", "cmd_"].iter().any(|prefix| id.starts_with(prefix));
    !is_ours
        && (1..=LONGEST).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// The credentials of a request: its headers `Authorization` and [`TENANT_HEADER`].
///
/// Each is refused if it occurs more than once or is not valid text: an intermediate proxy or log may have read a
/// different value than Muster does.
pub(crate) fn read_credentials(request: &HttpRequest) -> Result<(Option<&str>, Option<&str>), AuthError> {
    let one = |name: &str, refused: AuthError| {
        let mut values = request.headers().get_all(name);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.to_str().map(Some).map_err(|_| refused),
            (Some(_), Some(_)) => Err(refused),
        }
    };
    Ok((one("authorization", AuthError::Invalid)?, one(TENANT_HEADER, AuthError::TenantNotFound)?))
}

/// The value of a header, if present and valid text.
pub(crate) fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The credentials with which a request was authenticated.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Value of `Authorization`.
    pub authorization: Option<String>,
    /// Value of [`TENANT_HEADER`].
    pub tenant: Option<String>,
}

/// The caller of an operation, with its current permissions, which may change while a subscription or a mutation of
/// several fields runs. Clones share the caller.
#[derive(Debug, Clone)]
pub struct CurrentCaller(Arc<RwLock<Arc<Caller>>>);

impl CurrentCaller {
    /// The caller as authenticated.
    pub fn new(caller: Caller) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(caller))))
    }

    /// The caller with its current permissions.
    pub fn caller(&self) -> Arc<Caller> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the caller's permissions by its current ones.
    pub(crate) fn replace_caller(&self, caller: Caller) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(caller);
    }
}

/// Adds to a request what resolvers read from their context: [`CurrentCaller`] and [`RequestId`].
pub(crate) fn with_context(
    request: async_graphql::Request,
    caller: &CurrentCaller,
    id: &RequestId,
) -> async_graphql::Request {
    request.data(caller.clone()).data(id.clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix_web::test::TestRequest;
    use domain::SystemClock;

    use super::*;

    #[test]
    fn a_clients_request_id_is_kept_only_when_it_is_harmless() {
        let ids = Ids::seeded(Arc::new(SystemClock), 1);
        let of = |value: &str| {
            RequestId::from_request(
                &TestRequest::default().insert_header((REQUEST_ID_HEADER, value)).to_http_request(),
                &ids,
            )
        };
        assert_eq!(of("abc-1.2_3").as_str(), "abc-1.2_3");
        for bad in ["run_1", "cmd_1", "", "a b", "<script>", &"x".repeat(65)] {
            assert!(of(bad).as_str().starts_with("req_"), "{bad:?} must be replaced");
        }
    }
}
