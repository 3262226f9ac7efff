//! Events in a calendar (RFC 5545), parsed without Muster's own parser.

/// An event as stored on the CalDAV server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// The identifier shared by all copies of the event, from `UID`.
    pub uid: String,
    /// The title, from `SUMMARY`.
    pub title: String,
    /// The body, from `DESCRIPTION`.
    pub text: String,
    /// The whole line of `DTSTART` after its name, with parameters.
    pub start: String,
    /// Whether the event is in a calendar for the mailbox's own events, and not in one generated from other data.
    pub is_in_target: bool,
}

impl Event {
    /// Parses the events of an iCalendar text.
    pub(super) fn parse_all(text: &str) -> Vec<Self> {
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
        assert_eq!(Event::parse_all(text), [event]);
    }
}
