//! Calendar items between Exchange's XML and the connectors' own words.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use domain::{BusyKind, TimeRange, Timestamp, state::Answer};

use super::soap::TYPES;
use crate::{Attendee, AttendeeRole, Event, Party, microsoft::PROPERTY_SET, xml::Element};

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

/// When it is; `None` for an item without any length, which takes no time from anybody.
pub(super) fn range(item: &Element) -> Option<TimeRange> {
    TimeRange::new(instant(item.text_of(TYPES, "Start")?)?, instant(item.text_of(TYPES, "End")?)?)
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

/// The event that an item stands for. `series` is the id of the series that it is an occurrence of.
pub(super) fn event(item: &Element, series: Option<String>) -> Option<Event> {
    let (handle, range) = (handle(item)?, range(item)?);
    let text = |name: &str| item.text_of(TYPES, name);
    let is = |name: &str| text(name) == Some("true");
    let blocks = !is("IsCancelled") && text("MyResponseType") != Some("Decline");
    Some(Event {
        id: handle.id,
        uid: uid(item).to_owned(),
        version: handle.key,
        series,
        effect_key: effect_key(item),
        title: item.child(TYPES, "Subject").map(|subject| subject.text.clone()),
        range,
        all_day: is("IsAllDayEvent"),
        busy: busy_kind(text("LegacyFreeBusyStatus")).filter(|_| blocks),
        private: matches!(text("Sensitivity"), Some("Private" | "Confidential")),
        organiser: item.child(TYPES, "Organizer").and_then(party),
        attendees: attendees(item),
        online_meeting: None,
    })
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
mod tests {
    use super::*;

    fn item(inside: &str) -> Element {
        let times = "<Start>2026-12-01T09:00:00Z</Start><End>2026-12-01T11:00:00+01:00</End>";
        let text = format!(
            r#"<CalendarItem xmlns="{TYPES}"><ItemId Id="A" ChangeKey="1"/>{times}{inside}</CalendarItem>"#
        );
        Element::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_not_known_blocks_and_what_was_called_off_does_not() {
        let busy = |inside: &str| event(&item(inside), None).unwrap().busy;
        let status = |status: &str| busy(&format!("<LegacyFreeBusyStatus>{status}</LegacyFreeBusyStatus>"));
        assert_eq!(status("Free"), None);
        assert_eq!(status("WorkingElsewhere"), None);
        assert_eq!(status("Tentative"), Some(BusyKind::Tentative));
        assert_eq!(status("OOF"), Some(BusyKind::Busy));
        assert_eq!(status("NoData"), Some(BusyKind::Busy));
        assert_eq!(busy(""), Some(BusyKind::Busy));
        assert_eq!(busy("<IsCancelled>true</IsCancelled>"), None);
        assert_eq!(busy("<MyResponseType>Decline</MyResponseType>"), None);
    }

    #[test]
    fn an_item_without_length_is_no_event() {
        let text = format!(
            r#"<CalendarItem xmlns="{TYPES}"><ItemId Id="A"/><Start>2026-12-01T09:00:00Z</Start><End>2026-12-01T09:00:00Z</End></CalendarItem>"#
        );
        assert_eq!(event(&Element::read(text.as_bytes()).unwrap(), None), None);
    }

    #[test]
    fn only_our_own_property_is_a_key() {
        let property = |set: &str, name: &str| {
            format!(
                r#"<ExtendedProperty><ExtendedFieldURI PropertySetId="{set}" PropertyName="{name}" PropertyType="String"/><Value>k-1</Value></ExtendedProperty>"#
            )
        };
        let ours = PROPERTY_SET.to_string();
        let key = |inside: &str| event(&item(inside), None).unwrap().effect_key;
        assert_eq!(key(&property(&ours.to_uppercase(), "effectKey")).as_deref(), Some("k-1"));
        assert_eq!(key(&property(&ours, "other")), None);
        assert_eq!(key(&property("66f5a359-4659-4830-9070-00047ec6ac6e", "effectKey")), None);
    }
}
