//! Control requests that change clocks and expire tokens and cursors.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ControlError, parse_body};
use crate::{app::App, microsoft, store::Change, wire::Request};

/// The current time, and the skew of the token endpoints' clock.
pub(super) fn show_clock(app: &App) -> Value {
    json!({ "now": app.now(), "token_skew_s": app.store().state().token_skew_s })
}

/// The body of `clock/advance`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClockAdvance {
    #[serde(default)]
    seconds: i64,
    #[serde(default)]
    ms: i64,
}

/// Moves the clock forward.
pub(super) fn advance_clock(app: &App, by: &ClockAdvance) -> Result<Value, ControlError> {
    let by = by.seconds.saturating_mul(1000).saturating_add(by.ms);
    if by <= 0 {
        return Err(ControlError::Invalid("the clock only moves forward".to_owned()));
    }
    app.advance_clock(by)?;
    microsoft::respond_to_invitations(app)?;
    Ok(json!({ "now": app.now() }))
}

/// The body of `clock/skew`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClockSkew {
    seconds: i64,
}

/// Shifts the token endpoints' clock.
pub(super) fn shift_token_clock(app: &App, by: &ClockSkew) -> Result<Value, ControlError> {
    if by.seconds.unsigned_abs() > 366 * 86_400 {
        return Err(ControlError::Invalid("no clock is wrong by more than a year".to_owned()));
    }
    app.commit(&mut app.store(), vec![Change::TokenSkew(by.seconds)])?;
    Ok(show_clock(app))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expire {
    /// Whether refresh tokens expire too.
    refresh: bool,
}

/// Makes every token issued so far expire.
pub(super) fn expire_tokens(app: &App, request: &Request) -> Result<Value, ControlError> {
    let expire: Expire = if request.body.is_empty() { Expire::default() } else { parse_body(request)? };
    let mut changes = vec![Change::TokensExpired];
    if expire.refresh {
        changes.push(Change::RefreshesGone(None));
    }
    app.commit(&mut app.store(), changes)?;
    Ok(json!({ "expired": true }))
}

/// Invalidates every sync cursor issued so far, of all providers.
pub(super) fn forget_cursors(app: &App) -> Result<Value, ControlError> {
    let mut store = app.store();
    app.commit(&mut store, vec![Change::CursorsForgotten])?;
    Ok(json!({ "sync_epoch": store.state().history.epoch }))
}
