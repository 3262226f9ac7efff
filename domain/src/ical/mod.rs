//! iCalendar (RFC 5545) without I/O: reads a calendar resource, expands its series, writes an event.
//!
//! The CalDAV connector calls it with what a server stores, so nothing that comes in is trusted. What is written in
//! another form than the standard's is read where its meaning is clear; what cannot be read counts as busy over the
//! widest span that it may cover, and is marked ([`Expansion`]). Work is counted by a [`Budget`], so that nobody's event
//! keeps a worker busy.
//!
//! Expansion happens in the local time of the event and is converted afterwards: a weekly meeting at ten stays at
//! ten across a daylight-saving switch. All-day and floating times belong to the calendar's owner, whose zone the
//! caller passes in.

mod busy;
mod described;
mod event;
mod expand;
mod free_busy;
mod line;
mod moment;
mod raw_date_time;
mod recurrence;
mod span;
mod tree;
mod write;
mod zone;
mod zone_name;

pub use busy::busy_kind;
pub use described::Described;
pub use event::{Attendee, BusyStatus, Class, Event, Party, Status};
pub use expand::{Blocked, Expansion, Instance, expand};
pub use free_busy::{PublishedTimes, free_busy};
pub use line::{Property, escape_text, unescape_text};
pub use moment::Moment;
pub use span::Span;
pub use tree::{Component, Error};
pub use write::{Draft, basic_utc};
pub use zone::EventZone;
pub use zone_name::iana as zone_named;

use crate::{Budget, Unreadable, UnreadableReason};

/// A calendar resource that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendar {
    /// Everything that was in it, for writing it back without losing what we do not know.
    pub tree: Component,
    /// Its events: a master, its overrides, or both.
    pub events: Vec<Event>,
    /// Whether it holds something that may have been an event, and of which nothing can be told.
    misshapen: bool,
}

impl Calendar {
    /// Reads a resource alone.
    pub fn read(text: &[u8]) -> Result<Self, Error> {
        Self::read_within(text, &mut Budget::response())
    }

    /// Reads one resource of a response.
    pub fn read_within(text: &[u8], budget: &mut Budget) -> Result<Self, Error> {
        budget.next_item();
        let tree = Component::read(text, budget)?;
        Ok(Self::of(tree, budget))
    }

    /// Understands a tree that was composed.
    pub fn from_tree(tree: Component) -> Self {
        Self::of(tree, &mut Budget::response())
    }

    fn of(tree: Component, budget: &mut Budget) -> Self {
        let zones = zone::Zones::of(&tree, budget);
        let events = tree.named("VEVENT").map(|component| Event::of(component, &zones)).collect();
        let misshapen = is_misshapen(&tree);
        Self { tree, events, misshapen }
    }

    /// The event that stands for the resource: the master, or the first override where there is none. Only events whose
    /// start can be read are told.
    pub fn main(&self) -> Option<&Event> {
        let mut events = self.events.iter().filter(|event| !event.has(event::Defect::Start));
        let first = events.clone().next();
        events.find(|event| event.recurrence_id.is_none()).or(first)
    }

    /// The mark of a resource that holds something that may have been an event.
    fn misshapen(&self) -> Option<Unreadable> {
        let uid = || {
            self.tree.value("UID").or_else(|| self.tree.components.iter().find_map(|part| part.value("UID")))
        };
        self.misshapen.then(|| Unreadable {
            uid: uid().unwrap_or_default().trim().to_owned(),
            reason: UnreadableReason::Malformed,
            blocks: false,
        })
    }
}

/// Whether a calendar has times outside of all components, or components that no standard knows and that may be events.
fn is_misshapen(tree: &Component) -> bool {
    const KNOWN: [&str; 11] = [
        "VEVENT",
        "VTODO",
        "VJOURNAL",
        "VFREEBUSY",
        "VTIMEZONE",
        "VALARM",
        "VAVAILABILITY",
        "AVAILABLE",
        "PARTICIPANT",
        "VLOCATION",
        "VRESOURCE",
    ];
    let is_strange = |part: &Component| !KNOWN.contains(&part.name.as_str()) && !part.name.starts_with("X-");
    let has_times = |part: &Component| line::OF_TIMES.iter().any(|name| part.get(name).is_some());
    // In a text that is indented the lines of a component have become part of its name.
    let is_torn = |part: &Component| !line::is_name(&part.name) || has_times(part);
    has_times(tree) || tree.components.iter().any(|part| is_strange(part) && is_torn(part))
}

/// The zone that a `VTIMEZONE` text (such as the property `calendar-timezone`) names, as an IANA zone.
pub fn named_zone(text: &[u8]) -> Option<crate::Zone> {
    let tree = Component::read(text, &mut Budget::response()).ok()?;
    let zone = tree.named("VTIMEZONE").next()?;
    [zone.value("TZID"), zone.value("X-LIC-LOCATION")].into_iter().flatten().find_map(zone_named)
}
