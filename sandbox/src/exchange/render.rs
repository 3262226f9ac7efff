//! Renders calendar items as XML, with the requested properties, in the order of the schema.

use chrono::SecondsFormat;
use domain::Timestamp;

use super::{
    availability::status_name,
    fields::SCHEMA_ORDER,
    folders,
    names::address_content,
    restriction::property_id,
    xml::{Element, MESSAGES, TYPES, escape_attribute, text_element},
};
use crate::{
    model::{Attendee, AttendeeRole, Event, InvitationResponse},
    store::CalendarKey,
};

/// The properties to render.
#[derive(Debug)]
pub struct ItemShape<'e> {
    names: Vec<&'e str>,
    extended: Vec<&'e Element>,
    /// Whether the item is rendered in a list, which contains neither bodies nor attendees.
    listed: bool,
}

/// Properties of the base shape "Default" of a calendar item.
const DEFAULT: &[&str] =
    &["Subject", "Start", "End", "LegacyFreeBusyStatus", "Location", "HasAttachments", "CalendarItemType"];

impl<'e> ItemShape<'e> {
    /// The shape that an operation requests.
    pub fn from_operation(operation: &'e Element, listed: bool) -> Self {
        let shape = operation.child(MESSAGES, "ItemShape");
        let base = shape.and_then(|shape| shape.child_text("BaseShape")).unwrap_or("IdOnly");
        let mut names = match base {
            "AllProperties" => SCHEMA_ORDER.to_vec(),
            "Default" => DEFAULT.to_vec(),
            _ => Vec::new(),
        };
        let more = shape.and_then(|shape| shape.child(TYPES, "AdditionalProperties"));
        let more = more.map(|more| more.children.as_slice()).unwrap_or_default();
        let uris = more
            .iter()
            .filter(|field| field.name == "FieldURI")
            .filter_map(|field| field.attribute("FieldURI"));
        names.extend(uris.filter_map(|uri| uri.split_once(':').map(|(_, name)| name)));
        let extended = more.iter().filter(|field| field.name == "ExtendedFieldURI").collect();
        Self { names, extended, listed }
    }

    /// Renders an event as an item.
    pub fn render_item(&self, owner: &CalendarKey, event: &Event) -> String {
        let inside: String = SCHEMA_ORDER
            .iter()
            .map(|name| match *name {
                "ItemId" => item_id("t:ItemId", event),
                "ExtendedProperty" => {
                    self.extended.iter().filter_map(|field| extended(field, event)).collect()
                }
                _ if !self.names.contains(name) => String::new(),
                _ if self.listed
                    && matches!(*name, "Body" | "RequiredAttendees" | "OptionalAttendees" | "Resources") =>
                {
                    String::new()
                }
                name => self.one(name, owner, event),
            })
            .collect();
        format!("<t:CalendarItem>{inside}</t:CalendarItem>")
    }

    fn one(&self, name: &str, owner: &CalendarKey, event: &Event) -> String {
        let text = |value: &str| text_element(&format!("t:{name}"), value);
        let is = |value: bool| text(if value { "true" } else { "false" });
        let list = |part: AttendeeRole| attendees(name, event, part);
        match name {
            "ParentFolderId" => {
                format!(
                    r#"<t:ParentFolderId Id="{}" ChangeKey="AgAAAA=="/>"#,
                    escape_attribute(&folders::folder_id(owner, "calendar"))
                )
            }
            "ItemClass" => text("IPM.Appointment"),
            "Subject" => text(&event.subject),
            "Sensitivity" => text(&capital(&event.sensitivity)),
            "Body" => {
                let kind = if event.body_type == "text" { "Text" } else { "HTML" };
                format!(r#"<t:Body BodyType="{kind}">{}</t:Body>"#, escape_attribute(&event.body))
            }
            "DateTimeCreated" | "DateTimeReceived" | "DateTimeSent" => {
                text(&format_instant(event.created_at))
            }
            "LastModifiedTime" | "DateTimeStamp" => text(&format_instant(event.modified_at)),
            "HasAttachments" | "IsRecurring" | "IsCancelled" | "IsAssociated" => is(false),
            "UID" => text(&event.ical_uid),
            "Start" => text(&format_instant(event.range.start)),
            "End" => text(&format_instant(event.range.end)),
            "IsAllDayEvent" => is(event.all_day),
            "LegacyFreeBusyStatus" => text(status_name(event.show_as)),
            "Location" => {
                let place = event.location.as_ref().and_then(|place| place["displayName"].as_str());
                place.map(text).unwrap_or_default()
            }
            "IsMeeting" => is(!event.attendees.is_empty() || !event.is_organizer),
            "CalendarItemType" => text("Single"),
            "MyResponseType" => text(answer(event.response)),
            "Organizer" => {
                let (name, address) = (&event.organizer.name, &event.organizer.address);
                let inside = match self.listed {
                    true => text_element("t:Name", name),
                    false => address_content(name, address, "Mailbox"),
                };
                format!("<t:Organizer><t:Mailbox>{inside}</t:Mailbox></t:Organizer>")
            }
            "RequiredAttendees" => list(AttendeeRole::Required),
            "OptionalAttendees" => list(AttendeeRole::Optional),
            "Resources" => list(AttendeeRole::Resource),
            "StartTimeZone" => zone(name, &event.zones.0),
            "EndTimeZone" => zone(name, &event.zones.1),
            _ => String::new(),
        }
    }
}

/// The element with the id and version of an event.
pub fn item_id(name: &str, event: &Event) -> String {
    format!(
        r#"<{name} Id="{}" ChangeKey="{}"/>"#,
        escape_attribute(&event.id),
        escape_attribute(&event.change_key())
    )
}

/// Formats an instant with the suffix `Z`.
pub fn format_instant(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn zone(name: &str, zone: &str) -> String {
    // An event of another system may have an IANA name, which Exchange cannot tell.
    let known =
        zone.parse::<windows_timezones::WindowsTimezone>().ok().map(windows_timezones::WindowsTimezone::name);
    known
        .map(|known| format!(r#"<t:{name} Id="{0}" Name="{0}"/>"#, escape_attribute(known)))
        .unwrap_or_default()
}

fn extended(field: &Element, event: &Event) -> Option<String> {
    let id = property_id(field)?;
    let (_, held) = event.extended.iter().find(|(known, _)| known.eq_ignore_ascii_case(&id))?;
    let attributes: String = field
        .attributes
        .iter()
        .map(|(name, value)| format!(r#" {name}="{}""#, escape_attribute(value)))
        .collect::<Vec<_>>()
        .concat();
    Some(format!(
        "<t:ExtendedProperty><t:ExtendedFieldURI{attributes}/>{}</t:ExtendedProperty>",
        text_element("t:Value", held)
    ))
}

fn attendees(name: &str, event: &Event, part: AttendeeRole) -> String {
    let those: String = event.attendees.iter().filter(|one| one.part == part).map(attendee).collect();
    if those.is_empty() { those } else { format!("<t:{name}>{those}</t:{name}>") }
}

fn attendee(one: &Attendee) -> String {
    let at = one
        .responded_at
        .map(|at| text_element("t:LastResponseTime", &format_instant(at)))
        .unwrap_or_default();
    format!(
        "<t:Attendee><t:Mailbox>{}</t:Mailbox>{}{at}</t:Attendee>",
        address_content(&one.party.name, &one.party.address, "Mailbox"),
        text_element("t:ResponseType", answer(one.response))
    )
}

fn answer(response: InvitationResponse) -> &'static str {
    match response {
        InvitationResponse::None => "Unknown",
        InvitationResponse::Organizer => "Organizer",
        InvitationResponse::TentativelyAccepted => "Tentative",
        InvitationResponse::Accepted => "Accept",
        InvitationResponse::Declined => "Decline",
        InvitationResponse::NotResponded => "NoResponseReceived",
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
