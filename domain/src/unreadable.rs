//! Calendar items that cannot be read.
//!
//! One bad item affects only itself: it is left out of the result and marked. If its times are partly known, it
//! counts as busy over the widest span that it may cover; otherwise it blocks nothing, and a search reports it.

use serde::{Deserialize, Serialize};

/// Why an item cannot be read.
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
    /// The calendar system lists the item but does not return it.
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

    /// Stable code for programs.
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

    /// The reason with this code; `None` for a code of a newer version.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// An item that cannot be read, completely or in part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadableItem {
    /// iCalendar UID of the item, or its id in the calendar system if no UID can be read.
    pub uid: String,
    /// Why the item cannot be read.
    pub reason: UnreadableReason,
    /// Whether the item counts as busy over the widest span it may cover. If not, its times are unknown and it
    /// blocks nothing.
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
