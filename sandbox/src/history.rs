//! The order in which events were changed: the basis of every provider's change cursors.

use std::collections::BTreeMap;

use crate::{model::Event, store::CalendarKey};

/// The number of the last change of each event, in all calendars. Rebuilt from the log at every start.
#[derive(Debug, Default)]
pub struct History {
    /// Number of event changes so far.
    pub count: u64,
    /// Number of times that all cursors were invalidated; cursors of an earlier epoch are invalid.
    pub epoch: u64,
    calendars: BTreeMap<CalendarKey, BTreeMap<String, EventChange>>,
}

/// The history of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventChange {
    /// The value of [`History::count`] when the event was created.
    pub made: u64,
    /// The value of [`History::count`] when the event was last changed or removed.
    pub last: u64,
    /// The last version of a removed event; `None` while the event exists.
    pub gone: Option<Box<Event>>,
}

impl History {
    /// Records that an event was written, or removed if `gone` contains its last version.
    pub fn record_change(&mut self, owner: &CalendarKey, id: &str, gone: Option<Event>) {
        self.count += 1;
        let (last, gone) = (self.count, gone.map(Box::new));
        let calendar = self.calendars.entry(owner.clone()).or_default();
        let made = calendar.get(id).map_or(last, |known| known.made);
        calendar.insert(id.to_owned(), EventChange { made, last, gone });
    }

    /// The changes of a calendar's events, by event id.
    pub fn changes_of<'a>(
        &'a self,
        owner: &CalendarKey,
    ) -> impl Iterator<Item = (&'a str, &'a EventChange)> + use<'a> {
        self.calendars.get(owner).into_iter().flatten().map(|(id, touched)| (id.as_str(), touched))
    }

    /// The change number of an event's last change; 0 if there is none.
    pub fn last_change_number(&self, owner: &CalendarKey, id: &str) -> u64 {
        self.calendars.get(owner).and_then(|all| all.get(id)).map_or(0, |touched| touched.last)
    }

    /// The removed events of a calendar.
    pub fn removed_events<'a>(&'a self, owner: &CalendarKey) -> impl Iterator<Item = &'a Event> + use<'a> {
        self.changes_of(owner).filter_map(|(_, touched)| touched.gone.as_deref())
    }

    /// The changes of a calendar's events after change number `after`, oldest first.
    pub fn changes_since<'a>(&'a self, owner: &CalendarKey, after: u64) -> Vec<(&'a str, &'a EventChange)> {
        let mut touched: Vec<_> =
            self.changes_of(owner).filter(|(_, touched)| touched.last > after).collect();
        touched.sort_unstable_by_key(|(_, touched)| touched.last);
        touched
    }
}
