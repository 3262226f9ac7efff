//! iCalendar components: the content between `BEGIN` and `END`.

use super::line::{self, Property};
use crate::{ParseBudget, UnreadableReason};

/// Maximum nesting depth of components; VCALENDAR, VEVENT and VALARM need three levels.
const DEPTH: usize = 8;
/// Maximum size of an iCalendar resource in bytes.
const SIZE: usize = 4 * 1024 * 1024;

/// Number of bytes of a content line that cost one step of the parsing budget.
const LINE: u64 = 256;
const CALENDAR: &str = "VCALENDAR";
/// Properties that belong to an event and never to a component inside it, such as an alarm.
const OF_EVENTS: [&str; 9] =
    ["DTSTART", "DTEND", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "UID", "TRANSP", "STATUS"];

/// Why a text cannot be parsed as an iCalendar resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text contains no VCALENDAR.
    #[error("the text holds no calendar")]
    NoCalendar,
    /// The components are nested too deeply.
    #[error("the components of the calendar are nested too deeply")]
    Nesting,
    /// The text exceeds the size limit.
    #[error("the calendar resource is too large")]
    TooLarge,
    /// Parsing exceeds the budget for one item.
    #[error("the calendar resource takes too long to read")]
    TooCostly,
}

impl Error {
    /// Stable, machine-readable code of the parsing error.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoCalendar => "ICAL_NO_CALENDAR",
            Self::Nesting => "ICAL_NESTING",
            Self::TooLarge => "ICAL_TOO_LARGE",
            Self::TooCostly => "ICAL_TOO_COSTLY",
        }
    }

    /// The reason with which the unreadable item is marked.
    pub const fn reason(self) -> UnreadableReason {
        match self {
            Self::NoCalendar | Self::Nesting => UnreadableReason::Malformed,
            Self::TooLarge => UnreadableReason::TooLarge,
            Self::TooCostly => UnreadableReason::TooCostly,
        }
    }
}

/// An iCalendar component with its properties and nested components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The name, in upper case.
    pub name: String,
    /// The properties, in their original order.
    pub properties: Vec<Property>,
    /// The nested components, in their original order.
    pub components: Vec<Component>,
}

impl Component {
    /// Creates an empty component.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), properties: Vec::new(), components: Vec::new() }
    }

    /// Parses the VCALENDAR in an iCalendar text. A component that is not closed, or is closed in the wrong order, is
    /// closed at the clear end of its content, which is kept. Several calendars, and components outside any calendar,
    /// become one calendar.
    pub fn parse(text: &[u8], budget: &mut ParseBudget) -> Result<Self, Error> {
        if text.len() > SIZE {
            return Err(Error::TooLarge);
        }
        let (mut open, mut closed): (Vec<Self>, Vec<Self>) = Default::default();
        for line in line::unfold(text) {
            if !budget.spend(1 + line.len() as u64 / LINE) {
                return Err(Error::TooCostly);
            }
            let Some(property) = Property::parse(&line) else {
                continue;
            };
            match property.name.as_str() {
                "BEGIN" => begin(&mut open, &property.value.trim().to_ascii_uppercase())?,
                "END" => closed.extend(end(&mut open, property.value.trim())),
                _ => {
                    if let Some(current) = open.last_mut() {
                        current.properties.push(property);
                    }
                }
            }
        }
        while open.len() > 1 {
            close(&mut open);
        }
        closed.extend(open.pop());
        joined(closed).ok_or(Error::NoCalendar)
    }

    /// Serialises the component as iCalendar text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, into: &mut String) {
        Property::new("BEGIN", self.name.clone()).write(into);
        for property in &self.properties {
            property.write(into);
        }
        for component in &self.components {
            component.write(into);
        }
        Property::new("END", self.name.clone()).write(into);
    }

    /// The nested components with this name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.components.iter().filter(move |component| component.name == name)
    }

    /// The first property with this name.
    pub fn get(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    /// All properties with this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Property> {
        self.properties.iter().filter(move |property| property.name == name)
    }

    /// The raw value of the first property with this name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(|property| property.value.as_str())
    }

    /// Replaces all properties with this name; an empty iterator removes them.
    pub fn replace(&mut self, name: &str, with: impl IntoIterator<Item = Property>) {
        self.properties.retain(|property| property.name != name);
        self.properties.extend(with);
    }
}

/// Merges adjacent components into one calendar; `None` if none of them belongs in a calendar.
fn joined(parts: Vec<Component>) -> Option<Component> {
    let (calendars, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.name == CALENDAR);
    let mut calendars = calendars.into_iter();
    let mut whole = calendars.next();
    if whole.is_none() && others.iter().any(|part| part.name == "VEVENT") {
        whole = Some(Component::new(CALENDAR));
    }
    let whole_calendar = whole.as_mut()?;
    for calendar in calendars {
        whole_calendar.components.extend(calendar.components);
        // Times outside of all components are told of; the rest is said once.
        let of_times = |property: &Property| line::TIME_PROPERTIES.contains(&property.name.as_str());
        whole_calendar.properties.extend(calendar.properties.into_iter().filter(of_times));
    }
    whole_calendar.components.extend(others);
    whole
}

/// Opens a component. A component that may occur only directly in a calendar closes all others that are still open.
fn begin(open: &mut Vec<Component>, name: &str) -> Result<(), Error> {
    let depth = match name {
        "VEVENT" | "VTIMEZONE" | "VTODO" | "VJOURNAL" | "VFREEBUSY" => 1,
        "STANDARD" | "DAYLIGHT" => 2,
        _ => DEPTH,
    };
    while open.len() > depth {
        close(open);
    }
    if open.len() >= DEPTH {
        return Err(Error::Nesting);
    }
    open.push(Component::new(name));
    Ok(())
}

/// Closes the innermost component with this name and everything inside it; returns it if it is at the top level. An
/// END without a matching BEGIN is ignored.
fn end(open: &mut Vec<Component>, name: &str) -> Option<Component> {
    let position = open.iter().rposition(|component| component.name.eq_ignore_ascii_case(name))?;
    while open.len() > position + 1 {
        close(open);
    }
    if position > 0 {
        let done = open.pop()?;
        open.last_mut()?.components.push(done);
        return None;
    }
    open.pop()
}

/// Closes the innermost component, whose END is missing. Content after the missing END belongs to the parent.
fn close(open: &mut Vec<Component>) {
    let Some(mut done) = open.pop() else { return };
    let Some(parent) = open.last_mut() else { return };
    if parent.name == "VEVENT" {
        let misplaced = |property: &Property| OF_EVENTS.contains(&property.name.as_str());
        let behind = done.properties.iter().position(misplaced).unwrap_or(done.properties.len());
        parent.properties.extend(done.properties.split_off(behind));
    }
    parent.components.push(done);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Component, Error> {
        Component::parse(text, &mut ParseBudget::for_provider_response())
    }

    #[test]
    fn a_resource_is_written_as_it_was_read() {
        let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nX-OTHER;A=b:c\r\nBEGIN:VALARM\r\n\
                    ACTION:DISPLAY\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        assert_eq!(read(text.as_bytes()).unwrap().to_text(), text);
    }

    #[test]
    fn hostile_nesting_and_sizes_are_refused() {
        assert_eq!(read("BEGIN:X\n".repeat(100_000).as_bytes()), Err(Error::Nesting));
        assert_eq!(read("BEGIN:VCALENDAR\n".repeat(9).as_bytes()), Err(Error::Nesting));
        assert_eq!(read(b"hello"), Err(Error::NoCalendar));
        assert_eq!(read(b"BEGIN:VCARD\nUID:1\nEND:VCARD\n"), Err(Error::NoCalendar));
        let many = format!("BEGIN:VCALENDAR\n{}", "A:b\n".repeat(300_000));
        assert_eq!(read(many.as_bytes()), Err(Error::TooCostly));
        assert_eq!(read(&vec![b'x'; SIZE + 1]), Err(Error::TooLarge));
    }

    #[test]
    fn everything_that_stands_side_by_side_is_one_calendar() {
        let event = |n: u8| format!("BEGIN:VEVENT\nUID:{n}\nEND:VEVENT\n");
        let calendar = |n: u8| format!("BEGIN:VCALENDAR\n{}END:VCALENDAR\n", event(n));
        for text in [
            format!("{}{}", calendar(1), calendar(2)),
            format!("\u{feff}\u{feff}{}\u{feff}{}", calendar(1), calendar(2)),
            format!("BEGIN:VCALENDAR\n{}{}END:VCALENDAR\n", calendar(1), calendar(2)),
            format!("BEGIN:VCALENDAR\nEND:VCALENDAR\n{}{}", event(1), event(2)),
            format!("{}{}", event(1), event(2)),
        ] {
            let read = read(text.as_bytes()).unwrap();
            let uids: Vec<_> = read.named("VEVENT").filter_map(|event| event.value("UID")).collect();
            assert_eq!(uids, ["1", "2"], "{text}");
        }
    }

    #[test]
    fn missing_and_misplaced_ends_take_nothing_away() {
        for text in [
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nBEGIN:VALARM\nDTSTART:1\nEND:VEVENT\nEND:VCALENDAR\n",
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:1\nEND:VCALENDAR\n",
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:1\n",
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:1\nEND:VTODO\nEND:VEVENT\nEND:VCALENDAR\n",
            "END:VEVENT\nBEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:1\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR\n",
        ] {
            let calendar = read(text.as_bytes()).unwrap();
            let event = calendar.named("VEVENT").next().unwrap();
            assert_eq!(event.value("DTSTART"), Some("1"), "{text}");
        }
    }
}
