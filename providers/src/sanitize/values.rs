//! Determines how the texts of each result type are cleaned: as display text, as identifiers, or as opaque tokens.

use std::collections::HashSet;

use domain::{Unreadable, text};

use crate::{
    Attendee, CalendarInfo, CalendarListing, ChangeCheck, Changes, Channel, Error, Event, EventPage,
    FreeBusy, Mailbox, OnlineMeeting, Organisation, Page, Party, Person, Result, RoomInfo, SignedIn,
};

/// Maximum length of a name in bytes.
const NAME: usize = 1_000;
/// Maximum length of a title, sentence or list entry, in bytes.
const SENTENCE: usize = 4_000;
/// Maximum length of a keyword, such as a zone, a language or a code, in bytes.
const WORD: usize = 200;
/// Maximum length of an address or UID, in bytes.
const IDENTIFIER: usize = 2_000;
/// Maximum length of the address of an online meeting, in bytes.
const LINK: usize = 8_000;

/// Cleans a display name.
pub(crate) fn name(text: String) -> String {
    text::line(text, NAME)
}

/// Cleans a keyword, such as a time zone.
fn word(text: String) -> String {
    text::line(text, WORD)
}

/// Cleans an address or id that is compared with others.
pub(crate) fn identifier(text: String) -> String {
    text::identifier(text, IDENTIFIER)
}

/// A value whose texts can be cleaned.
pub(crate) trait Sanitize {
    /// Returns the value with cleaned texts.
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
        Self { items: items.cleaned(), next: next.map(text::escape) }
    }
}

impl Sanitize for Organisation {
    fn cleaned(self) -> Self {
        let Self { id, name, domains, zone, language } = self;
        let domains = domains.into_iter().map(identifier).collect();
        Self {
            id: text::escape(id),
            name: self::name(name),
            domains,
            zone: zone.map(word),
            language: language.map(word),
        }
    }
}

impl Sanitize for SignedIn {
    fn cleaned(self) -> Self {
        let Self { account, username, organisation, domain, may_consent, refresh_token } = self;
        Self {
            account: text::escape(account),
            username: identifier(username),
            organisation: organisation.map(text::escape),
            domain: domain.map(identifier),
            may_consent,
            refresh_token,
        }
    }
}

impl Sanitize for Person {
    fn cleaned(self) -> Self {
        let Self { id, address, name, organisation } = self;
        Self {
            id: text::escape(id),
            address: identifier(address),
            name: self::name(name),
            organisation: organisation.map(text::escape),
        }
    }
}

impl Sanitize for RoomInfo {
    fn cleaned(self) -> Self {
        let Self { id, address, name, capacity, building, floor, equipment } = self;
        Self {
            id: text::escape(id),
            address: identifier(address),
            name: self::name(name),
            capacity,
            building: building.map(self::name),
            floor: floor.map(self::name),
            equipment: distinct(equipment.into_iter().map(self::name)),
        }
    }
}

/// The names in order, without empty ones and duplicates: Microsoft lists a device under its own name and among the
/// tags.
pub(super) fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.filter(|name| !name.is_empty() && seen.insert(name.to_lowercase())).collect()
}

impl Sanitize for Mailbox {
    fn cleaned(self) -> Self {
        let Self { id, address, name, kind, zone, accepts_conflicts } = self;
        Self {
            id: text::escape(id),
            address: identifier(address),
            name: self::name(name),
            kind,
            zone: zone.map(word),
            accepts_conflicts,
        }
    }
}

impl Sanitize for CalendarInfo {
    fn cleaned(self) -> Self {
        let Self { id, capabilities } = self;
        Self { id: text::escape(id), capabilities }
    }
}

impl Sanitize for CalendarListing {
    fn cleaned(self) -> Self {
        let Self { id, name, kind, counts } = self;
        Self { id: text::escape(id), name: self::name(name), kind, counts }
    }
}

impl Sanitize for Unreadable {
    fn cleaned(self) -> Self {
        let Self { uid, reason, blocks } = self;
        Self { uid: identifier(uid), reason, blocks }
    }
}

impl Sanitize for EventPage {
    fn cleaned(self) -> Self {
        let Self { items, unreadable, next } = self;
        Self { items: items.cleaned(), unreadable: unreadable.cleaned(), next: next.map(text::escape) }
    }
}

impl Sanitize for FreeBusy {
    fn cleaned(self) -> Self {
        let Self { busy, unreadable } = self;
        Self { busy, unreadable: unreadable.cleaned() }
    }
}

impl Sanitize for Party {
    fn cleaned(self) -> Self {
        let Self { name, address } = self;
        Self { name: self::name(name), address: identifier(address) }
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
            id: text::escape(id),
            uid: identifier(uid),
            version: text::escape(version),
            series: series.map(text::escape),
            effect_key: effect_key.map(identifier),
            title: title.map(|title| text::line(title, SENTENCE)),
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
            Self::Ready(url) if text::check(&url, text::Shape::Line, LINK).is_err() => Self::Failed,
            known => known,
        }
    }
}

impl Sanitize for Changes {
    fn cleaned(self) -> Self {
        let Self { gone, changed, unreadable, cursor, more } = self;
        Self {
            gone: gone.into_iter().map(text::escape).collect(),
            changed: changed.cleaned(),
            unreadable: unreadable.cleaned(),
            cursor: text::escape(cursor),
            more,
        }
    }
}

impl Sanitize for ChangeCheck {
    fn cleaned(self) -> Self {
        match self {
            Self::Same(watermark) => Self::Same(text::escape(watermark)),
            Self::Changed(watermark) => Self::Changed(watermark.map(text::escape)),
        }
    }
}

impl Sanitize for Channel {
    fn cleaned(self) -> Self {
        let Self { id, expires_at } = self;
        Self { id: text::escape(id), expires_at }
    }
}
