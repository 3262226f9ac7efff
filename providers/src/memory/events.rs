//! The in-memory provider's calendars and events.

use async_trait::async_trait;
use domain::{BusyKind, BusyTime, TimeRange, provider::Capabilities, state::Answer};

use super::{
    Memory, Method, Request,
    directory::page,
    messages,
    record::{DEFAULT_CALENDAR, StoredEvent, SystemState},
};
use crate::{
    CalendarInfo, CalendarListing, Error, ErrorKind, Event, EventChange, EventPage, Events, FreeBusy,
    NewEvent, Remedy, Result, Session,
};

#[async_trait]
impl Events for Memory {
    async fn calendar(&self, session: &Session, mailbox: &str) -> Result<CalendarInfo> {
        let request = Request::new(Method::Calendar, mailbox, session);
        self.call(session, request, |record| {
            record.require_mailbox(mailbox)?;
            let writes = !record.read_only.contains(mailbox);
            let capabilities = Capabilities {
                list: true,
                free_busy: true,
                read_details: true,
                create: writes,
                update: writes,
                delete: writes,
                online_meetings: record.features.online_meetings,
            };
            Ok(CalendarInfo { id: DEFAULT_CALENDAR.to_owned(), capabilities })
        })
        .await
    }

    async fn busy(
        &self,
        session: &Session,
        mailboxes: &[String],
        window: TimeRange,
    ) -> Result<Vec<(String, Result<FreeBusy>)>> {
        let mut verdicts = Vec::with_capacity(mailboxes.len());
        for mailbox in mailboxes {
            let request = Request::new(Method::Busy, mailbox, session);
            let verdict = self.call(session, request, |record| record.busy(mailbox, window)).await;
            verdicts.push((mailbox.clone(), verdict));
        }
        Ok(verdicts)
    }

    async fn events(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        let request = Request::new(Method::Events, mailbox, session);
        self.call(session, request, |record| {
            record.require_mailbox(mailbox)?;
            event_page(record.busy_entries(mailbox), window, after)
        })
        .await
    }

    async fn calendars(&self, session: &Session, mailbox: &str) -> Result<Vec<CalendarListing>> {
        let request = Request::new(Method::Calendars, mailbox, session);
        self.call(session, request, |record| {
            record.require_mailbox(mailbox)?;
            Ok(record.calendars.clone())
        })
        .await
    }

    async fn events_of(
        &self,
        session: &Session,
        mailbox: &str,
        calendar: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        let calendar = Some(calendar.to_owned());
        let request =
            Request { calendar: calendar.clone(), ..Request::new(Method::Events, mailbox, session) };
        self.call(session, request, |record| {
            record.require_mailbox(mailbox)?;
            if !record.calendars.iter().any(|listed| Some(&listed.id) == calendar.as_ref()) {
                let message = crate::messages::no_such_calendar();
                return Err(Error::new(ErrorKind::Gone, Remedy::Never, "NO_CALENDAR", message));
            }
            let of_calendar =
                record.events_of(mailbox).filter(|entry| Some(&entry.calendar) == calendar.as_ref());
            event_page(of_calendar, window, after)
        })
        .await
    }

    async fn create_event(&self, session: &Session, mailbox: &str, new: &NewEvent) -> Result<Event> {
        let request = Request::new(Method::Create, mailbox, session);
        self.call(session, request, |record| {
            record.require_writable(mailbox)?;
            if !record.features.online_meetings {
                new.check_no_meeting()?;
            }
            let key = (mailbox.to_owned(), new.effect_key.clone());
            match record.created.contains_key(&key) && !record.forgets_keys {
                true => record.find(mailbox, &new.effect_key).ok_or_else(gone),
                false => Ok(record.create(mailbox, new)),
            }
        })
        .await
    }

    async fn find_event(&self, session: &Session, mailbox: &str, effect_key: &str) -> Result<Option<Event>> {
        let request = Request::new(Method::Find, mailbox, session);
        self.call(session, request, |record| Ok(record.find(mailbox, effect_key))).await
    }

    async fn event(&self, session: &Session, mailbox: &str, id: &str) -> Result<Option<Event>> {
        let request = Request::new(Method::Read, mailbox, session);
        self.call(session, request, |record| Ok(record.event(mailbox, id))).await
    }

    async fn update_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event> {
        let request = Request::new(Method::Update, mailbox, session);
        self.call(session, request, |record| {
            let key = record.event_key(mailbox, id).ok_or_else(gone)?;
            record.require_writable(mailbox)?;
            record.change(key, |entry| update(entry, change));
            record.event(mailbox, id).ok_or_else(gone)
        })
        .await
    }

    async fn cancel_event(&self, session: &Session, mailbox: &str, id: &str, _message: &str) -> Result<()> {
        let request = Request::new(Method::Cancel, mailbox, session);
        self.call(session, request, |record| {
            record.remove(mailbox, id);
            Ok(())
        })
        .await
    }

    async fn delete_event(&self, session: &Session, mailbox: &str, id: &str) -> Result<()> {
        let request = Request::new(Method::Delete, mailbox, session);
        self.call(session, request, |record| {
            record.remove(mailbox, id);
            Ok(())
        })
        .await
    }
}

impl SystemState {
    fn require_writable(&self, mailbox: &str) -> Result<()> {
        self.require_mailbox(mailbox)?;
        match self.read_only.contains(mailbox) {
            true => {
                let message = messages::memory_read_only();
                Err(Error::new(ErrorKind::OutOfScope, Remedy::SkipMailbox, "READ_ONLY", message))
            }
            false => Ok(()),
        }
    }

    fn find(&self, mailbox: &str, effect_key: &str) -> Option<Event> {
        let mut here = self.events_of(mailbox).map(|entry| &entry.event);
        here.find(|event| event.effect_key.as_deref() == Some(effect_key)).cloned()
    }

    fn event(&self, mailbox: &str, id: &str) -> Option<Event> {
        self.event_key(mailbox, id).and_then(|key| self.entries.get(&key)).map(|entry| entry.event.clone())
    }

    fn remove(&mut self, mailbox: &str, id: &str) {
        if let Some(key) = self.event_key(mailbox, id) {
            self.change(key, |entry| entry.deleted = true);
        }
    }

    /// The events of the calendars that make the owner busy.
    pub(super) fn busy_entries<'a>(&'a self, mailbox: &'a str) -> impl Iterator<Item = &'a StoredEvent> {
        let counts = |id: &String| self.calendars.iter().any(|listed| listed.counts && listed.id == *id);
        self.events_of(mailbox).filter(move |entry| counts(&entry.calendar))
    }

    fn busy(&self, mailbox: &str, window: TimeRange) -> Result<FreeBusy> {
        self.require_mailbox(mailbox)?;
        let mut busy: Vec<BusyTime> = Vec::new();
        for kind in [BusyKind::Busy, BusyKind::Tentative] {
            let of_kind = self.busy_entries(mailbox).filter(|entry| entry.event.busy == Some(kind));
            let mut ranges: Vec<TimeRange> =
                of_kind.filter_map(|entry| cut_to(entry.event.range, window)).collect();
            ranges.sort();
            for range in ranges {
                match busy.last_mut().filter(|last| last.kind == kind && range.start <= last.range.end) {
                    Some(last) => last.range.end = last.range.end.max(range.end),
                    None => busy.push(BusyTime { range, kind }),
                }
            }
        }
        busy.sort_by_key(|one| one.range);
        Ok(busy.into())
    }
}

fn cut_to(range: TimeRange, window: TimeRange) -> Option<TimeRange> {
    TimeRange::new(range.start.max(window.start), range.end.min(window.end))
}

/// One page of the given events that overlap the time range.
fn event_page<'a>(
    entries: impl Iterator<Item = &'a StoredEvent>,
    window: TimeRange,
    after: Option<&str>,
) -> Result<EventPage> {
    let events = entries.map(|entry| &entry.event).filter(|event| event.range.overlaps(&window));
    let all: Vec<Event> = events.cloned().collect();
    let page = page(&all, after)?;
    Ok(EventPage { items: page.items, unreadable: Vec::new(), next: page.next })
}

/// Applies a change to a stored event. A new time resets all responses.
fn update(entry: &mut StoredEvent, change: &EventChange) {
    let EventChange { range, zone: _, title, text, attendees, location: _ } = change.clone();
    let event = &mut entry.event;
    if let Some(attendees) = attendees {
        event.attendees = attendees;
    }
    if let Some(range) = range.filter(|range| *range != event.range) {
        event.range = range;
        event.attendees.iter_mut().for_each(|one| one.answer = Answer::None);
    }
    event.title = title.or(event.title.take());
    entry.text = text.unwrap_or_else(|| std::mem::take(&mut entry.text));
}

fn gone() -> Error {
    Error::new(ErrorKind::Gone, Remedy::Never, "404", messages::memory_event_gone())
}
