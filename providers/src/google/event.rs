//! Events between Google's form and ours.

use chrono::{NaiveTime, SubsecRound};
use domain::{BusyKind, TimeRange, Timestamp, state::Answer};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{online, wire};
use crate::{Attendee, AttendeeRole, Error, ErrorKind, Event, EventChange, NewEvent, Party, Remedy, Result};

/// The private extended property that carries the effect key. Never changes: events in customers' calendars are
/// found by it.
pub const EFFECT_KEY: &str = "musterEffectKey";

/// The alphabet of base32hex (RFC 4648, section 7) in small letters: the only characters that an id may have.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// The id of the event with an effect key: the same key always gives the same id, so that a repeated write is
/// recognised.
pub(super) fn id_of(effect_key: &str) -> Result<String> {
    let fits = (1..=64).contains(&effect_key.len())
        && effect_key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !fits {
        let message = "The key of this change is malformed.";
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

/// A new event's body.
pub(super) fn body(new: &NewEvent) -> Result<Value> {
    let mut body = json!({
        "id": id_of(&new.effect_key)?,
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
        "extendedProperties": { "private": { EFFECT_KEY: new.effect_key } },
    });
    if let Some(place) = &new.location {
        body["location"] = json!(place);
    }
    if new.online_meeting {
        body["conferenceData"] = online::ask(&new.effect_key);
    }
    Ok(body)
}

/// What a change sends. Lists are replaced as a whole, so the answers of those who stay are sent again.
pub(super) fn changed(change: &EventChange, stands: &wire::Event) -> Value {
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
        let known = stands.attendees.as_deref().unwrap_or_default();
        // Whoever is asked for another time is asked anew.
        let keeps = change.range.is_none();
        let answer = |attendee: &Attendee| {
            let same = |other: &&wire::Attendee| {
                let email = other.person.email.as_deref().unwrap_or_default();
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
    let Party { name, address } = &attendee.party;
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

/// A time with its offset, so that the hour that comes twice is no question, beside its zone.
fn time(at: Timestamp, zone: &str) -> Value {
    match domain::Zone::named(zone) {
        Some(tz) => json!({
            "dateTime": tz.at(at).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false),
            "timeZone": zone,
        }),
        None => json!({ "dateTime": super::calendars::instant(at), "timeZone": "UTC" }),
    }
}

/// Whether it was deleted or called off.
pub(super) fn is_gone(raw: &wire::Event) -> bool {
    raw.status == "cancelled"
}

/// `None` for an event without any length, and for one that is gone: it takes no time from anybody. `zone` is the
/// calendar's, for whole days.
pub(super) fn event(raw: wire::Event, zone: Option<&str>) -> Result<Option<Event>> {
    if is_gone(&raw) {
        return Ok(None);
    }
    let (start, end) = (raw.start.as_ref(), raw.end.as_ref());
    let all_day = start.is_some_and(|start| start.date_time.is_none());
    let (Some(start), Some(end)) = (start.and_then(|at| read(at, zone)), end.and_then(|at| read(at, zone)))
    else {
        return Err(not_understood());
    };
    let Some(range) = TimeRange::new(start, end) else { return Ok(None) };
    let (busy, online_meeting) = (busy(&raw), online::told(&raw));
    Ok(Some(Event {
        uid: raw.ical_uid.unwrap_or_default(),
        version: raw.etag.unwrap_or_default(),
        id: raw.id,
        series: raw.recurring_event_id,
        effect_key: raw.extended_properties.and_then(|mut set| set.private.remove(EFFECT_KEY)),
        title: raw.summary,
        range,
        all_day,
        busy,
        private: matches!(raw.visibility.as_deref(), Some("private" | "confidential")),
        organiser: raw.organizer.and_then(party),
        attendees: raw.attendees.into_iter().flatten().filter_map(attendee).collect(),
        online_meeting,
    }))
}

/// The time that an event takes from the calendar's owner: where somebody works takes none, nor does what the owner
/// declined; what the owner has not answered takes it perhaps.
fn busy(raw: &wire::Event) -> Option<BusyKind> {
    let own = raw.attendees.iter().flatten().find(|attendee| attendee.is_self);
    let answer = own.and_then(|own| own.response_status.as_deref());
    if raw.transparency.as_deref() == Some("transparent")
        || raw.event_type.as_deref() == Some("workingLocation")
        || answer == Some("declined")
    {
        return None;
    }
    let perhaps = raw.status == "tentative" || matches!(answer, Some("tentative" | "needsAction"));
    Some(if perhaps { BusyKind::Tentative } else { BusyKind::Busy })
}

fn read(at: &wire::EventTime, zone: Option<&str>) -> Option<Timestamp> {
    if let Some(instant) = at.date_time {
        return Some(instant.with_timezone(&chrono::Utc).trunc_subsecs(6));
    }
    let zone = at.time_zone.as_deref().or(zone).and_then(domain::Zone::named).unwrap_or(domain::Zone::UTC);
    // Where the clock leaps over midnight, the day begins with the leap.
    zone.instants(at.date?.and_time(NaiveTime::MIN)).map(|(first, _)| first)
}

fn party(person: wire::Person) -> Option<Party> {
    let address = person.email.filter(|email| !email.is_empty())?;
    Some(Party { name: person.display_name.unwrap_or_else(|| address.clone()), address })
}

fn attendee(raw: wire::Attendee) -> Option<Attendee> {
    Some(Attendee {
        role: match (raw.resource, raw.optional) {
            (true, _) => AttendeeRole::Room,
            (false, true) => AttendeeRole::Optional,
            (false, false) => AttendeeRole::Required,
        },
        answer: match raw.response_status.as_deref() {
            Some("accepted") => Answer::Accepted,
            Some("tentative") => Answer::Tentative,
            Some("declined") => Answer::Declined,
            _ => Answer::None,
        },
        party: party(raw.person)?,
    })
}

pub(super) fn not_understood() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(std::time::Duration::from_secs(5)),
        "EVENT_UNREADABLE",
        "Google describes an appointment in a way that cannot be understood.",
    )
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
