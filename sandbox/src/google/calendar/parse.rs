//! Parses the bodies of requests that create or change events, both as a set of fields to assign.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use domain::{TimeRange, Timestamp};
use serde_json::{Value, json};

use super::render::PRIVATE_PREFIX;
use crate::{
    google::failure::Failure,
    microsoft::graph::zones::Zone,
    model::{Attendee, AttendeeRole, Event, InvitationResponse, NamedAddress, Organisation, ShowAs},
};

const NAME_MOST: usize = 44;
const VALUE_MOST: usize = 1024;
/// Fields of an event that are stored as received.
const KEPT: [&str; 5] =
    ["colorId", "guestsCanModify", "guestsCanInviteOthers", "guestsCanSeeOtherGuests", "reminders"];

/// The time range in a request body, or that of the event `known` if the body contains none.
pub fn parse_range(body: &Value, zone: &Zone, known: Option<&Event>) -> Result<(TimeRange, bool), Failure> {
    let side = |name: &str, kept: Option<Timestamp>| match body.get(name) {
        Some(value) => instant(value, zone).map(|(at, day)| (at, Some(day))),
        None => {
            kept.map(|at| (at, None)).ok_or_else(|| Failure::missing_value(format!("Missing {name} time.")))
        }
    };
    let (start, day) = side("start", known.map(|event| event.range.start))?;
    let (end, _) = side("end", known.map(|event| event.range.end))?;
    let all_day = day.unwrap_or_else(|| known.is_some_and(|event| event.all_day));
    let empty = || Failure::new(400, "calendar", "timeRangeEmpty", "The specified time range is empty.");
    Ok((TimeRange::new(start, end).ok_or_else(empty)?, all_day))
}

fn instant(value: &Value, zone: &Zone) -> Result<(Timestamp, bool), Failure> {
    let bad = || Failure::invalid_request("Invalid start or end time.");
    if let Some(text) = value["date"].as_str() {
        let date: NaiveDate = text.parse().map_err(|_| bad())?;
        return Ok((zone.instant(date.and_time(NaiveTime::MIN)), true));
    }
    let text = value["dateTime"].as_str().ok_or_else(bad)?;
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok((at.with_timezone(&Utc), false));
    }
    let named = value["timeZone"]
        .as_str()
        .ok_or_else(|| Failure::missing_value("Missing time zone definition for start time."))?;
    let named = Zone::find(named)
        .map_err(|_| Failure::invalid_request("Invalid time zone definition for start time."))?;
    Ok((named.parse_time(text).ok_or_else(bad)?, false))
}

/// Assigns the fields in `body` to `event`.
pub fn apply_body(event: &mut Event, body: &Value, organisation: &Organisation) -> Result<(), Failure> {
    let Value::Object(members) = body else {
        return Err(Failure::new(400, "global", "parseError", "Parse Error"));
    };
    for (name, value) in members {
        let text = || value.as_str().unwrap_or_default().to_owned();
        match name.as_str() {
            "summary" => event.subject = text(),
            "description" => event.body = text(),
            "location" => {
                event.location = value.as_str().map(|place| json!({ "displayName": place }));
            }
            "start" => event.zones.0 = named(value, &event.zones.0),
            "end" => event.zones.1 = named(value, &event.zones.1),
            "attendees" => event.attendees = attendees(&event.attendees, value, organisation)?,
            "visibility" => {
                let private = matches!(value.as_str(), Some("private" | "confidential"));
                if private { "private" } else { "normal" }.clone_into(&mut event.sensitivity);
            }
            "extendedProperties" => event.extended.extend(extended(value)?),
            kept if KEPT.contains(&kept) => drop(event.extra.insert(name.clone(), value.clone())),
            _ => {}
        }
    }
    if body.get("transparency").is_some() || body.get("status").is_some() {
        event.show_as = match (body["transparency"].as_str(), body["status"].as_str(), event.show_as) {
            (Some("transparent"), _, _) | (None, _, ShowAs::Free) => ShowAs::Free,
            (_, Some("tentative"), _) | (_, None, ShowAs::Tentative) => ShowAs::Tentative,
            _ => ShowAs::Busy,
        };
    }
    Ok(())
}

fn named(value: &Value, known: &str) -> String {
    value["timeZone"].as_str().unwrap_or(known).to_owned()
}

/// The new list of attendees. Responses in the request are accepted, except for rooms, which respond by themselves.
fn attendees(
    before: &[Attendee],
    value: &Value,
    organisation: &Organisation,
) -> Result<Vec<Attendee>, Failure> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|entry| attendee(before, entry, organisation)).collect()
}

fn attendee(before: &[Attendee], entry: &Value, organisation: &Organisation) -> Result<Attendee, Failure> {
    let address = entry["email"].as_str().filter(|address| address.contains('@'));
    let address = address.ok_or_else(|| Failure::missing_value("Missing attendee email."))?;
    let mailbox = organisation.find(address);
    let room = mailbox.is_some_and(|mailbox| mailbox.room.is_some());
    let known = before.iter().find(|known| known.party.address.eq_ignore_ascii_case(address));
    let response = match entry["responseStatus"].as_str() {
        _ if room => known.map_or(InvitationResponse::None, |known| known.response),
        None | Some("needsAction") => InvitationResponse::None,
        Some("accepted") => InvitationResponse::Accepted,
        Some("tentative") => InvitationResponse::TentativelyAccepted,
        Some("declined") => InvitationResponse::Declined,
        Some(_) => return Err(Failure::invalid_request("Invalid response status.")),
    };
    let name = entry["displayName"].as_str().or(mailbox.map(|mailbox| mailbox.name.as_str()));
    Ok(Attendee {
        party: NamedAddress { name: name.unwrap_or(address).to_owned(), address: address.to_owned() },
        part: match (room || entry["resource"] == true, entry["optional"] == true) {
            (true, _) => AttendeeRole::Resource,
            (false, true) => AttendeeRole::Optional,
            (false, false) => AttendeeRole::Required,
        },
        response,
        responded_at: known.and_then(|known| known.responded_at),
    })
}

fn extended(value: &Value) -> Result<BTreeMap<String, String>, Failure> {
    let private = value["private"].as_object().cloned().unwrap_or_default();
    private
        .into_iter()
        .map(|(name, value)| {
            let value = value.as_str().unwrap_or_default().to_owned();
            if name.len() > NAME_MOST || value.len() > VALUE_MOST {
                return Err(Failure::invalid_request("Invalid extended property."));
            }
            Ok((format!("{PRIVATE_PREFIX}{name}"), value))
        })
        .collect()
}
