//! Converts events between calendar resources and the connectors' own types.

use domain::{
    BusyKind, TimeRange,
    ical::{self, Calendar, Classification, Component, EventDraft, Property, busy_kind},
    state::Answer,
};

use super::{href, read::EventResource};
use crate::{Attendee, AttendeeRole, Event, NamedAddress, NewEvent};

/// Property that contains the effect key.
pub(super) const EFFECT_KEY_PROPERTY: &str = "X-MUSTER-EFFECT";
/// Property that names a room whose calendar contains a copy of the event; one property per room, kept as long as the
/// event exists.
pub(super) const ROOM_PROPERTY: &str = "X-MUSTER-ROOM";

/// The UID of the event with this effect key.
pub(super) fn event_uid(effect_key: &str) -> String {
    format!("muster-{effect_key}")
}

/// The file name of the resource with this effect key.
pub(super) fn file_name(effect_key: &str) -> String {
    format!("muster-{effect_key}.ics")
}

/// Converts one occurrence to an event.
pub(super) fn to_event(
    stored: &EventResource,
    event: &ical::Event,
    range: TimeRange,
    occurrence: Option<domain::Timestamp>,
    addresses: &[String],
) -> Event {
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let path = href::resource_id(&stored.url);
    Event {
        id: occurrence.map_or(path.clone(), |at| format!("{path}#{}", ical::format_utc(at))),
        uid: event.uid.clone(),
        version: stored.etag.clone(),
        series: occurrence.map(|_| path.clone()),
        effect_key: event.extension_property(EFFECT_KEY_PROPERTY).map(str::to_owned),
        title: event.summary.clone(),
        range,
        all_day: event.start.is_date(),
        busy: busy_kind(event, &addresses),
        private: event.class == Classification::Private,
        organiser: event.organiser.as_ref().map(party),
        attendees: event.attendees.iter().map(attendee).collect(),
        online_meeting: None,
    }
}

fn party(party: &ical::CalendarUser) -> NamedAddress {
    NamedAddress { name: party.name.clone(), address: party.address.clone() }
}

fn attendee(attendee: &ical::Attendee) -> Attendee {
    let role = match (attendee.room, attendee.optional) {
        (true, _) => AttendeeRole::Room,
        (false, true) => AttendeeRole::Optional,
        (false, false) => AttendeeRole::Required,
    };
    Attendee { party: party(&attendee.party), role, answer: attendee.answer }
}

/// Builds the resource of a new event.
pub(super) fn build_event(event: &NewEvent, stamp: domain::Timestamp) -> Component {
    let (status, transparency) = match event.busy {
        Some(BusyKind::Busy) => ("CONFIRMED", "OPAQUE"),
        Some(BusyKind::Tentative) => ("TENTATIVE", "OPAQUE"),
        None => ("CONFIRMED", "TRANSPARENT"),
    };
    let mut properties = vec![
        Property::new("STATUS", status),
        Property::new("TRANSP", transparency),
        Property::text(EFFECT_KEY_PROPERTY, &event.effect_key),
    ];
    properties
        .push(with_name(Property::new("ORGANIZER", mailto(&event.organiser.address)), &event.organiser));
    properties.extend(attendee_properties(&event.attendees, &event.organiser.address));
    properties.extend(room_properties(event.attendees.iter()));
    EventDraft {
        uid: &event_uid(&event.effect_key),
        stamp,
        range: event.range,
        zone: &event.zone,
        summary: &event.title,
        description: &event.text,
        location: event.location.as_deref(),
        properties,
    }
    .into_component()
}

/// The ATTENDEE properties. Rooms are booked by writing copies, so they count as accepted, like the organiser.
pub(super) fn attendee_properties<'a>(
    attendees: &'a [Attendee],
    organiser: &'a str,
) -> impl Iterator<Item = Property> + 'a {
    attendees.iter().map(move |attendee| {
        let line = with_name(Property::new("ATTENDEE", mailto(&attendee.party.address)), &attendee.party);
        if attendee.role == AttendeeRole::Room {
            // The copy is ours to deliver, not the server's.
            return line
                .param("CUTYPE", "ROOM")
                .param("ROLE", "NON-PARTICIPANT")
                .param("PARTSTAT", "ACCEPTED")
                .param("SCHEDULE-AGENT", "CLIENT");
        }
        let role =
            if attendee.role == AttendeeRole::Optional { "OPT-PARTICIPANT" } else { "REQ-PARTICIPANT" };
        let line = line.param("CUTYPE", "INDIVIDUAL").param("ROLE", role);
        let own = attendee.party.address.eq_ignore_ascii_case(organiser);
        match attendee.answer {
            Answer::None if own => line.param("PARTSTAT", "ACCEPTED"),
            Answer::None => line.param("PARTSTAT", "NEEDS-ACTION").param("RSVP", "TRUE"),
            Answer::Accepted => line.param("PARTSTAT", "ACCEPTED"),
            Answer::Tentative => line.param("PARTSTAT", "TENTATIVE"),
            Answer::Declined => line.param("PARTSTAT", "DECLINED"),
        }
    })
}

/// The properties that name rooms with copies.
pub(super) fn room_properties<'a>(
    attendees: impl Iterator<Item = &'a Attendee>,
) -> impl Iterator<Item = Property> {
    attendees
        .filter(|attendee| attendee.role == AttendeeRole::Room)
        .map(|room| Property::text(ROOM_PROPERTY, &room.party.address))
}

fn with_name(line: Property, party: &NamedAddress) -> Property {
    if party.name.is_empty() { line } else { line.param("CN", &party.name) }
}

/// The email address of an ATTENDEE property, in lower case.
pub(super) fn attendee_address(line: &Property) -> String {
    let value = line.value.trim();
    let scheme = value.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    value[scheme.map_or(0, str::len)..].to_ascii_lowercase()
}

fn mailto(address: &str) -> String {
    format!("mailto:{address}")
}

/// Whether two resources have the same content, ignoring the order and form of their lines.
pub(super) fn has_same_content(one: &Calendar, other: &Calendar) -> bool {
    let face = |calendar: &Calendar| {
        calendar.main_event().map(|event| {
            let mut attendees: Vec<_> =
                event.attendees.iter().map(|all| (all.party.clone(), all.room)).collect();
            attendees.sort_by(|a, b| a.0.address.cmp(&b.0.address));
            let texts = (event.summary.clone(), event.description.clone(), event.location.clone());
            (
                event.uid.clone(),
                event.range(&domain::Zone::UTC),
                texts,
                attendees,
                event.status,
                event.transparent,
            )
        })
    };
    face(one) == face(other)
}
