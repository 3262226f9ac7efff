//! Sanitises all strings from providers, in a wrapper around every connector.
//!
//! [`SanitizedProvider`] wraps each connector when it is added to an installation, so all results contain sanitised
//! strings: both stores accept them, and an invalid character in a calendar affects only the string that contains it.
//! Each result type declares in [`Sanitize`] how its strings are cleaned; a new field does not compile until it is
//! handled there.
//!
//! In strings for display, forbidden characters are removed, and the strings are truncated to a maximum length. In
//! strings that are compared with others (email addresses, iCalendar UIDs), forbidden characters are replaced, see
//! [`text::clean_identifier`]. Tokens that the connector receives back later (ids, cursors) are escaped here and
//! restored on the way back, so that an event whose id contains forbidden characters can still be changed and removed,
//! see [`text::escape_provider_token`].

mod values;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{ProviderKind, TimeRange, connect::SecretKind, text};
use url::Url;

pub(crate) use self::values::{Sanitize, clean_identifier, clean_name};

use crate::{
    AuthorizationRequest, CalendarInfo, CalendarListing, ChangeCheck, ChangeFeed, Changes, Channel,
    CodeExchange, ConsentDeclined, ConsentFlow, Directory, Error, Event, EventChange, EventPage, Events,
    FreeBusy, IssuedToken, Mailbox, NewEvent, Onboarding, Organisation, Page, ParsedPush, Person, Provider,
    ProviderFeatures, Push, PushRequest, RedirectPaths, RequestLimits, Result, RoomInfo, Secret, Session,
    SignInPurpose, SignedInAccount, UnsupportedServer,
};

/// A connector whose results contain only sanitised strings.
#[derive(Debug)]
pub struct SanitizedProvider(Arc<dyn Provider>);

impl SanitizedProvider {
    /// Wraps a connector so that its results are sanitised.
    pub fn new(provider: Arc<dyn Provider>) -> Self {
        Self(provider)
    }
}

impl Provider for SanitizedProvider {
    fn kind(&self) -> ProviderKind {
        self.0.kind()
    }

    fn features(&self) -> ProviderFeatures {
        self.0.features()
    }

    fn limits(&self) -> RequestLimits {
        self.0.limits()
    }
}

#[async_trait]
impl Onboarding for SanitizedProvider {
    fn consent_flow(&self) -> ConsentFlow {
        self.0.consent_flow()
    }

    fn application_id(&self) -> Option<&str> {
        self.0.application_id()
    }

    fn redirect_paths(&self) -> RedirectPaths {
        self.0.redirect_paths()
    }

    fn check_server(&self, server: &Url) -> std::result::Result<(), UnsupportedServer> {
        self.0.check_server(server)
    }

    fn sign_in_url(&self, purpose: SignInPurpose, request: &AuthorizationRequest<'_>) -> Result<Url> {
        self.0.sign_in_url(purpose, request).map_err(Error::cleaned)
    }

    fn consent_url(&self, organisation: &str, redirect_uri: &str, state: &str) -> Result<Url> {
        let organisation = text::unescape_provider_token(organisation);
        self.0.consent_url(&organisation, redirect_uri, state).map_err(Error::cleaned)
    }

    async fn redeem(
        &self,
        purpose: SignInPurpose,
        brought: &CodeExchange<'_>,
    ) -> Result<Option<SignedInAccount>> {
        self.0.redeem(purpose, brought).await.cleaned()
    }

    fn redirect_error(&self, error: &str, description: &str) -> std::result::Result<ConsentDeclined, Error> {
        self.0.redirect_error(error, description).map_err(Error::cleaned)
    }

    fn organisation_consent(&self, organisation: String) -> Result<Secret> {
        self.0.organisation_consent(organisation).map_err(Error::cleaned)
    }

    fn own_consent(&self, organisation: String, refresh_token: String) -> Result<Secret> {
        self.0.own_consent(organisation, refresh_token).map_err(Error::cleaned)
    }

    async fn token(&self, secret: &Secret, claims: Option<&str>) -> Result<IssuedToken> {
        self.0.token(secret, claims).await.map_err(Error::cleaned)
    }

    fn can_revoke(&self, kind: SecretKind) -> bool {
        self.0.can_revoke(kind)
    }

    async fn revoke(&self, secret: &Secret) -> Result<()> {
        self.0.revoke(secret).await.map_err(Error::cleaned)
    }

    fn is_spreading(&self, error: &Error) -> bool {
        self.0.is_spreading(error)
    }

    fn is_same_organisation(&self, one: &str, other: &str) -> bool {
        self.0.is_same_organisation(one, other)
    }
}

#[async_trait]
impl Directory for SanitizedProvider {
    async fn organisation(&self, session: &Session) -> Result<Organisation> {
        self.0.organisation(session).await.cleaned()
    }

    async fn people(&self, session: &Session, after: Option<&str>) -> Result<Page<Person>> {
        let after = after.map(text::unescape_provider_token);
        self.0.people(session, after.as_deref()).await.cleaned()
    }

    async fn rooms(&self, session: &Session, after: Option<&str>) -> Result<Page<RoomInfo>> {
        let after = after.map(text::unescape_provider_token);
        self.0.rooms(session, after.as_deref()).await.cleaned()
    }

    async fn mailbox(&self, session: &Session, mailbox: &str) -> Result<Mailbox> {
        self.0.mailbox(session, mailbox).await.cleaned()
    }

    async fn person(&self, session: &Session, address: &str) -> Result<Person> {
        self.0.person(session, address).await.cleaned()
    }
}

#[async_trait]
impl Events for SanitizedProvider {
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
        let after = after.map(text::unescape_provider_token);
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
        let (calendar, after) =
            (text::unescape_provider_token(calendar), after.map(text::unescape_provider_token));
        self.0.events_of(session, mailbox, &calendar, window, after.as_deref()).await.cleaned()
    }

    async fn create_event(&self, session: &Session, mailbox: &str, event: &NewEvent) -> Result<Event> {
        self.0.create_event(session, mailbox, event).await.cleaned()
    }

    async fn find_event(&self, session: &Session, mailbox: &str, effect_key: &str) -> Result<Option<Event>> {
        self.0.find_event(session, mailbox, effect_key).await.cleaned()
    }

    async fn event(&self, session: &Session, mailbox: &str, id: &str) -> Result<Option<Event>> {
        self.0.event(session, mailbox, &text::unescape_provider_token(id)).await.cleaned()
    }

    async fn update_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event> {
        self.0.update_event(session, mailbox, &text::unescape_provider_token(id), change).await.cleaned()
    }

    async fn cancel_event(&self, session: &Session, mailbox: &str, id: &str, message: &str) -> Result<()> {
        self.0
            .cancel_event(session, mailbox, &text::unescape_provider_token(id), message)
            .await
            .map_err(Error::cleaned)
    }

    async fn delete_event(&self, session: &Session, mailbox: &str, id: &str) -> Result<()> {
        self.0
            .delete_event(session, mailbox, &text::unescape_provider_token(id))
            .await
            .map_err(Error::cleaned)
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
}

#[async_trait]
impl ChangeFeed for SanitizedProvider {
    async fn changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        cursor: Option<&str>,
    ) -> Result<Changes> {
        let cursor = cursor.map(text::unescape_provider_token);
        self.0.changes(session, mailbox, window, cursor.as_deref()).await.cleaned()
    }

    async fn poll_changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        watermark: Option<&str>,
    ) -> Result<ChangeCheck> {
        let watermark = watermark.map(text::unescape_provider_token);
        self.0.poll_changes(session, mailbox, window, watermark.as_deref()).await.cleaned()
    }
}

#[async_trait]
impl Push for SanitizedProvider {
    fn hook(&self) -> Option<&'static str> {
        self.0.hook()
    }

    /// Not sanitised, because the content is only compared with stored values and never stored.
    fn read_push(&self, request: &PushRequest<'_>) -> ParsedPush {
        self.0.read_push(request)
    }

    async fn watch(&self, session: &Session, mailbox: &str, url: &str, secret: &str) -> Result<Channel> {
        self.0.watch(session, mailbox, url, secret).await.cleaned()
    }

    async fn renew(&self, session: &Session, channel: &str) -> Result<Channel> {
        self.0.renew(session, &text::unescape_provider_token(channel)).await.cleaned()
    }

    async fn unwatch(&self, session: &Session, channel: &str) -> Result<()> {
        self.0.unwatch(session, &text::unescape_provider_token(channel)).await.map_err(Error::cleaned)
    }
}

#[cfg(test)]
mod tests;
