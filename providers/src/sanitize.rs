//! The only place where texts from providers are cleaned: a wrapper around every connector.
//!
//! [`Sanitized`] wraps each connector when it is added to an installation, so all results contain clean texts: both
//! stores accept them, and an odd character in a calendar affects only the text that contains it. Each result type
//! declares in [`Sanitize`] what its texts are; a new field does not compile until it is handled there.
//!
//! Texts for people lose forbidden characters and are cut to a maximum length. In texts that are compared with
//! others (addresses, iCalendar UIDs) forbidden characters are replaced, see [`text::identifier`]. Tokens that the
//! connector receives back later (ids, cursors) are escaped here and restored on the way back, so that an event
//! with an odd id can still be changed and removed, see [`text::escape`].

use std::{collections::HashSet, sync::Arc};

use async_trait::async_trait;
use domain::{ProviderKind, TimeRange, Unreadable, text};

use crate::{
    Attendee, CalendarInfo, CalendarListing, ChangeCheck, Changes, Channel, Error, Event, EventChange,
    EventPage, FreeBusy, Mailbox, NewEvent, OnlineMeeting, Organisation, Page, Party, Person, Provider,
    ProviderFeatures, Result, RoomInfo, Session,
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

/// A connector whose results contain only clean texts.
#[derive(Debug)]
pub struct Sanitized(Arc<dyn Provider>);

impl Sanitized {
    /// Wraps a connector so that its results are cleaned.
    pub fn new(provider: Arc<dyn Provider>) -> Self {
        Self(provider)
    }
}

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
    /// The value with clean texts.
    #[must_use]
    fn cleaned(self) -> Self;
}

#[async_trait]
impl Provider for Sanitized {
    fn kind(&self) -> ProviderKind {
        self.0.kind()
    }

    fn features(&self) -> ProviderFeatures {
        self.0.features()
    }

    async fn organisation(&self, session: &Session) -> Result<Organisation> {
        self.0.organisation(session).await.cleaned()
    }

    async fn people(&self, session: &Session, after: Option<&str>) -> Result<Page<Person>> {
        let after = after.map(text::unescape);
        self.0.people(session, after.as_deref()).await.cleaned()
    }

    async fn rooms(&self, session: &Session, after: Option<&str>) -> Result<Page<RoomInfo>> {
        let after = after.map(text::unescape);
        self.0.rooms(session, after.as_deref()).await.cleaned()
    }

    async fn mailbox(&self, session: &Session, mailbox: &str) -> Result<Mailbox> {
        self.0.mailbox(session, mailbox).await.cleaned()
    }

    async fn person(&self, session: &Session, address: &str) -> Result<Person> {
        self.0.person(session, address).await.cleaned()
    }

    async fn calendar(&self, session: &Session, mailbox: &str) -> Result<CalendarInfo> {
        self.0.calendar(session, mailbox).await.cleaned()
    }

    async fn busy(
        &self,
        session: &Session,
        mailboxes: &[String],
        window: TimeRange,
    ) -> Result<Vec<(String, Result<FreeBusy>)>> {
        // The addresses are the caller's own.
        let verdicts = self.0.busy(session, mailboxes, window).await.map_err(Error::cleaned)?;
        Ok(verdicts.into_iter().map(|(mailbox, busy)| (mailbox, busy.cleaned())).collect())
    }

    async fn events(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        let after = after.map(text::unescape);
        self.0.events(session, mailbox, window, after.as_deref()).await.cleaned()
    }

    async fn calendars(&self, session: &Session, mailbox: &str) -> Result<Vec<CalendarListing>> {
        self.0.calendars(session, mailbox).await.cleaned()
    }

    async fn events_of(
        &self,
        session: &Session,
        mailbox: &str,
        calendar: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        let (calendar, after) = (text::unescape(calendar), after.map(text::unescape));
        self.0.events_of(session, mailbox, &calendar, window, after.as_deref()).await.cleaned()
    }

    async fn changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        cursor: Option<&str>,
    ) -> Result<Changes> {
        let cursor = cursor.map(text::unescape);
        self.0.changes(session, mailbox, window, cursor.as_deref()).await.cleaned()
    }

    async fn poll_changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        watermark: Option<&str>,
    ) -> Result<ChangeCheck> {
        let watermark = watermark.map(text::unescape);
        self.0.poll_changes(session, mailbox, window, watermark.as_deref()).await.cleaned()
    }

    async fn create_event(&self, session: &Session, mailbox: &str, event: &NewEvent) -> Result<Event> {
        self.0.create_event(session, mailbox, event).await.cleaned()
    }

    async fn find_event(&self, session: &Session, mailbox: &str, effect_key: &str) -> Result<Option<Event>> {
        self.0.find_event(session, mailbox, effect_key).await.cleaned()
    }

    async fn event(&self, session: &Session, mailbox: &str, id: &str) -> Result<Option<Event>> {
        self.0.event(session, mailbox, &text::unescape(id)).await.cleaned()
    }

    async fn update_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event> {
        self.0.update_event(session, mailbox, &text::unescape(id), change).await.cleaned()
    }

    async fn cancel_event(&self, session: &Session, mailbox: &str, id: &str, message: &str) -> Result<()> {
        self.0.cancel_event(session, mailbox, &text::unescape(id), message).await.map_err(Error::cleaned)
    }

    async fn delete_event(&self, session: &Session, mailbox: &str, id: &str) -> Result<()> {
        self.0.delete_event(session, mailbox, &text::unescape(id)).await.map_err(Error::cleaned)
    }

    async fn remove_copies(
        &self,
        session: &Session,
        mailbox: &str,
        effect_key: &str,
        rooms: &[String],
    ) -> Result<()> {
        self.0.remove_copies(session, mailbox, effect_key, rooms).await.map_err(Error::cleaned)
    }

    async fn watch(&self, session: &Session, mailbox: &str, url: &str, secret: &str) -> Result<Channel> {
        self.0.watch(session, mailbox, url, secret).await.cleaned()
    }

    async fn renew(&self, session: &Session, channel: &str) -> Result<Channel> {
        self.0.renew(session, &text::unescape(channel)).await.cleaned()
    }

    async fn unwatch(&self, session: &Session, channel: &str) -> Result<()> {
        self.0.unwatch(session, &text::unescape(channel)).await.map_err(Error::cleaned)
    }
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
fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
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

#[cfg(test)]
mod tests;
