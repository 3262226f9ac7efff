//! Calendars and calendar lists. Every account has exactly one calendar, whose id is the address.

use serde_json::{Value, json};

use super::{LISTS, NAMES, SETTINGS, conference};
use crate::{
    google::{
        caller::Call,
        failure::{Failure, Refused},
    },
    microsoft::graph::zones::Zone,
    model::{Mailbox, Organisation, Purpose},
    wire::Answer,
};

/// The IANA name of an organisation's zone.
pub fn zone(organisation: &Organisation) -> Zone {
    Zone::find(&organisation.zone).unwrap_or_else(|_| Zone::utc())
}

/// Title of a calendar: a room's name or a person's address.
pub fn summary(mailbox: &Mailbox) -> &str {
    if mailbox.purpose == Purpose::Room { &mailbox.name } else { &mailbox.address }
}

/// Handles `GET /users/me/calendarList`.
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refused> {
    call.scope(LISTS)?;
    let store = call.app.store();
    let state = store.state();
    let (_, mailbox, _) = call.calendar(state, "primary")?;
    let items = [listed(call.organisation(state)?, mailbox)];
    let body = json!({
        "kind": "calendar#calendarList", "etag": "\"p1\"", "nextSyncToken": "CAA=", "items": items,
    });
    Ok(Answer::json(200, body))
}

/// Handles `GET /users/me/calendarList/{id}`.
pub fn entry(call: &mut Call<'_>, key: &str) -> Result<Answer, Refused> {
    call.scope(LISTS)?;
    let store = call.app.store();
    let state = store.state();
    let own = call.caller.account.clone();
    let (_, mailbox, _) = call.calendar(state, key)?;
    if mailbox.id != own {
        return Err(Failure::not_found().into());
    }
    Ok(Answer::json(200, listed(call.organisation(state)?, mailbox)))
}

fn listed(organisation: &Organisation, mailbox: &Mailbox) -> Value {
    json!({
        "kind": "calendar#calendarListEntry",
        "etag": "\"1\"",
        "id": mailbox.address,
        "summary": summary(mailbox),
        "timeZone": zone(organisation).rules.name(),
        "accessRole": "owner",
        "primary": true,
        "selected": true,
        "defaultReminders": [],
        "conferenceProperties": { "allowedConferenceSolutionTypes": conference::permitted(mailbox) },
    })
}

/// Handles `GET /users/me/settings/{name}`.
pub fn setting(call: &mut Call<'_>, name: &str) -> Result<Answer, Refused> {
    call.scope(SETTINGS)?;
    let store = call.app.store();
    let state = store.state();
    call.calendar(state, "primary")?;
    let zone = zone(call.organisation(state)?);
    let value = match name {
        "timezone" => zone.rules.name(),
        "locale" => "en",
        _ => return Err(Failure::not_found().into()),
    };
    Ok(Answer::json(200, json!({ "kind": "calendar#setting", "etag": "\"1\"", "id": name, "value": value })))
}

/// Handles `GET /calendars/{id}`.
pub fn one(call: &mut Call<'_>, key: &str) -> Result<Answer, Refused> {
    call.scope(NAMES)?;
    let store = call.app.store();
    let state = store.state();
    let (_, mailbox, _) = call.calendar(state, key)?;
    let body = json!({
        "kind": "calendar#calendar",
        "etag": "\"1\"",
        "id": mailbox.address,
        "summary": summary(mailbox),
        "timeZone": zone(call.organisation(state)?).rules.name(),
        "conferenceProperties": { "allowedConferenceSolutionTypes": conference::permitted(mailbox) },
    });
    Ok(Answer::json(200, body))
}
