//! Components: what stands between `BEGIN` and `END`.

use super::line::{self, Property};

/// How deep components may be nested; VCALENDAR, VEVENT, VALARM need three.
const DEPTH: usize = 8;
/// The largest resource that is read, in bytes.
const SIZE: usize = 4 * 1024 * 1024;

/// Why a text is not a calendar resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no VCALENDAR in it.
    #[error("the text holds no calendar")]
    NoCalendar,
    /// `BEGIN` and `END` do not match, or are nested too deeply.
    #[error("the components of the calendar are not nested properly")]
    Nesting,
    /// It is larger than the bound.
    #[error("the calendar resource is too large")]
    TooLarge,
}

impl Error {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoCalendar => "ICAL_NO_CALENDAR",
            Self::Nesting => "ICAL_NESTING",
            Self::TooLarge => "ICAL_TOO_LARGE",
        }
    }
}

/// A component with its properties and the components inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The name, in capitals.
    pub name: String,
    /// The properties, in their order.
    pub properties: Vec<Property>,
    /// The components inside, in their order.
    pub components: Vec<Component>,
}

impl Component {
    /// An empty component.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), properties: Vec::new(), components: Vec::new() }
    }

    /// Reads the first VCALENDAR of a text.
    pub fn read(text: &[u8]) -> Result<Self, Error> {
        if text.len() > SIZE {
            return Err(Error::TooLarge);
        }
        let mut open: Vec<Self> = Vec::new();
        for line in line::unfold(text) {
            let Some(property) = Property::read(&line) else {
                continue;
            };
            match property.name.as_str() {
                "BEGIN" if open.len() >= DEPTH => return Err(Error::Nesting),
                "BEGIN" => open.push(Self::new(&property.value.trim().to_ascii_uppercase())),
                "END" => {
                    let done = open.pop().ok_or(Error::Nesting)?;
                    if !done.name.eq_ignore_ascii_case(property.value.trim()) {
                        return Err(Error::Nesting);
                    }
                    match open.last_mut() {
                        Some(parent) => parent.components.push(done),
                        None if done.name == "VCALENDAR" => return Ok(done),
                        None => {}
                    }
                }
                _ => {
                    if let Some(current) = open.last_mut() {
                        current.properties.push(property);
                    }
                }
            }
        }
        Err(if open.is_empty() { Error::NoCalendar } else { Error::Nesting })
    }

    /// The text of the component, as it is stored.
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

    /// The components of one name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.components.iter().filter(move |component| component.name == name)
    }

    /// The first property of a name.
    pub fn get(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    /// All properties of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Property> {
        self.properties.iter().filter(move |property| property.name == name)
    }

    /// The raw value of the first property of a name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(|property| property.value.as_str())
    }

    /// Puts properties in the place of all others of that name; none removes them.
    pub fn replace(&mut self, name: &str, with: impl IntoIterator<Item = Property>) {
        self.properties.retain(|property| property.name != name);
        self.properties.extend(with);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_written_as_it_was_read() {
        let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nX-OTHER;A=b:c\r\nBEGIN:VALARM\r\n\
                    ACTION:DISPLAY\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        assert_eq!(Component::read(text.as_bytes()).unwrap().to_text(), text);
    }

    #[test]
    fn hostile_nesting_is_refused() {
        assert_eq!(Component::read("BEGIN:X\n".repeat(100_000).as_bytes()), Err(Error::Nesting));
        assert_eq!(Component::read(b"BEGIN:VCALENDAR\nEND:VEVENT\n"), Err(Error::Nesting));
        assert_eq!(Component::read(b"BEGIN:VCALENDAR\n"), Err(Error::Nesting));
        assert_eq!(Component::read(b"hello"), Err(Error::NoCalendar));
    }
}
