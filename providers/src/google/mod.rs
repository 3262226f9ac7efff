//! Connector for Google Workspace: Calendar API and the Admin SDK's Directory API.
//!
//! An organisation is connected through a service account of its own, whose client id an administrator authorises
//! for domain-wide delegation. With the account's key ([`ServiceAccountKey`], as [`Credential::ServiceAccount`])
//! the connector signs an assertion for each mailbox for which it acts, and caches the resulting tokens; without
//! the key ([`Credential::Keyless`]) Google signs, authorised by the operator's token source ([`KeylessSigner`]).
//! [`Session::account`] is the administrator, as whom the connector acts in the directory, in the calendars of
//! rooms, and for busy times. A user's own consent ([`consent`]) is one token for that user's calendar.
//!
//! The id of an event derives from the effect key, so that Google itself refuses a repeated write and no search is
//! needed to find an event. Google reports only one kind of busy time: tentative times count as busy in
//! [`Events::busy`] and are distinguished in events. A cancellation cannot contain a message of ours: Google
//! notifies the guests in its own words.
//!
//! [`Credential::Keyless`]: crate::Credential::Keyless
//! [`Credential::ServiceAccount`]: crate::Credential::ServiceAccount
//! [`Session::account`]: crate::Session::account

mod calendar_list;
mod calendars;
mod changes;
mod classify;
pub mod consent;
mod directory;
mod event;
mod events;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzz;
mod key;
mod keyless;
mod onboarding;
mod online;
mod push;
mod refusal;
mod request;
mod scopes;
mod tokens;
mod watermark;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use domain::{Ids, ProviderKind, SharedClock, TimeRange};
pub use event::EFFECT_KEY_PROPERTY;
pub use key::ServiceAccountKey;
pub use keyless::{KeylessSigner, TokenSource};
pub use onboarding::{OWN_CONSENTED_PATH, SIGNED_IN_PATH};
pub use push::PUSH_PATH;
pub use scopes::{DELEGATED_SCOPES, OWN_CONSENT_SCOPES};
use secrecy::SecretString;
use url::Url;

use crate::{
    CalendarInfo, CalendarListing, ChangeCheck, ChangeFeed, Changes, Directory, Event, EventChange,
    EventPage, Events, FreeBusy, Mailbox, NewEvent, Organisation, Page, Person, Provider, ProviderFeatures,
    RateLimit, RequestLimits, Result, RoomInfo, Session,
};

/// The OAuth application for users' own consents; not needed for service accounts.
#[derive(Debug, Clone)]
pub struct OAuthApplication {
    /// The id that Google issued at registration, `....apps.googleusercontent.com`.
    pub client_id: String,
    /// The client secret that Google issued with it.
    pub secret: SecretString,
}

/// Google's endpoints, and the operator's registrations there.
#[derive(Debug, Clone)]
pub struct Config {
    /// The token endpoint, also the audience of signed assertions: `https://oauth2.googleapis.com/token`.
    pub token: Url,
    /// Base URL of the consent pages, also the issuer of ID tokens: `https://accounts.google.com`.
    pub accounts: Url,
    /// The Calendar API: `https://www.googleapis.com/calendar/v3`.
    pub calendar: Url,
    /// The Directory API: `https://admin.googleapis.com/admin/directory/v1`.
    pub directory: Url,
    /// The application for users' own consents; `None` if these are not offered.
    pub application: Option<OAuthApplication>,
    /// The signer for service accounts without a key; `None` if these are not offered.
    pub keyless: Option<KeylessSigner>,
}

/// The connector for Google. Cheap to clone; clones share their tokens, and one connector serves every tenant.
#[derive(Debug, Clone)]
pub struct Google {
    config: Config,
    client: http::Client,
    clock: SharedClock,
    ids: Ids,
    tokens: tokens::TokenCache,
}

impl Google {
    /// Creates a connector with these endpoints.
    pub fn new(config: Config, client: http::Client, clock: SharedClock, ids: Ids) -> Self {
        Self { config, client, clock, ids, tokens: tokens::TokenCache::default() }
    }

    /// Whether a service account can be connected without its key. This also needs an application, with which its
    /// administrator signs in.
    pub fn supports_keyless(&self) -> bool {
        self.config.keyless.is_some() && self.config.application.is_some()
    }
}

impl Provider for Google {
    fn kind(&self) -> ProviderKind {
        ProviderKind::GoogleWorkspace
    }

    fn features(&self) -> ProviderFeatures {
        ProviderFeatures {
            verified_organisation: true,
            own_consent: self.config.application.is_some(),
            invitations: true,
            rooms_answer: true,
            room_directory: true,
            push: true,
            online_meetings: true,
            propagates: true,
        }
    }

    /// Google allows 600 requests per minute for each user.
    fn limits(&self) -> RequestLimits {
        RequestLimits {
            whole: RateLimit { concurrency: 64, rate: 10_000, per: Duration::from_mins(1) },
            mailbox: RateLimit { concurrency: 4, rate: 600, per: Duration::from_mins(1) },
        }
    }
}

#[async_trait]
impl Directory for Google {
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
        Ok(directory::person(self.read_user(session, address).await?))
    }
}

#[async_trait]
impl Events for Google {
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
        self.insert_event(session, mailbox, event).await
    }

    async fn find_event(&self, session: &Session, mailbox: &str, effect_key: &str) -> Result<Option<Event>> {
        self.find_by_effect_key(session, mailbox, effect_key).await
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

    async fn cancel_event(&self, session: &Session, mailbox: &str, id: &str, _message: &str) -> Result<()> {
        self.cancel_meeting(session, mailbox, id).await
    }

    async fn delete_event(&self, session: &Session, mailbox: &str, id: &str) -> Result<()> {
        self.remove_event(session, mailbox, id).await
    }
}

#[async_trait]
impl ChangeFeed for Google {
    async fn changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        cursor: Option<&str>,
    ) -> Result<Changes> {
        self.list_changes(session, mailbox, window, cursor).await
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
