//! Exchange on-premises (2013, 2016, 2019, Subscription Edition) over Exchange Web Services.
//!
//! One service account with the role ApplicationImpersonation acts in every mailbox in scope: each request about a
//! mailbox names it in `ExchangeImpersonation` and in `X-AnchorMailbox`. Only the directory, rooms and busy times are
//! requested as the service account itself. The administrator types the server's URL, or Autodiscover finds it
//! ([`Config::autodiscover`]). Exchange Online is refused, because it belongs to Microsoft 365, see [`check_server`].
//!
//! Exchange has no idempotent write. Every event that Muster writes carries its effect key as an extended property,
//! which is searched for before every write ([`write`]); the Microsoft 365 connector uses the same property, so
//! that an event keeps its key when its mailbox moves to the cloud.
//!
//! Source: "Exchange Web Services (EWS) reference", web-service-reference of the Office developer documents.

mod autodiscover;
mod availability;
mod calendars;
mod changes;
mod endpoint;
mod failure;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzz;
mod item;
mod names;
mod onboarding;
mod pull;
mod push;
mod read;
mod rooms;
mod soap;
mod transport;
mod view;
mod walk;
mod write;
mod zones;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{Ids, ProviderKind, TimeRange};
use moka::future::Cache;
use url::Url;

use self::endpoint::check_server;
use crate::{
    CalendarInfo, CalendarListing, ChangeCheck, ChangeFeed, Changes, Directory, Event, EventChange,
    EventPage, Events, FreeBusy, Mailbox, NewEvent, Organisation, Page, Person, Provider, ProviderFeatures,
    RateLimit, RequestLimits, Result, RoomInfo, Session,
};

/// How long the list of rooms and a discovered server are cached.
const REMEMBERED: Duration = Duration::from_mins(10);
/// Number of rooms or events per page.
const PAGE: usize = 100;

/// Settings of an installation.
#[derive(Debug, Clone)]
pub struct Config {
    /// Autodiscover URLs, tried in this order; `{domain}` stands for the domain of the account's address.
    pub autodiscover: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        let paths = [
            "https://{domain}/autodiscover/autodiscover.xml",
            "https://autodiscover.{domain}/autodiscover/autodiscover.xml",
        ];
        Self { autodiscover: paths.map(str::to_owned).into() }
    }
}

/// The connector for Exchange. Cheap to clone; each session names its server.
#[derive(Debug, Clone)]
pub struct Exchange {
    config: Config,
    client: http::Client,
    ids: Ids,
    /// Cache of discovered servers, by account.
    servers: Cache<String, Url>,
    /// Cache of the rooms, by server and account; used to determine whether a mailbox is a room, and to keep pages
    /// consistent.
    rooms: Cache<String, Arc<Vec<RoomInfo>>>,
}

impl Exchange {
    /// Creates a connector for all Exchange servers on-premises.
    pub fn new(config: Config, client: http::Client, ids: Ids) -> Self {
        let servers = Cache::builder().max_capacity(10_000).time_to_live(REMEMBERED).build();
        let rooms = Cache::builder().max_capacity(10_000).time_to_live(REMEMBERED).build();
        Self { config, client, ids, servers, rooms }
    }
}

impl Provider for Exchange {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Exchange
    }

    fn features(&self) -> ProviderFeatures {
        ProviderFeatures {
            verified_organisation: false,
            own_consent: false,
            invitations: true,
            rooms_answer: true,
            room_directory: true,
            push: false,
            online_meetings: false,
            propagates: true,
        }
    }

    /// Limits one account to ten concurrent connections, three of them to one mailbox.
    fn limits(&self) -> RequestLimits {
        RequestLimits {
            whole: RateLimit { concurrency: 8, rate: 6_000, per: Duration::from_mins(1) },
            mailbox: RateLimit { concurrency: 3, rate: 6_000, per: Duration::from_mins(1) },
        }
    }
}

#[async_trait]
impl Directory for Exchange {
    async fn organisation(&self, session: &Session) -> Result<Organisation> {
        self.read_organisation(session).await
    }

    async fn people(&self, session: &Session, after: Option<&str>) -> Result<Page<Person>> {
        self.list_people(session, after).await
    }

    async fn rooms(&self, session: &Session, after: Option<&str>) -> Result<Page<RoomInfo>> {
        self.list_rooms(session, after).await
    }

    async fn mailbox(&self, session: &Session, mailbox: &str) -> Result<Mailbox> {
        self.read_mailbox(session, mailbox).await
    }
}

#[async_trait]
impl Events for Exchange {
    async fn calendar(&self, session: &Session, mailbox: &str) -> Result<CalendarInfo> {
        self.read_calendar(session, mailbox).await
    }

    async fn busy(
        &self,
        session: &Session,
        mailboxes: &[String],
        window: TimeRange,
    ) -> Result<Vec<(String, Result<FreeBusy>)>> {
        self.read_busy(session, mailboxes, window).await
    }

    async fn events(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        self.list_default_events(session, mailbox, window, after).await
    }

    async fn calendars(&self, session: &Session, mailbox: &str) -> Result<Vec<CalendarListing>> {
        self.list_calendars(session, mailbox).await
    }

    async fn events_of(
        &self,
        session: &Session,
        mailbox: &str,
        calendar: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        self.list_calendar_events(session, mailbox, calendar, window, after).await
    }

    async fn create_event(&self, session: &Session, mailbox: &str, event: &NewEvent) -> Result<Event> {
        event.check_no_meeting()?;
        self.write_event(session, mailbox, event).await
    }

    async fn find_event(&self, session: &Session, mailbox: &str, effect_key: &str) -> Result<Option<Event>> {
        self.search_event(session, mailbox, effect_key).await
    }

    async fn event(&self, session: &Session, mailbox: &str, id: &str) -> Result<Option<Event>> {
        Ok(self.read_item(session, mailbox, id).await?.and_then(|read| read.event))
    }

    async fn update_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event> {
        self.change_event(session, mailbox, id, change).await
    }

    async fn cancel_event(&self, session: &Session, mailbox: &str, id: &str, message: &str) -> Result<()> {
        self.cancel_meeting(session, mailbox, id, message).await
    }

    async fn delete_event(&self, session: &Session, mailbox: &str, id: &str) -> Result<()> {
        self.remove_event(session, mailbox, id, write::RemovalMode::Quiet).await
    }
}

#[async_trait]
impl ChangeFeed for Exchange {
    async fn changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        cursor: Option<&str>,
    ) -> Result<Changes> {
        self.read_changes(session, mailbox, window, cursor).await
    }

    async fn poll_changes(
        &self,
        session: &Session,
        mailbox: &str,
        _window: TimeRange,
        watermark: Option<&str>,
    ) -> Result<ChangeCheck> {
        self.check_for_changes(session, mailbox, watermark).await
    }
}
