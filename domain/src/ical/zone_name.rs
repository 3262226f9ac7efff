//! Names of time zones as programs write them: IANA names with or without a path, Windows names, Windows display names,
//! and offsets.

use std::{collections::BTreeSet, sync::LazyLock};

use windows_timezones::WindowsTimezone;

use super::{line::unescape_text, zone::EventZone, zone::parse_offset};
use crate::Zone;

/// The time zone with this name; `None` if the name is unknown, because a guess would be worse.
pub(super) fn parse_zone_name(name: &str) -> Option<EventZone> {
    let name = unescape_text(name.trim().trim_matches(['"', '\'']));
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    let zone =
        zone(name).or_else(|| behind_path(name)).or_else(|| windows(name)).or_else(|| windows_zone(name));
    zone.map(EventZone::Named).or_else(|| fixed(name))
}

/// The IANA time zone for a name in any of these forms.
pub fn find_iana_zone(name: &str) -> Option<Zone> {
    match parse_zone_name(name)? {
        EventZone::Named(zone) => Some(zone),
        _ => None,
    }
}

fn zone(name: &str) -> Option<Zone> {
    if name.eq_ignore_ascii_case("Z") || name.eq_ignore_ascii_case("tzone://Microsoft/Utc") {
        return Some(Zone::UTC);
    }
    Zone::from_name(name)
        .or_else(|| name.contains(' ').then(|| Zone::from_name(&name.replace(' ', "_"))).flatten())
}

/// Extracts the IANA name from a path such as `/example.org/20070129_1/Europe/Berlin`; IANA names have two or three
/// parts.
fn behind_path(name: &str) -> Option<Zone> {
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
    let ends = [3, 2].into_iter().filter(|count| parts.len() > *count || name.starts_with('/'));
    ends.filter_map(|count| Some(parts.get(parts.len().checked_sub(count)?..)?.join("/")))
        .find_map(|end| Zone::from_name(&end))
}

fn windows(name: &str) -> Option<Zone> {
    name.parse::<WindowsTimezone>().ok().and_then(|zone| Zone::from_name(zone.tzdb_id()))
}

/// The time zone for a Windows display name such as `(UTC-05:00) Eastern Time (US & Canada)`. The offset prefix differs
/// between Windows versions (GMT, a dot, none), so the words after it are compared.
fn windows_zone(name: &str) -> Option<Zone> {
    let (offset, wanted) = parts_shown(name);
    if wanted.is_empty() {
        return None;
    }
    let exact = SHOWN.iter().find(|shown| shown.words == wanted);
    let alike = || {
        // In another language most of the cities keep their names, and the offset is the same.
        let same_offset = SHOWN.iter().filter(|shown| offset.is_some() && shown.offset == offset);
        let shared = |shown: &&Shown| shown.words.intersection(&wanted).count();
        same_offset.max_by_key(shared).filter(|shown| shared(shown) * 2 >= wanted.len())
    };
    exact.or_else(alike).and_then(|shown| Zone::from_name(shown.iana))
}

/// A Windows display name.
struct Shown {
    offset: Option<i64>,
    words: BTreeSet<String>,
    iana: &'static str,
}

static SHOWN: LazyLock<Vec<Shown>> = LazyLock::new(|| {
    let all = chrono_tz::TZ_VARIANTS.iter().filter_map(|zone| WindowsTimezone::try_from(*zone).ok());
    let shown = |zone: WindowsTimezone| {
        let (offset, words) = parts_shown(zone.description());
        Shown { offset, words, iana: zone.tzdb_id() }
    };
    all.map(shown).collect()
});

/// Splits a Windows display name into the offset in parentheses, in seconds, and the words after it.
fn parts_shown(name: &str) -> (Option<i64>, BTreeSet<String>) {
    let bracketed = name.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let (offset, rest) = match bracketed {
        Some((inner, rest)) if is_offset_name(inner) => (fixed_seconds(inner), rest),
        _ => (None, name),
    };
    let words = rest.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty());
    (offset, words.map(str::to_lowercase).collect())
}

fn is_offset_name(text: &str) -> bool {
    text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("UTC") || start.eq_ignore_ascii_case("GMT"))
}

/// Parses a fixed offset such as `GMT+05:30`, `UTC-5`, `+0100` or `(UTC+02:00)`.
fn fixed(name: &str) -> Option<EventZone> {
    let inner = name.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(name);
    fixed_seconds(inner).map(|seconds| EventZone::Offset(seconds as i32))
}

fn fixed_seconds(name: &str) -> Option<i64> {
    let text = if is_offset_name(name) { &name[3..] } else { name };
    let text = text.trim().replace('.', ":").replace('\u{2212}', "-");
    let seconds = match text.split_at_checked(1)? {
        // One digit of hours, which the standard does not have.
        (sign, hour) if hour.len() == 1 => parse_offset(&format!("{sign}0{hour}"))?,
        (sign, rest) if rest.len() == 4 && rest.contains(':') => parse_offset(&format!("{sign}0{rest}"))?,
        _ => parse_offset(&text)?,
    };
    Some(seconds.num_seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_spelling() {
        for name in [
            "Europe/Berlin",
            "europe/berlin",
            "\"Europe/Berlin\"",
            "Europe\\/Berlin",
            "/freeassociation.example/Europe/Berlin",
            "/mozilla.example/20070129_1/Europe/Berlin",
            "/Europe/Berlin",
            "W. Europe Standard Time",
            "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
            "(GMT+01.00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
            "Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
            "(UTC+01:00) Amsterdam\\, Berlin\\, Bern\\, Rome\\, Stockholm\\, Vienna",
            "(UTC+01:00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien",
        ] {
            assert_eq!(find_iana_zone(name), Zone::from_name("Europe/Berlin"), "{name}");
        }
        for (name, expected) in [
            ("/x.example/2025/America/Indiana/Knox", "America/Indiana/Knox"),
            ("America/New York", "America/New_York"),
            ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"),
            ("Eastern Time (US & Canada)", "America/New_York"),
            ("tzone://Microsoft/Utc", "UTC"),
        ] {
            assert_eq!(find_iana_zone(name), Zone::from_name(expected), "{name}");
        }
    }

    #[test]
    fn offsets_in_names_are_fixed_and_unknown_names_are_none() {
        for (name, minutes) in [
            ("GMT+05:30", 330),
            ("UTC-5", -300),
            ("UTC+03:00", 180),
            ("+0100", 60),
            ("(UTC+02:00)", 120),
            ("GMT-3:30", -210),
        ] {
            assert_eq!(parse_zone_name(name), Some(EventZone::Offset(minutes * 60)), "{name}");
        }
        for name in [
            "Customized Time Zone",
            "tzone://Microsoft/Custom",
            "",
            "()",
            "(UTC+01:00) Zuhause",
            "GMT+99",
            "+",
        ] {
            assert_eq!(parse_zone_name(name), None, "{name}");
        }
        // The signs of these names of the database are reversed.
        assert_eq!(find_iana_zone("Etc/GMT+5"), Zone::from_name("Etc/GMT+5"));
    }
}
