//! Content lines of iCalendar: folding, names, parameters, escapes (RFC 5545 section 3.1, RFC 6868).
//!
//! Muster has its own parser because the `icalendar` crate rejects a whole resource for one malformed line and unfolds
//! characters, whereas servers and clients fold lines in the middle of a character.

use std::{borrow::Cow, fmt::Write};

/// The byte order mark that some programs write at the start of an iCalendar text, and before each of several
/// concatenated texts.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The properties that determine when an event takes place.
pub(super) const TIME_PROPERTIES: [&str; 6] =
    ["DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "RECURRENCE-ID"];

/// One iCalendar property: `NAME;PARAM=value:value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The name, in upper case.
    pub name: String,
    /// The parameters: each name in upper case, with its decoded values.
    pub params: Vec<(String, Vec<String>)>,
    /// The raw value, with escapes.
    pub value: String,
}

impl Property {
    /// Creates a property whose value needs no escaping.
    pub fn new(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_ascii_uppercase(), params: Vec::new(), value: value.into() }
    }

    /// Creates a property of type TEXT.
    pub fn text(name: &str, value: &str) -> Self {
        Self::new(name, escape_text(value))
    }

    /// Adds a parameter.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.to_ascii_uppercase(), vec![value.to_owned()]));
        self
    }

    /// The first value of a parameter.
    pub fn param_value(&self, name: &str) -> Option<&str> {
        let (_, values) = self.params.iter().find(|(param, _)| param.eq_ignore_ascii_case(name))?;
        values.first().map(String::as_str)
    }

    /// All values of a parameter.
    pub(super) fn param_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_name = self.params.iter().filter(move |(param, _)| param.eq_ignore_ascii_case(name));
        of_name.flat_map(|(_, values)| values.iter().map(String::as_str))
    }

    /// The value as TEXT.
    pub fn as_text(&self) -> String {
        unescape_text(&self.value)
    }

    /// Parses an unfolded content line; `None` if it is not a property. A line that consists only of a name in
    /// [`TIME_PROPERTIES`] is that property without a value.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let line = line.trim_start_matches(|char: char| char.is_whitespace() || char == BYTE_ORDER_MARK);
        Self::read_whole(line).or_else(|| Self::read_torn(line))
    }

    /// Parses a malformed property in [`TIME_PROPERTIES`] that has `=` in place of the colon, or an unclosed quote.
    fn read_torn(line: &str) -> Option<Self> {
        let (name, rest) = line.split_at(line.find([';', ':', '=']).unwrap_or(line.len()));
        let name = bare_name(name);
        if !TIME_PROPERTIES.contains(&name.as_str()) {
            return None;
        }
        let value = rest.strip_prefix('=').map(|value| Self::new(&name, value));
        let unquoted = || rest.contains('"').then(|| Self::read_whole(&line.replace('"', ""))).flatten();
        Some(value.or_else(unquoted).unwrap_or_else(|| Self::new(&name, "")))
    }

    fn read_whole(line: &str) -> Option<Self> {
        let end = line.find([';', ':'])?;
        let name = bare_name(&line[..end]);
        if !is_property_name(&name) {
            return None;
        }
        let mut rest = &line[end..];
        let mut params = Vec::new();
        while let Some(after) = rest.strip_prefix(';') {
            let end = after.find(['=', ';', ':'])?;
            let param = after[..end].trim().to_ascii_uppercase();
            let (values, tail) = match after[end..].strip_prefix('=') {
                Some(values) => read_values(values)?,
                // vCalendar 1.0 writes values alone: `DTSTART;DATE:20261208`.
                None => (Vec::new(), &after[end..]),
            };
            params.push((param, values));
            rest = tail;
        }
        Some(Self { name, params, value: rest.strip_prefix(':')?.to_owned() })
    }

    /// Appends the property as folded lines.
    pub(super) fn write(&self, into: &mut String) {
        let mut line = self.name.clone();
        for (name, values) in &self.params {
            let values: Vec<String> = values.iter().map(|value| write_value(value)).collect();
            let equals = if values.is_empty() { "" } else { "=" };
            // Writing to a String cannot fail.
            let _ = write!(line, ";{name}{equals}{}", values.join(","));
        }
        line.push(':');
        line.extend(self.value.chars().filter(|char| !matches!(char, '\r' | '\n')));
        fold(&line, into);
    }
}

/// The property name in upper case, without a vCard group prefix (`item1.DTSTART`).
fn bare_name(name: &str) -> String {
    name.rsplit('.').next().unwrap_or(name).trim().to_ascii_uppercase()
}

/// Whether `name` is a valid name of a property or a component.
pub(super) fn is_property_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Parses parameter values up to the next `;` or `:`, and returns them with the rest of the line.
fn read_values(mut rest: &str) -> Option<(Vec<String>, &str)> {
    let mut values = Vec::new();
    loop {
        let value = if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"')?;
            rest = &quoted[end + 1..];
            &quoted[..end]
        } else {
            let end = rest.find([',', ';', ':'])?;
            let value = &rest[..end];
            rest = &rest[end..];
            value
        };
        values.push(decode_caret(value));
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Some((values, rest)),
        }
    }
}

/// Decodes `^n`, `^'` and `^^` in a parameter value (RFC 6868).
fn decode_caret(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars().peekable();
    while let Some(char) = chars.next() {
        let decoded = match (char, chars.peek()) {
            ('^', Some('n')) => '\n',
            ('^', Some('\'')) => '"',
            ('^', Some('^')) => '^',
            _ => {
                out.push(char);
                continue;
            }
        };
        chars.next();
        out.push(decoded);
    }
    out
}

fn write_value(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for char in value.chars() {
        match char {
            '^' => out.push_str("^^"),
            '"' => out.push_str("^'"),
            '\n' => out.push_str("^n"),
            char if char.is_control() => {}
            char => out.push(char),
        }
    }
    if out.contains([':', ';', ',']) { format!("\"{out}\"") } else { out }
}

/// Appends a content line, folded between characters at 75 octets and terminated by CRLF.
fn fold(line: &str, into: &mut String) {
    let mut room = 75;
    for char in line.chars() {
        if char.len_utf8() > room {
            into.push_str("\r\n ");
            room = 74;
        }
        into.push(char);
        room -= char.len_utf8();
    }
    into.push_str("\r\n");
}

/// Unfolds content lines as bytes, because a fold may split a character. Lines end with LF, preceded by any number of
/// CR; if there is no LF at all, with CR.
pub(super) fn unfold(text: &[u8]) -> Vec<String> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let text = utf8(text);
    let end = if text.contains(&b'\n') { b'\n' } else { b'\r' };
    for line in text.split(|byte| *byte == end) {
        let kept = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
        let line = &line[..kept];
        match (line.first(), lines.last_mut()) {
            (Some(b' ' | b'\t'), Some(last)) => last.extend_from_slice(&line[1..]),
            (None, _) => {}
            _ => lines.push(line.to_vec()),
        }
    }
    lines.into_iter().map(|line| String::from_utf8_lossy(&line).into_owned()).collect()
}

/// Converts UTF-16, detected by its byte order mark or by zero bytes in the first characters, to UTF-8.
fn utf8(text: &[u8]) -> Cow<'_, [u8]> {
    let unit: fn([u8; 2]) -> u16 = match text {
        [0xff, 0xfe, ..] | [b'B' | b'b', 0, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] | [0, b'B' | b'b', ..] => u16::from_be_bytes,
        _ => return Cow::Borrowed(text),
    };
    let units: Vec<u16> = text.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    Cow::Owned(String::from_utf16_lossy(&units).into_bytes())
}

/// Escapes a value of type TEXT.
pub fn escape_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\\' | ';' | ',' => out.extend(['\\', char]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push('\t'),
            char if char.is_control() => {}
            char => out.push(char),
        }
    }
    out
}

/// Undoes [`escape_text`].
pub fn unescape_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(escaped) => out.push(escaped),
                None => out.push('\\'),
            },
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_folded_inside_a_character_is_read_whole() {
        let whole = "SUMMARY:Gespräch über Möbel".as_bytes();
        let umlaut = whole.iter().position(|byte| *byte == 0xc3).unwrap();
        let folded = [&whole[..=umlaut], b"\r\n ", &whole[umlaut + 1..], b"\r\n"].concat();
        assert_eq!(unfold(&folded), ["SUMMARY:Gespräch über Möbel"]);
    }

    #[test]
    fn lines_end_and_letters_stand_as_old_programs_write_them() {
        let lines = ["BEGIN:VCALENDAR", "SUMMARY:Gespräch über Möbel"];
        let text = "BEGIN:VCALENDAR\r\nSUMMARY:Gespräch\r\n  über Möbel\r\n";
        let units = |text: &str| text.encode_utf16().collect::<Vec<u16>>();
        for bytes in [
            text.replace("\r\n", "\r").into_bytes(),
            text.replace("\r\n", "\r\r\n").into_bytes(),
            units(text).into_iter().flat_map(u16::to_le_bytes).collect(),
            units(text).into_iter().flat_map(u16::to_be_bytes).collect(),
        ] {
            assert_eq!(unfold(&bytes), lines, "{bytes:?}");
        }
        let marked: Vec<u8> =
            units(&format!("\u{feff}{text}")).into_iter().flat_map(u16::to_le_bytes).collect();
        let read: Vec<_> = unfold(&marked).iter().filter_map(|line| Property::parse(line)).collect();
        assert_eq!(read[0], Property::new("BEGIN", "VCALENDAR"));
    }

    #[test]
    fn long_lines_are_folded_at_75_octets_and_read_back() {
        let property = Property::text("SUMMARY", &"Öffentliche Übung, ".repeat(20));
        let mut text = String::new();
        property.write(&mut text);
        assert!(text.split("\r\n").all(|line| line.len() <= 75), "a line is too long:\n{text}");
        let lines = unfold(text.as_bytes());
        assert_eq!(lines.len(), 1);
        assert_eq!(Property::parse(&lines[0]), Some(property));
    }

    #[test]
    fn parameters_keep_quotes_colons_and_carets() {
        let property = Property::new("ATTENDEE", "mailto:a@b.test").param("CN", "A \"B\": C^D\nE");
        let mut text = String::new();
        property.write(&mut text);
        assert_eq!(text, "ATTENDEE;CN=\"A ^'B^': C^^D^nE\":mailto:a@b.test\r\n");
        assert_eq!(Property::parse(text.trim_end()), Some(property));
    }

    #[test]
    fn a_value_cannot_smuggle_in_another_line() {
        let mut text = String::new();
        Property::new("URL", "x\r\nATTENDEE:mailto:evil@x.test").write(&mut text);
        Property::text("SUMMARY", "a\r\nSTATUS:CANCELLED").write(&mut text);
        assert_eq!(unfold(text.as_bytes()).len(), 2);
    }

    #[test]
    fn broken_lines_are_no_properties() {
        for line in ["", "nonsense", ":x", "A B:x", "X;Y", "X;Y=\"z:1"] {
            assert_eq!(Property::parse(line), None, "{line} is not a property");
        }
    }
}
