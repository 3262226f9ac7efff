//! Events as a calendar holds them (RFC 5545), read without Muster's own reader.

/// An event as the server holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// `UID`.
    pub uid: String,
    /// `SUMMARY`.
    pub title: String,
    /// `DESCRIPTION`.
    pub text: String,
    /// `DTSTART`, with its parameters and as it stands there.
    pub start: String,
    /// Whether it stands in a calendar that events of the mailbox belong in, and not in a generated one beside it.
    pub is_in_target: bool,
}

impl Event {
    /// The events of an iCalendar text.
    pub(super) fn all(text: &str) -> Vec<Self> {
        let unfolded = text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
        let (mut events, mut current) = (Vec::new(), None::<Self>);
        for line in unfolded.lines() {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            match (name.split(';').next().unwrap_or(name), current.as_mut()) {
                ("BEGIN", _) if value == "VEVENT" => current = Some(Self::default()),
                ("END", Some(_)) if value == "VEVENT" => events.extend(current.take()),
                ("UID", Some(event)) => value.clone_into(&mut event.uid),
                ("SUMMARY", Some(event)) => event.title = unescaped(value),
                ("DESCRIPTION", Some(event)) => event.text = unescaped(value),
                ("DTSTART", Some(event)) => line.clone_into(&mut event.start),
                _ => {}
            }
        }
        events
    }
}

fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n")
        .replace("\\N", "\n")
        .replace("\\,", ",")
        .replace("\\;", ";")
        .replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_over_folded_lines() {
        let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Europe/Berlin:20260101T090000\r\n\
                    SUMMARY:Talk\\, short\r\nDESCRIPTION:This booking\r\n  has been\\nOrganised by Ada\r\nEND:VEVENT\r\n\
                    END:VCALENDAR\r\n";
        let event = Event {
            uid: "1".to_owned(),
            title: "Talk, short".to_owned(),
            text: "This booking has been\nOrganised by Ada".to_owned(),
            start: "DTSTART;TZID=Europe/Berlin:20260101T090000".to_owned(),
            is_in_target: false,
        };
        assert_eq!(Event::all(text), [event]);
    }
}
