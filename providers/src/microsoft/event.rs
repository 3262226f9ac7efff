//! Converts Graph's events to the connectors' own types.
//!
//! Times are in UTC, as requested. All-day events are not converted: Graph returns them as midnights, which are dates
//! in the zone of the calendar's owner ("All-day events", resource type event).

use chrono::{NaiveDate, NaiveTime};
use domain::{BusyKind, TimeRange, UnreadableReason, Zone, state::Answer};

use super::{events::effect_key_property, online, wire, zones};
use crate::{
    Attendee, AttendeeRole, Event, NamedAddress,
    moment::{ParsedItem, ParsedTime, Span, span},
};

/// Whether an event may be an all-day event, whose times depend on the owner's time zone.
pub(super) fn may_be_all_day(raw: &wire::Event) -> bool {
    raw.is_all_day != Some(false) && days(raw).is_some()
}

/// Converts an event. All-day events are days in `zone`. Unknown times cover the whole window.
pub(super) fn parse_item(raw: wire::Event, zone: &Zone, window: Option<TimeRange>) -> ParsedItem {
    let busy = busy_kind(raw.show_as.as_deref()).filter(|_| raw.is_cancelled != Some(true));
    let range = match times(&raw, zone, window) {
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
    let online_meeting = online::read_meeting(&raw);
    let effect_key = raw.single_value_extended_properties.into_iter();
    let effect_key =
        effect_key.filter(|p| p.id.eq_ignore_ascii_case(&effect_key_property())).map(|p| p.value).next();
    let sensitivity = raw.sensitivity.unwrap_or_default().to_ascii_lowercase();
    ParsedItem::Event(Box::new(Event {
        uid: raw.ical_uid.unwrap_or_default(),
        version: raw.change_key.or(raw.etag).unwrap_or_default(),
        id: raw.id.unwrap_or_default(),
        series: raw.series_master_id,
        effect_key,
        title: raw.subject,
        range,
        all_day: raw.is_all_day.unwrap_or_default(),
        busy,
        // An unknown value may demand more privacy than the known ones.
        private: !matches!(sensitivity.as_str(), "" | "normal" | "personal"),
        organiser: raw.organizer.and_then(|organiser| party(organiser.email_address?)),
        attendees: raw.attendees.into_iter().filter_map(attendee).collect(),
        online_meeting,
    }))
}

fn times(raw: &wire::Event, zone: &Zone, window: Option<TimeRange>) -> Span {
    let told = span(zones::parse_time(raw.start.as_ref()), zones::parse_time(raw.end.as_ref()), window);
    let days = days(raw).map(|(start, end)| {
        let first =
            |date: NaiveDate| zone.instant_range(date.and_time(NaiveTime::MIN)).map(|(first, _)| first);
        let moment = |date| first(date).map_or(ParsedTime::Unknown, ParsedTime::At);
        span(moment(start), moment(end), window)
    });
    match (raw.is_all_day, days, told) {
        (Some(true), Some(days), _) => days,
        // These may be midnights in UTC or days in the owner's zone; the item does not say which.
        (None, Some(Span::Exact(days)), Span::Exact(told)) if days != told => {
            let both = TimeRange { start: days.start.min(told.start), end: days.end.max(told.end) };
            Span::Widest(both, UnreadableReason::Malformed)
        }
        _ => told,
    }
}

/// The dates of an event that begins and ends at midnight.
fn days(raw: &wire::Event) -> Option<(NaiveDate, NaiveDate)> {
    Some((zones::midnight_date(raw.start.as_ref())?, zones::midnight_date(raw.end.as_ref())?))
}

/// Maps a status of Graph to a kind of busy time; an unknown status counts as busy.
pub(super) fn busy_kind(status: Option<&str>) -> Option<BusyKind> {
    match status.unwrap_or_default().to_ascii_lowercase().as_str() {
        "free" | "workingelsewhere" => None,
        "tentative" => Some(BusyKind::Tentative),
        _ => Some(BusyKind::Busy),
    }
}

fn party(mail: wire::EmailAddress) -> Option<NamedAddress> {
    let address = mail.address.filter(|address| !address.is_empty())?;
    Some(NamedAddress { name: mail.name.unwrap_or_else(|| address.clone()), address })
}

fn attendee(raw: wire::Attendee) -> Option<Attendee> {
    let response = raw.status.and_then(|status| status.response).unwrap_or_default().to_ascii_lowercase();
    Some(Attendee {
        party: party(raw.email_address?)?,
        role: match raw.kind.unwrap_or_default().to_ascii_lowercase().as_str() {
            "resource" => AttendeeRole::Room,
            "optional" => AttendeeRole::Optional,
            _ => AttendeeRole::Required,
        },
        answer: match response.as_str() {
            "accepted" | "organizer" => Answer::Accepted,
            "tentativelyaccepted" => Answer::Tentative,
            "declined" => Answer::Declined,
            _ => Answer::None,
        },
    })
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
