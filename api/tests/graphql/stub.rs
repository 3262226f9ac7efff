//! A calendar system that knows nothing, for integrations that are never talked to here.

use async_trait::async_trait;
use domain::{ProviderKind, TimeRange};
use services::providers::{
    CalendarInfo, CalendarListing, Changes, Channel, Error, ErrorKind, Event, EventChange, EventPage,
    FreeBusy, Mailbox, NewEvent, Organisation, Page, Person, Provider, ProviderFeatures, Remedy, Result,
    RoomInfo, Session,
};

#[derive(Debug)]
pub struct Stub;

fn nothing<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, Remedy::Never, "stub", "This calendar system knows nothing."))
}

#[async_trait]
impl Provider for Stub {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Microsoft365
    }
    fn features(&self) -> ProviderFeatures {
        ProviderFeatures {
            consent_pages: true,
            own_consent: true,
            invitations: true,
            rooms_answer: true,
            room_directory: true,
            push: false,
            online_meetings: false,
            propagates: true,
        }
    }
    async fn organisation(&self, _: &Session) -> Result<Organisation> {
        nothing()
    }
    async fn people(&self, _: &Session, _: Option<&str>) -> Result<Page<Person>> {
        nothing()
    }
    async fn rooms(&self, _: &Session, _: Option<&str>) -> Result<Page<RoomInfo>> {
        nothing()
    }
    async fn mailbox(&self, _: &Session, _: &str) -> Result<Mailbox> {
        nothing()
    }
    async fn calendar(&self, _: &Session, _: &str) -> Result<CalendarInfo> {
        nothing()
    }
    async fn busy(&self, _: &Session, _: &[String], _: TimeRange) -> Result<Vec<(String, Result<FreeBusy>)>> {
        nothing()
    }
    async fn events(&self, _: &Session, _: &str, _: TimeRange, _: Option<&str>) -> Result<EventPage> {
        nothing()
    }
    async fn calendars(&self, _: &Session, _: &str) -> Result<Vec<CalendarListing>> {
        Ok(Vec::new())
    }

    async fn events_of(
        &self,
        session: &Session,
        mailbox: &str,
        _: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        self.events(session, mailbox, window, after).await
    }

    async fn changes(&self, _: &Session, _: &str, _: TimeRange, _: Option<&str>) -> Result<Changes> {
        nothing()
    }
    async fn create_event(&self, _: &Session, _: &str, _: &NewEvent) -> Result<Event> {
        nothing()
    }
    async fn find_event(&self, _: &Session, _: &str, _: &str) -> Result<Option<Event>> {
        nothing()
    }
    async fn event(&self, _: &Session, _: &str, _: &str) -> Result<Option<Event>> {
        nothing()
    }
    async fn update_event(&self, _: &Session, _: &str, _: &str, _: &EventChange) -> Result<Event> {
        nothing()
    }
    async fn cancel_event(&self, _: &Session, _: &str, _: &str, _: &str) -> Result<()> {
        nothing()
    }
    async fn delete_event(&self, _: &Session, _: &str, _: &str) -> Result<()> {
        nothing()
    }
    async fn watch(&self, _: &Session, _: &str, _: &str, _: &str) -> Result<Channel> {
        nothing()
    }
    async fn renew(&self, _: &Session, _: &str) -> Result<Channel> {
        nothing()
    }
    async fn unwatch(&self, _: &Session, _: &str) -> Result<()> {
        nothing()
    }
}
