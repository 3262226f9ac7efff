//! CreateItem: creates events, or acts on an event by creating an item that refers to it.

use std::collections::BTreeMap;

use domain::TimeRange;
use serde_json::json;

use super::{
    account::Call,
    failure::{Failure, Refused},
    fields, items, remove, render,
    restriction::property,
    xml::{Element, TYPES, response, success},
};
use crate::{
    microsoft::graph::{events::blank, meetings::Draft},
    model::{Attendee, Event, Part, Party, Response, ShowAs},
};

/// Handles CreateItem.
pub fn route(call: &mut Call<'_>, operation: &Element) -> Result<String, Refused> {
    let mut messages = Vec::new();
    for item in operation.members("Items") {
        let made = match item.name.as_str() {
            "CalendarItem" => create(call, operation, item),
            "CancelCalendarItem" => remove::cancel(call, item),
            "AcceptItem" => remove::respond(call, item, Response::Accepted),
            "TentativelyAcceptItem" => remove::respond(call, item, Response::TentativelyAccepted),
            "DeclineItem" => remove::respond(call, item, Response::Declined),
            other => {
                Err(Failure::new("ErrorInvalidRequest", format!("{other} is not kept by this server."))
                    .into())
            }
        };
        messages.push(match made {
            Ok(inside) => success("CreateItem", &format!("<m:Items>{inside}</m:Items>")),
            // The schema is checked before anything is done.
            Err(Refused::Because(failure)) if failure.code == "ErrorSchemaValidation" => {
                return Err(failure.into());
            }
            Err(Refused::Because(failure)) => failure.about_item("CreateItem"),
            Err(other) => return Err(other),
        });
    }
    Ok(response("CreateItem", &messages))
}

fn create(call: &mut Call<'_>, operation: &Element, item: &Element) -> Result<String, Refused> {
    if let Some(name) = fields::first_misplaced(item.children.iter().map(|child| child.name.as_str())) {
        return Err(Failure::schema(name).into());
    }
    let told = operation.attribute("SendMeetingInvitations").ok_or_else(|| {
        Failure::new(
            "ErrorSendMeetingInvitationsRequired",
            "SendMeetingInvitations attribute is required for calendar items.",
        )
    })?;
    let owner = match super::folders::named(operation, "SavedItemFolderId") {
        Some(folder) => call.calendar(folder)?,
        None => call.owner()?,
    };
    let event = new(call, item)?;
    call.note.key = event.effect_key();
    call.note.event_id = Some(event.id.clone());
    let handle = {
        // The version is what it is after it was put.
        let put = Event { change: event.change + 1, ..event.clone() };
        render::id("t:ItemId", &put)
    };
    let mut store = call.app.store();
    let state = store.state();
    let mut draft = Draft::new(call.app, state, call.organisation(state)?);
    if told == "SendToNone" {
        draft.put(&owner, event);
    } else {
        draft.create(&owner, event);
    }
    let changes = draft.changes;
    call.app.commit(&mut store, changes)?;
    call.note.outcome = Some("created");
    Ok(format!("<t:CalendarItem>{handle}</t:CalendarItem>"))
}

fn new(call: &Call<'_>, item: &Element) -> Result<Event, Failure> {
    let mailbox = call.mailbox.as_ref().ok_or_else(Failure::denied)?;
    let at = |name: &str| item.typed(name).and_then(|text| call.zone.read(text));
    // A new item without times begins now and lasts half an hour.
    let start = at("Start").unwrap_or_else(|| call.app.now());
    let end = at("End").unwrap_or(start + chrono::Duration::minutes(30));
    let range = TimeRange::new(start, end).ok_or_else(earlier)?;
    let mut event = blank(call.app, mailbox, range);
    event.zones = (call.zone.name.clone(), call.zone.name.clone());
    for child in &item.children {
        apply(call, &mut event, child)?;
    }
    Ok(event)
}

/// The error for an event that ends before it begins.
pub fn earlier() -> Failure {
    Failure::new("ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate.")
}

/// Applies one property to an event. The caller checks start and end, because they depend on each other.
pub fn apply(call: &Call<'_>, event: &mut Event, child: &Element) -> Result<(), Failure> {
    let text = child.text.trim();
    let time = || {
        let invalid = || Failure::schema(&child.name);
        call.zone.read(text).ok_or_else(invalid)
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
            event.show_as = show_as(text).ok_or_else(|| Failure::schema(&child.name))?;
        }
        "Location" => event.location = Some(json!({ "displayName": text })),
        "RequiredAttendees" => replace(call, event, child, Part::Required)?,
        "OptionalAttendees" => replace(call, event, child, Part::Optional)?,
        "Resources" => replace(call, event, child, Part::Resource)?,
        "StartTimeZone" | "MeetingTimeZone" => event.zones.0 = items::zone_name(child)?,
        "EndTimeZone" => event.zones.1 = items::zone_name(child)?,
        // Kept as they came and never told: nobody asks for them.
        name => drop(event.extra.insert(name.to_owned(), json!(text))),
    }
    Ok(())
}

fn extended(child: &Element) -> Result<(String, String), Failure> {
    let invalid = || Failure::new("ErrorInvalidExtendedProperty", "The extended property is not valid.");
    let id = child.child(TYPES, "ExtendedFieldURI").and_then(property).ok_or_else(invalid)?;
    Ok((id, child.typed("Value").ok_or_else(invalid)?.to_owned()))
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
fn replace(call: &Call<'_>, event: &mut Event, list: &Element, part: Part) -> Result<(), Failure> {
    if list.children.is_empty() {
        return Err(Failure::schema(&list.name));
    }
    let store = call.app.store();
    let organisation = call.organisation(store.state())?;
    let known: BTreeMap<String, Attendee> =
        event.attendees.iter().map(|one| (one.party.address.to_lowercase(), one.clone())).collect();
    event.attendees.retain(|one| one.part != part);
    for one in &list.children {
        let mailbox = one.child(TYPES, "Mailbox").ok_or_else(|| Failure::schema(&one.name))?;
        let address = mailbox
            .typed("EmailAddress")
            .ok_or_else(|| Failure::new("ErrorInvalidRecipients", "At least one recipient isn't valid."))?;
        let found = organisation.find(address);
        let name = found.map(|found| found.name.as_str()).or(mailbox.typed("Name")).unwrap_or(address);
        let party = Party { name: name.to_owned(), address: address.to_owned() };
        let before = known.get(&address.to_lowercase());
        event.attendees.push(Attendee {
            party,
            part,
            response: before.map_or(Response::NotResponded, |before| before.response),
            responded_at: before.and_then(|before| before.responded_at),
        });
    }
    Ok(())
}
