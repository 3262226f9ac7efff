//! Time zones of events: IANA names, names that programs made up for them, and zones described in the resource.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Datelike, Duration, NaiveDateTime, Utc};

use super::{moment, recurrence, tree::Component};
use crate::{Zone, time::Timestamp};

/// The zone of a local time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventZone {
    /// A zone of the IANA database.
    Named(Zone),
    /// A zone without a known name, by the changes of offset that its VTIMEZONE describes.
    Described(Arc<Described>),
}

impl EventZone {
    /// The instant of a local time. A time that occurs twice is its first occurrence; one that is skipped is read
    /// with the offset before the gap (RFC 5545 section 3.3.5).
    pub fn instant(&self, local: NaiveDateTime) -> Option<Timestamp> {
        match self {
            Self::Named(zone) => zone.instant(local),
            Self::Described(zone) => zone.instant(local),
        }
    }
}

/// The IANA zone behind a name: the name itself, the end of a path as some programs write it, a Windows name.
pub(super) fn named(name: &str) -> Option<Zone> {
    let name = name.trim().trim_matches('"');
    if name.eq_ignore_ascii_case("tzone://Microsoft/Utc") || name == "Z" {
        return Some(Zone::UTC);
    }
    let direct = |name: &str| Zone::named(name);
    direct(name)
        .or_else(|| {
            let parts: Vec<&str> = name.split('/').collect();
            [3, 2]
                .into_iter()
                .filter(|n| parts.len() > *n)
                .find_map(|n| direct(&parts[parts.len() - n..].join("/")))
        })
        .or_else(|| {
            name.parse::<windows_timezones::WindowsTimezone>().ok().and_then(|zone| direct(zone.tzdb_id()))
        })
}

/// The zones that a resource may refer to.
#[derive(Debug, Default)]
pub(super) struct Zones(HashMap<String, EventZone>);

impl Zones {
    /// Reads the VTIMEZONE components.
    pub(super) fn of(calendar: &Component) -> Self {
        let zone = |component: &Component| {
            let id = component.value("TZID")?.to_owned();
            let known = named(&id)
                .or_else(|| component.value("X-LIC-LOCATION").and_then(named))
                .map(EventZone::Named);
            let zone = known
                .or_else(|| Described::read(component).map(|zone| EventZone::Described(Arc::new(zone))))?;
            Some((id, zone))
        };
        Self(calendar.named("VTIMEZONE").take(64).filter_map(zone).collect())
    }

    /// The zone of a TZID; `None` when neither its name nor a description is known.
    pub(super) fn get(&self, id: &str) -> Option<EventZone> {
        self.0.get(id).cloned().or_else(|| named(id).map(EventZone::Named))
    }
}

/// A zone as a list of changes: from this local time on (read in the old offset), this offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    first: Duration,
    changes: Vec<(NaiveDateTime, Duration)>,
}

impl Described {
    fn read(zone: &Component) -> Option<Self> {
        let mut changes = Vec::new();
        let mut first = None;
        for part in
            zone.components.iter().filter(|part| matches!(part.name.as_str(), "STANDARD" | "DAYLIGHT"))
        {
            let to = offset(part.value("TZOFFSETTO")?)?;
            let start = moment::local(part.value("DTSTART")?)?;
            let from = part.value("TZOFFSETFROM").and_then(offset).unwrap_or(to);
            if first.is_none_or(|(at, _)| start < at) {
                first = Some((start, from));
            }
            // Rules are yearly and older than anybody's calendar: they are followed from 1970 on.
            let onset = if start.year() < 1970 { start.with_year(1970).unwrap_or(start) } else { start };
            let rule = part.value("RRULE");
            let onsets = rule.map_or_else(|| vec![start], |rule| recurrence::onsets(rule, onset, from));
            changes.extend(onsets.into_iter().map(|at| (at, to)));
            changes.extend(part.all("RDATE").filter_map(|date| Some((moment::local(&date.value)?, to))));
        }
        changes.sort_by_key(|(at, _)| *at);
        Some(Self { first: first?.1, changes })
    }

    fn instant(&self, local: NaiveDateTime) -> Option<Timestamp> {
        let mut offset = self.first;
        for (at, to) in &self.changes {
            // Inside a gap the old offset is used, as in [`Zone::instant`]; at an overlap the first occurrence.
            let reached = if *to > offset { *at + (*to - offset) <= local } else { *at <= local };
            if !reached {
                break;
            }
            offset = *to;
        }
        Some(DateTime::from_naive_utc_and_offset(local.checked_sub_signed(offset)?, Utc))
    }
}

/// `+0100`, `-033000`.
fn offset(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part =
        |at: usize| digits.get(at..at + 2).and_then(|part| part.parse::<i64>().ok()).unwrap_or_default();
    Some(Duration::seconds(sign * (part(0) * 3600 + part(2) * 60 + part(4))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        moment::local(text).unwrap()
    }

    fn utc(zone: &EventZone, text: &str) -> String {
        zone.instant(at(text)).unwrap().format("%Y%m%dT%H%M%SZ").to_string()
    }

    #[test]
    fn names_are_found_in_every_spelling() {
        for name in ["Europe/Berlin", "/freeassociation.example/Europe/Berlin", "W. Europe Standard Time"] {
            assert_eq!(named(name), Zone::named("Europe/Berlin"), "{name}");
        }
        assert_eq!(named("/x.example/2025/America/Indiana/Knox"), Zone::named("America/Indiana/Knox"));
        assert_eq!(named("tzone://Microsoft/Utc"), Some(Zone::UTC));
        assert_eq!(named("Customized Time Zone"), None);
    }

    const DESCRIBED: &str = "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Office\nBEGIN:STANDARD\n\
        DTSTART:16011028T030000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n\
        END:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010325T020000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\n\
        TZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:DAYLIGHT\nEND:VTIMEZONE\nEND:VCALENDAR\n";

    #[test]
    fn a_described_zone_agrees_with_the_zone_it_describes() {
        let tree = Component::read(DESCRIBED.as_bytes()).unwrap();
        let described = Zones::of(&tree).get("Office").unwrap();
        assert!(matches!(described, EventZone::Described(_)), "the name must not be known");
        let berlin = EventZone::Named(Zone::named("Europe/Berlin").unwrap());
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

    #[test]
    fn skipped_and_repeated_times_follow_the_standard() {
        let berlin = EventZone::Named(Zone::named("Europe/Berlin").unwrap());
        assert_eq!(utc(&berlin, "20260329T023000"), "20260329T013000Z");
        assert_eq!(utc(&berlin, "20261025T023000"), "20261025T003000Z");
    }
}
