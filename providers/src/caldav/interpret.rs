//! Converts event resources to busy times and events: expands series, and reports unreadable items or treats them as
//! busy.

use chrono::Duration;
use domain::{
    BusyKind, BusyTime, ParseBudget, TimeRange, UnreadableItem, UnreadableReason, Zone,
    ical::{busy_kind, expand},
};
use url::Url;

use super::{
    event::to_event,
    free_busy, href,
    read::{EventResource, ReadResources, UnreadableResource, run_blocking},
};
use crate::{Event, Result};

/// The owner of a calendar, on whom the interpretation of its resources depends.
#[derive(Debug, Clone)]
pub(super) struct CalendarOwner {
    /// The time zone for all-day events and floating times.
    pub zone: Zone,
    /// All mail addresses of the owner.
    pub addresses: Vec<String>,
}

impl CalendarOwner {
    fn kind(&self, event: &domain::ical::Event) -> Option<BusyKind> {
        let addresses: Vec<&str> = self.addresses.iter().map(String::as_str).collect();
        busy_kind(event, &addresses)
    }
}

/// Returns the resources unchanged, and the URLs of those with an event whose times cannot be determined from its
/// iCalendar text.
pub(super) async fn find_unknown_times(
    found: ReadResources,
    zone: Zone,
    window: TimeRange,
) -> Result<(ReadResources, Vec<(Url, UnreadableReason)>)> {
    run_blocking(move || {
        // The same work is repeated when the resources are interpreted, so the budget is copied.
        let mut budget = found.budget.clone();
        let mut doubtful = Vec::new();
        for one in &found.stored {
            budget.start_item();
            let expansion = expand(&one.calendar, window, &zone, &mut budget);
            let worst = expansion.unreadable.into_iter().find(|item| !item.blocks);
            doubtful.extend(worst.map(|item| (one.url.clone(), item.reason)));
        }
        (found, doubtful)
    })
    .await
}

/// Busy times, unsorted and unmerged, and the unreadable items.
pub(super) async fn to_busy_times(
    mut found: ReadResources,
    reader: CalendarOwner,
    window: TimeRange,
) -> Result<(Vec<BusyTime>, Vec<UnreadableItem>)> {
    run_blocking(move || {
        let (mut busy, mut unreadable) = (Vec::new(), Vec::new());
        for one in &found.stored {
            found.budget.start_item();
            let expansion = expand(&one.calendar, window, &reader.zone, &mut found.budget);
            for instance in &expansion.instances {
                let range = instance.range.intersect(&window);
                busy.extend(
                    range.zip(reader.kind(instance.event)).map(|(range, kind)| BusyTime { range, kind }),
                );
            }
            let blocked = expansion.blocked.iter().filter(|blocked| reader.kind(blocked.event).is_some());
            busy.extend(blocked.map(|blocked| BusyTime { range: blocked.range, kind: BusyKind::Busy }));
            unreadable.extend(marks(expansion.unreadable, one, &found.lost));
        }
        for lost in &found.lost {
            let spans = lost.spans.iter().filter_map(|span| span.intersect(&window));
            busy.extend(spans.map(|range| BusyTime { range, kind: BusyKind::Busy }));
            unreadable.push(mark(lost));
        }
        (busy, unreadable)
    })
    .await
}

/// The times of all events, including those that leave the owner's time free.
pub(super) fn all_event_times(found: &ReadResources, zone: &Zone, window: TimeRange) -> Vec<TimeRange> {
    let mut budget = ParseBudget::for_provider_response();
    let mut all = Vec::new();
    for one in &found.stored {
        budget.start_item();
        let expansion = expand(&one.calendar, window, zone, &mut budget);
        all.extend(expansion.instances.into_iter().map(|instance| instance.range));
        all.extend(expansion.blocked.into_iter().map(|blocked| blocked.range));
    }
    all
}

/// The unreadable items of a parsed resource, except those whose times the server has reported.
fn marks(
    items: Vec<UnreadableItem>,
    one: &EventResource,
    lost: &[UnreadableResource],
) -> Vec<UnreadableItem> {
    let asked = lost.iter().any(|lost| lost.url == one.url);
    let named = |item: UnreadableItem| match item.uid.is_empty() {
        true => UnreadableItem { uid: href::resource_id(&one.url), ..item },
        false => item,
    };
    items.into_iter().filter(|item| item.blocks || !asked).map(named).collect()
}

fn mark(lost: &UnreadableResource) -> UnreadableItem {
    UnreadableItem { uid: href::resource_id(&lost.url), reason: lost.reason, blocks: !lost.spans.is_empty() }
}

/// The occurrences as events, in order, and the unreadable items. An unreadable item with known times becomes an
/// event without a title.
pub(super) async fn to_events(
    mut found: ReadResources,
    reader: CalendarOwner,
    window: TimeRange,
) -> Result<(Vec<Event>, Vec<UnreadableItem>)> {
    run_blocking(move || {
        let (mut events, mut unreadable) = (Vec::new(), Vec::new());
        for one in &found.stored {
            found.budget.start_item();
            let expansion = expand(&one.calendar, window, &reader.zone, &mut found.budget);
            for i in &expansion.instances {
                events.push(to_event(one, i.event, i.range, i.recurrence, &reader.addresses));
            }
            for blocked in &expansion.blocked {
                let busy = reader
                    .kind(blocked.event)
                    .map(|_| BusyTime { range: blocked.range, kind: BusyKind::Busy });
                events.extend(busy.map(|busy| free_busy::busy_event(&one.url, &busy)));
            }
            unreadable.extend(marks(expansion.unreadable, one, &found.lost));
        }
        for lost in &found.lost {
            let busy = lost.spans.iter().map(|range| BusyTime { range: *range, kind: BusyKind::Busy });
            events.extend(busy.map(|busy| free_busy::busy_event(&lost.url, &busy)));
            unreadable.push(mark(lost));
        }
        events.sort_by(|one, other| (one.range, &one.id).cmp(&(other.range, &other.id)));
        events.dedup_by(|one, other| one.id == other.id);
        (events, unreadable)
    })
    .await
}

/// A resource as one event: the event itself, or the occurrence with this original start.
pub(super) fn to_single_event(
    stored: &EventResource,
    reader: &CalendarOwner,
    occurrence: Option<&str>,
) -> Option<Event> {
    let Some(occurrence) = occurrence else {
        let event = stored.calendar.main_event()?;
        return Some(to_event(stored, event, event.range(&reader.zone)?, None, &reader.addresses));
    };
    let start = chrono::NaiveDateTime::parse_from_str(occurrence, "%Y%m%dT%H%M%SZ").ok()?.and_utc();
    // An override may have moved the occurrence by weeks; it is found by its original start.
    let window = TimeRange::new(start - Duration::days(60), start + Duration::days(60))?;
    let found = expand(&stored.calendar, window, &reader.zone, &mut ParseBudget::for_provider_response());
    let instance = found.instances.into_iter().find(|instance| instance.recurrence == Some(start))?;
    Some(to_event(stored, instance.event, instance.range, instance.recurrence, &reader.addresses))
}

/// Merges adjacent busy times of the same kind.
pub(super) fn merge_adjacent(mut busy: Vec<BusyTime>) -> Vec<BusyTime> {
    busy.sort_by_key(|busy| (busy.kind, busy.range));
    let mut joined: Vec<BusyTime> = Vec::with_capacity(busy.len());
    for piece in busy {
        match joined.last_mut() {
            Some(last) if last.kind == piece.kind && piece.range.start <= last.range.end => {
                last.range.end = last.range.end.max(piece.range.end);
            }
            _ => joined.push(piece),
        }
    }
    joined.sort_by_key(|busy| (busy.range, busy.kind));
    joined
}
