//! DeleteItem, and operations that cancel or respond to a meeting.

use super::{
    account::CallContext,
    failure::{Failure, RequestError},
    update::find_event,
    xml::{Element, TYPES, operation_response, success_message},
};
use crate::{
    microsoft::graph::meetings::MeetingChanges,
    model::{Event, InvitationResponse},
    store::Change,
};

/// Handles DeleteItem: one message per id. An item moved to Deleted Items gets another id there, so both kinds of
/// removal look the same to a client that has the old id.
pub fn delete_item(call: &mut CallContext<'_>, operation: &Element) -> Result<String, RequestError> {
    let mut messages = Vec::new();
    for wanted in operation.children_of("ItemIds") {
        messages.push(match one(call, operation, wanted) {
            Ok(()) => success_message("DeleteItem", ""),
            Err(RequestError::Because(failure)) => failure.to_item_message("DeleteItem"),
            Err(other) => return Err(other),
        });
    }
    Ok(operation_response("DeleteItem", &messages))
}

fn one(call: &mut CallContext<'_>, operation: &Element, wanted: &Element) -> Result<(), RequestError> {
    let told = operation.attribute("SendMeetingCancellations").ok_or_else(|| {
        Failure::new(
            "ErrorSendMeetingCancellationsRequired",
            "SendMeetingCancellations attribute is required for calendar items.",
        )
    })?;
    let event = find_event(call, wanted)?;
    take_away(call, &event, event.is_organizer && told != "SendToNone")?;
    call.note.outcome = Some("deleted");
    Ok(())
}

/// Handles CancelCalendarItem.
pub fn cancel_meeting(call: &mut CallContext<'_>, item: &Element) -> Result<String, RequestError> {
    let event = referred(call, item)?;
    if !event.is_organizer {
        let message = "You must be the organizer to perform this action.";
        return Err(Failure::new("ErrorCalendarIsNotOrganizer", message).into());
    }
    take_away(call, &event, true)?;
    call.note.outcome = Some("cancelled");
    Ok(String::new())
}

/// Handles AcceptItem and the other responses.
pub fn respond_to_meeting(
    call: &mut CallContext<'_>,
    item: &Element,
    response: InvitationResponse,
) -> Result<String, RequestError> {
    let event = referred(call, item)?;
    if event.is_organizer {
        let message = "The organizer cannot respond to the own meeting.";
        return Err(Failure::new("ErrorCalendarIsOrganizerForAccept", message).into());
    }
    let owner = call.own_calendar()?;
    let mut store = call.app.store();
    let state = store.state();
    let mut draft = MeetingChanges::new(call.app, state, call.organisation(state)?);
    draft.respond_to_invitation(&owner, &event, response, true);
    let changes = draft.changes;
    call.app.commit(&mut store, changes)?;
    call.note.outcome = Some("responded");
    Ok(String::new())
}

fn referred(call: &mut CallContext<'_>, item: &Element) -> Result<Event, Failure> {
    let wanted = item.child(TYPES, "ReferenceItemId").ok_or_else(|| Failure::schema_violation(&item.name))?;
    find_event(call, wanted)
}

/// Removes an event from all calendars or from this one alone.
fn take_away(call: &CallContext<'_>, event: &Event, from_all: bool) -> Result<(), RequestError> {
    let owner = call.own_calendar()?;
    let mut store = call.app.store();
    let state = store.state();
    let mut draft = MeetingChanges::new(call.app, state, call.organisation(state)?);
    if from_all {
        draft.cancel_event(&owner, event);
    } else {
        draft.changes.push(Change::EventGone(owner, event.id.clone()));
    }
    let changes = draft.changes;
    call.app.commit(&mut store, changes)?;
    Ok(())
}
