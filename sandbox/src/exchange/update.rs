//! UpdateItem: changes existing events.

use domain::TimeRange;

use super::{
    account::CallContext,
    create,
    failure::{Failure, RequestError},
    render,
    xml::{Element, TYPES, operation_response},
};
use crate::{
    microsoft::graph::meetings::MeetingChanges,
    model::{AttendeeRole, Event},
};

/// Handles UpdateItem: one message per change.
pub fn update_item(call: &mut CallContext<'_>, operation: &Element) -> Result<String, RequestError> {
    let mut messages = Vec::new();
    for change in operation.children_of("ItemChanges") {
        messages.push(match one(call, operation, change) {
            Ok(item) => format!(
                r#"<m:UpdateItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:Items>{item}</m:Items><m:ConflictResults><t:Count>0</t:Count></m:ConflictResults></m:UpdateItemResponseMessage>"#
            ),
            Err(RequestError::Because(failure)) if failure.code == "ErrorSchemaValidation" => return Err(failure.into()),
            Err(RequestError::Because(failure)) => failure.to_item_message("UpdateItem"),
            Err(other) => return Err(other),
        });
    }
    Ok(operation_response("UpdateItem", &messages))
}

fn one(call: &mut CallContext<'_>, operation: &Element, change: &Element) -> Result<String, RequestError> {
    let told = operation.attribute("SendMeetingInvitationsOrCancellations").ok_or_else(|| {
        Failure::new(
            "ErrorSendMeetingInvitationsOrCancellationsRequired",
            "SendMeetingInvitationsOrCancellations attribute is required for calendar items.",
        )
    })?;
    let wanted = change.child(TYPES, "ItemId").ok_or_else(|| Failure::schema_violation("ItemChange"))?;
    let owner = call.own_calendar()?;
    let before = find_event(call, wanted)?;
    current(operation, wanted, &before)?;
    let mut after = before.clone();
    let updates = change.child(TYPES, "Updates").map(|all| all.children.as_slice()).unwrap_or_default();
    for update in updates {
        apply(call, &mut after, update)?;
    }
    after.range =
        TimeRange::new(after.range.start, after.range.end).ok_or_else(create::end_before_start_error)?;
    call.note.key = after.effect_key();
    let mut store = call.app.store();
    let state = store.state();
    let mut draft = MeetingChanges::new(call.app, state, call.organisation(state)?);
    if before.is_organizer && told != "SendToNone" {
        draft.update_event(&owner, &before, after);
    } else if before.is_organizer {
        draft.put_event(&owner, after);
    } else {
        // Changes of an attendee's copy stay in it.
        draft.put_event(&owner, Event { attendees: before.attendees.clone(), ..after });
    }
    let changes = draft.changes;
    call.app.commit(&mut store, changes)?;
    call.note.outcome = Some("updated");
    let event = store.state().events.get(&owner).and_then(|events| events.get(&before.id));
    let handle = render::item_id("t:ItemId", event.ok_or_else(Failure::item_not_found)?);
    Ok(format!("<t:CalendarItem>{handle}</t:CalendarItem>"))
}

/// Finds the event with the id in the request.
pub fn find_event(call: &mut CallContext<'_>, wanted: &Element) -> Result<Event, Failure> {
    let owner = call.own_calendar()?;
    let id = wanted.attribute("Id").unwrap_or_default();
    call.note.event_id = Some(id.to_owned());
    let store = call.app.store();
    let event = store.state().events.get(&owner).and_then(|events| events.get(id));
    let event = event.cloned().ok_or_else(Failure::item_not_found)?;
    call.note.key = event.effect_key();
    Ok(event)
}

/// Returns a conflict error if the caller has read a different version and does not request overwriting.
fn current(operation: &Element, wanted: &Element, event: &Event) -> Result<(), Failure> {
    let resolution = operation.attribute("ConflictResolution").unwrap_or("AutoResolve");
    match wanted.attribute("ChangeKey").filter(|key| !key.is_empty()) {
        _ if resolution == "AlwaysOverwrite" => Ok(()),
        None => Err(Failure::new(
            "ErrorChangeKeyRequiredForWriteOperations",
            "A change key is required for write operations.",
        )),
        Some(key) if key == event.change_key() || resolution == "AutoResolve" => Ok(()),
        Some(_) => Err(Failure::new(
            "ErrorIrresolvableConflict",
            "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item.",
        )),
    }
}

fn apply(call: &CallContext<'_>, event: &mut Event, update: &Element) -> Result<(), Failure> {
    let field = update.children.iter().find(|child| child.name.ends_with("FieldURI"));
    let field = field.ok_or_else(|| Failure::schema_violation(&update.name))?;
    match update.name.as_str() {
        "SetItemField" => {
            let item =
                update.child(TYPES, "CalendarItem").ok_or_else(|| Failure::schema_violation(&update.name))?;
            let [property] = item.children.as_slice() else {
                let message =
                    "An object within a change description must contain one and only one property to modify.";
                return Err(Failure::new("ErrorIncorrectUpdatePropertyCount", message));
            };
            let named = field.attribute("FieldURI").and_then(|uri| uri.split_once(':')).map(|(_, name)| name);
            if named.is_some_and(|named| named != property.name) {
                let message = "Update failed due to invalid property values.";
                return Err(Failure::new("ErrorUpdatePropertyMismatch", message));
            }
            create::apply_property(call, event, property)
        }
        "DeleteItemField" => {
            match field.attribute("FieldURI").unwrap_or_default() {
                "calendar:RequiredAttendees" => {
                    event.attendees.retain(|one| one.part != AttendeeRole::Required);
                }
                "calendar:OptionalAttendees" => {
                    event.attendees.retain(|one| one.part != AttendeeRole::Optional);
                }
                "calendar:Resources" => event.attendees.retain(|one| one.part != AttendeeRole::Resource),
                "calendar:Location" => event.location = None,
                "item:Body" => event.body.clear(),
                "item:Subject" => event.subject.clear(),
                uri => {
                    let name = uri.split_once(':').map_or(uri, |(_, name)| name);
                    event.extra.remove(name);
                }
            }
            Ok(())
        }
        other => Err(Failure::schema_violation(other)),
    }
}
