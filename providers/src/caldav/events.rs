//! Calendars of a CalDAV server and the events in them.

use async_trait::async_trait;
use domain::TimeRange;
use futures::StreamExt;

use super::{
    ABREAST, CalDav, calendar_view, collection, free_busy, href, interpret, no_calendar, read, rooms, write,
};
use crate::{
    CalendarInfo, CalendarListing, Event, EventChange, EventPage, Events, FreeBusy, NewEvent, Remedy, Result,
    Session,
};

#[async_trait]
impl Events for CalDav {
    async fn calendar(&self, session: &Session, mailbox: &str) -> Result<CalendarInfo> {
        let dav = self.dav(session, Some(mailbox))?;
        let place = self.fresh_place(&dav, mailbox).await?;
        let capabilities = collection::capabilities(&dav, place.booking_calendar()).await?;
        let capabilities = self.measured(&dav, &place, mailbox, capabilities).await?;
        Ok(CalendarInfo { id: href::resource_id(&place.booking_calendar().url), capabilities })
    }

    async fn busy(
        &self,
        session: &Session,
        mailboxes: &[String],
        window: TimeRange,
    ) -> Result<Vec<(String, Result<FreeBusy>)>> {
        let mut verdicts = futures::stream::iter(mailboxes.to_vec())
            .map(|mailbox| async move {
                let busy = self.busy_of(session, &mailbox, window).await;
                (mailbox, busy)
            })
            .buffered(ABREAST);
        let mut all = Vec::with_capacity(mailboxes.len());
        while let Some((mailbox, verdict)) = verdicts.next().await {
            // A password that is refused once is refused for all: asking on would lock the account.
            if let Err(error) = &verdict
                && error.remedy == Remedy::Reconnect
            {
                return Err(error.clone());
            }
            all.push((mailbox, verdict));
        }
        Ok(all)
    }

    async fn events(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        _after: Option<&str>,
    ) -> Result<EventPage> {
        let dav = self.dav(session, Some(mailbox))?;
        let place = self.place(&dav, mailbox).await?;
        let seen = self.look_at_all(&dav, &place, mailbox, window).await?;
        calendar_view::read_events(&dav, &place, mailbox, window, seen).await
    }

    async fn calendars(&self, session: &Session, mailbox: &str) -> Result<Vec<CalendarListing>> {
        let dav = self.dav(session, Some(mailbox))?;
        Ok(self.fresh_place(&dav, mailbox).await?.listings())
    }

    async fn events_of(
        &self,
        session: &Session,
        mailbox: &str,
        calendar: &str,
        window: TimeRange,
        _after: Option<&str>,
    ) -> Result<EventPage> {
        let dav = self.dav(session, Some(mailbox))?;
        let place = self.place(&dav, mailbox).await?;
        let found =
            place.calendars.iter().chain(&place.shared).find(|one| href::resource_id(&one.url) == calendar);
        let found = found.ok_or_else(no_calendar)?.clone();
        let seen = self.look(&dav, &place, mailbox, &found, window).await?;
        calendar_view::read_events(&dav, &place, mailbox, window, vec![(found, seen)]).await
    }

    async fn create_event(&self, session: &Session, mailbox: &str, event: &NewEvent) -> Result<Event> {
        event.check_no_meeting()?;
        let dav = self.dav(session, Some(mailbox))?;
        let place = self.place(&dav, mailbox).await?;
        let written = write::create_event(self, &dav, &place, mailbox, event).await;
        self.check(&dav, mailbox, written).await
    }

    async fn find_event(&self, session: &Session, mailbox: &str, effect_key: &str) -> Result<Option<Event>> {
        let dav = self.dav(session, Some(mailbox))?;
        let place = self.place(&dav, mailbox).await?;
        let found = write::find_and_complete(self, &dav, &place, mailbox, effect_key).await;
        self.check(&dav, mailbox, found).await
    }

    async fn event(&self, session: &Session, mailbox: &str, id: &str) -> Result<Option<Event>> {
        let dav = self.dav(session, Some(mailbox))?;
        let place = self.place(&dav, mailbox).await?;
        let (path, occurrence) = id.split_once('#').map_or((id, None), |(path, at)| (path, Some(at)));
        if let Some(busy) = occurrence.and_then(free_busy::parse_busy_event_id) {
            let seen = self.look_at_all(&dav, &place, mailbox, busy.range).await?;
            let all = calendar_view::read_events(&dav, &place, mailbox, busy.range, seen).await?.items;
            return Ok(all.into_iter().find(|event| event.id == id));
        }
        let url = dav.event_url(&place, path)?;
        let stored = self.check(&dav, mailbox, read::read_resource(&dav, &url).await).await?;
        let calendar = place.calendar_containing(&url).unwrap_or_else(|| place.booking_calendar());
        let reader = calendar_view::calendar_owner(&dav, &place, mailbox, calendar);
        Ok(stored.and_then(|stored| interpret::to_single_event(&stored, &reader, occurrence)))
    }

    async fn update_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event> {
        let dav = self.dav(session, Some(mailbox))?;
        let place = self.place(&dav, mailbox).await?;
        let written = write::update_event(self, &dav, &place, mailbox, id, change).await;
        self.check(&dav, mailbox, written).await
    }

    async fn cancel_event(&self, session: &Session, mailbox: &str, id: &str, _message: &str) -> Result<()> {
        // A server that sends invitations notifies the attendees itself when the organiser's event is deleted.
        self.delete_event(session, mailbox, id).await
    }

    async fn delete_event(&self, session: &Session, mailbox: &str, id: &str) -> Result<()> {
        let dav = self.dav(session, Some(mailbox))?;
        let place = self.place(&dav, mailbox).await?;
        let deleted = write::delete_event(self, &dav, &place, id).await;
        self.check(&dav, mailbox, deleted).await
    }

    async fn remove_copies(
        &self,
        session: &Session,
        mailbox: &str,
        effect_key: &str,
        rooms: &[String],
    ) -> Result<()> {
        let dav = self.dav(session, Some(mailbox))?;
        rooms::remove_copies_by_key(self, &dav, rooms, effect_key).await
    }
}
