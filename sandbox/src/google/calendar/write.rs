//! Creates, changes and deletes events.

use serde_json::Value;

use super::{WRITE, calendars, conference, events, parse, render};
use crate::{
    google::{
        caller::{CalendarRole, CallContext},
        failure::{Failure, RequestError},
    },
    microsoft::graph::{events::blank_event, meetings::MeetingChanges},
    model::{Event, Mailbox},
    store::{CalendarKey, Change, State},
    wire::WireResponse,
};

const ID_SHORTEST: usize = 5;
const ID_LONGEST: usize = 1024;

/// Handles `POST /calendars/{id}/events`.
pub fn insert_event(call: &mut CallContext<'_>, key: &str) -> Result<WireResponse, RequestError> {
    let mut store = call.app.store();
    let state = store.state();
    let (owner, mailbox) = writable(call, state, key)?;
    let body = body(call)?;
    let organisation = call.organisation(state)?;
    let zone = calendars::calendar_zone(organisation);
    let (range, all_day) = parse::parse_range(&body, &zone, None)?;
    let mut event = blank_event(call.app, mailbox, range);
    event.all_day = all_day;
    event.id = match body["id"].as_str() {
        Some(id) => chosen(id)?,
        None => render::event_id(&event),
    };
    event.ical_uid = render::ical_uid(&event.id);
    parse::apply_body(&mut event, &body, organisation)?;
    conference::apply_conference_request(call, &mut event, &body, mailbox, organisation.settings)?;
    call.note.key = event.effect_key();
    call.note.event_id = Some(event.id.clone());
    let id = event.id.clone();
    if events::find_event(state, &owner, &id).is_some()
        || state.history.removed_events(&owner).any(|gone| render::event_id(gone) == id)
    {
        call.note.outcome = Some("duplicate");
        let text = "The requested identifier already exists.";
        return Err(Failure::new(409, "global", "duplicate", text).into());
    }
    let mut draft = MeetingChanges::new(call.app, state, organisation);
    draft.create_event(&owner, event);
    let changes = told(call, draft.changes)?;
    call.app.commit(&mut store, changes)?;
    call.note.outcome = Some("created");
    shown(call, store.state(), &owner, &id)
}

/// Validates an event id chosen by a client.
fn chosen(id: &str) -> Result<String, Failure> {
    let fits = (ID_SHORTEST..=ID_LONGEST).contains(&id.len())
        && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v'));
    fits.then(|| id.to_owned()).ok_or_else(|| Failure::invalid_request("Invalid resource id value."))
}

/// Handles `PATCH` and `PUT /calendars/{id}/events/{event}`.
pub fn update_event(
    call: &mut CallContext<'_>,
    key: &str,
    id: &str,
    whole: bool,
) -> Result<WireResponse, RequestError> {
    let mut store = call.app.store();
    let state = store.state();
    let (owner, mailbox) = writable(call, state, key)?;
    let before = find(call, state, &owner, id)?;
    current(call, before)?;
    let body = body(call)?;
    let organisation = call.organisation(state)?;
    let zone = calendars::calendar_zone(organisation);
    let (range, all_day) = parse::parse_range(&body, &zone, Some(before).filter(|_| !whole))?;
    let mut after = if whole {
        let empty = blank_event(call.app, mailbox, range);
        Event {
            id: before.id.clone(),
            change: before.change,
            ical_uid: before.ical_uid.clone(),
            organizer: before.organizer.clone(),
            is_organizer: before.is_organizer,
            response: before.response,
            created_at: before.created_at,
            meeting: before.meeting.clone(),
            ..empty
        }
    } else {
        before.clone()
    };
    (after.range, after.all_day) = (range, all_day);
    parse::apply_body(&mut after, &body, organisation)?;
    conference::apply_conference_request(call, &mut after, &body, mailbox, organisation.settings)?;
    call.note.key = after.effect_key();
    let mut draft = MeetingChanges::new(call.app, state, organisation);
    if before.is_organizer {
        draft.update_event(&owner, before, after);
    } else if shared(before, &after) {
        let text = "Shared properties can only be changed by the organizer of the event.";
        return Err(Failure::new(403, "calendar", "forbiddenForNonOrganizer", text).into());
    } else {
        answer(&mut draft, &owner, mailbox, before, after);
    }
    let changes = told(call, draft.changes)?;
    call.app.commit(&mut store, changes)?;
    call.note.outcome = Some("updated");
    shown(call, store.state(), &owner, id)
}

/// Whether a change of an attendee's copy affects properties shared by all copies.
fn shared(before: &Event, after: &Event) -> bool {
    before.range != after.range
        || before.subject != after.subject
        || before.body != after.body
        || before.location != after.location
        || before.attendees.len() != after.attendees.len()
}

/// Applies an attendee's response to all copies; other changes affect only the attendee's copy.
fn answer(
    draft: &mut MeetingChanges<'_>,
    owner: &CalendarKey,
    mailbox: &Mailbox,
    before: &Event,
    after: Event,
) {
    let own = after.attendees.iter().find(|one| one.party.address.eq_ignore_ascii_case(&mailbox.address));
    let response = own.map(|own| own.response).filter(|response| *response != before.response);
    match response {
        Some(response) => draft.respond_to_invitation(owner, before, response, true),
        None => draft.put_event(owner, after),
    }
}

/// Handles `DELETE /calendars/{id}/events/{event}`.
pub fn delete_event(call: &mut CallContext<'_>, key: &str, id: &str) -> Result<WireResponse, RequestError> {
    let mut store = call.app.store();
    let state = store.state();
    let (owner, _) = writable(call, state, key)?;
    let event = find(call, state, &owner, id)?;
    current(call, event)?;
    let mut draft = MeetingChanges::new(call.app, state, call.organisation(state)?);
    if event.is_organizer {
        draft.cancel_event(&owner, event);
    } else {
        draft.respond_to_invitation(&owner, event, crate::model::InvitationResponse::Declined, true);
    }
    let quiet = call.request.query("sendUpdates") == Some("none");
    let changes = told(call, draft.changes)?;
    call.app.commit(&mut store, changes)?;
    call.note.outcome = Some(if quiet { "deleted" } else { "cancelled" });
    Ok(WireResponse::empty(204))
}

fn writable<'s>(
    call: &mut CallContext<'_>,
    state: &'s State,
    key: &str,
) -> Result<(CalendarKey, &'s Mailbox), Failure> {
    call.require_scope(WRITE)?;
    let (owner, mailbox, role) = call.calendar_access(state, key)?;
    if role < CalendarRole::Owner {
        let text = "You need to have writer access to this calendar.";
        return Err(Failure::new(403, "calendar", "requiredAccessLevel", text));
    }
    Ok((owner, mailbox))
}

fn find<'s>(
    call: &mut CallContext<'_>,
    state: &'s State,
    owner: &CalendarKey,
    id: &str,
) -> Result<&'s Event, Failure> {
    call.note.event_id = Some(id.to_owned());
    if let Some(event) = events::find_event(state, owner, id) {
        call.note.key = event.effect_key();
        return Ok(event);
    }
    let gone = state.history.removed_events(owner).find(|event| render::event_id(event) == id);
    let Some(gone) = gone else { return Err(Failure::not_found()) };
    call.note.key = gone.effect_key();
    Err(Failure::new(410, "global", "deleted", "Resource has been deleted"))
}

/// Returns an error if the caller has read a different version.
fn current(call: &CallContext<'_>, event: &Event) -> Result<(), Failure> {
    let seen = call.request.header("if-match").filter(|seen| *seen != "*");
    if seen.is_none_or(|seen| seen == render::event_etag(event)) {
        return Ok(());
    }
    Err(Failure::new(412, "global", "conditionNotMet", "Precondition Failed"))
}

fn body(call: &CallContext<'_>) -> Result<Value, Failure> {
    call.request.json().map_err(|_| Failure::new(400, "global", "parseError", "Parse Error"))
}

/// Removes notification mails from the changes unless `sendUpdates` requests them.
fn told(call: &CallContext<'_>, changes: Vec<Change>) -> Result<Vec<Change>, Failure> {
    match call.request.query("sendUpdates") {
        Some("all" | "externalOnly") => Ok(changes),
        None | Some("none") => {
            Ok(changes.into_iter().filter(|change| !matches!(change, Change::Mail(..))).collect())
        }
        Some(_) => Err(Failure::invalid_request("Invalid value for: sendUpdates")),
    }
}

fn shown(
    call: &CallContext<'_>,
    state: &State,
    owner: &CalendarKey,
    id: &str,
) -> Result<WireResponse, RequestError> {
    let organisation = call.organisation(state)?;
    let mailbox = organisation.mailboxes.get(&owner.1).ok_or_else(Failure::not_found)?;
    let event = events::find_event(state, owner, id);
    let zone = calendars::calendar_zone(organisation);
    let value = match event {
        Some(event) => render::render_event(event, mailbox, &zone, CalendarRole::Owner, call.app.now()),
        // Declined by its own change: the copy is gone.
        None => serde_json::json!({ "kind": "calendar#event", "id": id, "status": "cancelled" }),
    };
    Ok(WireResponse::json(200, value))
}
