//! Limits the waits that servers request, for example with `Retry-After`.
//!
//! Every wait that a server requests is limited by this module, so that no number in a response can stop work
//! permanently or overflow a time.

use std::time::Duration;

/// Maximum accepted wait; the server is called again after a day at the latest.
pub const MAX_RETRY_WAIT: Duration = Duration::from_hours(24);

/// Minimum wait after a refusal, even if the server allows an immediate retry.
pub const MIN_RETRY_WAIT: Duration = Duration::from_secs(1);

/// Limits a requested wait to [`MIN_RETRY_WAIT`] and [`MAX_RETRY_WAIT`].
pub fn clamp_retry_wait(requested: Duration) -> Duration {
    requested.clamp(MIN_RETRY_WAIT, MAX_RETRY_WAIT)
}

/// Parses and limits a wait that is specified as a number of `unit`s. A number too large for any type becomes the
/// maximum wait; `None` for a negative number or any other string.
pub fn parse_retry_wait(number: &str, unit: Duration) -> Option<Duration> {
    let number = number.trim();
    let whole = number.split('.').next().unwrap_or_default();
    let fraction = number.strip_prefix(whole).and_then(|rest| rest.strip_prefix('.')).unwrap_or("0");
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let wait = u32::try_from(whole.parse::<u64>().unwrap_or(u64::MAX)).ok().and_then(|n| unit.checked_mul(n));
    // Less than a unit more is still less than what was asked for.
    let more = if fraction.bytes().any(|digit| digit != b'0') { unit } else { Duration::ZERO };
    Some(clamp_retry_wait(wait.and_then(|wait| wait.checked_add(more)).unwrap_or(MAX_RETRY_WAIT)))
}

/// Parses and limits the wait in a `Retry-After` header (RFC 9110 section 10.2.3). A date is compared with the server's
/// own clock, according to its `Date` header; without that header it is ignored.
pub(crate) fn retry_after(header: &str, date: Option<&str>) -> Option<Duration> {
    if let Some(wait) = parse_retry_wait(header, Duration::from_secs(1)) {
        return Some(wait);
    }
    let until = httpdate::parse_http_date(header.trim()).ok()?;
    let now = httpdate::parse_http_date(date?.trim()).ok()?;
    Some(clamp_retry_wait(until.duration_since(now).unwrap_or(Duration::ZERO)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "Sun, 29 Nov 2026 12:00:00 GMT";

    fn seconds(header: &str) -> Option<u64> {
        retry_after(header, Some(NOW)).map(|wait| wait.as_secs())
    }

    #[test]
    fn no_number_is_obeyed_beyond_a_day() {
        let day = MAX_RETRY_WAIT.as_secs();
        for (asked, given) in [
            ("7", 7),
            (" 120 ", 120),
            ("0", 1),
            ("86400", day),
            ("86401", day),
            ("3153600000", day),
            ("4294967296", day),
            ("18446744073709551615", day),
            ("18446744073709551616", day),
            (&"9".repeat(400), day),
            ("1.5", 2),
            ("2.0", 2),
        ] {
            assert_eq!(seconds(asked), Some(given), "{asked}");
        }
        for nothing in ["", "-1", "soon", "1e9", "NaN", "0x10", "1.", ".5", "1 2"] {
            assert_eq!(seconds(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_date_is_compared_with_the_servers_own_clock() {
        for (asked, given) in [
            ("Sun, 29 Nov 2026 12:00:30 GMT", 30),
            ("Sunday, 29-Nov-26 12:01:00 GMT", 60),
            ("Sun Nov 29 12:00:05 2026", 5),
            ("Sun, 29 Nov 2026 11:00:00 GMT", 1),
            ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_WAIT.as_secs()),
        ] {
            assert_eq!(seconds(asked), Some(given), "{asked}");
        }
        assert_eq!(retry_after("Sun, 29 Nov 2026 12:00:30 GMT", None), None);
        assert_eq!(retry_after("Sun, 29 Nov 2026 12:00:30 GMT", Some("today")), None);
    }

    #[test]
    fn other_units_are_clamped_too() {
        let millisecond = Duration::from_millis(1);
        assert_eq!(parse_retry_wait("297749", millisecond), Some(Duration::from_millis(297_749)));
        assert_eq!(parse_retry_wait("18446744073709551615", millisecond), Some(MAX_RETRY_WAIT));
        assert_eq!(parse_retry_wait("1", millisecond), Some(MIN_RETRY_WAIT));
    }
}
