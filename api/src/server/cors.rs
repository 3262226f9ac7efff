//! Permits pages of the configured origins to call the API from a browser (Fetch standard, CORS protocol).
//!
//! Callers are authenticated by a header, never by a cookie, so no credentials are allowed. Requests of other origins are
//! answered without the headers that would let their pages read the response.

use actix_cors::Cors;
use actix_web::{
    http::{
        Method,
        header::{self, HeaderName},
    },
    middleware::Condition,
};

use crate::request::{REQUEST_ID_HEADER, TENANT_HEADER};

/// How long browsers may remember the response to a preflight request, in seconds; some forget it earlier.
const REMEMBERED: usize = 7_200;

/// The middleware of `/graphql`; does nothing if no origin is configured.
pub(super) fn allow_origins(origins: &[String]) -> Condition<Cors> {
    let named = HeaderName::from_static;
    let sent = [header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT, header::ACCEPT_LANGUAGE];
    let read = [named("ratelimit"), named("ratelimit-policy"), header::RETRY_AFTER, named(REQUEST_ID_HEADER)];
    let policy = Cors::default()
        .allowed_methods([Method::GET, Method::POST])
        .allowed_headers(sent)
        .allowed_headers([named(TENANT_HEADER), named(REQUEST_ID_HEADER)])
        .expose_headers(read)
        .max_age(REMEMBERED)
        // A refusal here would have no code; and whoever is no browser may send any origin.
        .block_on_origin_mismatch(false);
    let policy = origins.iter().fold(policy, |policy, origin| policy.allowed_origin(origin));
    Condition::new(!origins.is_empty(), policy)
}
