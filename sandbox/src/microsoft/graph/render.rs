//! Renders events in Graph's JSON format.

use serde_json::{Map, Value, json};

use super::{CallContext, odata, online_meetings, zones, zones::Zone};
use crate::{
    model::{Attendee, Event, InvitationResponse, Mailbox, NamedAddress},
    wire::Request,
};
use domain::Timestamp;

/// Renders an event with the requested fields and extended properties. If the mailbox hides its details, only times
/// are shown, as for a private appointment.
pub fn render_event(call: &CallContext<'_>, mailbox: &Mailbox, event: &Event, zone: &Zone) -> Value {
    let request = call.request;
    let hidden = mailbox.hides_details.then(|| hidden(event));
    let event = hidden.as_ref().unwrap_or(event);
    let mut value = all(request, event, zone);
    online_meetings::add_meeting(&mut value, event, call.app.now());
    if let Some(properties) = request.query("$expand").map(|expand| expanded(event, expand)) {
        value = odata::apply_select(request, value);
        if !properties.is_empty() {
            value["singleValueExtendedProperties"] = properties.into();
        }
        return value;
    }
    odata::apply_select(request, value)
}

fn hidden(event: &Event) -> Event {
    Event {
        subject: "Private Appointment".to_owned(),
        body: String::new(),
        location: None,
        organizer: NamedAddress { name: String::new(), address: String::new() },
        attendees: Vec::new(),
        sensitivity: "private".to_owned(),
        extended: std::collections::BTreeMap::new(),
        transaction_id: None,
        meeting: None,
        extra: std::collections::BTreeMap::new(),
        ..event.clone()
    }
}

fn all(request: &Request, event: &Event, zone: &Zone) -> Value {
    let mut value = json!({
        "@odata.etag": event.etag(),
        "id": event.id,
        "createdDateTime": zones::format_utc(event.created_at),
        "lastModifiedDateTime": zones::format_utc(event.modified_at),
        "changeKey": event.change_key(),
        "categories": [],
        "originalStartTimeZone": event.zones.0,
        "originalEndTimeZone": event.zones.1,
        "iCalUId": event.ical_uid,
        "reminderMinutesBeforeStart": 15,
        "isReminderOn": true,
        "hasAttachments": false,
        "subject": event.subject,
        "bodyPreview": preview(&plain(&event.body)),
        "importance": "normal",
        "sensitivity": event.sensitivity,
        "isAllDay": event.all_day,
        "isCancelled": false,
        "isOrganizer": event.is_organizer,
        "responseRequested": true,
        "seriesMasterId": null,
        "showAs": event.show_as,
        "type": "singleInstance",
        "webLink": "https://outlook.office365.com/owa/?itemid=sandbox",
        "onlineMeetingUrl": null,
        "onlineMeeting": null,
        "isOnlineMeeting": false,
        "onlineMeetingProvider": "unknown",
        "allowNewTimeProposals": true,
        "isDraft": false,
        "hideAttendees": false,
        "recurrence": null,
        "responseStatus": status(event.response, event.responded_at),
        "body": body(request, event),
        "start": zone.to_json(event.range.start),
        "end": zone.to_json(event.range.end),
        "location": location(event),
        "locations": event.location.iter().cloned().collect::<Vec<_>>(),
        "attendees": event.attendees.iter().map(attendee).collect::<Vec<_>>(),
        "organizer": { "emailAddress": party(&event.organizer) },
    });
    if let Some(key) = &event.transaction_id {
        value["transactionId"] = key.clone().into();
    }
    for (name, kept) in &event.extra {
        value[name] = kept.clone();
    }
    value
}

fn body(request: &Request, event: &Event) -> Value {
    let text = request.prefer_headers().iter().any(|part| part == "outlook.body-content-type=\"text\"");
    if text {
        return json!({ "contentType": "text", "content": plain(&event.body) });
    }
    json!({ "contentType": event.body_type, "content": event.body })
}

fn plain(body: &str) -> String {
    let mut text = String::new();
    let mut tag = false;
    for character in body.chars() {
        match character {
            '<' => tag = true,
            '>' if tag => tag = false,
            _ if tag => {}
            other => text.push(other),
        }
    }
    text
}

fn preview(body: &str) -> String {
    body.chars().take(255).collect()
}

fn location(event: &Event) -> Value {
    event.location.clone().unwrap_or_else(|| {
        json!({
            "displayName": "", "locationType": "default", "uniqueIdType": "unknown",
            "address": {}, "coordinates": {},
        })
    })
}

fn attendee(attendee: &Attendee) -> Value {
    json!({
        "type": attendee.part,
        "status": status(attendee.response, attendee.responded_at),
        "emailAddress": party(&attendee.party),
    })
}

fn party(party: &NamedAddress) -> Value {
    json!({ "name": party.name, "address": party.address })
}

fn status(response: InvitationResponse, at: Option<Timestamp>) -> Value {
    let time = at.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), zones::format_utc);
    json!({ "response": response, "time": time })
}

/// The extended properties that `$expand` names; all if it names none.
fn expanded(event: &Event, expand: &str) -> Vec<Value> {
    if !expand.to_lowercase().contains("singlevalueextendedproperties") {
        return Vec::new();
    }
    let wanted = odata::string_literals(expand);
    event
        .extended
        .iter()
        .filter(|(id, _)| wanted.is_empty() || wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(id)))
        .map(|(id, value)| {
            Map::from_iter([("id".to_owned(), id.clone().into()), ("value".to_owned(), value.clone().into())])
                .into()
        })
        .collect()
}
