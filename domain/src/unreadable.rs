//! Items of calendars that cannot be read.
//!
//! One bad item takes down nothing but itself: it is left out of what was read and marked. Where something is known of
//! its times it counts as busy over the widest span it may cover; otherwise it blocks nothing, and a search says so.

use serde::{Deserialize, Serialize};

/// Why an item cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UnreadableReason {
    /// It has no start or end that can be understood.
    NoTimes,
    /// Its recurrence rule cannot be understood.
    Recurrence,
    /// Its time zone is described nowhere.
    TimeZone,
    /// It is not in the form that its calendar system prescribes.
    Malformed,
    /// It is larger than what is read of one item.
    TooLarge,
    /// Expanding it costs more than what is spent on one item.
    TooCostly,
    /// The calendar system lists it and does not hand it out.
    NotDelivered,
}

impl UnreadableReason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::NoTimes,
        Self::Recurrence,
        Self::TimeZone,
        Self::Malformed,
        Self::TooLarge,
        Self::TooCostly,
        Self::NotDelivered,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoTimes => "NO_TIMES",
            Self::Recurrence => "RECURRENCE",
            Self::TimeZone => "TIME_ZONE",
            Self::Malformed => "MALFORMED",
            Self::TooLarge => "TOO_LARGE",
            Self::TooCostly => "TOO_COSTLY",
            Self::NotDelivered => "NOT_DELIVERED",
        }
    }

    /// The reason with a code; `None` for a code of a newer version.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// An item that cannot be read, wholly or in part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Its iCalendar UID; the calendar system's own id where no UID can be read.
    pub uid: String,
    /// Why.
    pub reason: UnreadableReason,
    /// Whether it counts as busy, over the widest span it may cover. Otherwise nothing is known of its times, and it
    /// blocks none.
    pub blocks: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_words_that_are_stored() {
        for reason in UnreadableReason::ALL {
            assert_eq!(UnreadableReason::parse(reason.code()), Some(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
        }
        assert_eq!(UnreadableReason::parse("NEWER"), None);
    }
}
