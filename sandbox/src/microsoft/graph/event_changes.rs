//! Handles requests that change, cancel, delete or respond to an existing event.

use serde_json::Value;

use super::{
    CallContext, WRITE, events,
    failure::{Failure, RequestError},
    meetings::MeetingChanges,
    online_meetings, parse,
    zones::Zone,
};
use crate::{
    model::{Event, InvitationResponse},
    store::{CalendarKey, State},
    wire::WireResponse,
};

/// Handles `PATCH` of an event.
pub fn update_event(call: &mut CallContext<'_>, key: &str, id: &str) -> Result<WireResponse, RequestError> {
    let mut store = call.app.store();
    let state = store.state();
    let (owner, before) = find(call, state, key, id)?;
    let zone = Zone::from_preference(call.request)?;
    current(call, before)?;
    let mut after = before.clone();
    let body = events::parse_json_body(call)?;
    parse::apply_body(&mut after, &body)?;
    call.note.key = after.effect_key();
    let organisation = call.organisation(state)?;
    if let Some(mailbox) = organisation.mailboxes.get(&owner.1) {
        online_meetings::apply_meeting_request(
            &mut after,
            &body,
            mailbox,
            organisation.settings,
            call.app.now(),
        );
    }
    let mut draft = MeetingChanges::new(call.app, state, organisation);
    if before.is_organizer {
        draft.update_event(&owner, before, after);
    } else {
        // Changes of an attendee's copy stay in it; who is invited is the organiser's affair.
        draft.put_event(&owner, Event { attendees: before.attendees.clone(), ..after });
    }
    let changes = draft.changes;
    call.app.commit(&mut store, changes)?;
    call.note.outcome = Some("updated");
    let (event, mailbox) = events::find_event(store.state(), &owner, id)?;
    Ok(events::event_response(call, 200, event, mailbox, &zone))
}

/// Handles `DELETE` of an event: removes this copy, and cancels the meeting if it is the organiser's.
pub fn delete_event(call: &mut CallContext<'_>, key: &str, id: &str) -> Result<WireResponse, RequestError> {
    let mut store = call.app.store();
    let state = store.state();
    let (owner, event) = find(call, state, key, id)?;
    current(call, event)?;
    let mut draft = MeetingChanges::new(call.app, state, call.organisation(state)?);
    if event.is_organizer {
        draft.cancel_event(&owner, event);
    } else {
        draft.changes.push(crate::store::Change::EventGone(owner, event.id.clone()));
    }
    let changes = draft.changes;
    call.app.commit(&mut store, changes)?;
    call.note.outcome = Some("deleted");
    Ok(WireResponse::empty(204))
}

/// Handles `POST …/cancel`.
pub fn cancel_meeting(call: &mut CallContext<'_>, key: &str, id: &str) -> Result<WireResponse, RequestError> {
    let mut store = call.app.store();
    let state = store.state();
    let (owner, event) = find(call, state, key, id)?;
    if !event.is_organizer {
        let text = "Your request can't be completed. You need to be an organizer to cancel a meeting.";
        return Err(Failure::invalid_request(text).into());
    }
    let mut draft = MeetingChanges::new(call.app, state, call.organisation(state)?);
    draft.cancel_event(&owner, event);
    let changes = draft.changes;
    call.app.commit(&mut store, changes)?;
    call.note.outcome = Some("cancelled");
    Ok(WireResponse::empty(202))
}

/// Handles `POST …/accept`, `…/decline` and `…/tentativelyAccept`.
pub fn respond_to_meeting(
    call: &mut CallContext<'_>,
    key: &str,
    id: &str,
    response: InvitationResponse,
) -> Result<WireResponse, RequestError> {
    let mut store = call.app.store();
    let state = store.state();
    let (owner, copy) = find(call, state, key, id)?;
    if copy.is_organizer {
        let text = "Your request can't be completed. You can't respond to this meeting because you're the meeting organizer.";
        return Err(Failure::invalid_request(text).into());
    }
    let body: Value = if call.request.body.is_empty() { Value::Null } else { events::parse_json_body(call)? };
    let mut draft = MeetingChanges::new(call.app, state, call.organisation(state)?);
    draft.respond_to_invitation(&owner, copy, response, body["sendResponse"].as_bool().unwrap_or(true));
    let changes = draft.changes;
    call.app.commit(&mut store, changes)?;
    call.note.outcome = Some("responded");
    Ok(WireResponse::empty(202))
}

fn find<'s>(
    call: &mut CallContext<'_>,
    state: &'s State,
    key: &str,
    id: &str,
) -> Result<(CalendarKey, &'s Event), Failure> {
    let (owner, _) = call.mailbox(state, key, WRITE)?;
    call.note.event_id = Some(id.to_owned());
    let event = state.events.get(&owner).and_then(|events| events.get(id));
    let event = event.ok_or_else(Failure::item_not_found)?;
    call.note.key = event.effect_key();
    Ok((owner, event))
}

/// Returns an error if the caller has read a different version.
fn current(call: &CallContext<'_>, event: &Event) -> Result<(), Failure> {
    let seen = call.request.header("if-match").filter(|seen| *seen != "*");
    if seen.is_none_or(|seen| seen == event.etag()) {
        return Ok(());
    }
    Err(Failure::new(
        412,
        "ErrorIrresolvableConflict",
        "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item.",
    ))
}
