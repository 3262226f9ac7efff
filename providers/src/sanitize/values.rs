//! Determines how the strings of each result type are cleaned: as display text, as identifiers, or as opaque tokens.

use std::collections::HashSet;

use domain::{UnreadableItem, text};

use crate::{
    Attendee, CalendarInfo, CalendarListing, ChangeCheck, Changes, Channel, Error, Event, EventPage,
    FreeBusy, Mailbox, NamedAddress, OnlineMeeting, Organisation, Page, Person, Result, RoomInfo,
    SignedInAccount,
};

/// Maximum length of a name in bytes.
const NAME: usize = 1_000;
/// Maximum length of a title, sentence or list entry, in bytes.
const SENTENCE: usize = 4_000;
/// Maximum length of a keyword, such as a zone, a language or a code, in bytes.
const WORD: usize = 200;
/// Maximum length of an email address or UID, in bytes.
const IDENTIFIER: usize = 2_000;
/// Maximum length of the URL of an online meeting, in bytes.
const LINK: usize = 8_000;

/// Cleans a display name.
pub(crate) fn clean_name(text: String) -> String {
    text::clean_line(text, NAME)
}

/// Cleans a keyword, such as a time zone.
fn word(text: String) -> String {
    text::clean_line(text, WORD)
}

/// Cleans an email address or id that is compared with others.
pub(crate) fn clean_identifier(text: String) -> String {
    text::clean_identifier(text, IDENTIFIER)
}

/// A value whose strings can be cleaned.
pub(crate) trait Sanitize {
    /// Returns the value with cleaned strings.
    #[must_use]
    fn cleaned(self) -> Self;
}

impl<T: Sanitize> Sanitize for Result<T> {
    fn cleaned(self) -> Self {
        self.map(T::cleaned).map_err(Error::cleaned)
    }
}

impl<T: Sanitize> Sanitize for Option<T> {
    fn cleaned(self) -> Self {
        self.map(T::cleaned)
    }
}

impl<T: Sanitize> Sanitize for Vec<T> {
    fn cleaned(self) -> Self {
        self.into_iter().map(T::cleaned).collect()
    }
}

impl<T: Sanitize> Sanitize for Page<T> {
    fn cleaned(self) -> Self {
        let Self { items, next } = self;
        Self { items: items.cleaned(), next: next.map(text::escape_provider_token) }
    }
}

impl Sanitize for Organisation {
    fn cleaned(self) -> Self {
        let Self { id, name, domains, zone, language } = self;
        let domains = domains.into_iter().map(clean_identifier).collect();
        Self {
            id: text::escape_provider_token(id),
            name: clean_name(name),
            domains,
            zone: zone.map(word),
            language: language.map(word),
        }
    }
}

impl Sanitize for SignedInAccount {
    fn cleaned(self) -> Self {
        let Self { account, username, organisation, domain, may_consent, refresh_token } = self;
        Self {
            account: text::escape_provider_token(account),
            username: clean_identifier(username),
            organisation: organisation.map(text::escape_provider_token),
            domain: domain.map(clean_identifier),
            may_consent,
            refresh_token,
        }
    }
}

impl Sanitize for Person {
    fn cleaned(self) -> Self {
        let Self { id, address, name, organisation } = self;
        Self {
            id: text::escape_provider_token(id),
            address: clean_identifier(address),
            name: clean_name(name),
            organisation: organisation.map(text::escape_provider_token),
        }
    }
}

impl Sanitize for RoomInfo {
    fn cleaned(self) -> Self {
        let Self { id, address, name, capacity, building, floor, equipment } = self;
        Self {
            id: text::escape_provider_token(id),
            address: clean_identifier(address),
            name: clean_name(name),
            capacity,
            building: building.map(clean_name),
            floor: floor.map(clean_name),
            equipment: distinct_names(equipment.into_iter().map(clean_name)),
        }
    }
}

/// The names in order, without empty ones and duplicates: Microsoft lists some room equipment both in a field of its
/// own and among the tags.
pub(super) fn distinct_names(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.filter(|name| !name.is_empty() && seen.insert(name.to_lowercase())).collect()
}

impl Sanitize for Mailbox {
    fn cleaned(self) -> Self {
        let Self { id, address, name, kind, zone, accepts_conflicts } = self;
        Self {
            id: text::escape_provider_token(id),
            address: clean_identifier(address),
            name: clean_name(name),
            kind,
            zone: zone.map(word),
            accepts_conflicts,
        }
    }
}

impl Sanitize for CalendarInfo {
    fn cleaned(self) -> Self {
        let Self { id, capabilities } = self;
        Self { id: text::escape_provider_token(id), capabilities }
    }
}

impl Sanitize for CalendarListing {
    fn cleaned(self) -> Self {
        let Self { id, name, kind, counts } = self;
        Self { id: text::escape_provider_token(id), name: clean_name(name), kind, counts }
    }
}

impl Sanitize for UnreadableItem {
    fn cleaned(self) -> Self {
        let Self { uid, reason, blocks } = self;
        Self { uid: clean_identifier(uid), reason, blocks }
    }
}

impl Sanitize for EventPage {
    fn cleaned(self) -> Self {
        let Self { items, unreadable, next } = self;
        Self {
            items: items.cleaned(),
            unreadable: unreadable.cleaned(),
            next: next.map(text::escape_provider_token),
        }
    }
}

impl Sanitize for FreeBusy {
    fn cleaned(self) -> Self {
        let Self { busy, unreadable } = self;
        Self { busy, unreadable: unreadable.cleaned() }
    }
}

impl Sanitize for NamedAddress {
    fn cleaned(self) -> Self {
        let Self { name, address } = self;
        Self { name: clean_name(name), address: clean_identifier(address) }
    }
}

impl Sanitize for Attendee {
    fn cleaned(self) -> Self {
        let Self { party, role, answer } = self;
        Self { party: party.cleaned(), role, answer }
    }
}

impl Sanitize for Event {
    fn cleaned(self) -> Self {
        let Self {
            id,
            uid,
            version,
            series,
            effect_key,
            title,
            range,
            all_day,
            busy,
            private,
            organiser,
            attendees,
            online_meeting,
        } = self;
        Self {
            id: text::escape_provider_token(id),
            uid: clean_identifier(uid),
            version: text::escape_provider_token(version),
            series: series.map(text::escape_provider_token),
            effect_key: effect_key.map(clean_identifier),
            title: title.map(|title| text::clean_line(title, SENTENCE)),
            range,
            all_day,
            busy,
            private,
            organiser: organiser.cleaned(),
            attendees: attendees.cleaned(),
            online_meeting: online_meeting.cleaned(),
        }
    }
}

impl Sanitize for OnlineMeeting {
    fn cleaned(self) -> Self {
        match self {
            // Another address than the provider's leads to no meeting.
            Self::Ready(url) if text::check(&url, text::LineMode::Line, LINK).is_err() => Self::Failed,
            known => known,
        }
    }
}

impl Sanitize for Changes {
    fn cleaned(self) -> Self {
        let Self { gone, changed, unreadable, cursor, more } = self;
        Self {
            gone: gone.into_iter().map(text::escape_provider_token).collect(),
            changed: changed.cleaned(),
            unreadable: unreadable.cleaned(),
            cursor: text::escape_provider_token(cursor),
            more,
        }
    }
}

impl Sanitize for ChangeCheck {
    fn cleaned(self) -> Self {
        match self {
            Self::Same(watermark) => Self::Same(text::escape_provider_token(watermark)),
            Self::Changed(watermark) => Self::Changed(watermark.map(text::escape_provider_token)),
        }
    }
}

impl Sanitize for Channel {
    fn cleaned(self) -> Self {
        let Self { id, expires_at } = self;
        Self { id: text::escape_provider_token(id), expires_at }
    }
}
