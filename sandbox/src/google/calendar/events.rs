//! Lists and reads events.

use domain::Timestamp;
use serde_json::{Value, json};

use super::{READ, calendars, render, sync};
use crate::{
    google::{
        caller::{Call, Role},
        failure::{Failure, Refused},
    },
    model::Event,
    store::{Owner, State},
    wire::Answer,
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
    page: sync::Page,
    most: usize,
}

/// Handles `GET /calendars/{id}/events`.
pub fn list(call: &mut Call<'_>, key: &str) -> Result<Answer, Refused> {
    call.scope(READ)?;
    let store = call.app.store();
    let state = store.state();
    let (owner, mailbox, role) = call.calendar(state, key)?;
    let asked = read(call, state, &owner)?;
    let zone = calendars::zone(call.organisation(state)?);
    let now = call.app.now();
    let shown = |event: &Event| render::event(event, mailbox, &zone, role, now);
    let mut rows = rows(call, state, &owner, &asked, shown);
    let most = asked.most;
    let total = rows.len();
    let values: Vec<Value> = rows.drain(..).skip(asked.page.skip).take(most).collect();
    let after = asked.page.skip + values.len();
    let mut body = json!({
        "kind": "calendar#events",
        "etag": format!("\"p{}\"", state.history.count),
        "summary": calendars::summary(mailbox),
        "description": "",
        "updated": call.app.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "timeZone": zone.rules.name(),
        "accessRole": role.name(),
        "defaultReminders": [],
        "items": values,
    });
    if after < total {
        body["nextPageToken"] = sync::Page { skip: after, ..asked.page }.write().into();
    } else if call.request.query("orderBy").is_none() {
        // What changed while the pages were read is told next time.
        body["nextSyncToken"] = sync::token(state, &owner, asked.page.clock, parameters(call)).into();
    }
    Ok(Answer::json(200, fields(call, body)))
}

fn read(call: &Call<'_>, state: &State, owner: &Owner) -> Result<Asked, Failure> {
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
        .map_err(|_| Failure::invalid("Invalid value for: maxResults"))?;
    if most == 0 {
        return Err(Failure::invalid("Invalid value for: maxResults"));
    }
    let since = match query("syncToken") {
        Some(token) => {
            if let Some(name) = NOT_WITH_SYNC.iter().find(|name| query(name).is_some()) {
                let text = format!("Sync token cannot be used with {name}.");
                return Err(Failure::new(400, "global", "badRequest", text));
            }
            Some(sync::since(state, owner, token, parameters(call))?)
        }
        None => None,
    };
    let (from, until) = (time("timeMin")?, time("timeMax")?);
    if from.zip(until).is_some_and(|(from, until)| until <= from) {
        return Err(Failure::new(400, "calendar", "timeRangeEmpty", "The specified time range is empty."));
    }
    let page = match query("pageToken") {
        Some(token) => {
            sync::Page::read(token).ok_or_else(|| Failure::invalid("Invalid page token value."))?
        }
        None => sync::Page { skip: 0, clock: state.history.count },
    };
    Ok(Asked { from, until, since, page, most: most.min(PAGE_MOST) })
}

/// The query parameters to which a sync token is bound.
fn parameters(call: &Call<'_>) -> String {
    ["singleEvents", "showDeleted", "eventTypes", "showHiddenInvitations"]
        .map(|name| format!("{name}={}", call.request.query(name).unwrap_or_default()))
        .join("&")
}

/// The events to list: existing ones and, if requested, deleted ones.
fn rows(
    call: &Call<'_>,
    state: &State,
    owner: &Owner,
    asked: &Asked,
    shown: impl Fn(&Event) -> Value,
) -> Vec<Value> {
    let query = |name: &str| call.request.query(name);
    let touched = |event: &Event| {
        let at = state.history.last(owner, &event.id);
        at <= asked.page.clock && asked.since.is_none_or(|since| at > since)
    };
    let wanted = |event: &&Event| {
        (asked.since.is_none() || touched(event))
            && asked.from.is_none_or(|from| event.range.end > from)
            && asked.until.is_none_or(|until| event.range.start < until)
            && query("iCalUID").is_none_or(|uid| uid == event.ical_uid)
            && query("privateExtendedProperty").is_none_or(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                event.extended.get(&format!("{}{name}", render::PRIVATE)).is_some_and(|held| held == value)
            })
    };
    let mut events: Vec<&Event> = state.calendar(owner).filter(wanted).collect();
    events.sort_by_key(|event| (event.range.start, render::id(event)));
    let mut rows: Vec<Value> = events.into_iter().map(shown).collect();
    if asked.since.is_some() || query("showDeleted") == Some("true") {
        let gone = state.history.gone(owner).filter(wanted);
        rows.extend(gone.map(render::cancelled));
    }
    rows
}

/// Keeps only the members of the list that `fields` names; nested selections are ignored.
fn fields(call: &Call<'_>, body: Value) -> Value {
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
pub fn one(call: &mut Call<'_>, key: &str, id: &str) -> Result<Answer, Refused> {
    call.scope(READ)?;
    let store = call.app.store();
    let state = store.state();
    let (owner, mailbox, role) = call.calendar(state, key)?;
    if role < Role::Reader {
        return Err(Failure::not_found().into());
    }
    call.note.event_id = Some(id.to_owned());
    let (zone, now) = (calendars::zone(call.organisation(state)?), call.app.now());
    if let Some(event) = find(state, &owner, id) {
        call.note.key = event.effect_key();
        return Ok(Answer::json(200, render::event(event, mailbox, &zone, role, now)));
    }
    let gone = state.history.gone(&owner).find(|event| render::id(event) == id);
    let gone = gone.ok_or_else(Failure::not_found)?;
    let mut value = render::event(gone, mailbox, &zone, role, now);
    value["status"] = "cancelled".into();
    Ok(Answer::json(200, value))
}

/// Finds an existing event by Google's id.
pub fn find<'s>(state: &'s State, owner: &Owner, id: &str) -> Option<&'s Event> {
    state.calendar(owner).find(|event| render::id(event) == id)
}
