//! `calendarView/delta`: changes in a window since a token.
//!
//! Tokens are opaque to clients; here they contain the window, the changes already returned, and the end of the last
//! page. A token of another mailbox, a forged token, and an invalidated token are all refused with 410.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::TimeRange;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    CallContext, READ,
    calendar_view::{parse_window, with_zone_header},
    failure::{Failure, RequestError},
    odata, render,
    zones::Zone,
};
use crate::{
    model::Mailbox,
    store::{CalendarKey, State},
    wire::WireResponse,
};

const PAGE: usize = 10;
const PAGE_MOST: usize = 1000;
const SKIP: &str = "$skiptoken";
const DELTA: &str = "$deltatoken";
/// OData query options that delta queries do not support.
const UNSUPPORTED: [&str; 6] = ["$select", "$expand", "$filter", "$orderby", "$search", "$top"];

/// The position of a client in the changes, encoded in a token.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Token {
    mailbox: String,
    window: TimeRange,
    epoch: u64,
    /// The last change returned in earlier rounds; `None` in the first round, which returns all existing events.
    since: Option<u64>,
    /// The last change that this round returns.
    until: u64,
    /// The last change that a page of this round has returned. An event that is changed again in the meantime moves to
    /// the next round, so counting entries would skip some.
    after: u64,
}

/// Handles `GET /users/{id}/calendarView/delta` and its longer forms.
pub fn list_changes(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    let store = call.app.store();
    let state = store.state();
    let (owner, mailbox) = call.mailbox(state, key, READ)?;
    if let Some(option) = UNSUPPORTED.iter().find(|option| call.request.query(option).is_some()) {
        return Err(Failure::new(
            400,
            "ErrorInvalidUrlQuery",
            format!("The query option '{option}' is not supported for delta."),
        )
        .into());
    }
    let zone = Zone::from_preference(call.request)?;
    let token = token(call, state, &owner)?;
    let mut entries = entries(call, state, (&owner, mailbox), &token, &zone);
    let left = entries.len() > page_size(call);
    entries.truncate(page_size(call));
    let after = entries.last().map_or(token.until, |(at, _)| *at);
    let values: Vec<Value> = entries.into_iter().map(|(_, value)| value).collect();
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), odata::odata_context("Collection(event)"));
    body.insert("value".to_owned(), values.into());
    let (name, cursor, next) = if left {
        ("@odata.nextLink", SKIP, Token { after, ..token })
    } else {
        ("@odata.deltaLink", DELTA, Token { after: token.until, since: Some(token.until), ..token })
    };
    body.insert(name.to_owned(), link(call, cursor, &next).into());
    Ok(with_zone_header(WireResponse::json(200, Value::Object(body)), &zone))
}

fn token(call: &CallContext<'_>, state: &State, owner: &CalendarKey) -> Result<Token, Failure> {
    let gone = || {
        Failure::new(
            410,
            "SyncStateNotFound",
            "The sync state generation is not found; a full sync is needed.",
        )
    };
    let epoch = state.history.epoch;
    let given = |name| call.request.query(name);
    match (given(SKIP), given(DELTA)) {
        (None, None) => Ok(Token {
            mailbox: owner.1.clone(),
            window: parse_window(call)?,
            epoch,
            since: None,
            until: state.history.count,
            after: 0,
        }),
        (Some(text), _) | (None, Some(text)) => {
            let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| gone())?;
            let token: Token = serde_json::from_slice(&bytes).map_err(|_| gone())?;
            if token.mailbox != owner.1 || token.epoch != epoch {
                return Err(gone());
            }
            // A round that begins tells everything up to now; one that goes on ends where it was to end.
            let until = if given(SKIP).is_some() { token.until } else { state.history.count };
            Ok(Token { until, ..token })
        }
    }
}

/// The entries that this round has not returned yet, by change number.
fn entries(
    call: &CallContext<'_>,
    state: &State,
    (owner, mailbox): (&CalendarKey, &Mailbox),
    token: &Token,
    zone: &Zone,
) -> Vec<(u64, Value)> {
    let events = state.events.get(owner);
    let in_window = |id: &str| {
        events.and_then(|events| events.get(id)).filter(|event| event.range.overlaps(&token.window))
    };
    let touched = state.history.changes_since(owner, token.after).into_iter();
    touched
        .filter(|(_, touched)| touched.last <= token.until)
        .filter_map(|(id, touched)| match in_window(id) {
            Some(event) => Some((touched.last, render::render_event(call, mailbox, event, zone))),
            // What has left the window is told as what is gone; what was never told is not.
            None => token
                .since
                .filter(|since| touched.made <= *since)
                .map(|_| (touched.last, json!({ "id": id, "@removed": { "reason": "deleted" } }))),
        })
        .collect()
}

fn page_size(call: &CallContext<'_>) -> usize {
    let mut wanted = call.request.header("prefer").into_iter().flat_map(|prefer| prefer.split(','));
    let wanted = wanted.find_map(|one| one.trim().strip_prefix("odata.maxpagesize=")?.parse().ok());
    wanted.map_or(PAGE, |wanted: usize| wanted.clamp(1, PAGE_MOST))
}

fn link(call: &CallContext<'_>, cursor: &str, token: &Token) -> String {
    // A token consists of text and numbers.
    let text = serde_json::to_vec(token).unwrap_or_default();
    format!("{}{}?{cursor}={}", call.request.origin, call.request.path, URL_SAFE_NO_PAD.encode(text))
}
