//! Reads, creates, changes and cancels events.

use domain::{TimeRange, UnreadableReason};
use futures::future::BoxFuture;
use serde_json::Map;

use super::{
    Google,
    calendars::format_instant,
    classify::RequestSubject,
    event::{self, change_body, event_id, is_deleted, new_event_body, unexpected_response},
    online,
    request::{Call, too_many_pages, with_query},
    scopes::Scope,
    wire,
};
use crate::{
    Error, ErrorKind, Event, EventChange, EventPage, NewEvent, OnlineMeeting, Remedy, Result, Session,
    messages,
    moment::ParsedItem,
    parts,
    rest::{MAX_PAGES, RestApi},
};

/// Maximum number of events per page.
pub(super) const PAGE_SIZE: &str = "250";

/// Query parameter with which Google notifies all guests of a change.
const ALL: (&str, &str) = ("sendUpdates", "all");
const NOBODY: (&str, &str) = ("sendUpdates", "none");

impl Google {
    pub(super) async fn list_events(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        self.list_calendar_events(session, mailbox, mailbox, window, after).await
    }

    /// One page of a calendar visible to the owner of `mailbox`. If the page cannot be read, the time range is read in
    /// parts from its start and returned as one page, so events of earlier pages are repeated.
    pub(super) async fn list_calendar_events(
        &self,
        session: &Session,
        mailbox: &str,
        calendar: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        match self.page(session, mailbox, calendar, window, after).await {
            Err(error) if parts::can_be_split(&error) => {
                let ask = |part| -> BoxFuture<'_, _> {
                    Box::pin(self.whole_calendar(session, mailbox, calendar, part))
                };
                Ok(parts::read_in_parts(window, error, ask).await?.into_page())
            }
            page => page,
        }
    }

    async fn whole_calendar(
        &self,
        session: &Session,
        mailbox: &str,
        calendar: &str,
        window: TimeRange,
    ) -> Result<EventPage> {
        let (mut whole, mut after) = (EventPage::default(), None);
        for _ in 0..MAX_PAGES {
            let page = self.page(session, mailbox, calendar, window, after.as_deref()).await?;
            whole.items.extend(page.items);
            whole.unreadable.extend(page.unreadable);
            after = page.next;
            if after.is_none() {
                return Ok(whole);
            }
        }
        Err(too_many_pages())
    }

    async fn page(
        &self,
        session: &Session,
        mailbox: &str,
        calendar: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        let (from, until) = (format_instant(window.start), format_instant(window.end));
        let mut query = vec![
            ("timeMin", from.as_str()),
            ("timeMax", until.as_str()),
            ("singleEvents", "true"),
            ("orderBy", "startTime"),
            ("maxResults", PAGE_SIZE),
        ];
        query.extend(after.map(|token| ("pageToken", token)));
        let url = with_query(self.calendar_url(calendar, &["events"])?, &query);
        let list: wire::Events =
            self.call_json(session, &Call::get(url, Scope::Events).for_mailbox(mailbox)).await?;
        let zone = event::all_day_zone(list.time_zone.as_deref(), session);
        let mut page = EventPage { next: list.next_page_token, ..EventPage::default() };
        for raw in list.items.0 {
            page.add_parsed_item(match raw {
                Some(raw) => event::parse_item(raw, zone.as_ref(), Some(window)),
                None => ParsedItem::unknown_times(None, None, UnreadableReason::Malformed),
            });
        }
        Ok(page)
    }

    /// Creates an event with an id chosen by Muster, so that a repeated write finds the first one. The id of a
    /// deleted event cannot be used again.
    pub(super) async fn insert_event(
        &self,
        session: &Session,
        mailbox: &str,
        new: &NewEvent,
    ) -> Result<Event> {
        let query: &[_] = if new.online_meeting { &[ALL, online::CONFERENCE_VERSION] } else { &[ALL] };
        let url = with_query(self.calendar_url(mailbox, &["events"])?, query);
        let call = Call::post(url, Scope::Events, new_event_body(new)?).for_mailbox(mailbox);
        match self.call_json(session, &call).await {
            // Nothing was written: the event is worth more than its conference.
            Err(error) if new.online_meeting && online::is_conference_refused(&error) => {
                let without = NewEvent { online_meeting: false, ..new.clone() };
                let written = Box::pin(self.insert_event(session, mailbox, &without)).await?;
                Ok(Event { online_meeting: Some(OnlineMeeting::Failed), ..written })
            }
            Ok(raw) => event::single_event(raw, session)
                .and_then(|event| event.ok_or_else(unexpected_response))
                .map_err(Error::with_unknown_outcome),
            Err(error) if error.code == "duplicate" => {
                self.find_by_effect_key(session, mailbox, &new.effect_key).await?.ok_or_else(|| Error {
                    kind: ErrorKind::Gone,
                    remedy: Remedy::Never,
                    message: messages::appointment_removed_since(),
                    ..error
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Finds an event by its effect key. Its id derives from the key, so no search is needed, whose index might be
    /// out of date.
    pub(super) async fn find_by_effect_key(
        &self,
        session: &Session,
        mailbox: &str,
        effect_key: &str,
    ) -> Result<Option<Event>> {
        let found = self.read_event(session, mailbox, &event_id(effect_key)?).await?;
        Ok(found.filter(|event| event.effect_key.as_deref() == Some(effect_key)))
    }

    pub(super) async fn read_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
    ) -> Result<Option<Event>> {
        match self.raw_event(session, mailbox, id).await? {
            Some(raw) => event::single_event(raw, session),
            None => Ok(None),
        }
    }

    /// Reads an event; a deleted one is returned as cancelled.
    async fn raw_event(&self, session: &Session, mailbox: &str, id: &str) -> Result<Option<wire::Event>> {
        let url = self.calendar_url(mailbox, &["events", id])?;
        let call = Call::get(url, Scope::Events).for_mailbox(mailbox).with_subject(RequestSubject::Item);
        match self.call_json::<wire::Event>(session, &call).await {
            Err(error) if error.kind == ErrorKind::Gone => Ok(None),
            Err(error) => Err(error),
            Ok(raw) => Ok(Some(raw).filter(|raw| !is_deleted(raw))),
        }
    }

    /// Applies a change. Lists are replaced as a whole, so the event is read first and changed only if its version
    /// is still the same. A version conflict changes nothing, so the change is then repeated once.
    pub(super) async fn patch_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event> {
        match self.patch_as_read(session, mailbox, id, change).await {
            Err(error) if error.kind == ErrorKind::Conflict && !error.unknown => {
                self.patch_as_read(session, mailbox, id, change).await
            }
            answer => answer,
        }
    }

    async fn patch_as_read(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event> {
        let current = self.raw_event(session, mailbox, id).await?.ok_or_else(gone)?;
        let body = change_body(change, &current);
        if body.as_object().is_some_and(Map::is_empty) {
            return event::single_event(current, session)?.ok_or_else(gone);
        }
        let url = with_query(self.calendar_url(mailbox, &["events", id])?, &[ALL]);
        let version = current.etag.unwrap_or_default();
        let call = Call::patch(url, body, &version).for_mailbox(mailbox).with_subject(RequestSubject::Item);
        let raw = self.call_json(session, &call).await?;
        event::single_event(raw, session)
            .and_then(|event| event.ok_or_else(unexpected_response))
            .map_err(Error::with_unknown_outcome)
    }

    /// Cancels an event. Google notifies the guests with its own text; a cancellation cannot contain a message.
    pub(super) async fn cancel_meeting(&self, session: &Session, mailbox: &str, id: &str) -> Result<()> {
        self.delete(session, mailbox, id, ALL).await
    }

    pub(super) async fn remove_event(&self, session: &Session, mailbox: &str, id: &str) -> Result<()> {
        self.delete(session, mailbox, id, NOBODY).await
    }

    async fn delete(&self, session: &Session, mailbox: &str, id: &str, tell: (&str, &str)) -> Result<()> {
        let url = with_query(self.calendar_url(mailbox, &["events", id])?, &[tell]);
        match self
            .call(session, &Call::delete(url).for_mailbox(mailbox).with_subject(RequestSubject::Item))
            .await
        {
            Err(error) if error.kind != ErrorKind::Gone => Err(error),
            _ => Ok(()),
        }
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Gone, Remedy::Never, "notFound", messages::appointment_gone())
}
