//! What may be seen of a calendar: its events, or only when it is busy.

use domain::{Busy, TimeRange};

use super::{directory::Located, free_busy, read};
use crate::Event;

/// What may be seen of a calendar.
#[derive(Debug)]
pub(super) enum Seen {
    /// Its events.
    Stored(Vec<read::Stored>),
    /// Only when it is busy.
    Busy(Vec<Busy>),
}

impl Seen {
    /// What is seen, as events.
    pub(super) fn events(&self, place: &Located, mailbox: &str, window: TimeRange) -> Vec<Event> {
        match self {
            Self::Stored(stored) => read::events(stored, place, mailbox, window),
            Self::Busy(busy) => busy.iter().map(|busy| free_busy::event(place, busy)).collect(),
        }
    }
}
