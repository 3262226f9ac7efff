//! What resources mean for their owner's time: series expanded, unreadable parts as busy.

use chrono::Duration;
use domain::{
    Busy, BusyKind, TimeRange, Unreadable, Zone,
    ical::{Expansion, Limits, busy_kind, expand},
};

use super::{
    event::to_event,
    free_busy, href,
    read::{Found, Lost, Stored},
};
use crate::Event;

/// For whom resources are read: the zone of the calendar, and the addresses that its owner is known by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    /// The zone of whole days and floating times.
    pub zone: &'a Zone,
    /// The owner's addresses.
    pub addresses: &'a [&'a str],
}

fn expanded<'a>(stored: &'a Stored, zone: &Zone, window: TimeRange) -> Expansion<'a> {
    expand(&stored.calendar.events, window, zone, Limits::default())
}

/// The taken times, not joined.
pub(super) fn busy(found: &Found, reader: Reader<'_>, window: TimeRange) -> (Vec<Busy>, Vec<Unreadable>) {
    let (mut busy, mut unreadable) = (Vec::new(), Vec::new());
    for one in &found.stored {
        let expansion = expanded(one, reader.zone, window);
        for instance in &expansion.instances {
            let range = instance.range.intersect(&window);
            let kind = busy_kind(instance.event, reader.addresses);
            busy.extend(range.zip(kind).map(|(range, kind)| Busy { range, kind }));
        }
        if let Some((at, event)) = expansion.cut_at {
            let rest = TimeRange::new(at, window.end).filter(|_| busy_kind(event, reader.addresses).is_some());
            busy.extend(rest.map(|range| Busy { range, kind: BusyKind::Busy }));
        }
    }
    for lost in &found.lost {
        let spans = lost.spans.iter().filter_map(|span| span.intersect(&window));
        busy.extend(spans.map(|range| Busy { range, kind: BusyKind::Busy }));
        unreadable.push(mark(lost));
    }
    (busy, unreadable)
}

/// All times in which something is, whether it takes the owner's time or not.
pub(super) fn busy_whatever(stored: &[Stored], zone: &Zone, window: TimeRange) -> Vec<TimeRange> {
    let all = stored.iter().flat_map(|one| expanded(one, zone, window).instances);
    all.map(|instance| instance.range).collect()
}

fn mark(lost: &Lost) -> Unreadable {
    Unreadable { uid: href::id(&lost.url), reason: lost.reason, blocks: !lost.spans.is_empty() }
}

/// The occurrences as events, in order. What is unreadable but known to take time is an event without a title.
pub(super) fn events(found: &Found, reader: Reader<'_>, window: TimeRange) -> (Vec<Event>, Vec<Unreadable>) {
    let (mut events, mut unreadable) = (Vec::new(), Vec::new());
    for one in &found.stored {
        let expansion = expanded(one, reader.zone, window);
        for i in &expansion.instances {
            events.push(to_event(one, i.event, i.range, i.recurrence, reader.addresses));
        }
        if let Some((at, event)) = expansion.cut_at {
            let rest = TimeRange::new(at, window.end);
            events.extend(rest.map(|range| to_event(one, event, range, Some(at), reader.addresses)));
        }
    }
    for lost in &found.lost {
        let busy = lost.spans.iter().map(|range| Busy { range: *range, kind: BusyKind::Busy });
        events.extend(busy.map(|busy| free_busy::event(&lost.url, &busy)));
        unreadable.push(mark(lost));
    }
    events.sort_by(|one, other| (one.range, &one.id).cmp(&(other.range, &other.id)));
    (events, unreadable)
}

/// One resource as an event: itself, or the occurrence with this original start.
pub(super) fn one(stored: &Stored, reader: Reader<'_>, occurrence: Option<&str>) -> Option<Event> {
    let Some(occurrence) = occurrence else {
        let event = stored.calendar.main()?;
        return Some(to_event(stored, event, event.range(reader.zone)?, None, reader.addresses));
    };
    let start = chrono::NaiveDateTime::parse_from_str(occurrence, "%Y%m%dT%H%M%SZ").ok()?.and_utc();
    // An override may have moved the occurrence by weeks; it is found by its original start.
    let window = TimeRange::new(start - Duration::days(60), start + Duration::days(60))?;
    let found = expanded(stored, reader.zone, window);
    let instance = found.instances.into_iter().find(|instance| instance.recurrence == Some(start))?;
    Some(to_event(stored, instance.event, instance.range, instance.recurrence, reader.addresses))
}

/// Pieces of one kind that touch are one piece.
pub(super) fn joined(mut busy: Vec<Busy>) -> Vec<Busy> {
    busy.sort_by_key(|busy| (busy.kind, busy.range));
    let mut joined: Vec<Busy> = Vec::with_capacity(busy.len());
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
