//! Calendar items that cannot be parsed.
//!
//! One unreadable item affects only itself: it is left out of the result and marked. If its times are partly known, it
//! counts as busy over the widest time range that it may cover; otherwise it blocks no time, and a search reports it.

use serde::{Deserialize, Serialize};

/// Why a calendar item is unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UnreadableReason {
    /// The item has no readable start or end.
    NoTimes,
    /// The item's recurrence rule cannot be read.
    Recurrence,
    /// The item's time zone is neither known nor defined.
    TimeZone,
    /// The item violates the format of its calendar system.
    Malformed,
    /// The item exceeds the size limit for a single item.
    TooLarge,
    /// Expanding the item exceeds the budget for a single item.
    TooCostly,
    /// The calendar system lists the item but does not return its content.
    NotDelivered,
}

impl UnreadableReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::NoTimes,
        Self::Recurrence,
        Self::TimeZone,
        Self::Malformed,
        Self::TooLarge,
        Self::TooCostly,
        Self::NotDelivered,
    ];

    /// Stable, machine-readable code of the reason.
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

    /// The reason with this code; `None` for a code that a newer version introduced.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// A calendar item of which at least a part cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadableItem {
    /// iCalendar UID of the item, or its id in the calendar system if no UID can be parsed.
    pub uid: String,
    /// Why the item cannot be read.
    pub reason: UnreadableReason,
    /// Whether the item counts as busy over the widest time range it may cover. If not, its times are unknown and it
    /// blocks no time.
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
