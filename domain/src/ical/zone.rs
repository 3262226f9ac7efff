//! Time zones of events: zone names in various forms, and zones defined in the iCalendar resource.
//!
//! A zone with a known name uses the rules of the IANA database. The `VTIMEZONE` of the resource is used only if it
//! differs and defines an observance that begins after the year of the database's release, which the database cannot
//! contain. Otherwise the database is newer than the program that wrote the resource.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use chrono::{Duration, NaiveDateTime};

use super::{line::unescape_text, tree::Component, vtimezone::VTimeZone, zone_name};
use crate::{ParseBudget, Zone, time::Timestamp, zone::tzdata};

/// Maximum number of zone definitions parsed per iCalendar resource.
const DESCRIBED: usize = 64;
/// Maximum number of zone names looked up per iCalendar resource.
const NAMED: usize = 256;
/// Maximum length of a time-zone name in bytes.
const NAME: usize = 512;

/// The time zone of a local time in an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventZone {
    /// A zone of the IANA database.
    Named(Zone),
    /// A zone of the IANA database, with a definition in the resource that may be newer.
    Witnessed(Zone, Arc<VTimeZone>),
    /// A zone without a known name, defined by a VTIMEZONE in the resource.
    Described(Arc<VTimeZone>),
    /// A fixed offset from UTC, in seconds.
    Offset(i32),
}

impl EventZone {
    /// Converts a local time to an instant. Of a time that occurs twice, the first occurrence counts; a skipped time is
    /// interpreted with the offset before the gap (RFC 5545 section 3.3.5).
    pub fn instant(&self, local: NaiveDateTime) -> Option<Timestamp> {
        match self {
            Self::Named(zone) => zone.instant(local),
            Self::Witnessed(zone, described) => match described.onset_year(local) {
                Some(year) if year > release_year() => described.instant(local),
                _ => zone.instant(local),
            },
            Self::Described(described) => described.instant(local),
            Self::Offset(seconds) => {
                Some(local.checked_sub_signed(Duration::seconds((*seconds).into()))?.and_utc())
            }
        }
    }
}

fn release_year() -> i32 {
    tzdata().version.get(..4).and_then(|year| year.parse().ok()).unwrap_or(i32::MAX)
}

/// The time zones to which an iCalendar resource may refer.
#[derive(Debug, Default)]
pub(super) struct Zones {
    described: HashMap<String, EventZone>,
    /// Cache of resolved zone names; resolving one takes more work than the single step that it is charged.
    named: RefCell<HashMap<String, Option<EventZone>>>,
}

impl Zones {
    /// Parses the VTIMEZONE components of a calendar.
    pub(super) fn from_calendar(calendar: &Component, budget: &mut ParseBudget) -> Self {
        let mut zones = HashMap::new();
        for component in calendar.named("VTIMEZONE").take(DESCRIBED) {
            let Some(id) = component.value("TZID").filter(|id| id.len() <= NAME) else { continue };
            let alias = component.value("X-LIC-LOCATION");
            let named = zone_name::parse_zone_name(id).or_else(|| alias.and_then(zone_name::parse_zone_name));
            let described = VTimeZone::parse(component, budget).map(Arc::new);
            let zone = match (named, described) {
                (Some(EventZone::Named(zone)), Some(described)) => EventZone::Witnessed(zone, described),
                // An offset in a name says less than the rules beside it.
                (Some(EventZone::Offset(_)) | None, Some(described)) => EventZone::Described(described),
                (Some(named), _) => named,
                (None, None) => continue,
            };
            zones.insert(key(id), zone);
        }
        Self { described: zones, named: RefCell::default() }
    }

    /// The zone with this TZID; `None` if it has neither a known name nor a definition, or if a limit on zone names is
    /// exceeded.
    pub(super) fn get(&self, id: &str) -> Option<EventZone> {
        if id.len() > NAME {
            return None;
        }
        if let Some(zone) = self.described.get(&key(id)) {
            return Some(zone.clone());
        }
        let mut named = self.named.borrow_mut();
        if named.len() >= NAMED && !named.contains_key(id) {
            return None;
        }
        named.entry(id.to_owned()).or_insert_with(|| zone_name::parse_zone_name(id)).clone()
    }
}

/// Normalises a TZID: as a property value it may be escaped, as a parameter it may be quoted.
fn key(id: &str) -> String {
    unescape_text(id.trim().trim_matches('"')).to_lowercase()
}

/// Parses a UTC offset such as `+0100`, `-03:30` or `+023000`; positive is east of UTC.
pub(super) fn parse_offset(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replace(':', "");
    if !matches!(digits.len(), 2 | 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part =
        |at: usize| digits.get(at..at + 2).and_then(|part| part.parse::<i64>().ok()).unwrap_or_default();
    let seconds = part(0) * 3600 + part(2) * 60 + part(4);
    (seconds < 24 * 3600 && part(2) < 60).then(|| Duration::seconds(sign * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::raw_date_time;

    fn zones(lines: &str) -> Zones {
        let text = format!("BEGIN:VCALENDAR\n{lines}\nEND:VCALENDAR\n");
        let mut budget = ParseBudget::for_provider_response();
        Zones::from_calendar(&Component::parse(text.as_bytes(), &mut budget).unwrap(), &mut budget)
    }

    fn utc(zone: &EventZone, text: &str) -> String {
        zone.instant(raw_date_time::parse_local(text).unwrap()).unwrap().format("%Y%m%dT%H%M%SZ").to_string()
    }

    const DESCRIBED: &str = "BEGIN:VTIMEZONE\nTZID:Office\nBEGIN:STANDARD\n\
        DTSTART:16011028T030000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n\
        END:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010325T020000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\n\
        TZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:DAYLIGHT\nEND:VTIMEZONE";

    #[test]
    fn a_described_zone_agrees_with_the_zone_it_describes() {
        let described = zones(DESCRIBED).get("Office").unwrap();
        assert!(matches!(described, EventZone::Described(_)), "the name must not be known");
        let berlin = EventZone::Named(Zone::from_name("Europe/Berlin").unwrap());
        for local in [
            "20260101T120000",
            "20260329T015959",
            "20260329T023000",
            "20260329T030000",
            "20260701T120000",
            "20261025T015959",
            "20261025T033000",
            "20261201T000000",
        ] {
            assert_eq!(utc(&described, local), utc(&berlin, local), "at {local}");
        }
    }

    /// A zone with the given name and VTIMEZONE. British Columbia and Alberta stopped changing their clocks in
    /// 2026, on UTC-7 and UTC-6.
    fn canada(name: &str, observances: &str) -> EventZone {
        zones(&format!("BEGIN:VTIMEZONE\nTZID:{name}\n{observances}\nEND:VTIMEZONE")).get(name).unwrap()
    }

    fn observance(kind: &str, start: &str, from: &str, to: &str, rule: &str) -> String {
        format!("BEGIN:{kind}\nDTSTART:{start}\nTZOFFSETFROM:{from}\nTZOFFSETTO:{to}\n{rule}END:{kind}")
    }

    #[test]
    fn a_file_that_knows_less_than_the_database_is_not_believed() {
        for (name, winter, summer, expected) in [
            ("America/Vancouver", "-0800", "-0700", "20261208T160000Z"),
            ("America/Edmonton", "-0700", "-0600", "20261208T150000Z"),
        ] {
            let stale = [
                observance(
                    "STANDARD",
                    "20071104T020000",
                    summer,
                    winter,
                    "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\n",
                ),
                observance(
                    "DAYLIGHT",
                    "20070311T020000",
                    winter,
                    summer,
                    "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\n",
                ),
            ];
            assert_eq!(utc(&canada(name, &stale.join("\n")), "20261208T090000"), expected, "{name}");
            let of_the_year = observance("STANDARD", "20261101T020000", summer, winter, "");
            assert_eq!(utc(&canada(name, &of_the_year), "20261208T090000"), expected, "{name}");
        }
    }

    #[test]
    fn a_file_that_tells_of_a_change_after_the_release_is_believed() {
        let year = release_year() + 1;
        let later = observance("STANDARD", &format!("{year}0301T020000"), "-0700", "-0500", "");
        let zone = canada("America/Vancouver", &later);
        assert_eq!(utc(&zone, &format!("{year}0601T090000")), format!("{year}0601T140000Z"));
        assert_eq!(
            utc(&zone, &format!("{year}0115T090000")),
            format!("{year}0115T160000Z"),
            "and not before it"
        );
    }

    #[test]
    fn names_are_the_same_escaped_quoted_and_plain() {
        let name = "(UTC+01:00) Amsterdam\\, Berlin\\, Bern\\, Rom";
        let zones = zones(&DESCRIBED.replace("Office", name));
        assert!(zones.get("(UTC+01:00) Amsterdam, Berlin, Bern, Rom").is_some());
        assert!(zones.get("\"(utc+01:00) Amsterdam, Berlin, Bern, Rom\"").is_some());
        assert!(zones.get("Rom").is_none());
    }

    #[test]
    fn more_names_than_a_calendar_has_are_not_looked_up() {
        let zones = zones("");
        for number in 0..NAMED {
            assert_eq!(zones.get(&format!("Nowhere {number}")), None);
        }
        assert_eq!(zones.get("Europe/Berlin"), None, "that would be one more");
        assert!(Zones::default().get(&format!("{}Europe/Berlin", "/x".repeat(NAME))).is_none(), "too long");
    }

    #[test]
    fn a_zone_with_more_onsets_than_any_has_is_doubtful() {
        let onsets = vec!["20200101T000000"; 5_000].join(",");
        let text = DESCRIBED.replace("END:STANDARD", &format!("RDATE:{onsets}\nEND:STANDARD"));
        let Some(EventZone::Described(described)) = zones(&text).get("Office") else {
            panic!("the name must not be known")
        };
        assert!(described.is_doubtful);
    }

    #[test]
    fn offsets_are_read_in_every_form_and_nonsense_is_not() {
        for (text, minutes) in
            [("+0100", 60), ("-03:30", -210), ("+05", 300), ("-000000", 0), ("+054500", 345)]
        {
            assert_eq!(parse_offset(text), Some(Duration::minutes(minutes)), "{text}");
        }
        for text in ["", "0100", "+1", "+9900", "+0175", "+01000", "x"] {
            assert_eq!(parse_offset(text), None, "{text}");
        }
    }
}
