//! Parses the dates and times of iCalendar.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::zone::parse_offset;

/// A date or time as written, before its zone is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RawDateTime {
    /// A date without a time.
    Date(NaiveDate),
    /// A local time whose zone is specified elsewhere.
    Local(NaiveDateTime),
    /// An instant in UTC, written with a trailing `Z`.
    Utc(NaiveDateTime),
}

/// Parses a DATE or DATE-TIME: the basic form of RFC 5545, times without seconds or with a one-digit hour, and the
/// extended form of ISO 8601 with fractions and offsets. Rejects a string that may be a truncated value.
pub(super) fn parse(text: &str) -> Option<RawDateTime> {
    let text = text.trim();
    let (day, rest) = leading_date(text)?;
    let rest = rest.strip_prefix(['T', 't', ' ']).map(str::trim_start);
    let Some(rest) = rest.or_else(|| unseparated(text)) else {
        return (text.len() == 8 || text.len() == 10)
            .then_some(RawDateTime::Date(day))
            .filter(|_| is_only_date(text));
    };
    let zone = rest.find(|char: char| !(char.is_ascii_digit() || matches!(char, ':' | '.' | ',')));
    let (clock, zone) = rest.split_at(zone.unwrap_or(rest.len()));
    let at = clock_on(day, clock)?;
    match zone.trim() {
        "" => Some(RawDateTime::Local(at)),
        "Z" | "z" => Some(RawDateTime::Utc(at)),
        zone => Some(RawDateTime::Utc(at.checked_sub_signed(parse_offset(zone)?)?)),
    }
}

/// Splits off the date at the start of a string.
fn leading_date(text: &str) -> Option<(NaiveDate, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (year, month, day, length) = match digits {
        8.. => (text.get(..4)?, text.get(4..6)?, text.get(6..8)?, 8),
        4 if matches!(text.as_bytes().get(4), Some(b'-' | b'/'))
            && text.as_bytes().get(4) == text.as_bytes().get(7) =>
        {
            (text.get(..4)?, text.get(5..7)?, text.get(8..10)?, 10)
        }
        _ => return None,
    };
    let day = NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
    Some((day, text.get(length..)?))
}

fn is_only_date(text: &str) -> bool {
    leading_date(text).is_some_and(|(_, rest)| rest.is_empty())
}

/// The time of day in a string such as `20261208103000`, with or without `Z`.
fn unseparated(text: &str) -> Option<&str> {
    let digits = text.trim_end_matches(['Z', 'z']);
    (digits.len() == 14 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| &text[8..])
}

/// Parses the time of day `103000`, `1030`, `93000` or `10:30:00.000` on a date. 24:00 is the end of the day; a leap
/// second is treated as the second before it.
fn clock_on(day: NaiveDate, clock: &str) -> Option<NaiveDateTime> {
    let clock = clock.split(['.', ',']).next()?;
    let (hour, minute, second) = match (clock.contains(':'), clock.len()) {
        (true, _) => {
            let mut parts = clock.split(':');
            let parts = (parts.next()?, parts.next()?, parts.next().unwrap_or("00"), parts.next());
            if parts.1.len() != 2 || parts.2.len() != 2 || parts.3.is_some() {
                return None;
            }
            (parts.0, parts.1, parts.2)
        }
        (false, 6) => (clock.get(..2)?, clock.get(2..4)?, clock.get(4..)?),
        (false, 4) => (clock.get(..2)?, clock.get(2..)?, "00"),
        // With another first digit it may as well be a time whose end is missing.
        (false, 5) if clock >= "3" => (clock.get(..1)?, clock.get(1..3)?, clock.get(3..)?),
        _ => return None,
    };
    let (hour, minute, second): (u32, u32, u32) =
        (hour.parse().ok()?, minute.parse().ok()?, second.parse().ok()?);
    if (hour, minute, second) == (24, 0, 0) {
        return Some(day.succ_opt()?.and_time(NaiveTime::MIN));
    }
    day.and_hms_opt(hour, minute, if second == 60 { 59 } else { second })
}

/// Parses a local time, such as the onset of a time-zone observance.
pub(super) fn parse_local(text: &str) -> Option<NaiveDateTime> {
    Some(match parse(text)? {
        RawDateTime::Date(day) => day.and_time(NaiveTime::MIN),
        RawDateTime::Local(at) | RawDateTime::Utc(at) => at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_read_in_the_forms_that_programs_write() {
        let day = NaiveDate::from_ymd_opt(2026, 12, 8).unwrap();
        let at = |hour, minute, second| day.and_hms_opt(hour, minute, second).unwrap();
        for (text, expected) in [
            ("20261208", RawDateTime::Date(day)),
            ("2026-12-08", RawDateTime::Date(day)),
            ("20261208T103000", RawDateTime::Local(at(10, 30, 0))),
            (" 20261208t1030 ", RawDateTime::Local(at(10, 30, 0))),
            ("20261208T93000Z", RawDateTime::Utc(at(9, 30, 0))),
            ("20261208T105960", RawDateTime::Local(at(10, 59, 59))),
            ("20261207T240000", RawDateTime::Local(at(0, 0, 0))),
            ("2026-12-08T10:30:00Z", RawDateTime::Utc(at(10, 30, 0))),
            ("2026-12-08 10:30:00.0000000", RawDateTime::Local(at(10, 30, 0))),
            ("2026-12-08T10:30+02:00", RawDateTime::Utc(at(8, 30, 0))),
            ("20261208103000", RawDateTime::Local(at(10, 30, 0))),
            ("20261208103000Z", RawDateTime::Utc(at(10, 30, 0))),
            ("20261208T103000-0330", RawDateTime::Utc(at(14, 0, 0))),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "2026",
            "2026120",
            "20261232",
            "20261208T",
            "20261208T1",
            "20261208T10",
            "20261208T103",
            "20261208T10300",
            "20261208T250000",
            "20261208T10:3",
            "20261208X1030",
            "202612081",
            "202612081030",
            "2026120810300",
            "soon",
            "2026-12/08",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
