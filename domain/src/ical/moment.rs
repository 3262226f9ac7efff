//! Points and lengths of time as iCalendar writes them.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::{
    line::Property,
    zone::{EventZone, Zones},
};
use crate::{Zone, time::Timestamp};

/// A point in time in one of the four forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// `...Z`.
    Utc(Timestamp),
    /// With a TZID that is known.
    Zoned(NaiveDateTime, EventZone),
    /// Without a zone, or with a TZID that nobody described: the owner's local time.
    Floating(NaiveDateTime),
    /// A whole day of the owner's.
    Date(NaiveDate),
}

impl Moment {
    /// Reads a property of type DATE-TIME or DATE.
    pub(super) fn read(property: &Property, zones: &Zones) -> Option<Self> {
        Self::read_value(&property.value, property.param_value("TZID"), zones)
    }

    /// Reads every value of a list (EXDATE, RDATE).
    pub(super) fn read_list<'a>(
        property: &'a Property,
        zones: &'a Zones,
    ) -> impl Iterator<Item = (Self, Option<Span>)> + 'a {
        property.value.split(',').filter_map(move |value| {
            let (start, rest) =
                value.split_once('/').map_or((value, None), |(start, rest)| (start, Some(rest)));
            let zone = property.param_value("TZID");
            let start = Self::read_value(start, zone, zones)?;
            let span = rest.and_then(|rest| match Span::read(rest) {
                Some(length) => Some(length),
                None => Some(Span::Until(Self::read_value(rest, zone, zones)?)),
            });
            Some((start, span))
        })
    }

    fn read_value(value: &str, zone: Option<&str>, zones: &Zones) -> Option<Self> {
        let value = value.trim();
        if value.len() == 8 {
            return date(value).map(Self::Date);
        }
        if let Some(at) = value.strip_suffix(['Z', 'z']) {
            return Some(Self::Utc(DateTime::from_naive_utc_and_offset(local(at)?, Utc)));
        }
        let at = local(value)?;
        Some(match zone.and_then(|id| zones.get(id)) {
            Some(zone) => Self::Zoned(at, zone),
            None => Self::Floating(at),
        })
    }

    /// The instant, with the owner's zone for times that have none.
    pub fn instant(&self, owner: &Zone) -> Option<Timestamp> {
        match self {
            Self::Utc(at) => Some(*at),
            Self::Zoned(at, zone) => zone.instant(*at),
            Self::Floating(at) => owner.instant(*at),
            Self::Date(day) => owner.instants(day.and_time(NaiveTime::MIN)).map(|(first, _)| first),
        }
    }

    /// The time on the wall where it was written.
    pub(super) fn wall(&self) -> NaiveDateTime {
        match self {
            Self::Utc(at) => at.naive_utc(),
            Self::Zoned(at, _) | Self::Floating(at) => *at,
            Self::Date(day) => day.and_time(NaiveTime::MIN),
        }
    }

    /// Another time on the same wall.
    pub(super) fn moved_to(&self, wall: NaiveDateTime) -> Self {
        match self {
            Self::Utc(_) => Self::Utc(DateTime::from_naive_utc_and_offset(wall, Utc)),
            Self::Zoned(_, zone) => Self::Zoned(wall, zone.clone()),
            Self::Floating(_) => Self::Floating(wall),
            Self::Date(_) => Self::Date(wall.date()),
        }
    }

    /// Whether it is a whole day.
    pub const fn is_date(&self) -> bool {
        matches!(self, Self::Date(_))
    }
}

/// How long something lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Up to this point, exclusive.
    Until(Moment),
    /// So many days of the calendar, then so many exact seconds.
    Length {
        /// Days on the wall: 23 to 25 hours each.
        days: i64,
        /// Exact seconds.
        seconds: i64,
    },
}

impl Span {
    /// Reads a DURATION. Negative ones are for alarms and refused here.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('+').strip_prefix('P').filter(|rest| !rest.is_empty())?;
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
                (false, 'D') => days += value,
                (true, 'H') => seconds += value * 3600,
                (true, 'M') => seconds += value * 60,
                (true, 'S') => seconds += value,
                _ => return None,
            }
        }
        number.is_none().then_some(Self::Length { days, seconds })
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
                let length = until.instant(owner)? - first.instant(owner)?;
                start.instant(owner)?.checked_add_signed(length)
            }
        }
    }
}

/// `20261201`.
pub(super) fn date(text: &str) -> Option<NaiveDate> {
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| NaiveDate::parse_from_str(text, "%Y%m%d").ok()).flatten()
}

/// `20261201T100000`, with or without a `Z` that was dealt with before.
pub(super) fn local(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim().trim_end_matches('Z');
    match text.split_once(['T', 't']) {
        // A leap second is the second before.
        Some((day, time)) if time.len() == 6 => {
            let time = if time.ends_with("60") { format!("{}59", &time[..4]) } else { time.to_owned() };
            Some(date(day)?.and_time(NaiveTime::parse_from_str(&time, "%H%M%S").ok()?))
        }
        Some(_) => None,
        None => Some(date(text)?.and_time(NaiveTime::MIN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_nonsense_is_refused() {
        assert_eq!(Span::read("P1W"), Some(Span::Length { days: 7, seconds: 0 }));
        assert_eq!(Span::read("P1DT2H30M"), Some(Span::Length { days: 1, seconds: 9000 }));
        for text in ["", "1H", "P", "PT5", "-PT1H", "P1H", "PT99999999999H", "P99999999999999999999D"] {
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
