//! Builds the calendar event of a booking.

use domain::{BusyKind, WrittenVia, state::Answer};
use entity::{booking, booking_participant};
use providers::{Attendee, AttendeeRole, NamedAddress, NewEvent};

use super::{BookingDetails, time_of};
use crate::change::WriteTarget;

/// First line of the description of an event that was written through a service account (S4.7).
const SERVICE_MARK: &str = "This booking has been made via a service account";

/// The idempotency key by which the event of a booking is found at the provider.
pub fn effect_key(booking: &booking::Model) -> String {
    format!("{}-{}", booking.id.uuid().simple(), booking.generation)
}

/// Builds the event to be written for a booking. Calendar systems require the owner of the calendar as organiser; if
/// that is the service mailbox, the description names the real organiser, who is invited (S4.7 to S4.9).
pub fn build_event(details: &BookingDetails, via: &WriteTarget) -> NewEvent {
    let BookingDetails { booking, participants } = details;
    let organiser = participants.iter().find(|one| one.user_id == Some(booking.organiser_id));
    let organiser_name = organiser.map_or("", |one| one.name.as_str());
    let by_service = via.written_via == WrittenVia::ServiceAccount;
    let name = if by_service { via.mailbox.as_str() } else { organiser_name };
    let is_owner = |one: &booking_participant::Model| {
        let is_organiser = one.user_id == Some(booking.organiser_id);
        (is_organiser && !by_service) || one.address.eq_ignore_ascii_case(&via.mailbox)
    };
    let attendees = participants.iter().filter(|one| !is_owner(one) && !one.address.is_empty()).map(attendee);
    let rooms: Vec<&str> =
        participants.iter().filter(|one| one.room_id.is_some()).map(|one| one.name.as_str()).collect();
    NewEvent {
        effect_key: effect_key(booking),
        title: booking.title.clone(),
        text: if by_service {
            marked(&booking.description, organiser_name)
        } else {
            booking.description.clone()
        },
        range: time_of(booking),
        zone: booking.time_zone.clone(),
        location: (!rooms.is_empty()).then(|| rooms.join(", ")),
        organiser: NamedAddress { name: name.to_owned(), address: via.mailbox.clone() },
        attendees: attendees.collect(),
        busy: Some(BusyKind::Busy),
        online_meeting: booking.online_meeting.is_some(),
    }
}

fn marked(description: &str, organiser: &str) -> String {
    let mark = format!("{SERVICE_MARK}\nOrganised by {organiser}");
    if description.is_empty() { mark } else { format!("{mark}\n\n{description}") }
}

fn attendee(one: &booking_participant::Model) -> Attendee {
    let role = if one.room_id.is_some() { AttendeeRole::Room } else { AttendeeRole::Required };
    Attendee {
        party: NamedAddress { name: one.name.clone(), address: one.address.clone() },
        role,
        answer: Answer::None,
    }
}
