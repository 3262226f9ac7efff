//! The Calendar API v3: calendars, events, free/busy, channels.

pub mod calendars;
pub mod channels;
pub mod conference;
pub mod events;
pub mod free_busy;
pub mod parse;
pub mod render;
pub mod sync;
pub mod write;

use super::{
    caller::CallContext,
    failure::{Failure, RequestError},
};
use crate::wire::WireResponse;

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
pub fn dispatch(call: &mut CallContext<'_>, rest: &[&str]) -> Result<WireResponse, RequestError> {
    let method = call.request.method.clone();
    match (method.as_str(), rest) {
        ("GET", ["users", "me", "calendarList"]) => calendars::list_calendars(call),
        ("GET", ["users", "me", "calendarList", key]) => calendars::get_calendar_list_entry(call, key),
        ("GET", ["users", "me", "settings", name]) => calendars::get_setting(call, name),
        ("GET", ["calendars", key]) => calendars::get_calendar(call, key),
        ("POST", ["freeBusy"]) => free_busy::query_free_busy(call),
        ("POST", ["channels", "stop"]) => channels::stop_channel(call),
        ("POST", ["calendars", key, "events", "watch"]) => channels::open_channel(call, key),
        ("GET", ["calendars", key, "events"]) => events::list_events(call, key),
        ("POST", ["calendars", key, "events"]) => write::insert_event(call, key),
        ("GET", ["calendars", key, "events", id]) => events::get_event(call, key, id),
        ("PATCH", ["calendars", key, "events", id]) => write::update_event(call, key, id, false),
        ("PUT", ["calendars", key, "events", id]) => write::update_event(call, key, id, true),
        ("DELETE", ["calendars", key, "events", id]) => write::delete_event(call, key, id),
        _ => Err(Failure::not_found().into()),
    }
}
