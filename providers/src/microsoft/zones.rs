//! Graph's times: a local date and time without an offset, and a Windows or IANA zone name.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use domain::{TimeRange, Timestamp, Zone};
use serde::Serialize;
use windows_timezones::WindowsTimezone;

use super::wire;
use crate::moment::{self, ParsedTime};

const FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.f";

/// Graph's type `dateTimeTimeZone`, for requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DateTimeZone {
    pub date_time: String,
    pub time_zone: String,
}

impl DateTimeZone {
    /// An instant as a time in UTC.
    pub(super) fn from_instant(at: Timestamp) -> Self {
        Self {
            date_time: at.naive_utc().format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
            time_zone: "UTC".to_owned(),
        }
    }
}

/// Parses a time: a local time in a named zone, or an instant with its own offset.
pub(super) fn parse_time(when: Option<&wire::EventTime>) -> ParsedTime {
    let Some(text) = when.and_then(|when| when.date_time.as_deref()).map(str::trim) else {
        return ParsedTime::Unknown;
    };
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return ParsedTime::from_instant(instant.with_timezone(&Utc));
    }
    let Some(clock) = clock(text) else { return ParsedTime::Unknown };
    let zone = when.and_then(|when| when.time_zone.as_deref()).and_then(iana_name);
    ParsedTime::from_local(clock, zone.and_then(|name| Zone::from_name(&name)).as_ref())
}

/// The date, if the time is midnight or consists of a date only.
pub(super) fn midnight_date(when: Option<&wire::EventTime>) -> Option<NaiveDate> {
    let text = when?.date_time.as_deref()?.trim().trim_end_matches('Z');
    let Some(clock) = clock(text) else { return moment::parse_date(text) };
    (clock.time() == NaiveTime::MIN).then(|| clock.date())
}

/// Parses a complete date and time; a truncated string would denote a different time.
fn clock(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, FORMAT).ok().filter(|_| text.len() >= moment::DATE_TIME_LENGTH)
}

/// A range in Graph's format, as local times in `zone`. If a local time occurs twice at the end of summer time, the
/// range is in UTC, because the local time could be an hour wrong.
pub(super) fn format_range(range: TimeRange, zone: &str) -> (DateTimeZone, DateTimeZone) {
    let Some(tz) = Zone::from_name(zone) else {
        return (DateTimeZone::from_instant(range.start), DateTimeZone::from_instant(range.end));
    };
    let local = |at: Timestamp| {
        let naive = tz.local(at);
        tz.is_unambiguous(naive)
            .then(|| DateTimeZone { date_time: naive.format(FORMAT).to_string(), time_zone: zone.to_owned() })
    };
    match (local(range.start), local(range.end)) {
        (Some(start), Some(end)) => (start, end),
        _ => (DateTimeZone::from_instant(range.start), DateTimeZone::from_instant(range.end)),
    }
}

/// The IANA name of a zone named by Graph; `None` if it is unknown, because a guess would be worse.
pub(super) fn iana_name(name: &str) -> Option<String> {
    let name = name.trim();
    if name.eq_ignore_ascii_case("tzone://Microsoft/Utc") {
        return Some("Etc/UTC".to_owned());
    }
    name.parse::<WindowsTimezone>()
        .map(|zone| zone.tzdb_id().to_owned())
        .ok()
        .or_else(|| domain::ical::find_iana_zone(name).map(|zone| zone.name().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn zones_of_both_kinds_get_an_iana_name_and_unknown_ones_none() {
        assert_eq!(iana_name("W. Europe Standard Time").as_deref(), Some("Europe/Berlin"));
        assert_eq!(iana_name("Europe/Zurich").as_deref(), Some("Europe/Zurich"));
        assert_eq!(iana_name("tzone://Microsoft/Utc").as_deref(), Some("Etc/UTC"));
        assert_eq!(iana_name("UTC").as_deref(), Some("Etc/UTC"));
        assert_eq!(iana_name("tzone://Microsoft/Custom"), None);
        assert_eq!(iana_name(""), None);
    }

    fn read(date_time: &str, time_zone: &str) -> ParsedTime {
        let when =
            wire::EventTime { date_time: Some(date_time.to_owned()), time_zone: Some(time_zone.to_owned()) };
        parse_time(Some(&when))
    }

    #[test]
    fn times_are_read_in_every_form_and_unknown_zones_stay_unknown() {
        let half_past = ParsedTime::At(at("2026-12-01T09:30:00Z"));
        assert_eq!(read("2026-12-01T10:30:00.0000000", "W. Europe Standard Time"), half_past);
        assert_eq!(read(" 2026-12-01T10:30:00 ", "Europe/Berlin"), half_past);
        assert_eq!(read("2026-12-01T09:30:00Z", "tzone://Microsoft/Custom"), half_past);
        assert_eq!(read("2026-12-01T10:30:00+01:00", ""), half_past);
        for zone in ["tzone://Microsoft/Custom", "", "Middle/Earth"] {
            let clock = at("2026-12-01T10:30:00Z").naive_utc();
            assert_eq!(read("2026-12-01T10:30:00", zone), ParsedTime::Local(clock), "{zone}");
        }
        for nonsense in
            ["", "soon", "2026-12-01", "2026-12-01T10:3", "2026-12-01T10:30", "2026-02-30T10:00:00", "0000"]
        {
            assert_eq!(read(nonsense, "UTC"), ParsedTime::Unknown, "{nonsense}");
        }
        assert_eq!(parse_time(None), ParsedTime::Unknown);
    }

    #[test]
    fn the_hour_that_comes_twice_is_written_in_utc() {
        let twice = TimeRange::new(at("2026-10-25T00:30:00Z"), at("2026-10-25T02:30:00Z")).unwrap();
        let (start, end) = format_range(twice, "Europe/Berlin");
        assert_eq!((start.time_zone.as_str(), end.time_zone.as_str()), ("UTC", "UTC"));
        assert_eq!(read(&start.date_time, &start.time_zone), ParsedTime::At(twice.start));
        let plain = TimeRange::new(at("2026-12-01T09:00:00Z"), at("2026-12-01T10:00:00Z")).unwrap();
        let (start, end) = format_range(plain, "Europe/Berlin");
        assert_eq!(
            (start.date_time.as_str(), start.time_zone.as_str()),
            ("2026-12-01T10:00:00", "Europe/Berlin")
        );
        assert_eq!(read(&end.date_time, &end.time_zone), ParsedTime::At(plain.end));
    }
}
