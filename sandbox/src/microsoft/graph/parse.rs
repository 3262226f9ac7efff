//! Parses the bodies of requests that create or change events, both as a set of fields to assign.

use std::collections::BTreeMap;

use domain::TimeRange;
use serde_json::Value;

use super::{failure::Failure, zones};
use crate::model::{Attendee, AttendeeRole, Event, InvitationResponse, NamedAddress, ShowAs};

const ATTENDEES_MOST: usize = 500;
const SENSITIVITIES: [&str; 4] = ["normal", "personal", "private", "confidential"];
/// Fields of an event that are stored as received.
const KEPT: [&str; 8] = [
    "importance",
    "categories",
    "reminderMinutesBeforeStart",
    "isReminderOn",
    "responseRequested",
    "allowNewTimeProposals",
    "hideAttendees",
    "recurrence",
];

/// Assigns the fields in `body` to `event`.
pub fn apply_body(event: &mut Event, body: &Value) -> Result<(), Failure> {
    let Value::Object(members) = body else {
        return Err(Failure::new(400, "RequestBodyRead", "The request body must be a JSON object."));
    };
    times(event, body)?;
    for (name, value) in members {
        match name.as_str() {
            "subject" => value.as_str().unwrap_or_default().clone_into(&mut event.subject),
            "body" => {
                value["content"].as_str().unwrap_or_default().clone_into(&mut event.body);
                event.body_type = value["contentType"].as_str().unwrap_or("text").to_lowercase();
            }
            "location" => event.location = value.is_object().then(|| value.clone()),
            "isAllDay" => event.all_day = value.as_bool().unwrap_or_default(),
            "attendees" => event.attendees = attendees(&event.attendees, value)?,
            "showAs" => event.show_as = show_as(value)?,
            "sensitivity" => event.sensitivity = sensitivity(value)?,
            "singleValueExtendedProperties" => event.extended.extend(extended(value)?),
            kept if KEPT.contains(&kept) => drop(event.extra.insert(name.clone(), value.clone())),
            _ => {}
        }
    }
    Ok(())
}

fn times(event: &mut Event, body: &Value) -> Result<(), Failure> {
    let mut range = (event.range.start, event.range.end);
    if let Some(start) = body.get("start") {
        let (at, zone) = zones::parse_date_time(start)?;
        range.0 = at;
        event.zones.0 = zone.name;
    }
    if let Some(end) = body.get("end") {
        let (at, zone) = zones::parse_date_time(end)?;
        range.1 = at;
        event.zones.1 = zone.name;
    }
    event.range = TimeRange::new(range.0, range.1)
        .ok_or_else(|| Failure::invalid_request("The event's end must be after its start."))?;
    Ok(())
}

/// The new list of attendees; existing attendees keep their responses.
fn attendees(before: &[Attendee], value: &Value) -> Result<Vec<Attendee>, Failure> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if list.len() > ATTENDEES_MOST {
        return Err(Failure::invalid_request("An event can have no more than 500 attendees."));
    }
    list.iter().map(|entry| attendee(before, entry)).collect()
}

fn attendee(before: &[Attendee], entry: &Value) -> Result<Attendee, Failure> {
    let address = entry["emailAddress"]["address"].as_str().filter(|address| address.contains('@'));
    let address =
        address.ok_or_else(|| Failure::invalid_request("An attendee must have an e-mail address."))?;
    let part = match entry["type"].as_str() {
        None | Some("required") => AttendeeRole::Required,
        Some("optional") => AttendeeRole::Optional,
        Some("resource") => AttendeeRole::Resource,
        Some(other) => {
            return Err(Failure::invalid_request(format!("'{other}' is not a valid attendee type.")));
        }
    };
    let known = before.iter().find(|known| known.party.address.eq_ignore_ascii_case(address));
    let name = entry["emailAddress"]["name"].as_str().unwrap_or(address);
    Ok(Attendee {
        party: NamedAddress { name: name.to_owned(), address: address.to_owned() },
        part,
        response: known.map_or(InvitationResponse::None, |known| known.response),
        responded_at: known.and_then(|known| known.responded_at),
    })
}

fn show_as(value: &Value) -> Result<ShowAs, Failure> {
    serde_json::from_value(value.clone())
        .map_err(|_| Failure::invalid_request("The value of showAs is not valid."))
}

fn sensitivity(value: &Value) -> Result<String, Failure> {
    let known = SENSITIVITIES.iter().find(|known| value == **known);
    known
        .map(|known| (*known).to_owned())
        .ok_or_else(|| Failure::invalid_request("The value of sensitivity is not valid."))
}

fn extended(value: &Value) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |entry: &Value| Some((entry["id"].as_str()?.to_owned(), entry["value"].as_str()?.to_owned()));
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|entry| {
            pair(entry)
                .ok_or_else(|| Failure::invalid_request("An extended property must have an id and a value."))
        })
        .collect()
}
