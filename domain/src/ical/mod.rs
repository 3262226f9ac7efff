//! iCalendar (RFC 5545) without I/O: parses a calendar resource, expands its series, and serialises an event.
//!
//! The CalDAV connector calls this module with resources from a server, so input is never trusted. Non-standard input
//! is accepted if its meaning is clear. An item that cannot be parsed is marked as unreadable and counts as busy over
//! the widest time range that it may cover ([`Expansion`]). A [`ParseBudget`] limits the work, so that no event can keep
//! a worker busy.
//!
//! Recurrence is expanded in the local time of the event and converted to instants afterwards: a weekly meeting at ten
//! stays at ten across a daylight-saving change. All-day and floating times are in the time zone of the calendar's
//! owner, which the caller passes.

mod busy;
mod event;
mod expand;
mod free_busy;
mod line;
mod moment;
mod raw_date_time;
mod recurrence;
mod span;
mod tree;
mod vtimezone;
mod write;
mod zone;
mod zone_name;

pub use busy::busy_kind;
pub use event::{Attendee, BusyStatus, CalendarUser, Classification, Event, Status};
pub use expand::{BlockedTime, Expansion, Instance, expand};
pub use free_busy::{PublishedBusy, parse_free_busy};
pub use line::{Property, escape_text, unescape_text};
pub use moment::Moment;
pub use span::EventLength;
pub use tree::{Component, Error};
pub use vtimezone::VTimeZone;
pub use write::{EventDraft, format_utc};
pub use zone::EventZone;
pub use zone_name::find_iana_zone;

use crate::{ParseBudget, UnreadableItem, UnreadableReason};

/// A parsed iCalendar resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendar {
    /// The complete component tree. It is needed to serialise the resource without losing unknown data.
    pub tree: Component,
    /// The events of the resource: a master, its overrides, or both.
    pub events: Vec<Event>,
    /// Whether the resource contains content that may have been an event but cannot be parsed at all.
    misshapen: bool,
}

impl Calendar {
    /// Parses a single iCalendar resource.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        Self::parse_within(text, &mut ParseBudget::for_provider_response())
    }

    /// Parses one of several iCalendar resources in a response, within their shared budget.
    pub fn parse_within(text: &[u8], budget: &mut ParseBudget) -> Result<Self, Error> {
        budget.start_item();
        let tree = Component::parse(text, budget)?;
        Ok(Self::of(tree, budget))
    }

    /// Extracts the events of a component tree that was built in memory.
    pub fn from_tree(tree: Component) -> Self {
        Self::of(tree, &mut ParseBudget::for_provider_response())
    }

    fn of(tree: Component, budget: &mut ParseBudget) -> Self {
        let zones = zone::Zones::from_calendar(&tree, budget);
        let events = tree.named("VEVENT").map(|component| Event::from_component(component, &zones)).collect();
        let misshapen = is_misshapen(&tree);
        Self { tree, events, misshapen }
    }

    /// The event that represents the resource: the master, or the first override if there is no master. Ignores events
    /// whose start is unreadable.
    pub fn main_event(&self) -> Option<&Event> {
        let mut events = self.events.iter().filter(|event| !event.has_defect(event::Defect::Start));
        let first = events.clone().next();
        events.find(|event| event.recurrence_id.is_none()).or(first)
    }

    /// The unreadable mark for a resource with content that may have been an event but cannot be parsed.
    fn misshapen(&self) -> Option<UnreadableItem> {
        let uid = || {
            self.tree.value("UID").or_else(|| self.tree.components.iter().find_map(|part| part.value("UID")))
        };
        self.misshapen.then(|| UnreadableItem {
            uid: uid().unwrap_or_default().trim().to_owned(),
            reason: UnreadableReason::Malformed,
            blocks: false,
        })
    }
}

/// Whether a calendar has time properties outside all components, or components of an unknown type that may be events.
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
    let has_times = |part: &Component| line::TIME_PROPERTIES.iter().any(|name| part.get(name).is_some());
    // In a text that is indented the lines of a component have become part of its name.
    let is_torn = |part: &Component| !line::is_property_name(&part.name) || has_times(part);
    has_times(tree) || tree.components.iter().any(|part| is_strange(part) && is_torn(part))
}

/// The IANA time zone that an iCalendar text with a `VTIMEZONE` specifies, such as the value of the WebDAV property
/// `calendar-timezone`.
pub fn parse_vtimezone(text: &[u8]) -> Option<crate::Zone> {
    let tree = Component::parse(text, &mut ParseBudget::for_provider_response()).ok()?;
    let zone = tree.named("VTIMEZONE").next()?;
    [zone.value("TZID"), zone.value("X-LIC-LOCATION")].into_iter().flatten().find_map(find_iana_zone)
}
