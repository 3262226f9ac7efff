//! Calendar items between Exchange's XML and the connectors' own words.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, Utc};
use domain::{BusyKind, TimeRange, Timestamp, UnreadableReason, Zone, state::Answer};

use super::soap::TYPES;
use crate::{
    Attendee, AttendeeRole, Event, Party,
    microsoft::PROPERTY_SET,
    moment::{self, Moment, Reading, Span},
    xml::Element,
};

/// What single items are asked for.
pub(super) const FIELDS: &[&str] = &[
    "item:Subject",
    "item:Sensitivity",
    "calendar:Start",
    "calendar:End",
    "calendar:IsAllDayEvent",
    "calendar:LegacyFreeBusyStatus",
    "calendar:IsCancelled",
    "calendar:CalendarItemType",
    "calendar:MyResponseType",
    "calendar:Organizer",
    "calendar:RequiredAttendees",
    "calendar:OptionalAttendees",
    "calendar:Resources",
    "calendar:UID",
];

/// What lists are asked for: they have neither attendees nor the organiser's address.
pub(super) const LISTED: &[&str] = &[
    "item:Sensitivity",
    "calendar:Start",
    "calendar:End",
    "calendar:IsAllDayEvent",
    "calendar:LegacyFreeBusyStatus",
    "calendar:IsCancelled",
    "calendar:CalendarItemType",
    "calendar:UID",
];

/// Where an item is and which version it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Handle {
    /// The id, in this folder.
    pub id: String,
    /// The change key.
    pub key: String,
}

/// What an item is to a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It belongs to none.
    Single,
    /// It is one of its occurrences, as planned or changed.
    Occurrence,
    /// It is the series.
    Series,
}

/// The `ItemId` of an item, or of what holds one.
pub(super) fn handle(item: &Element) -> Option<Handle> {
    let id = item.child(TYPES, "ItemId")?;
    let key = id.attribute("ChangeKey").unwrap_or_default().to_owned();
    Some(Handle { id: id.attribute("Id")?.to_owned(), key })
}

/// What the item is to a series.
pub(super) fn place(item: &Element) -> Place {
    match item.text_of(TYPES, "CalendarItemType") {
        Some("RecurringMaster") => Place::Series,
        Some("Occurrence" | "Exception") => Place::Occurrence,
        _ => Place::Single,
    }
}

/// When it is. Whole days are days of `days`: a server tells midnights in UTC for those that were written without a
/// zone. What is not known is as wide as the window.
pub(super) fn span(item: &Element, days: &Zone, window: Option<TimeRange>) -> Span {
    let texts = (item.text_of(TYPES, "Start"), item.text_of(TYPES, "End"));
    let told = moment::span(moment(texts.0), moment(texts.1), window);
    let dates = texts.0.and_then(midnight).zip(texts.1.and_then(midnight)).map(|(start, end)| {
        let first = |date: NaiveDate| days.instants(date.and_time(NaiveTime::MIN)).map(|(first, _)| first);
        let moment = |date| first(date).map_or(Moment::Unknown, Moment::At);
        moment::span(moment(start), moment(end), window)
    });
    match (item.text_of(TYPES, "IsAllDayEvent"), dates, told) {
        (Some("true"), Some(dates), _) => dates,
        (Some("false"), ..) | (_, None, _) => told,
        // Midnights of UTC, or days of the owner: it does not say.
        (_, Some(Span::Exact(dates)), Span::Exact(told)) if dates != told => {
            let both = TimeRange { start: dates.start.min(told.start), end: dates.end.max(told.end) };
            Span::Widest(both, UnreadableReason::Malformed)
        }
        _ => told,
    }
}

/// What is said of a time, with an offset or, in the request's zone, without.
pub(super) fn moment(text: Option<&str>) -> Moment {
    text.and_then(instant).map_or(Moment::Unknown, Moment::At)
}

/// The date, where a clock in the request's zone shows midnight.
fn midnight(text: &str) -> Option<NaiveDate> {
    let at = instant(text)?.naive_utc();
    (at.time() == NaiveTime::MIN).then(|| at.date())
}

/// The same in all copies and occurrences.
pub(super) fn uid(item: &Element) -> &str {
    item.text_of(TYPES, "UID").unwrap_or_default()
}

/// An instant, with an offset or, in the request's zone, without.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|at| at.with_timezone(&Utc));
    let at = zoned.or_else(|_| text.parse::<NaiveDateTime>().map(|local| local.and_utc())).ok()?;
    Some(at.trunc_subsecs(6))
}

/// How a status of Exchange's blocks the time; what is not known blocks.
pub(super) fn busy_kind(status: Option<&str>) -> Option<BusyKind> {
    match status.unwrap_or_default() {
        "Free" | "WorkingElsewhere" => None,
        "Tentative" => Some(BusyKind::Tentative),
        _ => Some(BusyKind::Busy),
    }
}

/// Reads an item, see [`span`].
pub(super) fn read(item: &Element, days: &Zone, window: Option<TimeRange>) -> Reading {
    let text = |name: &str| item.text_of(TYPES, name);
    let is = |name: &str| text(name) == Some("true");
    let blocks = !is("IsCancelled") && text("MyResponseType") != Some("Decline");
    let busy = busy_kind(text("LegacyFreeBusyStatus")).filter(|_| blocks);
    let handle = handle(item);
    let (id, known_uid) = (handle.as_ref().map(|handle| handle.id.clone()), uid(item));
    let known_uid = Some(known_uid.to_owned()).filter(|uid| !uid.is_empty());
    let range = match span(item, days, window) {
        Span::Exact(range) => range,
        Span::Nothing => return Reading::Nothing,
        // What takes no time whenever it is, is read.
        _ if busy.is_none() => return Reading::Nothing,
        Span::Widest(range, reason) => return Reading::blocked(id, known_uid, range, reason),
        Span::Unknown(reason) => return Reading::unknown(id, known_uid, reason),
    };
    let Some(handle) = handle else {
        return match busy {
            Some(_) => Reading::blocked(None, known_uid, range, UnreadableReason::Malformed),
            None => Reading::Nothing,
        };
    };
    Reading::Event(Box::new(Event {
        id: handle.id,
        uid: uid(item).to_owned(),
        version: handle.key,
        series: None,
        effect_key: effect_key(item),
        title: item.child(TYPES, "Subject").map(|subject| subject.text.clone()),
        range,
        all_day: is("IsAllDayEvent"),
        busy,
        // A word that is not known may ask for more privacy than the known ones.
        private: !matches!(text("Sensitivity"), None | Some("" | "Normal" | "Personal")),
        organiser: item.child(TYPES, "Organizer").and_then(party),
        attendees: attendees(item),
        online_meeting: None,
    }))
}

fn effect_key(item: &Element) -> Option<String> {
    let is_ours = |field: &Element| {
        let set = field.attribute("PropertySetId").and_then(|set| set.parse::<uuid::Uuid>().ok());
        set == Some(PROPERTY_SET) && field.attribute("PropertyName") == Some("effectKey")
    };
    let mut properties = item.all(TYPES, "ExtendedProperty");
    let ours = properties.find(|one| one.child(TYPES, "ExtendedFieldURI").is_some_and(is_ours))?;
    ours.text_of(TYPES, "Value").map(str::to_owned)
}

/// Who is invited, in all three lists.
pub(super) fn attendees(item: &Element) -> Vec<Attendee> {
    let lists = [
        ("RequiredAttendees", AttendeeRole::Required),
        ("OptionalAttendees", AttendeeRole::Optional),
        ("Resources", AttendeeRole::Room),
    ];
    let of = |(name, role): (&str, AttendeeRole)| {
        let list = item.child(TYPES, name).map(|list| list.children.as_slice()).unwrap_or_default();
        list.iter().filter_map(|one| attendee(one, role)).collect::<Vec<_>>()
    };
    lists.into_iter().flat_map(of).collect()
}

fn attendee(one: &Element, role: AttendeeRole) -> Option<Attendee> {
    let answer = match one.text_of(TYPES, "ResponseType") {
        Some("Accept" | "Organizer") => Answer::Accepted,
        Some("Tentative") => Answer::Tentative,
        Some("Decline") => Answer::Declined,
        _ => Answer::None,
    };
    Some(Attendee { party: party(one)?, role, answer })
}

/// The mailbox inside an attendee or an organiser. One without an SMTP address is left out.
fn party(one: &Element) -> Option<Party> {
    let mailbox = one.child(TYPES, "Mailbox")?;
    let address = mailbox.text_of(TYPES, "EmailAddress").filter(|address| address.contains('@'))?;
    let name = mailbox.text_of(TYPES, "Name").unwrap_or(address);
    Some(Party { name: name.to_owned(), address: address.to_owned() })
}

#[cfg(test)]
#[path = "item_tests.rs"]
mod tests;
