//! Charges requests to the quotas of their callers and reports the quotas in headers.
//!
//! The headers follow draft-ietf-httpapi-ratelimit-headers-10.

use std::{fmt::Write as _, net::IpAddr, time::Duration};

use actix_web::{HttpResponseBuilder, http::header};
use domain::CallerKind;
use services::{
    Caller,
    quotas::{ChargeResult, QuotaBalance, QuotaSubject},
};

use crate::{
    admission::PermitHolder,
    authenticate::{AuthError, AuthenticatedCaller},
    error::Error,
    state::State,
    transport::validate::{OperationKind, ValidatedOperation},
};

/// Minimum cost of a mutation, because its number of fields does not reflect its work.
const CHANGE: u64 = 10;

/// Number of bytes of an unknown document that cost one unit to parse.
const BYTES_FOR_ONE: usize = 20;

/// The party to which a request is charged: its caller or, if it has none, the client's IP address.
fn whose(caller: &Caller, address: Option<IpAddr>) -> Option<QuotaSubject<'_>> {
    match caller.kind() {
        CallerKind::Anonymous => address.map(QuotaSubject::Address),
        _ => Some(QuotaSubject::Caller(caller)),
    }
}

/// Charges for a document; returns the charge and, if a quota is exceeded, the error.
pub async fn charge_document(
    state: &State,
    caller: &Caller,
    address: Option<IpAddr>,
    approved: &ValidatedOperation,
    kind: OperationKind,
) -> (ChargeResult, Result<(), Error>) {
    let least = if kind == OperationKind::Mutation { CHANGE } else { 1 };
    let units = u32::try_from(approved.cost.max(least)).unwrap_or(u32::MAX);
    settle(state, whose(caller, address), units).await
}

/// Charges the apparent sender for parsing an unknown document, whether or not it is valid.
pub async fn charge_parsing(
    state: &State,
    known: Option<&Caller>,
    address: Option<IpAddr>,
    text: &str,
) -> Result<(), Error> {
    if state.validator.is_cached(text) {
        return Ok(());
    }
    let units = u32::try_from(1 + text.len() / BYTES_FOR_ONE).unwrap_or(u32::MAX);
    let payer = known.map_or_else(|| address.map(QuotaSubject::Address), |caller| whose(caller, address));
    settle(state, payer, units).await.1
}

/// Charges for a page or a request of similar cost.
pub async fn charge_page_request(
    state: &State,
    address: Option<IpAddr>,
) -> (ChargeResult, Result<(), Error>) {
    settle(state, address.map(QuotaSubject::Page), 1).await
}

async fn settle(
    state: &State,
    whose: Option<QuotaSubject<'_>>,
    units: u32,
) -> (ChargeResult, Result<(), Error>) {
    let Some(whose) = whose else { return (ChargeResult::default(), Ok(())) };
    let charge = state.authenticate.charge(whose, units).await;
    let outcome =
        charge.refused_for.map_or(Ok(()), |wait| Err(Error::RateLimited { after: whole_seconds(wait) }));
    (charge, outcome)
}

/// The values of `Authorization` and `Muster-Tenant`.
type PresentedCredentials<'a> = (Option<&'a str>, Option<&'a str>);

/// Authenticates the caller. Credentials that are not cached need a permit for the look-up; invalid credentials are
/// charged, and clients that send many of them must wait before they try again.
pub async fn authenticate_caller(
    state: &State,
    address: Option<IpAddr>,
    presented: Result<PresentedCredentials<'_>, AuthError>,
) -> Result<AuthenticatedCaller, Error> {
    let known = match presented {
        Ok((authorization, tenant)) => look_up(state, address, authorization, tenant).await?,
        Err(refused) => Err(refused),
    };
    let refused = match known {
        Ok(by) => return Ok(by),
        Err(AuthError::Unavailable) => return Err(AuthError::Unavailable.into()),
        Err(refused) => refused,
    };
    settle(state, address.map(QuotaSubject::Refused), 1).await.1?;
    Err(refused.into())
}

async fn look_up(
    state: &State,
    address: Option<IpAddr>,
    authorization: Option<&str>,
    tenant: Option<&str>,
) -> Result<Result<AuthenticatedCaller, AuthError>, Error> {
    if let Some(known) = state.authenticate.remembered(authorization, tenant) {
        return Ok(Ok(known));
    }
    let recent = state.authenticate.recently_authenticated(authorization, tenant);
    let holder =
        recent.map_or(PermitHolder::Address(address), |caller| PermitHolder::from_caller(&caller, address));
    let place = state.admission.acquire(holder).await;
    let _place = place.map_err(|_| state.overload_error())?;
    Ok(state.authenticate.authenticate(authorization, tenant).await)
}

/// Adds headers that report the state of a request's quotas.
pub fn add_quota_headers(response: &mut HttpResponseBuilder, charge: &ChargeResult) {
    if charge.accounts.is_empty() {
        return;
    }
    let (mut policies, mut balances) = (String::new(), String::new());
    for QuotaBalance { name, quota, balance } in &charge.accounts {
        let comma = if policies.is_empty() { "" } else { ", " };
        let (window, full) = (whole_seconds(quota.per), whole_seconds(balance.full_after));
        let _ = write!(policies, "{comma}\"{name}\";q={};w={window}", quota.units);
        let _ = write!(balances, "{comma}\"{name}\";r={};t={full}", balance.remaining);
    }
    response.insert_header(("ratelimit-policy", policies)).insert_header(("ratelimit", balances));
}

/// Adds a header with the number of seconds after which the request may be repeated.
pub fn add_retry_after(response: &mut HttpResponseBuilder, error: &Error) {
    if let Some(seconds) = error.retry_after() {
        response.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
}

/// The duration rounded up to whole seconds.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
