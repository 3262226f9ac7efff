//! The order in which the events of calendars were touched: what every provider's cursors of changes count on.

use std::collections::BTreeMap;

use crate::{model::Event, store::Owner};

/// When each event was touched, in all calendars. Made anew from the log at every start.
#[derive(Debug, Default)]
pub struct History {
    /// Counts touches.
    pub count: u64,
    /// Counts how often all cursors were forgotten: one that was given away at another count is not known any more.
    pub epoch: u64,
    calendars: BTreeMap<Owner, BTreeMap<String, Touched>>,
}

/// What happened to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The count when it came into being.
    pub made: u64,
    /// The count when it was last changed or removed.
    pub last: u64,
    /// What it was, when it is gone.
    pub gone: Option<Box<Event>>,
}

impl History {
    /// Notes that an event was written, or is gone.
    pub fn touch(&mut self, owner: &Owner, id: &str, gone: Option<Event>) {
        self.count += 1;
        let (last, gone) = (self.count, gone.map(Box::new));
        let calendar = self.calendars.entry(owner.clone()).or_default();
        let made = calendar.get(id).map_or(last, |known| known.made);
        calendar.insert(id.to_owned(), Touched { made, last, gone });
    }

    /// When the events of a calendar were touched, by their ids.
    pub fn of<'a>(&'a self, owner: &Owner) -> impl Iterator<Item = (&'a str, &'a Touched)> + use<'a> {
        self.calendars.get(owner).into_iter().flatten().map(|(id, touched)| (id.as_str(), touched))
    }

    /// When an event was touched last; 0 for one that never was.
    pub fn last(&self, owner: &Owner, id: &str) -> u64 {
        self.calendars.get(owner).and_then(|all| all.get(id)).map_or(0, |touched| touched.last)
    }

    /// The events of a calendar that are gone.
    pub fn gone<'a>(&'a self, owner: &Owner) -> impl Iterator<Item = &'a Event> + use<'a> {
        self.of(owner).filter_map(|(_, touched)| touched.gone.as_deref())
    }

    /// What was touched in a calendar after `count`, oldest touch first.
    pub fn since<'a>(&'a self, owner: &Owner, count: u64) -> Vec<(&'a str, &'a Touched)> {
        let mut touched: Vec<_> = self.of(owner).filter(|(_, touched)| touched.last > count).collect();
        touched.sort_unstable_by_key(|(_, touched)| touched.last);
        touched
    }
}
