//! Renders events in Google's JSON format.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{SecondsFormat, SubsecRound as _};
use domain::Timestamp;
use serde_json::{Map, Value, json};

use super::conference;
use crate::{
    google::caller::CalendarRole,
    microsoft::{graph::zones::Zone, identity::keys::sha256},
    model::{Attendee, AttendeeRole, Event, InvitationResponse, Mailbox, NamedAddress, ShowAs},
};

/// The suffix of iCalendar UIDs of events created at Google.
const MADE_HERE: &str = "@google.com";
/// The prefix under which a private extended property is stored.
pub const PRIVATE_PREFIX: &str = "google.private.";

/// The id of an event, the same in all calendars that contain it.
pub fn event_id(event: &Event) -> String {
    match event.ical_uid.strip_suffix(MADE_HERE) {
        Some(id) => id.to_owned(),
        None => foreign(&event.ical_uid),
    }
}

/// The iCalendar UID of an event with this Google event id.
pub fn ical_uid(id: &str) -> String {
    format!("{id}{MADE_HERE}")
}

/// The Google event id of an event whose UID comes from another system.
fn foreign(uid: &str) -> String {
    let hash = sha256(uid.as_bytes());
    hash.iter()
        .take(26)
        .map(|byte| char::from(b"0123456789abcdefghijklmnopqrstuv"[usize::from(byte & 31)]))
        .collect()
}

/// The version of this copy, in quotation marks, as `If-Match` compares it.
pub fn event_etag(event: &Event) -> String {
    let text = format!("{}|{}|{}", event.ical_uid, event.change, event.modified_at.timestamp_micros());
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&sha256(text.as_bytes())[..12]))
}

/// The entry for a deleted event.
pub fn render_cancelled(event: &Event) -> Value {
    json!({ "kind": "calendar#event", "etag": event_etag(event), "id": event_id(event), "status": "cancelled" })
}

/// An event as a caller with this role sees it at `now`.
pub fn render_event(
    event: &Event,
    owner: &Mailbox,
    zone: &Zone,
    role: CalendarRole,
    now: Timestamp,
) -> Value {
    let mut value = json!({
        "kind": "calendar#event",
        "etag": event_etag(event),
        "id": event_id(event),
        "status": status(event),
        "iCalUID": event.ical_uid,
        "eventType": kind(event),
        "start": time(event, zone, event.range.start, 0),
        "end": time(event, zone, event.range.end, 1),
    });
    if event.show_as == ShowAs::Free || event.show_as == ShowAs::WorkingElsewhere {
        value["transparency"] = "transparent".into();
    }
    let private = event.sensitivity != "normal";
    if role < CalendarRole::Reader || role < CalendarRole::Owner && private {
        value["visibility"] = "private".into();
        return value;
    }
    if private {
        value["visibility"] = "private".into();
    }
    details(&mut value, event, owner);
    conference::add_conference(&mut value, event, now);
    value
}

fn details(value: &mut Value, event: &Event, owner: &Mailbox) {
    let stamp = |at: Timestamp| at.trunc_subsecs(3).to_rfc3339_opts(SecondsFormat::Millis, true);
    value["htmlLink"] = format!("https://www.google.com/calendar/event?eid={}", event_id(event)).into();
    value["created"] = stamp(event.created_at).into();
    value["updated"] = stamp(event.modified_at).into();
    value["sequence"] = event.change.into();
    value["summary"] = event.subject.clone().into();
    value["reminders"] = json!({ "useDefault": true });
    value["creator"] = person(&event.organizer, owner);
    value["organizer"] = person(&event.organizer, owner);
    if !event.body.is_empty() {
        value["description"] = event.body.clone().into();
    }
    if let Some(place) = event.location.as_ref().and_then(|place| place["displayName"].as_str()) {
        value["location"] = place.into();
    }
    if !event.attendees.is_empty() {
        let list = event.attendees.iter().map(|one| attendee(one, event, owner));
        value["attendees"] = list.collect();
    }
    let properties: Map<String, Value> = event
        .extended
        .iter()
        .filter_map(|(name, held)| Some((name.strip_prefix(PRIVATE_PREFIX)?.to_owned(), held.clone().into())))
        .collect();
    if !properties.is_empty() {
        value["extendedProperties"] = json!({ "private": properties });
    }
    for (name, kept) in &event.extra {
        value[name] = kept.clone();
    }
}

/// The event's status, which depends on the organiser alone.
fn status(event: &Event) -> &'static str {
    if event.is_organizer && event.show_as == ShowAs::Tentative { "tentative" } else { "confirmed" }
}

fn kind(event: &Event) -> &'static str {
    match event.show_as {
        ShowAs::Oof => "outOfOffice",
        ShowAs::WorkingElsewhere => "workingLocation",
        _ => "default",
    }
}

fn time(event: &Event, zone: &Zone, at: Timestamp, which: usize) -> Value {
    let local = zone.rules.at(at);
    if event.all_day {
        return json!({ "date": local.date_naive().to_string() });
    }
    let named = if which == 0 { &event.zones.0 } else { &event.zones.1 };
    let named = Zone::find(named).map_or_else(|_| "UTC".to_owned(), |zone| zone.rules.name().to_owned());
    json!({ "dateTime": local.to_rfc3339_opts(SecondsFormat::Secs, true), "timeZone": named })
}

fn person(party: &NamedAddress, owner: &Mailbox) -> Value {
    let mut value = json!({ "email": party.address, "displayName": party.name });
    if party.address.eq_ignore_ascii_case(&owner.address) {
        value["self"] = true.into();
    }
    value
}

fn attendee(attendee: &Attendee, event: &Event, owner: &Mailbox) -> Value {
    let mut value = person(&attendee.party, owner);
    // The owner's own answer stands in the owner's copy.
    let own = value["self"] == true && !event.is_organizer;
    let response = if own { event.response } else { attendee.response };
    value["responseStatus"] = match response {
        InvitationResponse::Accepted | InvitationResponse::Organizer => "accepted",
        InvitationResponse::TentativelyAccepted => "tentative",
        InvitationResponse::Declined => "declined",
        InvitationResponse::None | InvitationResponse::NotResponded => "needsAction",
    }
    .into();
    match attendee.part {
        AttendeeRole::Resource => value["resource"] = true.into(),
        AttendeeRole::Optional => value["optional"] = true.into(),
        AttendeeRole::Required => {}
    }
    if attendee.party.address.eq_ignore_ascii_case(&event.organizer.address) {
        value["organizer"] = true.into();
    }
    value
}
