//! The Calendar API v3: calendars, events, free/busy, channels.

pub mod busy;
pub mod calendars;
pub mod channels;
pub mod conference;
pub mod events;
pub mod parse;
pub mod render;
pub mod sync;
pub mod write;

use super::{
    caller::Call,
    failure::{Failure, Refused},
};
use crate::wire::Answer;

/// Scopes that permit reading events.
const READ: &[&str] = &[
    "calendar",
    "calendar.readonly",
    "calendar.events",
    "calendar.events.readonly",
    "calendar.events.owned",
];
/// Scopes that permit changing events.
const WRITE: &[&str] = &["calendar", "calendar.events", "calendar.events.owned"];
/// Scopes that permit reading calendars.
const NAMES: &[&str] = &[
    "calendar",
    "calendar.readonly",
    "calendar.calendars",
    "calendar.calendars.readonly",
    "calendar.app.created",
];
/// Scopes that permit reading the list of calendars.
const LISTS: &[&str] =
    &["calendar", "calendar.readonly", "calendar.calendarlist", "calendar.calendarlist.readonly"];
/// Scopes that permit reading settings.
const SETTINGS: &[&str] = &["calendar", "calendar.readonly", "calendar.settings.readonly"];
/// Scopes that permit reading busy times.
const BUSY: &[&str] = &["calendar", "calendar.readonly", "calendar.freebusy", "calendar.events.freebusy"];

/// Handles a request below `/calendar/v3`.
pub fn dispatch(call: &mut Call<'_>, rest: &[&str]) -> Result<Answer, Refused> {
    let method = call.request.method.clone();
    match (method.as_str(), rest) {
        ("GET", ["users", "me", "calendarList"]) => calendars::list(call),
        ("GET", ["users", "me", "calendarList", key]) => calendars::entry(call, key),
        ("GET", ["users", "me", "settings", name]) => calendars::setting(call, name),
        ("GET", ["calendars", key]) => calendars::one(call, key),
        ("POST", ["freeBusy"]) => busy::query(call),
        ("POST", ["channels", "stop"]) => channels::stop(call),
        ("POST", ["calendars", key, "events", "watch"]) => channels::open(call, key),
        ("GET", ["calendars", key, "events"]) => events::list(call, key),
        ("POST", ["calendars", key, "events"]) => write::insert(call, key),
        ("GET", ["calendars", key, "events", id]) => events::one(call, key, id),
        ("PATCH", ["calendars", key, "events", id]) => write::update(call, key, id, false),
        ("PUT", ["calendars", key, "events", id]) => write::update(call, key, id, true),
        ("DELETE", ["calendars", key, "events", id]) => write::delete(call, key, id),
        _ => Err(Failure::not_found().into()),
    }
}
