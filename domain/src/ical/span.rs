//! Lengths of time as iCalendar writes them.

use chrono::Duration;

use super::moment::Moment;
use crate::{Zone, time::Timestamp};

/// Seconds of a day.
const DAY: i64 = 24 * 3600;
/// The longest length that is read, in days: ten thousand years.
const LONGEST: i64 = 3_652_500;

/// How long something lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Up to this point, exclusive.
    Until(Moment),
    /// Number of calendar days, followed by a number of exact seconds.
    Length {
        /// Days on the wall: 23 to 25 hours each.
        days: i64,
        /// Exact seconds.
        seconds: i64,
    },
}

impl Span {
    /// Reads a DURATION. A negative one, as alarms have it, takes no time. One that is longer than any event cannot be
    /// meant.
    pub(super) fn read(text: &str) -> Option<Self> {
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

    /// The end of something of this length that starts at `start`. The first occurrence of a series fixes the
    /// exact length where the end was given as a point (RFC 5545 section 3.8.5.3).
    pub(super) fn end(&self, first: &Moment, start: &Moment, owner: &Zone) -> Option<Timestamp> {
        match self {
            Self::Length { days, seconds } => {
                let wall = start.wall().checked_add_signed(Duration::try_days(*days)?)?;
                start.moved_to(wall).instant(owner)?.checked_add_signed(Duration::try_seconds(*seconds)?)
            }
            Self::Until(until) if first.is_date() => {
                let days = until.wall().date() - first.wall().date();
                start.moved_to(start.wall().checked_add_signed(days)?).instant(owner)
            }
            Self::Until(until) => {
                start.instant(owner)?.checked_add_signed(length_until(until, first, owner)?)
            }
        }
    }

    /// The length of something that begins on a day: whole days, and one at least. Several programs end a whole day on the
    /// day it begins, or give it the length of the working day.
    pub(super) fn in_days(self) -> Self {
        match self {
            Self::Length { days, seconds } => {
                let begun = seconds.div_euclid(DAY) + i64::from(seconds.rem_euclid(DAY) > 0);
                Self::Length { days: (days + begun).max(1), seconds: 0 }
            }
            until @ Self::Until(_) => until,
        }
    }
}

/// The time between a start and an end. Where only one of them names its zone, the other may have been written on the same
/// wall, and the longer time counts; so it does where they would be in the wrong order otherwise.
fn length_until(until: &Moment, first: &Moment, owner: &Zone) -> Option<Duration> {
    let exact = until.instant(owner)? - first.instant(owner)?;
    let on_the_wall = until.wall() - first.wall();
    let is_clear = until.has_zone() == first.has_zone() && exact > Duration::zero();
    Some(if is_clear { exact } else { exact.max(on_the_wall) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::{raw_date_time::local, zone::EventZone};

    #[test]
    fn durations_are_read_and_nonsense_is_refused() {
        assert_eq!(Span::read("P1W"), Some(Span::Length { days: 7, seconds: 0 }));
        assert_eq!(Span::read("P1DT2H30M"), Some(Span::Length { days: 1, seconds: 9000 }));
        assert_eq!(
            Span::read("-PT1H"),
            Some(Span::Length { days: 0, seconds: 0 }),
            "it ends before it begins"
        );
        for text in
            ["", "1H", "P", "PT", "PT5", "P1H", "PT99999999999H", "P4000000D", "P99999999999999999999D"]
        {
            assert_eq!(Span::read(text), None, "{text} is no length");
        }
    }

    #[test]
    fn a_day_on_the_wall_is_23_hours_when_clocks_go_forward() {
        let start = Moment::Zoned(
            local("20260328T120000").unwrap(),
            EventZone::Named(Zone::named("Europe/Berlin").unwrap()),
        );
        let nominal = Span::read("P1D").unwrap().end(&start, &start, &Zone::UTC).unwrap();
        let exact = Span::read("PT24H").unwrap().end(&start, &start, &Zone::UTC).unwrap();
        assert_eq!(exact - nominal, Duration::hours(1));
    }
}
