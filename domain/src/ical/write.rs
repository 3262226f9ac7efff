//! Serialises a new event as an iCalendar resource.

use super::{line::Property, tree::Component};
use crate::time::{TimeRange, Timestamp};

/// Content of a new event. Its times are written in UTC, which every program interprets alike and which needs no
/// VTIMEZONE; the display zone is written as `X-WR-TIMEZONE`.
#[derive(Debug, Clone)]
pub struct EventDraft<'a> {
    /// Permanent UID of the event.
    pub uid: &'a str,
    /// When the event is written (DTSTAMP).
    pub stamp: Timestamp,
    /// When the event takes place.
    pub range: TimeRange,
    /// IANA zone in which the event is shown.
    pub zone: &'a str,
    /// Title of the event (SUMMARY).
    pub summary: &'a str,
    /// Body text of the event (DESCRIPTION).
    pub description: &'a str,
    /// Location in free text (LOCATION).
    pub location: Option<&'a str>,
    /// Further properties, in order.
    pub properties: Vec<Property>,
}

impl EventDraft<'_> {
    /// Builds the complete resource.
    pub fn into_component(self) -> Component {
        let mut event = Component::new("VEVENT");
        event.properties.extend([
            Property::text("UID", self.uid),
            Property::new("DTSTAMP", format_utc(self.stamp)),
            Property::new("SEQUENCE", "0"),
            Property::new("DTSTART", format_utc(self.range.start)),
            Property::new("DTEND", format_utc(self.range.end)),
            Property::text("SUMMARY", self.summary),
        ]);
        if !self.description.is_empty() {
            event.properties.push(Property::text("DESCRIPTION", self.description));
        }
        event.properties.extend(self.location.map(|place| Property::text("LOCATION", place)));
        event.properties.extend(self.properties);
        let mut calendar = Component::new("VCALENDAR");
        calendar.properties.extend([
            Property::new("VERSION", "2.0"),
            Property::new("PRODID", "-//Muster//Calendar connection//EN"),
            Property::text("X-WR-TIMEZONE", self.zone),
        ]);
        calendar.components.push(event);
        calendar
    }
}

/// Formats an instant as `20261201T100000Z`.
pub fn format_utc(at: Timestamp) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::{Calendar, Moment};

    #[test]
    fn a_composed_event_reads_back_as_it_was_meant() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let range = TimeRange::new(at("2026-12-01T09:00:00Z"), at("2026-12-01T10:00:00Z")).unwrap();
        let draft = EventDraft {
            uid: "muster-1",
            stamp: at("2026-11-20T09:00:00Z"),
            range,
            zone: "Europe/Berlin",
            summary: "Interview; round 2, \\ über",
            description: "First line\nSecond line",
            location: Some("Atlas"),
            properties: vec![Property::text("X-MUSTER-EFFECT", "1")],
        };
        let text = draft.into_component().to_text();
        let calendar = Calendar::parse(text.as_bytes()).unwrap();
        let event = calendar.main_event().unwrap();
        assert_eq!(event.start, Moment::Utc(range.start));
        assert_eq!(event.range(&crate::Zone::UTC), Some(range));
        assert_eq!(event.summary.as_deref(), Some("Interview; round 2, \\ über"));
        assert_eq!(event.description.as_deref(), Some("First line\nSecond line"));
        assert_eq!(event.extension_property("X-MUSTER-EFFECT"), Some("1"));
        assert_eq!(text.matches("\r\n").count(), text.matches('\n').count());
    }
}
