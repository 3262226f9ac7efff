//! Graph's times: a local date-time without offset beside a zone name of either Windows or IANA.

use chrono::{NaiveDateTime, SubsecRound};
use domain::{TimeRange, Timestamp, Zone};
use serde::{Deserialize, Serialize};
use windows_timezones::WindowsTimezone;

const FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.f";

/// Graph's `dateTimeTimeZone`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DateTimeZone {
    pub date_time: String,
    pub time_zone: String,
}

impl DateTimeZone {
    /// An instant in UTC.
    pub(super) fn utc(at: Timestamp) -> Self {
        Self {
            date_time: at.naive_utc().format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
            time_zone: "UTC".to_owned(),
        }
    }

    /// The instant it means; `None` when it cannot be understood.
    pub(super) fn instant(&self) -> Option<Timestamp> {
        let text = self.date_time.trim_end_matches('Z');
        let local = NaiveDateTime::parse_from_str(text, FORMAT).ok()?;
        Some(Zone::named(&iana(&self.time_zone)?)?.instant(local)?.trunc_subsecs(6))
    }
}

/// A range as Graph takes it, shown in `zone`. A local time that the end of summer time makes ambiguous is sent
/// in UTC: better a plain zone than an hour's error.
pub(super) fn written(range: TimeRange, zone: &str) -> (DateTimeZone, DateTimeZone) {
    let Some(tz) = Zone::named(zone) else {
        return (DateTimeZone::utc(range.start), DateTimeZone::utc(range.end));
    };
    let local = |at: Timestamp| {
        let naive = tz.local(at);
        tz.is_unambiguous(naive)
            .then(|| DateTimeZone { date_time: naive.format(FORMAT).to_string(), time_zone: zone.to_owned() })
    };
    match (local(range.start), local(range.end)) {
        (Some(start), Some(end)) => (start, end),
        _ => (DateTimeZone::utc(range.start), DateTimeZone::utc(range.end)),
    }
}

/// The IANA name of a zone that Graph names; `None` for one that nobody knows, because a guess would be worse.
pub(super) fn iana(name: &str) -> Option<String> {
    let name = name.trim();
    if name.eq_ignore_ascii_case("tzone://Microsoft/Utc") {
        return Some("Etc/UTC".to_owned());
    }
    name.parse::<WindowsTimezone>()
        .map(|zone| zone.tzdb_id().to_owned())
        .ok()
        .or_else(|| Zone::named(name).map(|zone| zone.name().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn zones_of_both_kinds_get_an_iana_name_and_unknown_ones_none() {
        assert_eq!(iana("W. Europe Standard Time").as_deref(), Some("Europe/Berlin"));
        assert_eq!(iana("Europe/Zurich").as_deref(), Some("Europe/Zurich"));
        assert_eq!(iana("tzone://Microsoft/Utc").as_deref(), Some("Etc/UTC"));
        assert_eq!(iana("UTC").as_deref(), Some("Etc/UTC"));
        assert_eq!(iana("tzone://Microsoft/Custom"), None);
        assert_eq!(iana(""), None);
    }

    #[test]
    fn seven_digit_fractions_in_a_windows_zone_are_an_instant() {
        let text = DateTimeZone {
            date_time: "2026-12-01T10:30:00.0000000".to_owned(),
            time_zone: "W. Europe Standard Time".to_owned(),
        };
        assert_eq!(text.instant(), Some(at("2026-12-01T09:30:00Z")));
        let nonsense = DateTimeZone { date_time: "soon".to_owned(), ..text };
        assert_eq!(nonsense.instant(), None);
    }

    #[test]
    fn the_hour_that_comes_twice_is_written_in_utc() {
        let twice = TimeRange::new(at("2026-10-25T00:30:00Z"), at("2026-10-25T02:30:00Z")).unwrap();
        let (start, end) = written(twice, "Europe/Berlin");
        assert_eq!((start.time_zone.as_str(), end.time_zone.as_str()), ("UTC", "UTC"));
        assert_eq!(start.instant(), Some(twice.start));
        let plain = TimeRange::new(at("2026-12-01T09:00:00Z"), at("2026-12-01T10:00:00Z")).unwrap();
        let (start, end) = written(plain, "Europe/Berlin");
        assert_eq!(
            (start.date_time.as_str(), start.time_zone.as_str()),
            ("2026-12-01T10:00:00", "Europe/Berlin")
        );
        assert_eq!(end.instant(), Some(plain.end));
    }
}
