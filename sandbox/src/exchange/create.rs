//! CreateItem: creates events, or acts on an event by creating an item that refers to it.

use std::collections::BTreeMap;

use domain::TimeRange;
use serde_json::json;

use super::{
    account::CallContext,
    failure::{Failure, RequestError},
    fields, items, remove, render,
    restriction::property_id,
    xml::{Element, TYPES, operation_response, success_message},
};
use crate::{
    microsoft::graph::{events::blank_event, meetings::MeetingChanges},
    model::{Attendee, AttendeeRole, Event, InvitationResponse, NamedAddress, ShowAs},
};

/// Handles CreateItem.
pub fn create_item(call: &mut CallContext<'_>, operation: &Element) -> Result<String, RequestError> {
    let mut messages = Vec::new();
    for item in operation.children_of("Items") {
        let made = match item.name.as_str() {
            "CalendarItem" => create(call, operation, item),
            "CancelCalendarItem" => remove::cancel_meeting(call, item),
            "AcceptItem" => remove::respond_to_meeting(call, item, InvitationResponse::Accepted),
            "TentativelyAcceptItem" => {
                remove::respond_to_meeting(call, item, InvitationResponse::TentativelyAccepted)
            }
            "DeclineItem" => remove::respond_to_meeting(call, item, InvitationResponse::Declined),
            other => {
                Err(Failure::new("ErrorInvalidRequest", format!("{other} is not kept by this server."))
                    .into())
            }
        };
        messages.push(match made {
            Ok(inside) => success_message("CreateItem", &format!("<m:Items>{inside}</m:Items>")),
            // The schema is checked before anything is done.
            Err(RequestError::Because(failure)) if failure.code == "ErrorSchemaValidation" => {
                return Err(failure.into());
            }
            Err(RequestError::Because(failure)) => failure.to_item_message("CreateItem"),
            Err(other) => return Err(other),
        });
    }
    Ok(operation_response("CreateItem", &messages))
}

fn create(call: &mut CallContext<'_>, operation: &Element, item: &Element) -> Result<String, RequestError> {
    if let Some(name) = fields::first_misplaced_element(item.children.iter().map(|child| child.name.as_str()))
    {
        return Err(Failure::schema_violation(name).into());
    }
    let told = operation.attribute("SendMeetingInvitations").ok_or_else(|| {
        Failure::new(
            "ErrorSendMeetingInvitationsRequired",
            "SendMeetingInvitations attribute is required for calendar items.",
        )
    })?;
    let owner = match super::folders::folder_element(operation, "SavedItemFolderId") {
        Some(folder) => call.calendar_of_folder(folder)?,
        None => call.own_calendar()?,
    };
    let event = new(call, item)?;
    call.note.key = event.effect_key();
    call.note.event_id = Some(event.id.clone());
    let handle = {
        // The version is what it is after it was put.
        let put = Event { change: event.change + 1, ..event.clone() };
        render::item_id("t:ItemId", &put)
    };
    let mut store = call.app.store();
    let state = store.state();
    let mut draft = MeetingChanges::new(call.app, state, call.organisation(state)?);
    if told == "SendToNone" {
        draft.put_event(&owner, event);
    } else {
        draft.create_event(&owner, event);
    }
    let changes = draft.changes;
    call.app.commit(&mut store, changes)?;
    call.note.outcome = Some("created");
    Ok(format!("<t:CalendarItem>{handle}</t:CalendarItem>"))
}

fn new(call: &CallContext<'_>, item: &Element) -> Result<Event, Failure> {
    let mailbox = call.mailbox.as_ref().ok_or_else(Failure::access_denied)?;
    let at = |name: &str| item.child_text(name).and_then(|text| call.zone.parse_time(text));
    // A new item without times begins now and lasts half an hour.
    let start = at("Start").unwrap_or_else(|| call.app.now());
    let end = at("End").unwrap_or(start + chrono::Duration::minutes(30));
    let range = TimeRange::new(start, end).ok_or_else(end_before_start_error)?;
    let mut event = blank_event(call.app, mailbox, range);
    event.zones = (call.zone.name.clone(), call.zone.name.clone());
    for child in &item.children {
        apply_property(call, &mut event, child)?;
    }
    Ok(event)
}

/// The error for an event that ends before it begins.
pub fn end_before_start_error() -> Failure {
    Failure::new("ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate.")
}

/// Sets one property of an event. The caller validates the start and end together.
pub fn apply_property(call: &CallContext<'_>, event: &mut Event, child: &Element) -> Result<(), Failure> {
    let text = child.text.trim();
    let time = || {
        let invalid = || Failure::schema_violation(&child.name);
        call.zone.parse_time(text).ok_or_else(invalid)
    };
    match child.name.as_str() {
        "Subject" => text.clone_into(&mut event.subject),
        "Sensitivity" => event.sensitivity = text.to_lowercase(),
        "Body" => {
            let kind = if child.attribute("BodyType") == Some("Text") { "text" } else { "html" };
            kind.clone_into(&mut event.body_type);
            event.body.clone_from(&child.text);
        }
        "ExtendedProperty" => {
            let (id, value) = extended(child)?;
            event.extended.insert(id, value);
        }
        "UID" => text.clone_into(&mut event.ical_uid),
        "Start" => event.range.start = time()?,
        "End" => event.range.end = time()?,
        "IsAllDayEvent" => event.all_day = text == "true",
        "LegacyFreeBusyStatus" => {
            event.show_as = show_as(text).ok_or_else(|| Failure::schema_violation(&child.name))?;
        }
        "Location" => event.location = Some(json!({ "displayName": text })),
        "RequiredAttendees" => replace(call, event, child, AttendeeRole::Required)?,
        "OptionalAttendees" => replace(call, event, child, AttendeeRole::Optional)?,
        "Resources" => replace(call, event, child, AttendeeRole::Resource)?,
        "StartTimeZone" | "MeetingTimeZone" => event.zones.0 = items::zone_name(child)?,
        "EndTimeZone" => event.zones.1 = items::zone_name(child)?,
        // Kept as they came and never told: nobody asks for them.
        name => drop(event.extra.insert(name.to_owned(), json!(text))),
    }
    Ok(())
}

fn extended(child: &Element) -> Result<(String, String), Failure> {
    let invalid = || Failure::new("ErrorInvalidExtendedProperty", "The extended property is not valid.");
    let id = child.child(TYPES, "ExtendedFieldURI").and_then(property_id).ok_or_else(invalid)?;
    Ok((id, child.child_text("Value").ok_or_else(invalid)?.to_owned()))
}

fn show_as(text: &str) -> Option<ShowAs> {
    Some(match text {
        "Free" => ShowAs::Free,
        "Tentative" => ShowAs::Tentative,
        "Busy" => ShowAs::Busy,
        "OOF" => ShowAs::Oof,
        "WorkingElsewhere" => ShowAs::WorkingElsewhere,
        "NoData" => ShowAs::Unknown,
        _ => return None,
    })
}

/// Replaces the attendees of one kind. Existing attendees keep their responses.
fn replace(
    call: &CallContext<'_>,
    event: &mut Event,
    list: &Element,
    part: AttendeeRole,
) -> Result<(), Failure> {
    if list.children.is_empty() {
        return Err(Failure::schema_violation(&list.name));
    }
    let store = call.app.store();
    let organisation = call.organisation(store.state())?;
    let known: BTreeMap<String, Attendee> =
        event.attendees.iter().map(|one| (one.party.address.to_lowercase(), one.clone())).collect();
    event.attendees.retain(|one| one.part != part);
    for one in &list.children {
        let mailbox = one.child(TYPES, "Mailbox").ok_or_else(|| Failure::schema_violation(&one.name))?;
        let address = mailbox
            .child_text("EmailAddress")
            .ok_or_else(|| Failure::new("ErrorInvalidRecipients", "At least one recipient isn't valid."))?;
        let found = organisation.find(address);
        let name = found.map(|found| found.name.as_str()).or(mailbox.child_text("Name")).unwrap_or(address);
        let party = NamedAddress { name: name.to_owned(), address: address.to_owned() };
        let before = known.get(&address.to_lowercase());
        event.attendees.push(Attendee {
            party,
            part,
            response: before.map_or(InvitationResponse::NotResponded, |before| before.response),
            responded_at: before.and_then(|before| before.responded_at),
        });
    }
    Ok(())
}
