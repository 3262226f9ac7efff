//! Event durations in the forms that iCalendar defines.

use chrono::Duration;

use super::moment::Moment;
use crate::{Zone, time::Timestamp};

/// Seconds of a day.
const DAY: i64 = 24 * 3600;
/// Maximum duration of an event in days: ten thousand years.
const LONGEST: i64 = 3_652_500;

/// How long an event lasts, according to its DTEND or DURATION.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventLength {
    /// Ends at this point, exclusive.
    Until(Moment),
    /// Lasts a number of calendar days, followed by a number of exact seconds.
    Length {
        /// Calendar days; each may last 23 to 25 hours.
        days: i64,
        /// Exact seconds, added after the calendar days.
        seconds: i64,
    },
}

impl EventLength {
    /// Parses a DURATION value. A negative one, as in alarms, counts as zero. `None` if it exceeds the maximum.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let (text, is_negative) = match text.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (text.trim_start_matches('+'), false),
        };
        let text = text.strip_prefix('P').filter(|rest| !rest.is_empty())?;
        let (mut days, mut seconds, mut number) = (0_i64, 0_i64, None::<i64>);
        let mut in_time = false;
        for char in text.chars() {
            if let Some(digit) = char.to_digit(10) {
                number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit.into())?);
                continue;
            }
            if char == 'T' && number.is_none() {
                in_time = true;
                continue;
            }
            let value = number.take().filter(|value| *value < 1_000_000_000)?;
            match (in_time, char) {
                (false, 'W') => days += value * 7,
                (_, 'D') => days += value,
                (true, 'H') => seconds += value * 3600,
                (true, 'M') => seconds += value * 60,
                (true, 'S') => seconds += value,
                _ => return None,
            }
        }
        let is_whole = number.is_none() && !text.ends_with('T') && days + seconds / DAY <= LONGEST;
        let length =
            if is_negative { Self::Length { days: 0, seconds: 0 } } else { Self::Length { days, seconds } };
        is_whole.then_some(length)
    }

    /// The end of an occurrence that starts at `start`. If the first occurrence has an explicit end, all
    /// occurrences have its exact length (RFC 5545 section 3.8.5.3).
    pub(super) fn end(&self, first: &Moment, start: &Moment, owner: &Zone) -> Option<Timestamp> {
        match self {
            Self::Length { days, seconds } => {
                let wall = start.wall_time().checked_add_signed(Duration::try_days(*days)?)?;
                start
                    .with_wall_time(wall)
                    .instant(owner)?
                    .checked_add_signed(Duration::try_seconds(*seconds)?)
            }
            Self::Until(until) if first.is_date() => {
                let days = until.wall_time().date() - first.wall_time().date();
                start.with_wall_time(start.wall_time().checked_add_signed(days)?).instant(owner)
            }
            Self::Until(until) => {
                start.instant(owner)?.checked_add_signed(length_until(until, first, owner)?)
            }
        }
    }

    /// The length of an event that begins on a date: whole days, at least one. Some programs write a one-day event with
    /// its start as the end, or with the length of a working day.
    pub(super) fn into_whole_days(self) -> Self {
        match self {
            Self::Length { days, seconds } => {
                let begun = seconds.div_euclid(DAY) + i64::from(seconds.rem_euclid(DAY) > 0);
                Self::Length { days: (days + begun).max(1), seconds: 0 }
            }
            until @ Self::Until(_) => until,
        }
    }
}

/// The time between a start and an end. If only one of the two specifies its zone, the other may be in the same zone,
/// and the longer time counts; likewise if the end would precede the start.
fn length_until(until: &Moment, first: &Moment, owner: &Zone) -> Option<Duration> {
    let exact = until.instant(owner)? - first.instant(owner)?;
    let on_the_wall = until.wall_time() - first.wall_time();
    let is_clear = until.has_zone() == first.has_zone() && exact > Duration::zero();
    Some(if is_clear { exact } else { exact.max(on_the_wall) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::{raw_date_time::parse_local, zone::EventZone};

    #[test]
    fn durations_are_read_and_nonsense_is_refused() {
        assert_eq!(EventLength::parse("P1W"), Some(EventLength::Length { days: 7, seconds: 0 }));
        assert_eq!(EventLength::parse("P1DT2H30M"), Some(EventLength::Length { days: 1, seconds: 9000 }));
        assert_eq!(
            EventLength::parse("-PT1H"),
            Some(EventLength::Length { days: 0, seconds: 0 }),
            "it ends before it begins"
        );
        for text in
            ["", "1H", "P", "PT", "PT5", "P1H", "PT99999999999H", "P4000000D", "P99999999999999999999D"]
        {
            assert_eq!(EventLength::parse(text), None, "{text} is no length");
        }
    }

    #[test]
    fn a_day_on_the_wall_is_23_hours_when_clocks_go_forward() {
        let start = Moment::Zoned(
            parse_local("20260328T120000").unwrap(),
            EventZone::Named(Zone::from_name("Europe/Berlin").unwrap()),
        );
        let nominal = EventLength::parse("P1D").unwrap().end(&start, &start, &Zone::UTC).unwrap();
        let exact = EventLength::parse("PT24H").unwrap().end(&start, &start, &Zone::UTC).unwrap();
        assert_eq!(exact - nominal, Duration::hours(1));
    }
}
