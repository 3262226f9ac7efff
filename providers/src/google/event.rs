//! Converts events between Google's format and the connectors' own types.

use chrono::{DateTime, NaiveTime, Utc};
use domain::{BusyKind, TimeRange, Timestamp, UnreadableReason, Zone, state::Answer};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{online, wire};
use crate::{
    Attendee, AttendeeRole, Error, ErrorKind, Event, EventChange, NamedAddress, NewEvent, Remedy, Result,
    Session, messages,
    moment::{self, ParsedItem, ParsedTime, Span, span},
};

/// The private extended property that contains the effect key. Never changes, because events in customers'
/// calendars are found by it.
pub const EFFECT_KEY_PROPERTY: &str = "musterEffectKey";

/// The alphabet of base32hex (RFC 4648, section 7) in lower case: the only characters that Google allows in an
/// event id.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// The id of the event with an effect key. The same key always produces the same id, so that a repeated write is
/// recognised.
pub(super) fn event_id(effect_key: &str) -> Result<String> {
    let fits = (1..=64).contains(&effect_key.len())
        && effect_key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !fits {
        let message = messages::key_of_change_malformed();
        return Err(Error::new(ErrorKind::Invalid, Remedy::Never, "EFFECT_KEY", message));
    }
    let hash = Sha256::digest(format!("muster event {effect_key}").as_bytes());
    let (mut id, mut bits, mut held) = (String::new(), 0_u32, 0_u32);
    for byte in hash {
        bits = bits << 8 | u32::from(byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            id.push(char::from(ALPHABET[(bits >> held & 31) as usize]));
        }
        bits &= (1 << held) - 1;
    }
    Ok(id)
}

/// The request body for a new event.
pub(super) fn new_event_body(new: &NewEvent) -> Result<Value> {
    let mut body = json!({
        "id": event_id(&new.effect_key)?,
        "summary": new.title,
        "description": new.text,
        "start": time(new.range.start, &new.zone),
        "end": time(new.range.end, &new.zone),
        "attendees": new.attendees.iter().map(|attendee| written(attendee, None)).collect::<Value>(),
        "transparency": if new.busy.is_some() { "opaque" } else { "transparent" },
        "status": if new.busy == Some(BusyKind::Tentative) { "tentative" } else { "confirmed" },
        "guestsCanModify": false,
        "guestsCanInviteOthers": false,
        "reminders": { "useDefault": true },
        "extendedProperties": { "private": { EFFECT_KEY_PROPERTY: new.effect_key } },
    });
    if let Some(place) = &new.location {
        body["location"] = json!(place);
    }
    if new.online_meeting {
        body["conferenceData"] = online::conference_request(&new.effect_key);
    }
    Ok(body)
}

/// The request body for a change. Lists are replaced as a whole, so the responses of remaining attendees are
/// included.
pub(super) fn change_body(change: &EventChange, current: &wire::Event) -> Value {
    let mut body = Map::new();
    if let Some(range) = change.range {
        let zone = change.zone.as_deref().unwrap_or("UTC");
        body.insert("start".to_owned(), time(range.start, zone));
        body.insert("end".to_owned(), time(range.end, zone));
    }
    if let Some(title) = &change.title {
        body.insert("summary".to_owned(), json!(title));
    }
    if let Some(text) = &change.text {
        body.insert("description".to_owned(), json!(text));
    }
    if let Some(list) = &change.attendees {
        let known = &current.attendees;
        // A new time requests new responses from all attendees.
        let keeps = change.range.is_none();
        let answer = |attendee: &Attendee| {
            let same = |other: &&wire::Attendee| {
                let email = other.email.as_deref().unwrap_or_default();
                email.eq_ignore_ascii_case(&attendee.party.address)
            };
            known.iter().find(same).filter(|_| keeps)?.response_status.as_deref()
        };
        let list: Value = list.iter().map(|attendee| written(attendee, answer(attendee))).collect();
        body.insert("attendees".to_owned(), list);
    }
    if let Some(place) = &change.location {
        body.insert("location".to_owned(), json!(place));
    }
    Value::Object(body)
}

fn written(attendee: &Attendee, answer: Option<&str>) -> Value {
    let NamedAddress { name, address } = &attendee.party;
    let mut value = json!({
        "email": address,
        "displayName": name,
        "optional": attendee.role == AttendeeRole::Optional,
        "responseStatus": answer.unwrap_or("needsAction"),
    });
    if attendee.role == AttendeeRole::Room {
        value["resource"] = json!(true);
    }
    value
}

/// A time with its zone, and with its offset, which distinguishes the two occurrences of a repeated hour.
fn time(at: Timestamp, zone: &str) -> Value {
    match Zone::from_name(zone) {
        Some(tz) => json!({
            "dateTime": tz.at(at).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false),
            "timeZone": zone,
        }),
        None => json!({ "dateTime": super::calendars::format_instant(at), "timeZone": "UTC" }),
    }
}

/// Whether the event was deleted or cancelled.
pub(super) fn is_deleted(raw: &wire::Event) -> bool {
    raw.status.as_deref() == Some("cancelled")
}

/// The time zone of a calendar's all-day events: its own, otherwise the session's, otherwise UTC. `None` if its own
/// zone is unknown.
pub(super) fn all_day_zone(zone_name: Option<&str>, session: &Session) -> Option<Zone> {
    match zone_name.filter(|name| !name.trim().is_empty()) {
        Some(name) => domain::ical::find_iana_zone(name.trim()),
        None => Some(session.zone.clone().unwrap_or(Zone::UTC)),
    }
}

/// Converts an event. All-day events are days in `zone`, or in an unknown zone if it is `None`. Unknown times cover
/// the whole window.
pub(super) fn parse_item(raw: wire::Event, zone: Option<&Zone>, window: Option<TimeRange>) -> ParsedItem {
    if is_deleted(&raw) {
        return ParsedItem::Nothing;
    }
    let (start, end) = (raw.start.as_ref(), raw.end.as_ref());
    let all_day = start.is_some_and(|start| start.date.is_some() && start.date_time.is_none());
    let busy = busy(&raw);
    let range = match span(time_of(start, zone), time_of(end, zone), window) {
        Span::Exact(range) => range,
        Span::Nothing => return ParsedItem::Nothing,
        // An item that leaves its owner's time free blocks nothing, whatever its times are.
        _ if busy.is_none() => return ParsedItem::Nothing,
        Span::Widest(range, reason) => return ParsedItem::blocked(raw.id, raw.ical_uid, range, reason),
        Span::Unknown(reason) => return ParsedItem::unknown_times(raw.id, raw.ical_uid, reason),
    };
    if raw.id.is_none() {
        return match busy {
            Some(_) => ParsedItem::blocked(None, raw.ical_uid, range, UnreadableReason::Malformed),
            None => ParsedItem::Nothing,
        };
    }
    let online_meeting = online::read_conference(&raw);
    let visibility = raw.visibility.unwrap_or_default();
    ParsedItem::Event(Box::new(Event {
        uid: raw.ical_uid.unwrap_or_default(),
        version: raw.etag.unwrap_or_default(),
        id: raw.id.unwrap_or_default(),
        series: raw.recurring_event_id,
        effect_key: raw.extended_properties.and_then(|set| set.private?.effect_key),
        title: raw.summary,
        range,
        all_day,
        busy,
        // An unknown value may demand more privacy than the known ones.
        private: !matches!(visibility.as_str(), "" | "default" | "public"),
        organiser: raw.organizer.and_then(|organiser| party(organiser.email, organiser.display_name)),
        attendees: raw.attendees.into_iter().filter_map(attendee).collect(),
        online_meeting,
    }))
}

/// Reads a single event; `None` if it takes no time.
pub(super) fn single_event(raw: wire::Event, session: &Session) -> Result<Option<Event>> {
    match parse_item(raw, all_day_zone(None, session).as_ref(), None) {
        ParsedItem::Event(event) => Ok(Some(*event)),
        ParsedItem::Nothing => Ok(None),
        ParsedItem::Blocked(..) | ParsedItem::Unknown(_) => Err(unexpected_response()),
    }
}

/// Whether an event makes its owner busy: working locations and declined events do not, and events without a response
/// count as tentative.
fn busy(raw: &wire::Event) -> Option<BusyKind> {
    let own = raw.attendees.iter().find(|attendee| attendee.is_self == Some(true));
    let answer = own.and_then(|own| own.response_status.as_deref());
    if raw.transparency.as_deref() == Some("transparent")
        || raw.event_type.as_deref() == Some("workingLocation")
        || answer == Some("declined")
    {
        return None;
    }
    let perhaps =
        raw.status.as_deref() == Some("tentative") || matches!(answer, Some("tentative" | "needsAction"));
    Some(if perhaps { BusyKind::Tentative } else { BusyKind::Busy })
}

/// Parses a time: an instant, a local time in a named zone, or a day in the calendar's zone.
fn time_of(at: Option<&wire::EventTime>, days: Option<&Zone>) -> ParsedTime {
    let Some(at) = at else { return ParsedTime::Unknown };
    let text = at.date_time.as_deref().map(str::trim).unwrap_or_default();
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return ParsedTime::from_instant(instant.with_timezone(&Utc));
    }
    if let Some(clock) = moment::parse_date_time(text) {
        // Without an offset and without a zone of its own it may have been cut.
        return ParsedTime::from_local(clock, at.time_zone.as_deref().and_then(Zone::from_name).as_ref());
    }
    let Some(midnight) = at.date.as_deref().and_then(|date| moment::parse_date(date.trim())) else {
        return ParsedTime::Unknown;
    };
    let midnight = midnight.and_time(NaiveTime::MIN);
    match days {
        // Where the clock leaps over midnight, the day begins with the leap.
        Some(zone) => {
            zone.instant_range(midnight).map_or(ParsedTime::Unknown, |(first, _)| ParsedTime::At(first))
        }
        None => ParsedTime::Local(midnight),
    }
}

fn party(email: Option<String>, name: Option<String>) -> Option<NamedAddress> {
    let address = email.filter(|email| !email.is_empty())?;
    Some(NamedAddress { name: name.unwrap_or_else(|| address.clone()), address })
}

fn attendee(raw: wire::Attendee) -> Option<Attendee> {
    Some(Attendee {
        role: match (raw.resource, raw.optional) {
            (Some(true), _) => AttendeeRole::Room,
            (_, Some(true)) => AttendeeRole::Optional,
            _ => AttendeeRole::Required,
        },
        answer: match raw.response_status.as_deref() {
            Some("accepted") => Answer::Accepted,
            Some("tentative") => Answer::Tentative,
            Some("declined") => Answer::Declined,
            _ => Answer::None,
        },
        party: party(raw.email, raw.display_name)?,
    })
}

pub(super) fn unexpected_response() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(std::time::Duration::from_secs(5)),
        "EVENT_UNREADABLE",
        messages::google_appointment_not_understood(),
    )
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
