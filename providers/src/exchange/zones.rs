//! Windows names of time zones; Exchange accepts no others.

use windows_timezones::WindowsTimezone;

/// Zones that were renamed; Unicode's mapping still contains their former names.
const FORMER: [(&str, &str); 12] = [
    ("America/Argentina/Buenos_Aires", "America/Buenos_Aires"),
    ("America/Indiana/Indianapolis", "America/Indianapolis"),
    ("America/Nuuk", "America/Godthab"),
    ("Asia/Ho_Chi_Minh", "Asia/Saigon"),
    ("Asia/Kathmandu", "Asia/Katmandu"),
    ("Asia/Kolkata", "Asia/Calcutta"),
    ("Asia/Yangon", "Asia/Rangoon"),
    ("Atlantic/Faroe", "Atlantic/Faeroe"),
    ("Europe/Kyiv", "Europe/Kiev"),
    ("Pacific/Chuuk", "Pacific/Truk"),
    ("Pacific/Pohnpei", "Pacific/Ponape"),
    ("UTC", "Etc/UTC"),
];

/// The Windows name of an IANA zone; `None` if Windows has no such zone, because a guess would be worse.
pub(super) fn windows_name(iana: &str) -> Option<&'static str> {
    let former = FORMER.iter().find(|(now, _)| *now == iana).map_or(iana, |(_, former)| former);
    let zone: chrono_tz::Tz = former.parse().ok()?;
    WindowsTimezone::try_from(zone).ok().map(WindowsTimezone::name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_get_their_windows_names_aliases_among_them() {
        for (iana, name) in [
            ("Europe/Berlin", "W. Europe Standard Time"),
            ("Europe/Zurich", "W. Europe Standard Time"),
            ("America/New_York", "Eastern Standard Time"),
            ("Asia/Kolkata", "India Standard Time"),
            ("Asia/Calcutta", "India Standard Time"),
            ("Europe/Kyiv", "FLE Standard Time"),
            ("Europe/Kiev", "FLE Standard Time"),
            ("Etc/UTC", "UTC"),
        ] {
            assert_eq!(windows_name(iana), Some(name), "{iana}");
        }
        assert_eq!(windows_name("Middle/Earth"), None);
        let lost: Vec<_> = FORMER.iter().filter(|(now, _)| windows_name(now).is_none()).collect();
        assert!(lost.is_empty(), "{lost:?}");
    }
}
