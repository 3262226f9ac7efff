//! Points in time in the forms that iCalendar defines: UTC, with a zone, floating, and whole days.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::{
    line::Property,
    raw_date_time::{RawDateTime, parse},
    span::EventLength,
    zone::{EventZone, Zones},
};
use crate::{Zone, time::Timestamp};

/// A point in time in one of the forms of iCalendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// A time in UTC, written `...Z`.
    Utc(Timestamp),
    /// A local time with a known TZID.
    Zoned(NaiveDateTime, EventZone),
    /// A local time without a zone, in the calendar owner's time zone.
    Floating(NaiveDateTime),
    /// A local time whose TZID is neither a known name nor defined in the resource; interpreted in the owner's time
    /// zone.
    Unzoned(NaiveDateTime),
    /// A whole day in the calendar owner's time zone.
    Date(NaiveDate),
}

impl Moment {
    /// Parses a property of type DATE-TIME or DATE.
    pub(super) fn parse(property: &Property, zones: &Zones) -> Option<Self> {
        let zone = zone_name(property);
        match Self::read_value(&property.value, zone.as_deref(), zones) {
            None => {
                // Some programs do not quote the colon in a name such as `GMT+05:30`.
                let (rest, value) = property.value.rsplit_once(':')?;
                Self::read_value(value, Some(&format!("{}:{rest}", zone?)), zones)
            }
            at if has_date_values(property) => at.map(Self::date_at_midnight),
            at => at,
        }
    }

    /// Parses every value of a list property (EXDATE, RDATE); `None` for an unreadable value.
    pub(super) fn parse_list<'a>(
        property: &'a Property,
        zones: &'a Zones,
    ) -> impl Iterator<Item = Option<(Self, Option<EventLength>)>> + 'a {
        let zone = zone_name(property);
        // vCalendar 1.0 puts semicolons between them.
        property.value.split([',', ';']).map(str::trim).map(move |value| {
            let (start, rest) =
                value.split_once('/').map_or((value, None), |(start, rest)| (start, Some(rest)));
            let zone = zone.as_deref();
            let start = Self::read_value(start, zone, zones)?;
            let span = match rest {
                None => None,
                Some(rest) => Some(match EventLength::parse(rest) {
                    Some(length) => length,
                    None => EventLength::Until(Self::read_value(rest, zone, zones)?),
                }),
            };
            Some((start, span))
        })
    }

    fn read_value(value: &str, zone: Option<&str>, zones: &Zones) -> Option<Self> {
        Some(match parse(value)? {
            RawDateTime::Date(day) => Self::Date(day),
            RawDateTime::Utc(at) => Self::Utc(at.and_utc()),
            RawDateTime::Local(at) => match zone.map(str::trim).filter(|id| !id.is_empty()) {
                None => Self::Floating(at),
                Some(id) => match zones.get(id) {
                    Some(zone) => Self::Zoned(at, zone),
                    None => Self::Unzoned(at),
                },
            },
        })
    }

    /// Converts a time at midnight to a date, because some programs write whole days as times at midnight.
    fn date_at_midnight(self) -> Self {
        let wall = self.wall_time();
        if wall.time() == NaiveTime::MIN { Self::Date(wall.date()) } else { self }
    }

    /// Converts a start that is declared to be a whole day to its date. A time in UTC stays unchanged, because it may
    /// be midnight for the owner.
    pub(super) fn into_whole_day(self) -> Self {
        if matches!(self, Self::Utc(_)) { self } else { Self::Date(self.wall_time().date()) }
    }

    /// The date that the value means in a series of whole days: for a UTC time that is midnight for the owner, the day
    /// that begins then; for any other value, the date that it contains.
    pub(super) fn day(&self, owner: &Zone) -> NaiveDate {
        if let Self::Utc(at) = self {
            let local = owner.local(*at);
            if local.time() == NaiveTime::MIN {
                return local.date();
            }
        }
        self.wall_time().date()
    }

    /// Converts the value to an instant; values without a zone are in the calendar owner's time zone.
    pub fn instant(&self, owner: &Zone) -> Option<Timestamp> {
        match self {
            Self::Utc(at) => Some(*at),
            Self::Zoned(at, zone) => zone.instant(*at),
            Self::Floating(at) | Self::Unzoned(at) => owner.instant(*at),
            Self::Date(day) => owner.instant_range(day.and_time(NaiveTime::MIN)).map(|(first, _)| first),
        }
    }

    /// The local time, in the zone in which it was written.
    pub(super) fn wall_time(&self) -> NaiveDateTime {
        match self {
            Self::Utc(at) => at.naive_utc(),
            Self::Zoned(at, _) | Self::Floating(at) | Self::Unzoned(at) => *at,
            Self::Date(day) => day.and_time(NaiveTime::MIN),
        }
    }

    /// The local time of an instant in this value's zone; in UTC for a zone defined in the resource.
    pub(super) fn wall_time_at(&self, at: Timestamp, owner_zone: &Zone) -> NaiveDateTime {
        match self {
            Self::Utc(_) | Self::Zoned(_, EventZone::Described(_)) => at.naive_utc(),
            Self::Zoned(_, EventZone::Named(zone) | EventZone::Witnessed(zone, _)) => zone.local(at),
            Self::Zoned(_, EventZone::Offset(seconds)) => {
                at.naive_utc() + Duration::seconds((*seconds).into())
            }
            Self::Floating(_) | Self::Unzoned(_) | Self::Date(_) => owner_zone.local(at),
        }
    }

    /// Whether the zone is defined in the iCalendar resource, with or without a known name.
    pub(super) const fn has_embedded_zone(&self) -> bool {
        matches!(self, Self::Zoned(_, EventZone::Described(_) | EventZone::Witnessed(..)))
    }

    /// Another local time in the same zone.
    pub(super) fn with_wall_time(&self, wall: NaiveDateTime) -> Self {
        match self {
            Self::Utc(_) => Self::Utc(DateTime::from_naive_utc_and_offset(wall, Utc)),
            Self::Zoned(_, zone) => Self::Zoned(wall, zone.clone()),
            Self::Floating(_) => Self::Floating(wall),
            Self::Unzoned(_) => Self::Unzoned(wall),
            Self::Date(_) => Self::Date(wall.date()),
        }
    }

    /// Whether the zone is uncertain.
    pub(super) fn has_uncertain_zone(&self) -> bool {
        match self {
            Self::Unzoned(_) => true,
            Self::Zoned(_, EventZone::Described(described)) => described.is_doubtful,
            _ => false,
        }
    }

    /// Whether the value specifies its time zone.
    pub(super) const fn has_zone(&self) -> bool {
        matches!(self, Self::Utc(_) | Self::Zoned(..))
    }

    /// Whether the value is a whole day.
    pub const fn is_date(&self) -> bool {
        matches!(self, Self::Date(_))
    }
}

/// Whether a property declares its values as dates (VALUE=DATE).
pub(super) fn has_date_values(property: &Property) -> bool {
    property.param_value("VALUE").is_some_and(|kind| kind.eq_ignore_ascii_case("DATE"))
        || property.params.iter().any(|(name, values)| name == "DATE" && values.is_empty())
}

/// The TZID of a property. Some programs do not quote commas in a TZID, so that it looks like several values.
fn zone_name(property: &Property) -> Option<String> {
    let names: Vec<&str> = property.param_values("TZID").collect();
    (!names.is_empty()).then(|| names.join(","))
}
