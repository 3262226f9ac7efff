//! Converts calendar items from Exchange's XML to the connectors' own types.

use chrono::{DateTime, NaiveDate, NaiveTime, SubsecRound, Utc};
use domain::{BusyKind, TimeRange, Timestamp, UnreadableReason, Zone, state::Answer};

use super::soap::TYPES;
use crate::{
    Attendee, AttendeeRole, Event, NamedAddress,
    microsoft::EXTENDED_PROPERTY_SET,
    moment::{self, ParsedItem, ParsedTime, Span},
    xml::Element,
};

/// The properties requested for single items.
pub(super) const ITEM_FIELDS: &[&str] = &[
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

/// The properties requested for lists of items; Exchange does not return attendees or the organiser's email address in
/// lists.
pub(super) const LIST_FIELDS: &[&str] = &[
    "item:Sensitivity",
    "calendar:Start",
    "calendar:End",
    "calendar:IsAllDayEvent",
    "calendar:LegacyFreeBusyStatus",
    "calendar:IsCancelled",
    "calendar:CalendarItemType",
    "calendar:UID",
];

/// The id of an item, and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ItemId {
    /// The item's id, which changes when the item is moved to another folder.
    pub id: String,
    /// The change key, which differs for each version of the item.
    pub key: String,
}

/// How an item relates to a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeriesRole {
    /// The item does not belong to any series.
    Single,
    /// The item is one occurrence of a series, as planned or changed.
    Occurrence,
    /// The item is the recurring master, from which occurrences follow.
    Series,
}

/// The `ItemId` of an item, or of an element that contains one.
pub(super) fn item_id(item: &Element) -> Option<ItemId> {
    let id = item.child(TYPES, "ItemId")?;
    let key = id.attribute("ChangeKey").unwrap_or_default().to_owned();
    Some(ItemId { id: id.attribute("Id")?.to_owned(), key })
}

/// Whether the item is a series, an occurrence of one, or a single item.
pub(super) fn series_role(item: &Element) -> SeriesRole {
    match item.child_text(TYPES, "CalendarItemType") {
        Some("RecurringMaster") => SeriesRole::Series,
        Some("Occurrence" | "Exception") => SeriesRole::Occurrence,
        _ => SeriesRole::Single,
    }
}

/// The time range of an item. All-day items are days in the time zone `days`: a server returns midnights in UTC for
/// items written without a zone. An unknown time covers the whole window.
pub(super) fn span(item: &Element, days: &Zone, window: Option<TimeRange>) -> Span {
    let texts = (item.child_text(TYPES, "Start"), item.child_text(TYPES, "End"));
    let told = moment::span(parse_time(texts.0), parse_time(texts.1), window);
    let dates = texts.0.and_then(midnight).zip(texts.1.and_then(midnight)).map(|(start, end)| {
        let first =
            |date: NaiveDate| days.instant_range(date.and_time(NaiveTime::MIN)).map(|(first, _)| first);
        let moment = |date| first(date).map_or(ParsedTime::Unknown, ParsedTime::At);
        moment::span(moment(start), moment(end), window)
    });
    match (item.child_text(TYPES, "IsAllDayEvent"), dates, told) {
        (Some("true"), Some(dates), _) => dates,
        (Some("false"), ..) | (_, None, _) => told,
        // These may be midnights in UTC or days in the owner's zone; the item does not say which.
        (_, Some(Span::Exact(dates)), Span::Exact(told)) if dates != told => {
            let both = TimeRange { start: dates.start.min(told.start), end: dates.end.max(told.end) };
            Span::Widest(both, UnreadableReason::Malformed)
        }
        _ => told,
    }
}

/// Parses a time with an offset or, without one, in the request's zone.
pub(super) fn parse_time(text: Option<&str>) -> ParsedTime {
    text.and_then(parse_instant).map_or(ParsedTime::Unknown, ParsedTime::At)
}

/// The date of a time that is midnight in the request's zone.
fn midnight(text: &str) -> Option<NaiveDate> {
    let at = parse_instant(text)?.naive_utc();
    (at.time() == NaiveTime::MIN).then(|| at.date())
}

/// The UID, shared by all copies and occurrences; empty when absent.
pub(super) fn uid(item: &Element) -> &str {
    item.child_text(TYPES, "UID").unwrap_or_default()
}

/// Parses a time with an offset or, without one, in the request's zone; `None` if malformed.
pub(super) fn parse_instant(text: &str) -> Option<Timestamp> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|at| at.with_timezone(&Utc));
    let at = zoned.ok().or_else(|| moment::parse_date_time(text).map(|local| local.and_utc()))?;
    Some(at.trunc_subsecs(6))
}

/// Maps a free/busy status of Exchange to a kind of busy time; an unknown status counts as busy.
pub(super) fn busy_kind(status: Option<&str>) -> Option<BusyKind> {
    match status.unwrap_or_default() {
        "Free" | "WorkingElsewhere" => None,
        "Tentative" => Some(BusyKind::Tentative),
        _ => Some(BusyKind::Busy),
    }
}

/// Parses an item; see [`span`] for the arguments.
pub(super) fn parse_item(item: &Element, days: &Zone, window: Option<TimeRange>) -> ParsedItem {
    let text = |name: &str| item.child_text(TYPES, name);
    let is = |name: &str| text(name) == Some("true");
    let blocks = !is("IsCancelled") && text("MyResponseType") != Some("Decline");
    let busy = busy_kind(text("LegacyFreeBusyStatus")).filter(|_| blocks);
    let handle = item_id(item);
    let (id, known_uid) = (handle.as_ref().map(|handle| handle.id.clone()), uid(item));
    let known_uid = Some(known_uid.to_owned()).filter(|uid| !uid.is_empty());
    let range = match span(item, days, window) {
        Span::Exact(range) => range,
        Span::Nothing => return ParsedItem::Nothing,
        // An item that leaves its owner's time free blocks nothing, whatever its times are.
        _ if busy.is_none() => return ParsedItem::Nothing,
        Span::Widest(range, reason) => return ParsedItem::blocked(id, known_uid, range, reason),
        Span::Unknown(reason) => return ParsedItem::unknown_times(id, known_uid, reason),
    };
    let Some(handle) = handle else {
        return match busy {
            Some(_) => ParsedItem::blocked(None, known_uid, range, UnreadableReason::Malformed),
            None => ParsedItem::Nothing,
        };
    };
    ParsedItem::Event(Box::new(Event {
        id: handle.id,
        uid: uid(item).to_owned(),
        version: handle.key,
        series: None,
        effect_key: effect_key(item),
        title: item.child(TYPES, "Subject").map(|subject| subject.text.clone()),
        range,
        all_day: is("IsAllDayEvent"),
        busy,
        // An unknown value may demand more privacy than the known ones.
        private: !matches!(text("Sensitivity"), None | Some("" | "Normal" | "Personal")),
        organiser: item.child(TYPES, "Organizer").and_then(party),
        attendees: attendees(item),
        online_meeting: None,
    }))
}

fn effect_key(item: &Element) -> Option<String> {
    let is_ours = |field: &Element| {
        let set = field.attribute("PropertySetId").and_then(|set| set.parse::<uuid::Uuid>().ok());
        set == Some(EXTENDED_PROPERTY_SET) && field.attribute("PropertyName") == Some("effectKey")
    };
    let mut properties = item.all(TYPES, "ExtendedProperty");
    let ours = properties.find(|one| one.child(TYPES, "ExtendedFieldURI").is_some_and(is_ours))?;
    ours.child_text(TYPES, "Value").map(str::to_owned)
}

/// The attendees of all three lists: required, optional and resources.
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
    let answer = match one.child_text(TYPES, "ResponseType") {
        Some("Accept" | "Organizer") => Answer::Accepted,
        Some("Tentative") => Answer::Tentative,
        Some("Decline") => Answer::Declined,
        _ => Answer::None,
    };
    Some(Attendee { party: party(one)?, role, answer })
}

/// The mailbox of an attendee or organiser; `None` without an SMTP address.
fn party(one: &Element) -> Option<NamedAddress> {
    let mailbox = one.child(TYPES, "Mailbox")?;
    let address = mailbox.child_text(TYPES, "EmailAddress").filter(|address| address.contains('@'))?;
    let name = mailbox.child_text(TYPES, "Name").unwrap_or(address);
    Some(NamedAddress { name: name.to_owned(), address: address.to_owned() })
}

#[cfg(test)]
#[path = "item_tests.rs"]
mod tests;
