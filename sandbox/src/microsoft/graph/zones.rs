//! Time zones by Windows and IANA names, and date-times in Graph's format.

use chrono::{DateTime, NaiveDateTime, Utc};
use domain::Timestamp;
use serde_json::{Value, json};
use windows_timezones::WindowsTimezone;

use super::failure::Failure;
use crate::wire::Request;

/// A time zone, with the name by which it was requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// The Windows or IANA spelling, returned as it was requested.
    pub name: String,
    /// The offsets over time, from the IANA database.
    pub rules: domain::Zone,
}

impl Zone {
    /// Finds a zone by a name of either kind.
    pub fn find(name: &str) -> Result<Self, Failure> {
        let rules = match name {
            "tzone://Microsoft/Utc" => Some(domain::Zone::UTC),
            _ => match name.parse::<WindowsTimezone>() {
                Ok(windows) => domain::Zone::from_name(windows.tzdb_id()),
                Err(_) => domain::Zone::from_name(name),
            },
        };
        rules.map(|rules| Self { name: name.to_owned(), rules }).ok_or_else(|| {
            Failure::new(
                400,
                "TimeZoneNotSupportedException",
                format!("A valid TimeZone value must be specified. The following TimeZone value is not supported: '{name}'."),
            )
        })
    }

    /// UTC, the time zone of requests that specify none.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: domain::Zone::UTC }
    }

    /// The zone that `Prefer: outlook.timezone` names, else UTC.
    pub fn from_preference(request: &Request) -> Result<Self, Failure> {
        let preferences = request.prefer_headers();
        let wanted = preferences.iter().find_map(|part| part.strip_prefix("outlook.timezone="));
        wanted.map_or_else(|| Ok(Self::utc()), |name| Self::find(name.trim_matches('"')))
    }

    /// An instant as a `dateTimeTimeZone`.
    pub fn to_json(&self, at: Timestamp) -> Value {
        json!({ "dateTime": format_local(self.rules.local(at)), "timeZone": self.name })
    }

    /// The instant of a local date-time; one skipped by a clock change counts as an hour later.
    pub fn instant(&self, local: NaiveDateTime) -> Timestamp {
        self.rules.instant(local).unwrap_or_else(|| local.and_utc())
    }

    /// Parses a date-time: with an offset, or else local in this zone.
    pub fn parse_time(&self, text: &str) -> Option<Timestamp> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Some(at.with_timezone(&Utc));
        }
        let local = text.parse::<NaiveDateTime>().ok().or_else(|| {
            let date = text.parse::<chrono::NaiveDate>().ok()?;
            date.and_hms_opt(0, 0, 0)
        })?;
        Some(self.instant(local))
    }
}

/// A local date-time with seven decimals and without an offset.
pub fn format_local(local: NaiveDateTime) -> String {
    format!("{}0", local.format("%Y-%m-%dT%H:%M:%S%.6f"))
}

/// An instant with the suffix `Z`.
pub fn format_utc(at: Timestamp) -> String {
    format!("{}0Z", at.format("%Y-%m-%dT%H:%M:%S%.6f"))
}

/// Parses a `dateTimeTimeZone`.
pub fn parse_date_time(value: &Value) -> Result<(Timestamp, Zone), Failure> {
    let bad = || Failure::invalid_request("A dateTimeTimeZone must have a valid dateTime and timeZone.");
    let zone = value["timeZone"].as_str().map_or_else(|| Ok(Zone::utc()), Zone::find)?;
    let at = value["dateTime"].as_str().and_then(|text| zone.parse_time(text)).ok_or_else(bad)?;
    Ok((at, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_iana_names_mean_the_same_zone() {
        for name in ["W. Europe Standard Time", "Europe/Berlin"] {
            let value = json!({ "dateTime": "2026-07-01T10:00:00", "timeZone": name });
            let (at, zone) = parse_date_time(&value).unwrap();
            assert_eq!(at.to_rfc3339(), "2026-07-01T08:00:00+00:00");
            assert_eq!(
                zone.to_json(at),
                json!({ "dateTime": "2026-07-01T10:00:00.0000000", "timeZone": name })
            );
        }
        assert_eq!(Zone::find("Middle Earth Time").unwrap_err().code, "TimeZoneNotSupportedException");
    }

    #[test]
    fn a_time_that_the_clock_leaps_over_counts_as_an_hour_later() {
        let zone = Zone::find("Europe/Berlin").unwrap();
        assert_eq!(zone.parse_time("2026-03-29T02:30:00").unwrap().to_rfc3339(), "2026-03-29T01:30:00+00:00");
    }
}
