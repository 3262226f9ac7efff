//! Parsed start and end times, and the time range that an item with partly unknown times may occupy.
//!
//! An item with partly unknown times counts as busy over the widest span that it may cover within the time range. Only
//! an item whose times are entirely unknown blocks no time. Both kinds of items are reported as unreadable.

use chrono::{Duration, NaiveDate, NaiveDateTime, SubsecRound};
use domain::{BusyKind, TimeRange, Timestamp, UnreadableItem, UnreadableReason, Zone};

use crate::{Event, EventPage};

/// Offset of the easternmost time zone, ahead of UTC.
const EAST: Duration = Duration::hours(14);
/// Offset of the westernmost time zone, behind UTC.
const WEST: Duration = Duration::hours(12);

/// Length of a complete date and time, `2026-12-01T09:00:00`, in characters. Shorter strings are truncated and may
/// denote a different time.
pub(crate) const DATE_TIME_LENGTH: usize = 19;

/// Parses a complete date.
pub(crate) fn parse_date(text: &str) -> Option<NaiveDate> {
    text.parse().ok().filter(|_| text.len() >= "2026-12-01".len())
}

/// Parses a complete date and time without an offset.
pub(crate) fn parse_date_time(text: &str) -> Option<NaiveDateTime> {
    text.parse().ok().filter(|_| text.len() >= DATE_TIME_LENGTH)
}

/// A start or end time, as far as it could be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParsedTime {
    /// A known instant.
    At(Timestamp),
    /// A local time in an unknown zone.
    Local(NaiveDateTime),
    /// Nothing is known about the time.
    Unknown,
}

impl ParsedTime {
    /// Creates a known time, truncated to microseconds.
    pub(crate) fn from_instant(instant: Timestamp) -> Self {
        Self::At(instant.trunc_subsecs(6))
    }

    /// A local time in a zone; `None` means an unknown zone.
    pub(crate) fn from_local(local_time: NaiveDateTime, zone: Option<&Zone>) -> Self {
        match zone {
            Some(zone) => zone.instant(local_time).map_or(Self::Unknown, Self::from_instant),
            None => Self::Local(local_time),
        }
    }

    /// The earliest possible instant.
    fn earliest(self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Local(local_time) => local_time.and_utc().checked_sub_signed(EAST),
            Self::Unknown => None,
        }
    }

    /// The latest possible instant.
    fn latest(self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Local(local_time) => local_time.and_utc().checked_add_signed(WEST),
            Self::Unknown => None,
        }
    }
}

/// The time range that an item occupies within the time range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// The item occupies exactly this range.
    Exact(TimeRange),
    /// The item occupies no time, or certainly lies outside the time range.
    Nothing,
    /// The item lies within this range; its exact times are unknown.
    Widest(TimeRange, UnreadableReason),
    /// The item's times are entirely unknown.
    Unknown(UnreadableReason),
}

/// Determines the time range between a start and an end. An unknown start or end extends the range to the edge of the
/// time range; without a time range, the range is unknown.
pub(crate) fn span(start: ParsedTime, end: ParsedTime, window: Option<TimeRange>) -> Span {
    match (start, end) {
        (ParsedTime::At(start), ParsedTime::At(end)) => {
            return TimeRange::new(start, end).map_or(Span::Nothing, Span::Exact);
        }
        (ParsedTime::Local(start), ParsedTime::Local(end)) if end <= start => return Span::Nothing,
        (ParsedTime::Unknown, ParsedTime::Unknown) => return Span::Unknown(UnreadableReason::NoTimes),
        _ => {}
    }
    let reason = match [start, end].contains(&ParsedTime::Unknown) {
        true => UnreadableReason::NoTimes,
        false => UnreadableReason::TimeZone,
    };
    let from = start.earliest().or(window.map(|window| window.start));
    let until = end.latest().or(window.map(|window| window.end));
    let (Some(from), Some(until)) = (from, until) else { return Span::Unknown(reason) };
    let widest = TimeRange::new(from, until);
    let inside = widest.and_then(|widest| window.map_or(Some(widest), |window| widest.intersect(&window)));
    inside.map_or(Span::Nothing, |range| Span::Widest(range, reason))
}

/// The result of parsing one calendar item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ParsedItem {
    /// A readable event with known times.
    Event(Box<Event>),
    /// An item that occupies no time.
    Nothing,
    /// An item that blocks the widest range that it may occupy, with its report as unreadable.
    Blocked(Box<Event>, UnreadableItem),
    /// An item with unknown times, which blocks no time.
    Unknown(UnreadableItem),
}

/// A placeholder event that blocks a range and has no other details.
pub(crate) fn busy_placeholder(id: String, uid: String, range: TimeRange) -> Event {
    Event {
        id,
        uid,
        version: String::new(),
        series: None,
        effect_key: None,
        title: None,
        range,
        all_day: false,
        busy: Some(BusyKind::Busy),
        private: true,
        organiser: None,
        attendees: Vec::new(),
        online_meeting: None,
    }
}

impl ParsedItem {
    /// An item that blocks a time range. If it has no id, the id is derived from the range.
    pub(crate) fn blocked(
        id: Option<String>,
        uid: Option<String>,
        range: TimeRange,
        reason: UnreadableReason,
    ) -> Self {
        let name = format!("{}/{}", range.start.timestamp(), range.end.timestamp());
        let id = id.or_else(|| uid.clone()).unwrap_or(name);
        let uid = uid.unwrap_or_else(|| id.clone());
        let mark = UnreadableItem { uid: uid.clone(), reason, blocks: true };
        Self::Blocked(Box::new(busy_placeholder(id, uid, range)), mark)
    }

    /// An item that blocks no time, because its times are entirely unknown.
    pub(crate) fn unknown_times(id: Option<String>, uid: Option<String>, reason: UnreadableReason) -> Self {
        Self::Unknown(UnreadableItem { uid: uid.or(id).unwrap_or_default(), reason, blocks: false })
    }

    /// The placeholder for a part of a time range that could not be read.
    pub(crate) fn unreadable_range(range: TimeRange) -> Self {
        Self::blocked(None, None, range, UnreadableReason::NotDelivered)
    }
}

impl EventPage {
    /// Adds the result of parsing one item.
    pub(crate) fn add_parsed_item(&mut self, reading: ParsedItem) {
        match reading {
            ParsedItem::Event(event) => self.items.push(*event),
            ParsedItem::Nothing => {}
            ParsedItem::Blocked(event, mark) => {
                self.items.push(*event);
                self.unreadable.push(mark);
            }
            ParsedItem::Unknown(mark) => self.unreadable.push(mark),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-12-{text}:00Z").parse().unwrap()
    }

    fn local(text: &str) -> ParsedTime {
        ParsedTime::Local(at(text).naive_utc())
    }

    fn range(start: &str, end: &str) -> TimeRange {
        TimeRange::new(at(start), at(end)).unwrap()
    }

    fn found(start: ParsedTime, end: ParsedTime) -> Span {
        span(start, end, Some(range("01T00:00", "31T00:00")))
    }

    #[test]
    fn what_is_known_is_exact_and_an_end_before_its_start_takes_no_time() {
        let (nine, ten) = (ParsedTime::At(at("08T09:00")), ParsedTime::At(at("08T10:00")));
        assert_eq!(found(nine, ten), Span::Exact(range("08T09:00", "08T10:00")));
        assert_eq!(found(ten, nine), Span::Nothing);
        assert_eq!(found(nine, nine), Span::Nothing);
        assert_eq!(found(local("08T10:00"), local("08T09:00")), Span::Nothing);
    }

    #[test]
    fn an_unknown_zone_is_every_zone() {
        let widest = |start, end| Span::Widest(range(start, end), UnreadableReason::TimeZone);
        assert_eq!(found(local("08T10:00"), local("08T11:00")), widest("07T20:00", "08T23:00"));
        assert_eq!(found(local("01T01:00"), local("01T02:00")), widest("01T00:00", "01T14:00"));
        assert_eq!(found(ParsedTime::At(at("08T10:00")), local("08T11:00")), widest("08T10:00", "08T23:00"));
        let outside = span(local("08T10:00"), local("08T11:00"), Some(range("20T00:00", "21T00:00")));
        assert_eq!(outside, Span::Nothing);
    }

    #[test]
    fn an_unknown_time_is_as_wide_as_the_window() {
        let widest = |start, end| Span::Widest(range(start, end), UnreadableReason::NoTimes);
        let ten = ParsedTime::At(at("08T10:00"));
        assert_eq!(found(ten, ParsedTime::Unknown), widest("08T10:00", "31T00:00"));
        assert_eq!(found(ParsedTime::Unknown, ten), widest("01T00:00", "08T10:00"));
        assert_eq!(found(ParsedTime::Unknown, ParsedTime::Unknown), Span::Unknown(UnreadableReason::NoTimes));
        assert_eq!(span(ten, ParsedTime::Unknown, None), Span::Unknown(UnreadableReason::NoTimes));
    }

    #[test]
    fn times_at_the_end_of_the_calendar_do_not_overflow() {
        let last = ParsedTime::Local(NaiveDateTime::MAX);
        let first = ParsedTime::Local(NaiveDateTime::MIN);
        assert_eq!(
            found(first, last),
            Span::Widest(range("01T00:00", "31T00:00"), UnreadableReason::TimeZone)
        );
        assert_eq!(span(first, last, None), Span::Unknown(UnreadableReason::TimeZone));
    }
}
