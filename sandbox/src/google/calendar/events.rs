//! Lists and reads events.

use domain::Timestamp;
use serde_json::{Value, json};

use super::{READ, calendars, render, sync};
use crate::{
    google::{
        caller::{CalendarRole, CallContext},
        failure::{Failure, RequestError},
    },
    model::Event,
    store::{CalendarKey, State},
    wire::WireResponse,
};

const PAGE: usize = 250;
const PAGE_MOST: usize = 2_500;
/// Parameters that must not be combined with a sync token.
const NOT_WITH_SYNC: [&str; 8] = [
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
];

/// The scope of a list: everything, or events changed since a sync token.
struct Asked {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    since: Option<u64>,
    page: sync::PagePosition,
    most: usize,
}

/// Handles `GET /calendars/{id}/events`.
pub fn list_events(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    call.require_scope(READ)?;
    let store = call.app.store();
    let state = store.state();
    let (owner, mailbox, role) = call.calendar_access(state, key)?;
    let asked = read(call, state, &owner)?;
    let zone = calendars::calendar_zone(call.organisation(state)?);
    let now = call.app.now();
    let shown = |event: &Event| render::render_event(event, mailbox, &zone, role, now);
    let mut rows = rows(call, state, &owner, &asked, shown);
    let most = asked.most;
    let total = rows.len();
    let values: Vec<Value> = rows.drain(..).skip(asked.page.skip).take(most).collect();
    let after = asked.page.skip + values.len();
    let mut body = json!({
        "kind": "calendar#events",
        "etag": format!("\"p{}\"", state.history.count),
        "summary": calendars::calendar_title(mailbox),
        "description": "",
        "updated": call.app.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "timeZone": zone.rules.name(),
        "accessRole": role.name(),
        "defaultReminders": [],
        "items": values,
    });
    if after < total {
        body["nextPageToken"] = sync::PagePosition { skip: after, ..asked.page }.encode().into();
    } else if call.request.query("orderBy").is_none() {
        // What changed while the pages were read is told next time.
        body["nextSyncToken"] =
            sync::encode_sync_token(state, &owner, asked.page.clock, parameters(call)).into();
    }
    Ok(WireResponse::json(200, fields(call, body)))
}

fn read(call: &CallContext<'_>, state: &State, owner: &CalendarKey) -> Result<Asked, Failure> {
    let query = |name: &str| call.request.query(name);
    let time = |name: &str| -> Result<Option<Timestamp>, Failure> {
        query(name)
            .map(|text| text.parse().map_err(|_| Failure::new(400, "global", "badRequest", "Bad Request")))
            .transpose()
    };
    let single = query("singleEvents") == Some("true");
    if query("orderBy") == Some("startTime") && !single {
        let text = "The requested ordering is not available for the particular query.";
        return Err(Failure::new(400, "calendar", "badRequest", text));
    }
    let most = query("maxResults")
        .map_or(Ok(PAGE), str::parse)
        .map_err(|_| Failure::invalid_request("Invalid value for: maxResults"))?;
    if most == 0 {
        return Err(Failure::invalid_request("Invalid value for: maxResults"));
    }
    let since = match query("syncToken") {
        Some(token) => {
            if let Some(name) = NOT_WITH_SYNC.iter().find(|name| query(name).is_some()) {
                let text = format!("Sync token cannot be used with {name}.");
                return Err(Failure::new(400, "global", "badRequest", text));
            }
            Some(sync::parse_sync_token(state, owner, token, parameters(call))?)
        }
        None => None,
    };
    let (from, until) = (time("timeMin")?, time("timeMax")?);
    if from.zip(until).is_some_and(|(from, until)| until <= from) {
        return Err(Failure::new(400, "calendar", "timeRangeEmpty", "The specified time range is empty."));
    }
    let page = match query("pageToken") {
        Some(token) => sync::PagePosition::decode(token)
            .ok_or_else(|| Failure::invalid_request("Invalid page token value."))?,
        None => sync::PagePosition { skip: 0, clock: state.history.count },
    };
    Ok(Asked { from, until, since, page, most: most.min(PAGE_MOST) })
}

/// The query parameters to which a sync token is bound.
fn parameters(call: &CallContext<'_>) -> String {
    ["singleEvents", "showDeleted", "eventTypes", "showHiddenInvitations"]
        .map(|name| format!("{name}={}", call.request.query(name).unwrap_or_default()))
        .join("&")
}

/// The events to list: existing ones and, if requested, deleted ones.
fn rows(
    call: &CallContext<'_>,
    state: &State,
    owner: &CalendarKey,
    asked: &Asked,
    shown: impl Fn(&Event) -> Value,
) -> Vec<Value> {
    let query = |name: &str| call.request.query(name);
    let touched = |event: &Event| {
        let at = state.history.last_change_number(owner, &event.id);
        at <= asked.page.clock && asked.since.is_none_or(|since| at > since)
    };
    let wanted = |event: &&Event| {
        (asked.since.is_none() || touched(event))
            && asked.from.is_none_or(|from| event.range.end > from)
            && asked.until.is_none_or(|until| event.range.start < until)
            && query("iCalUID").is_none_or(|uid| uid == event.ical_uid)
            && query("privateExtendedProperty").is_none_or(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                event
                    .extended
                    .get(&format!("{}{name}", render::PRIVATE_PREFIX))
                    .is_some_and(|held| held == value)
            })
    };
    let mut events: Vec<&Event> = state.calendar_events(owner).filter(wanted).collect();
    events.sort_by_key(|event| (event.range.start, render::event_id(event)));
    let mut rows: Vec<Value> = events.into_iter().map(shown).collect();
    if asked.since.is_some() || query("showDeleted") == Some("true") {
        let gone = state.history.removed_events(owner).filter(wanted);
        rows.extend(gone.map(render::render_cancelled));
    }
    rows
}

/// Keeps only the fields of the list that the parameter `fields` names; nested selections are ignored.
fn fields(call: &CallContext<'_>, body: Value) -> Value {
    let Some(wanted) = call.request.query("fields").filter(|fields| !fields.contains('*')) else {
        return body;
    };
    let names: Vec<&str> =
        wanted.split(',').map(|name| name.split(['(', '/']).next().unwrap_or_default()).collect();
    match body {
        Value::Object(members) => {
            members.into_iter().filter(|(name, _)| names.contains(&name.as_str())).collect()
        }
        other => other,
    }
}

/// Handles `GET /calendars/{id}/events/{event}`. A deleted event is returned as cancelled.
pub fn get_event(call: &mut CallContext<'_>, key: &str, id: &str) -> Result<WireResponse, RequestError> {
    call.require_scope(READ)?;
    let store = call.app.store();
    let state = store.state();
    let (owner, mailbox, role) = call.calendar_access(state, key)?;
    if role < CalendarRole::Reader {
        return Err(Failure::not_found().into());
    }
    call.note.event_id = Some(id.to_owned());
    let (zone, now) = (calendars::calendar_zone(call.organisation(state)?), call.app.now());
    if let Some(event) = find_event(state, &owner, id) {
        call.note.key = event.effect_key();
        return Ok(WireResponse::json(200, render::render_event(event, mailbox, &zone, role, now)));
    }
    let gone = state.history.removed_events(&owner).find(|event| render::event_id(event) == id);
    let gone = gone.ok_or_else(Failure::not_found)?;
    let mut value = render::render_event(gone, mailbox, &zone, role, now);
    value["status"] = "cancelled".into();
    Ok(WireResponse::json(200, value))
}

/// Finds an existing event by Google's id.
pub fn find_event<'s>(state: &'s State, owner: &CalendarKey, id: &str) -> Option<&'s Event> {
    state.calendar_events(owner).find(|event| render::event_id(event) == id)
}
