//! Reads the provider's calendars directly, independently of Muster's server.

use chrono::DateTime;
use domain::Timestamp;

use crate::{Demo, error::Result};

/// An event as stored at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProviderEvent {
    /// The UID shared by all copies.
    pub(super) uid: String,
    /// The title. A room's calendar may show the organiser's name instead.
    title: String,
    /// The body of the event, as plain text or HTML.
    pub(super) text: String,
    /// The start, in the provider's format.
    start: String,
    /// The response of the calendar's owner; empty for providers without responses.
    pub(super) response: String,
    /// Whether the event is in a calendar for the mailbox's own events, and not in one generated from other data.
    pub(super) is_in_target: bool,
}

impl ProviderEvent {
    /// Whether the event begins at this instant.
    pub(super) fn starts_at(&self, at: Timestamp) -> bool {
        if let Ok(start) = DateTime::parse_from_rfc3339(&self.start) {
            return start == at;
        }
        let Some((name, local)) = self.start.split_once(':') else { return false };
        let zone = name.split(';').find_map(|parameter| parameter.strip_prefix("TZID="));
        match zone.and_then(|zone| domain::Zone::from_name(zone.trim_matches('"'))) {
            Some(zone) => local == zone.local(at).format("%Y%m%dT%H%M%S").to_string(),
            None => local == at.format("%Y%m%dT%H%M%SZ").to_string(),
        }
    }
}

/// How an event is identified.
#[derive(Debug, Clone, Copy)]
pub(super) enum EventKey<'a> {
    /// The event is identified by its title, in the organiser's calendar.
    Title(&'a str),
    /// The event is identified by the UID that all its copies share.
    Uid(&'a str),
}

impl EventKey<'_> {
    fn fits(self, event: &ProviderEvent) -> bool {
        match self {
            Self::Title(title) => event.title == title,
            Self::Uid(uid) => event.uid == uid,
        }
    }
}

/// The identified events in a mailbox; `None` if the provider cannot be queried.
pub(super) async fn find_events(
    demo: &Demo,
    mailbox: &str,
    mark: EventKey<'_>,
) -> Result<Option<Vec<ProviderEvent>>> {
    let all: Vec<ProviderEvent> =
        if let (Some(sandbox), Some(organisation)) = (&demo.sandbox, &demo.state.made.organisation) {
            sandbox.events(organisation, mailbox).await?.iter().map(of_sandbox).collect()
        } else if let Some(dav) = &demo.dav {
            dav.events(mailbox, demo.password()).await?.into_iter().map(of_dav).collect()
        } else {
            return Ok(None);
        };
    Ok(Some(all.into_iter().filter(|event| mark.fits(event)).collect()))
}

fn of_sandbox(event: &serde_json::Value) -> ProviderEvent {
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    ProviderEvent {
        uid: text("ical_uid"),
        title: text("subject"),
        text: text("body"),
        start: text("start"),
        response: text("response"),
        is_in_target: true,
    }
}

fn of_dav(event: crate::dav::Event) -> ProviderEvent {
    let crate::dav::Event { uid, title, text, start, is_in_target } = event;
    ProviderEvent { uid, title, text, start, response: String::new(), is_in_target }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_time_is_recognised_however_it_is_written() {
        let at: Timestamp = "2026-07-01T08:30:00Z".parse().unwrap();
        let begins = |start: &str| {
            of_dav(crate::dav::Event { start: start.to_owned(), ..Default::default() }).starts_at(at)
        };
        for same in [
            "2026-07-01T08:30:00Z",
            "2026-07-01T08:30:00.0000000Z",
            "DTSTART:20260701T083000Z",
            "DTSTART;TZID=Europe/Berlin:20260701T103000",
        ] {
            assert!(begins(same), "{same}");
        }
        for other in ["2026-07-01T10:30:00Z", "DTSTART;TZID=Europe/Berlin:20260701T083000", "", "DTSTART"] {
            assert!(!begins(other), "{other}");
        }
    }
}
