//! DeleteItem, and operations that cancel or respond to a meeting.

use super::{
    account::Call,
    failure::{Failure, Refused},
    update::find,
    xml::{Element, TYPES, response, success},
};
use crate::{
    microsoft::graph::meetings::Draft,
    model::{Event, Response},
    store::Change,
};

/// Handles DeleteItem: one message per id. An item moved to Deleted Items gets another id there, so both kinds of
/// removal look the same to a client that knows the old id.
pub fn route(call: &mut Call<'_>, operation: &Element) -> Result<String, Refused> {
    let mut messages = Vec::new();
    for wanted in operation.members("ItemIds") {
        messages.push(match one(call, operation, wanted) {
            Ok(()) => success("DeleteItem", ""),
            Err(Refused::Because(failure)) => failure.about_item("DeleteItem"),
            Err(other) => return Err(other),
        });
    }
    Ok(response("DeleteItem", &messages))
}

fn one(call: &mut Call<'_>, operation: &Element, wanted: &Element) -> Result<(), Refused> {
    let told = operation.attribute("SendMeetingCancellations").ok_or_else(|| {
        Failure::new(
            "ErrorSendMeetingCancellationsRequired",
            "SendMeetingCancellations attribute is required for calendar items.",
        )
    })?;
    let event = find(call, wanted)?;
    take_away(call, &event, event.is_organizer && told != "SendToNone")?;
    call.note.outcome = Some("deleted");
    Ok(())
}

/// Handles CancelCalendarItem.
pub fn cancel(call: &mut Call<'_>, item: &Element) -> Result<String, Refused> {
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
pub fn respond(call: &mut Call<'_>, item: &Element, response: Response) -> Result<String, Refused> {
    let event = referred(call, item)?;
    if event.is_organizer {
        let message = "The organizer cannot respond to the own meeting.";
        return Err(Failure::new("ErrorCalendarIsOrganizerForAccept", message).into());
    }
    let owner = call.owner()?;
    let mut store = call.app.store();
    let state = store.state();
    let mut draft = Draft::new(call.app, state, call.organisation(state)?);
    draft.respond(&owner, &event, response, true);
    let changes = draft.changes;
    call.app.commit(&mut store, changes)?;
    call.note.outcome = Some("responded");
    Ok(String::new())
}

fn referred(call: &mut Call<'_>, item: &Element) -> Result<Event, Failure> {
    let wanted = item.child(TYPES, "ReferenceItemId").ok_or_else(|| Failure::schema(&item.name))?;
    find(call, wanted)
}

/// Removes an event from all calendars or from this one alone.
fn take_away(call: &Call<'_>, event: &Event, from_all: bool) -> Result<(), Refused> {
    let owner = call.owner()?;
    let mut store = call.app.store();
    let state = store.state();
    let mut draft = Draft::new(call.app, state, call.organisation(state)?);
    if from_all {
        draft.cancel(&owner, event);
    } else {
        draft.changes.push(Change::EventGone(owner, event.id.clone()));
    }
    let changes = draft.changes;
    call.app.commit(&mut store, changes)?;
    Ok(())
}
