//! iCalendar (RFC 5545) without I/O: reads a calendar resource, expands its series, writes an event.
//!
//! The CalDAV connector calls it with what a server stores, so nothing that comes in is trusted: broken lines are
//! skipped, nesting and sizes are bounded, and a rule that would produce instances without end is cut and says
//! where ([`Expansion::cut_at`]), so that the caller can treat the rest of the window as taken.
//!
//! Expansion happens in the local time of the event and is converted afterwards: a weekly meeting at ten stays at
//! ten across a daylight-saving switch. All-day and floating times belong to the calendar's owner, whose zone the
//! caller passes in.

mod busy;
mod event;
mod expand;
mod free_busy;
mod line;
mod moment;
mod recurrence;
mod tree;
mod write;
mod zone;

pub use busy::busy_kind;
pub use event::{Attendee, BusyStatus, Class, Event, Party, Status};
pub use expand::{Expansion, Instance, Limits, expand};
pub use free_busy::free_busy;
pub use line::{Property, escape_text, unescape_text};
pub use moment::{Moment, Span};
pub use tree::{Component, Error};
pub use write::{Draft, basic_utc};
pub use zone::EventZone;

/// A calendar resource that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendar {
    /// Everything that was in it, for writing it back without losing what we do not know.
    pub tree: Component,
    /// Its events: a master, its overrides, or both.
    pub events: Vec<Event>,
}

impl Calendar {
    /// Reads a resource. Events without a usable start are left out.
    pub fn read(text: &[u8]) -> Result<Self, Error> {
        Ok(Self::from_tree(Component::read(text)?))
    }

    /// Understands a tree that was read or composed.
    pub fn from_tree(tree: Component) -> Self {
        let zones = zone::Zones::of(&tree);
        let events = tree.named("VEVENT").filter_map(|component| Event::of(component, &zones)).collect();
        Self { tree, events }
    }

    /// The event that stands for the resource: the master, or the first override where there is none.
    pub fn main(&self) -> Option<&Event> {
        self.events.iter().find(|event| event.recurrence_id.is_none()).or_else(|| self.events.first())
    }
}

/// The zone that a `VTIMEZONE` text (such as the property `calendar-timezone`) names, as an IANA zone.
pub fn named_zone(text: &[u8]) -> Option<crate::Zone> {
    let tree = Component::read(text).ok()?;
    let zone = tree.named("VTIMEZONE").next()?;
    [zone.value("TZID"), zone.value("X-LIC-LOCATION")].into_iter().flatten().find_map(zone::named)
}
