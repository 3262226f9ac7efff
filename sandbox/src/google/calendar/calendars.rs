//! Calendars and calendar lists. Every account has exactly one calendar, whose id is the address.

use serde_json::{Value, json};

use super::{LISTS, NAMES, SETTINGS, conference};
use crate::{
    google::{
        caller::CallContext,
        failure::{Failure, RequestError},
    },
    microsoft::graph::zones::Zone,
    model::{Mailbox, MailboxPurpose, Organisation},
    wire::WireResponse,
};

/// The time zone of an organisation's calendars.
pub fn calendar_zone(organisation: &Organisation) -> Zone {
    Zone::find(&organisation.zone).unwrap_or_else(|_| Zone::utc())
}

/// Title of a calendar: a room's name or a person's address.
pub fn calendar_title(mailbox: &Mailbox) -> &str {
    if mailbox.purpose == MailboxPurpose::Room { &mailbox.name } else { &mailbox.address }
}

/// Handles `GET /users/me/calendarList`.
pub fn list_calendars(call: &mut CallContext<'_>) -> Result<WireResponse, RequestError> {
    call.require_scope(LISTS)?;
    let store = call.app.store();
    let state = store.state();
    let (_, mailbox, _) = call.calendar_access(state, "primary")?;
    let items = [listed(call.organisation(state)?, mailbox)];
    let body = json!({
        "kind": "calendar#calendarList", "etag": "\"p1\"", "nextSyncToken": "CAA=", "items": items,
    });
    Ok(WireResponse::json(200, body))
}

/// Handles `GET /users/me/calendarList/{id}`.
pub fn get_calendar_list_entry(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    call.require_scope(LISTS)?;
    let store = call.app.store();
    let state = store.state();
    let own = call.caller.account.clone();
    let (_, mailbox, _) = call.calendar_access(state, key)?;
    if mailbox.id != own {
        return Err(Failure::not_found().into());
    }
    Ok(WireResponse::json(200, listed(call.organisation(state)?, mailbox)))
}

fn listed(organisation: &Organisation, mailbox: &Mailbox) -> Value {
    json!({
        "kind": "calendar#calendarListEntry",
        "etag": "\"1\"",
        "id": mailbox.address,
        "summary": calendar_title(mailbox),
        "timeZone": calendar_zone(organisation).rules.name(),
        "accessRole": "owner",
        "primary": true,
        "selected": true,
        "defaultReminders": [],
        "conferenceProperties": { "allowedConferenceSolutionTypes": conference::permitted_conference_types(mailbox) },
    })
}

/// Handles `GET /users/me/settings/{name}`.
pub fn get_setting(call: &mut CallContext<'_>, name: &str) -> Result<WireResponse, RequestError> {
    call.require_scope(SETTINGS)?;
    let store = call.app.store();
    let state = store.state();
    call.calendar_access(state, "primary")?;
    let zone = calendar_zone(call.organisation(state)?);
    let value = match name {
        "timezone" => zone.rules.name(),
        "locale" => "en",
        _ => return Err(Failure::not_found().into()),
    };
    Ok(WireResponse::json(
        200,
        json!({ "kind": "calendar#setting", "etag": "\"1\"", "id": name, "value": value }),
    ))
}

/// Handles `GET /calendars/{id}`.
pub fn get_calendar(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    call.require_scope(NAMES)?;
    let store = call.app.store();
    let state = store.state();
    let (_, mailbox, _) = call.calendar_access(state, key)?;
    let body = json!({
        "kind": "calendar#calendar",
        "etag": "\"1\"",
        "id": mailbox.address,
        "summary": calendar_title(mailbox),
        "timeZone": calendar_zone(call.organisation(state)?).rules.name(),
        "conferenceProperties": { "allowedConferenceSolutionTypes": conference::permitted_conference_types(mailbox) },
    });
    Ok(WireResponse::json(200, body))
}
