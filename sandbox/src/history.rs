//! The order in which the events of calendars were touched: the basis of every provider's change cursors.

use std::collections::BTreeMap;

use crate::{model::Event, store::CalendarKey};

/// When each event was touched, in all calendars. Rebuilt from the log at every start.
#[derive(Debug, Default)]
pub struct History {
    /// Number of touches so far.
    pub count: u64,
    /// How often all cursors were invalidated: a cursor of another epoch is unknown.
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
    /// Records that an event was written or removed.
    pub fn record_touch(&mut self, owner: &CalendarKey, id: &str, gone: Option<Event>) {
        self.count += 1;
        let (last, gone) = (self.count, gone.map(Box::new));
        let calendar = self.calendars.entry(owner.clone()).or_default();
        let made = calendar.get(id).map_or(last, |known| known.made);
        calendar.insert(id.to_owned(), EventChange { made, last, gone });
    }

    /// The touched events of a calendar, by their ids.
    pub fn changes_of<'a>(
        &'a self,
        owner: &CalendarKey,
    ) -> impl Iterator<Item = (&'a str, &'a EventChange)> + use<'a> {
        self.calendars.get(owner).into_iter().flatten().map(|(id, touched)| (id.as_str(), touched))
    }

    /// The count when an event was last touched; 0 if it never was.
    pub fn last_touch(&self, owner: &CalendarKey, id: &str) -> u64 {
        self.calendars.get(owner).and_then(|all| all.get(id)).map_or(0, |touched| touched.last)
    }

    /// The removed events of a calendar.
    pub fn removed_events<'a>(&'a self, owner: &CalendarKey) -> impl Iterator<Item = &'a Event> + use<'a> {
        self.changes_of(owner).filter_map(|(_, touched)| touched.gone.as_deref())
    }

    /// The events of a calendar touched after `count`, oldest touch first.
    pub fn changes_since<'a>(&'a self, owner: &CalendarKey, count: u64) -> Vec<(&'a str, &'a EventChange)> {
        let mut touched: Vec<_> =
            self.changes_of(owner).filter(|(_, touched)| touched.last > count).collect();
        touched.sort_unstable_by_key(|(_, touched)| touched.last);
        touched
    }
}
