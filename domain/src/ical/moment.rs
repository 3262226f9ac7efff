//! Points and lengths of time as iCalendar writes them.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::{
    line::Property,
    zone::{self, EventZone, Zones},
};
use crate::{Zone, time::Timestamp};

/// A point in time in one of the four forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// `...Z`.
    Utc(Timestamp),
    /// With a TZID that is known.
    Zoned(NaiveDateTime, EventZone),
    /// Without a zone: the owner's local time.
    Floating(NaiveDateTime),
    /// With a TZID that is neither a name nor described. It is read as the owner's local time.
    Unzoned(NaiveDateTime),
    /// A whole day of the owner's.
    Date(NaiveDate),
}

impl Moment {
    /// Reads a property of type DATE-TIME or DATE.
    pub(super) fn read(property: &Property, zones: &Zones) -> Option<Self> {
        let zone = property.param_value("TZID");
        match Self::read_value(&property.value, zone, zones) {
            None => {
                // Some programs do not quote the colon in a name such as `GMT+05:30`.
                let (rest, value) = property.value.rsplit_once(':')?;
                Self::read_value(value, Some(&format!("{}:{rest}", zone?)), zones)
            }
            at if property.param_value("VALUE").is_some_and(|kind| kind.eq_ignore_ascii_case("DATE")) => {
                at.map(Self::date_at_midnight)
            }
            at => at,
        }
    }

    /// Reads every value of a list (EXDATE, RDATE); `None` for those that cannot be read.
    pub(super) fn read_list<'a>(
        property: &'a Property,
        zones: &'a Zones,
    ) -> impl Iterator<Item = Option<(Self, Option<Span>)>> + 'a {
        property.value.split(',').map(str::trim).map(move |value| {
            let (start, rest) =
                value.split_once('/').map_or((value, None), |(start, rest)| (start, Some(rest)));
            let zone = property.param_value("TZID");
            let start = Self::read_value(start, zone, zones)?;
            let span = match rest {
                None => None,
                Some(rest) => Some(match Span::read(rest) {
                    Some(length) => length,
                    None => Span::Until(Self::read_value(rest, zone, zones)?),
                }),
            };
            Some((start, span))
        })
    }

    fn read_value(value: &str, zone: Option<&str>, zones: &Zones) -> Option<Self> {
        Some(match written(value)? {
            Written::Date(day) => Self::Date(day),
            Written::Utc(at) => Self::Utc(at.and_utc()),
            Written::Local(at) => match zone.map(str::trim).filter(|id| !id.is_empty()) {
                None => Self::Floating(at),
                Some(id) => match zones.get(id) {
                    Some(zone) => Self::Zoned(at, zone),
                    None => Self::Unzoned(at),
                },
            },
        })
    }

    /// Some programs write whole days with a time of midnight.
    fn date_at_midnight(self) -> Self {
        match self {
            Self::Floating(at) if at.time() == NaiveTime::MIN => Self::Date(at.date()),
            other => other,
        }
    }

    /// The day that it stands for in a series of whole days: a UTC time that is the owner's midnight means the day that
    /// begins then, any other the day that it names.
    pub(super) fn day(&self, owner: &Zone) -> NaiveDate {
        if let Self::Utc(at) = self {
            let local = owner.local(*at);
            if local.time() == NaiveTime::MIN {
                return local.date();
            }
        }
        self.wall().date()
    }

    /// The instant, with the owner's zone for times that have none.
    pub fn instant(&self, owner: &Zone) -> Option<Timestamp> {
        match self {
            Self::Utc(at) => Some(*at),
            Self::Zoned(at, zone) => zone.instant(*at),
            Self::Floating(at) | Self::Unzoned(at) => owner.instant(*at),
            Self::Date(day) => owner.instants(day.and_time(NaiveTime::MIN)).map(|(first, _)| first),
        }
    }

    /// The time on the wall where it was written.
    pub(super) fn wall(&self) -> NaiveDateTime {
        match self {
            Self::Utc(at) => at.naive_utc(),
            Self::Zoned(at, _) | Self::Floating(at) | Self::Unzoned(at) => *at,
            Self::Date(day) => day.and_time(NaiveTime::MIN),
        }
    }

    /// What the wall shows at an instant; in UTC where the zone is a described one.
    pub(super) fn wall_at(&self, at: Timestamp, owner: &Zone) -> NaiveDateTime {
        match self {
            Self::Utc(_) | Self::Zoned(_, EventZone::Described(_)) => at.naive_utc(),
            Self::Zoned(_, EventZone::Named(zone) | EventZone::Witnessed(zone, _)) => zone.local(at),
            Self::Zoned(_, EventZone::Offset(seconds)) => {
                at.naive_utc() + Duration::seconds((*seconds).into())
            }
            Self::Floating(_) | Self::Unzoned(_) | Self::Date(_) => owner.local(at),
        }
    }

    /// Whether its zone is known by a description, alone or beside its name.
    pub(super) const fn is_described(&self) -> bool {
        matches!(self, Self::Zoned(_, EventZone::Described(_) | EventZone::Witnessed(..)))
    }

    /// Another time on the same wall.
    pub(super) fn moved_to(&self, wall: NaiveDateTime) -> Self {
        match self {
            Self::Utc(_) => Self::Utc(DateTime::from_naive_utc_and_offset(wall, Utc)),
            Self::Zoned(_, zone) => Self::Zoned(wall, zone.clone()),
            Self::Floating(_) => Self::Floating(wall),
            Self::Unzoned(_) => Self::Unzoned(wall),
            Self::Date(_) => Self::Date(wall.date()),
        }
    }

    /// Whether its zone is not known for sure.
    pub(super) fn is_doubtful(&self) -> bool {
        match self {
            Self::Unzoned(_) => true,
            Self::Zoned(_, EventZone::Described(described)) => described.is_doubtful,
            _ => false,
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
    /// Reads a DURATION. A negative one, as alarms have it, takes no time.
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
        let is_whole = number.is_none() && !text.ends_with('T');
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
                let length = until.instant(owner)? - first.instant(owner)?;
                start.instant(owner)?.checked_add_signed(length)
            }
        }
    }
}

/// A point in time as it was written, before its zone is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// A day.
    Date(NaiveDate),
    /// A time in a zone that stands elsewhere.
    Local(NaiveDateTime),
    /// A time in UTC.
    Utc(NaiveDateTime),
}

/// Reads a DATE or DATE-TIME in the forms that programs write: the basic form of the standard, without seconds, with an
/// hour of one digit, and the extended form of ISO 8601 with fractions and offsets. A text that may be the beginning of
/// another one is refused.
pub(super) fn written(text: &str) -> Option<Written> {
    let text = text.trim();
    let (day, rest) = leading_date(text)?;
    let rest = rest.strip_prefix(['T', 't', ' ']).map(str::trim_start);
    let Some(rest) = rest else {
        return (text.len() == 8 || text.len() == 10)
            .then_some(Written::Date(day))
            .filter(|_| is_only_date(text));
    };
    let zone = rest.find(|char: char| !(char.is_ascii_digit() || matches!(char, ':' | '.' | ',')));
    let (clock, zone) = rest.split_at(zone.unwrap_or(rest.len()));
    let at = clock_on(day, clock)?;
    match zone.trim() {
        "" => Some(Written::Local(at)),
        "Z" | "z" => Some(Written::Utc(at)),
        offset => Some(Written::Utc(at.checked_sub_signed(zone::offset(offset)?)?)),
    }
}

/// The date in front of a text, and what follows it.
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

/// `103000`, `1030`, `93000`, `10:30:00.000` on a day. The end of a day may be written as 24 o'clock, a leap second is the
/// second before.
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

/// A time without a zone, such as the onset of an observance.
pub(super) fn local(text: &str) -> Option<NaiveDateTime> {
    Some(match written(text)? {
        Written::Date(day) => day.and_time(NaiveTime::MIN),
        Written::Local(at) | Written::Utc(at) => at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_nonsense_is_refused() {
        assert_eq!(Span::read("P1W"), Some(Span::Length { days: 7, seconds: 0 }));
        assert_eq!(Span::read("P1DT2H30M"), Some(Span::Length { days: 1, seconds: 9000 }));
        assert_eq!(
            Span::read("-PT1H"),
            Some(Span::Length { days: 0, seconds: 0 }),
            "it ends before it begins"
        );
        for text in ["", "1H", "P", "PT", "PT5", "P1H", "PT99999999999H", "P99999999999999999999D"] {
            assert_eq!(Span::read(text), None, "{text} is no length");
        }
    }

    #[test]
    fn points_in_time_are_read_in_the_forms_that_programs_write() {
        let day = NaiveDate::from_ymd_opt(2026, 12, 8).unwrap();
        let at = |hour, minute, second| day.and_hms_opt(hour, minute, second).unwrap();
        for (text, expected) in [
            ("20261208", Written::Date(day)),
            ("2026-12-08", Written::Date(day)),
            ("20261208T103000", Written::Local(at(10, 30, 0))),
            (" 20261208t1030 ", Written::Local(at(10, 30, 0))),
            ("20261208T93000Z", Written::Utc(at(9, 30, 0))),
            ("20261208T105960", Written::Local(at(10, 59, 59))),
            ("20261207T240000", Written::Local(at(0, 0, 0))),
            ("2026-12-08T10:30:00Z", Written::Utc(at(10, 30, 0))),
            ("2026-12-08 10:30:00.0000000", Written::Local(at(10, 30, 0))),
            ("2026-12-08T10:30+02:00", Written::Utc(at(8, 30, 0))),
            ("20261208T103000-0330", Written::Utc(at(14, 0, 0))),
        ] {
            assert_eq!(written(text), Some(expected), "{text}");
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
            "soon",
            "2026-12/08",
        ] {
            assert_eq!(written(text), None, "{text}");
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
