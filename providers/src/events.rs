//! Calendars and the events in them.

use async_trait::async_trait;
use domain::TimeRange;

use crate::{
    CalendarInfo, CalendarListing, Event, EventChange, EventPage, FreeBusy, NewEvent, Result, Session,
};

/// Reads and writes calendars and their events.
///
/// `mailbox` is always the email address of the mailbox in the directory. All time ranges are half-open and in UTC.
#[async_trait]
pub trait Events: Send + Sync + std::fmt::Debug {
    /// The default calendar of a mailbox, and the session's capabilities in it.
    async fn calendar(&self, session: &Session, mailbox: &str) -> Result<CalendarInfo>;

    /// Busy times of many mailboxes at once, one result per mailbox in the order given. One failed mailbox does not
    /// make the whole call fail.
    async fn busy(
        &self,
        session: &Session,
        mailboxes: &[String],
        window: TimeRange,
    ) -> Result<Vec<(String, Result<FreeBusy>)>>;

    /// One page of the events that overlap the time range, with series expanded, of the calendars that count by
    /// default (see [`CalendarListing::counts`]). Unreadable items are reported and do not make the call fail.
    async fn events(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage>;

    /// The calendars of a mailbox that the session can see, the default one first.
    async fn calendars(&self, session: &Session, mailbox: &str) -> Result<Vec<CalendarListing>>;

    /// One page of the events of one calendar, by an id from [`Self::calendars`].
    async fn events_of(
        &self,
        session: &Session,
        mailbox: &str,
        calendar: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage>;

    /// Writes a new event. Safe to repeat with the same `effect_key`: a repeat returns the existing event.
    async fn create_event(&self, session: &Session, mailbox: &str, event: &NewEvent) -> Result<Event>;

    /// The event with this effect key, unless it was deleted or cancelled; for looking up a write with an unknown
    /// outcome.
    async fn find_event(&self, session: &Session, mailbox: &str, effect_key: &str) -> Result<Option<Event>>;

    /// Reads one event by the provider's id; `None` if it no longer exists.
    async fn event(&self, session: &Session, mailbox: &str, id: &str) -> Result<Option<Event>>;

    /// Changes an event. Safe to repeat, because the change describes the desired state.
    async fn update_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event>;

    /// Cancels an event and notifies its attendees with a message. Succeeds if the event no longer exists.
    async fn cancel_event(&self, session: &Session, mailbox: &str, id: &str, message: &str) -> Result<()>;

    /// Deletes an event without notifying anybody, for events without attendees such as probes. Succeeds if it no
    /// longer exists.
    async fn delete_event(&self, session: &Session, mailbox: &str, id: &str) -> Result<()>;

    /// Removes the copies that [`Self::create_event`] wrote to the calendars of rooms, by the effect key, in case the
    /// event was deleted but its copies were not. Does nothing for providers that invite rooms, because their copies
    /// follow the event. Succeeds if nothing is left to remove.
    async fn remove_copies(
        &self,
        _session: &Session,
        _mailbox: &str,
        _effect_key: &str,
        _rooms: &[String],
    ) -> Result<()> {
        Ok(())
    }
}
