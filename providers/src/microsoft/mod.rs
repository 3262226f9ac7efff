//! Microsoft 365: Exchange Online over Microsoft Graph, and the Microsoft identity platform.
//!
//! [`Microsoft`] is the connector. [`identity::IdentityClient`] handles sign-in, consent and tokens. Both take their
//! base URLs from [`Config`] (national clouds have other hosts) and keep no state beyond the published signing keys.
//!
//! Events are written with a `transactionId` and carry the effect key in an extended property of Muster's, so a write
//! whose outcome is unknown can be looked up before it is repeated.

mod aadsts;
mod assertion;
mod batch;
mod calendars;
mod changes;
mod classify;
mod cloud;
mod directory;
mod event;
mod events;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzz;
mod id_token;
pub mod identity;
mod onboarding;
mod online;
mod push;
mod request;
mod schedule;
mod watermark;
mod wire;
mod zones;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{Ids, ProviderKind, SharedClock, TimeRange};
use secrecy::SecretString;
use url::Url;
use uuid::{Uuid, uuid};

pub use cloud::Cloud;
pub use onboarding::{CONSENTED_PATH, OWN_CONSENTED_PATH, SIGNED_IN_PATH};
pub use push::PUSH_PATH;

use crate::{
    CalendarInfo, CalendarListing, ChangeCheck, ChangeFeed, Changes, Directory, Event, EventChange,
    EventPage, Events, FreeBusy, Mailbox, NewEvent, Organisation, Page, Person, Provider, ProviderFeatures,
    RateLimit, RequestLimits, Result, RoomInfo, Session,
};

/// The property set of Muster's extended properties on events. Must never change: events in customers' calendars are
/// found by it.
pub const EXTENDED_PROPERTY_SET: Uuid = uuid!("5b0f6e2c-93c4-4b7e-8d15-6a1de0a7c94f");

/// How Muster's registered application authenticates itself.
#[derive(Debug, Clone)]
pub enum ClientCredential {
    /// The application authenticates with a password that Microsoft issued at registration.
    Secret(SecretString),
    /// The application authenticates with a certificate whose public half is registered, as Microsoft recommends.
    Certificate {
        /// The registered certificate, DER-encoded X.509; Microsoft identifies it by its digest.
        certificate_der: Vec<u8>,
        /// The certificate's RSA private key as PEM.
        private_key_pem: SecretString,
    },
}

/// Microsoft's endpoints, and the operator's registration there.
#[derive(Debug, Clone)]
pub struct Config {
    /// The identity platform: [`Cloud::login_url`].
    pub login: Url,
    /// Graph with its version: [`Cloud::graph_url`].
    pub graph: Url,
    /// The resource for which Graph permissions are requested: [`Cloud::graph_resource`].
    pub resource: String,
    /// The application (client) id of the registration.
    pub client_id: String,
    /// How the application authenticates itself.
    pub credential: ClientCredential,
}

impl Config {
    /// A registration in a national or the world-wide cloud.
    pub fn for_cloud(cloud: Cloud, client_id: impl Into<String>, credential: ClientCredential) -> Self {
        Self {
            login: cloud.login_url(),
            graph: cloud.graph_url(),
            resource: cloud.graph_resource().to_owned(),
            client_id: client_id.into(),
            credential,
        }
    }

    /// A registration in the world-wide cloud, with the given hosts.
    pub fn new(login: Url, graph: Url, client_id: impl Into<String>, credential: ClientCredential) -> Self {
        Self { login, graph, ..Self::for_cloud(Cloud::Global, client_id, credential) }
    }
}

/// The connector. Cheap to clone; one connector serves every tenant.
#[derive(Debug, Clone)]
pub struct Microsoft {
    config: Config,
    client: http::Client,
    clock: SharedClock,
    ids: Ids,
    identity: identity::IdentityClient,
}

impl Microsoft {
    /// Creates a connector with these endpoints and this registration.
    pub fn new(config: Config, client: http::Client, clock: SharedClock, ids: Ids) -> Self {
        let identity =
            identity::IdentityClient::new(config.clone(), client.clone(), Arc::clone(&clock), ids.clone());
        Self { config, client, clock, ids, identity }
    }
}

impl Provider for Microsoft {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Microsoft365
    }

    fn features(&self) -> ProviderFeatures {
        ProviderFeatures {
            verified_organisation: true,
            own_consent: true,
            invitations: true,
            rooms_answer: true,
            room_directory: true,
            push: true,
            online_meetings: true,
            propagates: true,
        }
    }

    /// Microsoft allows an app 130,000 requests per 10 s in total, and per mailbox 10,000 per 10 min and 4 concurrent
    /// ones.
    fn limits(&self) -> RequestLimits {
        RequestLimits {
            whole: RateLimit { concurrency: 64, rate: 60_000, per: Duration::from_mins(1) },
            mailbox: RateLimit { concurrency: 4, rate: 10_000, per: Duration::from_mins(10) },
        }
    }
}

#[async_trait]
impl Directory for Microsoft {
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

    async fn person(&self, session: &Session, address: &str) -> Result<Person> {
        self.read_person(session, address).await
    }
}

#[async_trait]
impl Events for Microsoft {
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
        self.list_events(session, mailbox, window, after).await
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
        self.post_event(session, mailbox, event).await
    }

    async fn find_event(&self, session: &Session, mailbox: &str, effect_key: &str) -> Result<Option<Event>> {
        self.search_event(session, mailbox, effect_key).await
    }

    async fn event(&self, session: &Session, mailbox: &str, id: &str) -> Result<Option<Event>> {
        self.read_event(session, mailbox, id).await
    }

    async fn update_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event> {
        self.patch_event(session, mailbox, id, change).await
    }

    async fn cancel_event(&self, session: &Session, mailbox: &str, id: &str, message: &str) -> Result<()> {
        self.cancel_meeting(session, mailbox, id, message).await
    }

    async fn delete_event(&self, session: &Session, mailbox: &str, id: &str) -> Result<()> {
        self.remove_event(session, mailbox, id).await
    }
}

#[async_trait]
impl ChangeFeed for Microsoft {
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
        window: TimeRange,
        watermark: Option<&str>,
    ) -> Result<ChangeCheck> {
        self.check_for_changes(session, mailbox, window, watermark).await
    }
}
