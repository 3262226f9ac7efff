//! Expands an iCalendar resource to its occurrences within a time range.

mod except;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod mutilated;
#[cfg(test)]
mod odd;
#[cfg(test)]
mod real_data;
mod series;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, hash_map::Entry};

use self::series::Series;
use super::{
    Calendar,
    event::{Defect, Event, Status},
};
use crate::{
    ParseBudget, UnreadableItem, UnreadableReason, Zone,
    time::{TimeRange, Timestamp},
};

/// Maximum number of occurrences returned per series and time range.
const INSTANCES: usize = 2_000;

/// An occurrence of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance<'a> {
    /// The event that defines the occurrence: the master or an override.
    pub event: &'a Event,
    /// Original start of the occurrence; `None` if the event does not recur.
    pub recurrence: Option<Timestamp>,
    /// The time at which the occurrence takes place.
    pub range: TimeRange,
    /// Whether the occurrence covers whole days.
    pub all_day: bool,
}

/// Time that an event may occupy: the exact times are unknown because some of its properties cannot be parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockedTime<'a> {
    /// The event that may occupy the time. Its own start and end may be placeholders.
    pub event: &'a Event,
    /// The time that may be occupied.
    pub range: TimeRange,
}

/// Result of expanding an iCalendar resource within a time range.
#[derive(Debug, Default, PartialEq)]
pub struct Expansion<'a> {
    /// Occurrences that overlap the time range, in order. Cancelled occurrences and those of zero duration are left
    /// out.
    pub instances: Vec<Instance<'a>>,
    /// Additional times that count as busy, clipped to the time range.
    pub blocked: Vec<BlockedTime<'a>>,
    /// Items that could not be read, each listed once.
    pub unreadable: Vec<UnreadableItem>,
}

/// Expands the events of one iCalendar resource. `owner` is the time zone of the calendar's owner, used for whole days
/// and for times without a zone.
pub fn expand<'a>(
    calendar: &'a Calendar,
    window: TimeRange,
    owner: &Zone,
    budget: &mut ParseBudget,
) -> Expansion<'a> {
    let mut work = Work { window, owner, budget, found: Expansion::default(), marked: HashMap::new() };
    let mut order: Vec<&str> = Vec::new();
    let mut by_uid: HashMap<&str, Vec<&Event>> = HashMap::new();
    for event in &calendar.events {
        let group = by_uid.entry(event.uid.as_str()).or_default();
        if group.is_empty() {
            order.push(&event.uid);
        }
        group.push(event);
    }
    for uid in order {
        for event in &by_uid[uid] {
            work.defects(event);
        }
        let whole = by_uid[uid].iter().copied().filter(|event| !event.has_defect(Defect::Start));
        Series::from_events(whole, owner).expand(&mut work);
    }
    work.found.unreadable.extend(calendar.misshapen());
    let mut found = work.found;
    found.instances.sort_by_key(|instance| instance.range);
    found.blocked.sort_by_key(|blocked| blocked.range);
    found
}

/// State of an expansion of an iCalendar resource.
struct Work<'a, 'b> {
    window: TimeRange,
    owner: &'b Zone,
    budget: &'b mut ParseBudget,
    found: Expansion<'a>,
    /// Index in `unreadable` of the entry for each UID.
    marked: HashMap<String, usize>,
}

impl<'a> Work<'a, '_> {
    /// Blocks and reports the times that unreadable properties of one event leave uncertain. Defects of its series are
    /// treated separately.
    fn defects(&mut self, event: &'a Event) {
        if event.is_free() {
            return;
        }
        if event.has_defect(Defect::Start) {
            return self.without_start(event);
        }
        let start = event.start.instant(self.owner);
        if event.has_defect(Defect::Zone) {
            self.mark(event, UnreadableReason::TimeZone, true);
        }
        if event.has_defect(Defect::Occurrence) {
            self.mark(event, UnreadableReason::Recurrence, true);
        }
        if event.has_defect(Defect::Prior) {
            self.mark(event, UnreadableReason::Recurrence, false);
        }
        if event.has_defect(Defect::End) {
            // It may last for ever.
            self.block_from(event, start.unwrap_or(self.window.start));
            self.mark(event, UnreadableReason::NoTimes, true);
        }
        if start.is_none() {
            self.mark(event, UnreadableReason::NoTimes, false);
        }
    }

    /// Blocks the time of an event whose start is unreadable: the event may have begun at any time before its end.
    fn without_start(&mut self, event: &'a Event) {
        let is_single = event.rules.is_empty() && event.also.is_empty() && event.recurrence_id.is_none();
        let end = match &event.span {
            super::EventLength::Until(end) if is_single => end.instant(self.owner),
            _ => None,
        };
        let Some(end) = end else { return self.mark(event, UnreadableReason::NoTimes, false) };
        if let Some(range) = TimeRange::new(self.window.start, end.min(self.window.end)) {
            self.found.blocked.push(BlockedTime { event, range });
            self.mark(event, UnreadableReason::NoTimes, true);
        }
    }

    /// Blocks all time from `at` on, because nothing is known about the event after that instant.
    fn block_from(&mut self, event: &'a Event, at: Timestamp) {
        if let Some(range) = TimeRange::new(at.max(self.window.start), self.window.end) {
            self.found.blocked.push(BlockedTime { event, range });
        }
    }

    fn mark(&mut self, event: &Event, reason: UnreadableReason, blocks: bool) {
        let mark = UnreadableItem { uid: event.uid.clone(), reason, blocks };
        let marks = &mut self.found.unreadable;
        match self.marked.entry(event.uid.clone()) {
            // What blocks nothing is the worst that can be said of an item.
            Entry::Occupied(at) if marks[*at.get()].blocks && !blocks => marks[*at.get()] = mark,
            Entry::Occupied(_) => {}
            Entry::Vacant(at) => {
                at.insert(marks.len());
                marks.push(mark);
            }
        }
    }

    fn add(&mut self, event: &'a Event, recurrence: Option<Timestamp>, range: TimeRange) {
        if event.status != Status::Cancelled && range.overlaps(&self.window) {
            let all_day = event.start.is_date();
            self.found.instances.push(Instance { event, recurrence, range, all_day });
        }
    }
}
