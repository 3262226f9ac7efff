//! Connector for CalDAV servers (RFC 4791), such as Radicale.
//!
//! A mailbox is a principal, identified by its published email addresses ([`listing`]); its calendars are those proven
//! to be its own ([`locate`]). Bookings are written to the default calendar; all calendars that are not transparent
//! make the owner busy. Rules determine the addresses of principals that publish none, and which principals are rooms,
//! see [`Config`].
//!
//! The connector adds what CalDAV lacks. `domain::ical` expands series, because servers differ in doing so. Rooms
//! do not respond and most servers send no invitations: a room is booked by writing a copy of the event, with the
//! same UID, to the room's calendar. The organiser's event names all its rooms for as long as it exists, so that an
//! update, a cancellation or a look-up after an unknown outcome finds every copy.
//!
//! An unreadable item affects only itself and never counts as free: see [`read`] and [`repair`]. Changes since a
//! cursor are requested from the server if its responses can be trusted, and otherwise found by comparing entity tags.
//! If only busy times are readable, or nothing at all, the owner is still known to be busy, see [`free_busy`].
//!
//! Events are found by their URL and UID, both derived from the effect key. Because the UID is searched for before
//! every write, this also works on servers that ignore `If-None-Match`.

mod account;
mod auth;
mod calendar_view;
mod changes;
mod collection;
mod config;
mod cursor;
mod digest;
mod directory;
mod event;
mod events;
mod failure;
mod free_busy;
mod hidden;
mod href;
mod interpret;
mod listing;
mod locate;
mod multiget;
mod multistatus;
mod onboarding;
mod principal;
mod push;
mod read;
mod repair;
mod rooms;
mod sync;
mod transport;
mod watermark;
mod write;

use std::{sync::Arc, time::Duration};

pub use config::{AddressRule, Config, RoomRule};
use domain::{Ids, ProviderKind, SharedClock, TimeRange, provider::Capabilities};
use futures::future::BoxFuture;
use moka::future::Cache;

use self::{
    account::Account,
    auth::AuthCache,
    calendar_view::{CalendarView, CalendarViews},
    collection::Collection,
    listing::{Cached, PrincipalListing},
    locate::{LocatedMailbox, PrincipalAlias},
    transport::DavClient,
};
use crate::{
    Error, ErrorKind, FreeBusy, Page, Provider, ProviderFeatures, RateLimit, Remedy, RequestLimits, Result,
    Session, messages, xml,
};

/// Number of mailboxes processed concurrently, within the rate limits.
const ABREAST: usize = 4;
/// How long located mailboxes are cached.
const PLACES_FOR: Duration = Duration::from_mins(10);
/// Interval between two searches for resources of a calendar that queries do not list.
const HIDDEN_FOR: Duration = Duration::from_hours(1);
/// Number of people or rooms per page.
const PAGE: usize = 200;

/// The CalDAV connector.
#[derive(Debug, Clone)]
pub struct CalDav {
    config: Config,
    client: http::Client,
    clock: SharedClock,
    /// Refused credentials, and the authentication schemes of servers.
    logins: AuthCache,
    /// Cache of the locations of mailboxes, which saves several requests per call; an entry is removed when a request
    /// shows that it is outdated.
    places: Cache<String, Arc<LocatedMailbox>>,
    /// Cache of the accounts of credentials.
    accounts: Cache<String, Arc<Account>>,
    /// Cache of the principals that accounts can see.
    lists: Cache<String, Arc<Cached<PrincipalListing>>>,
    /// Cache of the calendars in accounts' own homes.
    homes: Cache<String, Arc<Cached<Vec<Collection>>>>,
    /// Cache of the principals that own calendars.
    aliases: Cache<String, Arc<Option<PrincipalAlias>>>,
    /// Cache of the calendars' resources that no query lists.
    hidden: Cache<String, Arc<Vec<url::Url>>>,
}

impl CalDav {
    /// Creates a connector; each session names its server.
    pub fn new(config: Config, client: http::Client, clock: SharedClock, ids: Ids) -> Self {
        Self {
            config,
            client,
            clock,
            logins: AuthCache::new(ids),
            places: remembering(50_000, PLACES_FOR),
            accounts: remembering(1_000, PLACES_FOR),
            lists: remembering(1_000, PLACES_FOR),
            homes: remembering(1_000, PLACES_FOR),
            aliases: remembering(50_000, PLACES_FOR),
            hidden: remembering(50_000, HIDDEN_FOR),
        }
    }

    fn dav<'a>(&'a self, session: &'a Session, mailbox: Option<&'a str>) -> Result<DavClient<'a>> {
        DavClient::new(self, session, mailbox)
    }

    /// The location of `mailbox`, cached if possible.
    async fn place(&self, dav: &DavClient<'_>, mailbox: &str) -> Result<Arc<LocatedMailbox>> {
        let key = place_key(dav, mailbox);
        if let Some(place) = self.places.get(&key).await {
            return Ok(place);
        }
        self.fresh_place(dav, mailbox).await
    }

    async fn fresh_place(&self, dav: &DavClient<'_>, mailbox: &str) -> Result<Arc<LocatedMailbox>> {
        let key = place_key(dav, mailbox);
        match locate::locate_mailbox(dav, mailbox).await {
            Ok(place) => {
                let place = Arc::new(place);
                self.places.insert(key, place.clone()).await;
                Ok(place)
            }
            Err(error) => {
                self.places.invalidate(&key).await;
                Err(error)
            }
        }
    }

    /// Drops the cached location of a mailbox if the result shows that it is wrong.
    async fn check<T>(&self, dav: &DavClient<'_>, mailbox: &str, result: Result<T>) -> Result<T> {
        if let Err(Error { kind: ErrorKind::NoMailbox | ErrorKind::OutOfScope, .. }) = &result {
            self.places.invalidate(&place_key(dav, mailbox)).await;
        }
        result
    }

    async fn busy_of(&self, session: &Session, mailbox: &str, window: TimeRange) -> Result<FreeBusy> {
        let dav = self.dav(session, Some(mailbox))?;
        let seen = match self.place(&dav, mailbox).await {
            Ok(place) => self.look_at_all(&dav, &place, mailbox, window).await.map(|seen| (place, seen)),
            Err(error) => Err(error),
        };
        match seen {
            Ok((place, seen)) => calendar_view::read_busy(&dav, &place, mailbox, window, seen).await,
            // If the calendars cannot be read, busy times may still be available through the account's own outbox.
            Err(error) if error.kind == ErrorKind::OutOfScope => {
                free_busy::request_from_outbox(self, &dav, mailbox, window)
                    .await?
                    .map(FreeBusy::from)
                    .ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// The readable content, within a time range, of all calendars that make the owner busy.
    async fn look_at_all(
        &self,
        dav: &DavClient<'_>,
        place: &LocatedMailbox,
        mailbox: &str,
        window: TimeRange,
    ) -> Result<CalendarViews> {
        let mut all = Vec::new();
        for calendar in place.busy_calendars() {
            all.push((calendar.clone(), self.look(dav, place, mailbox, calendar, window).await?));
        }
        Ok(all)
    }

    /// The readable content of one calendar within a time range: events or, if the account cannot read them, busy
    /// times. If neither can be read from an additional calendar, the other calendars are still read.
    async fn look(
        &self,
        dav: &DavClient<'_>,
        place: &LocatedMailbox,
        mailbox: &str,
        calendar: &Collection,
        window: TimeRange,
    ) -> Result<CalendarView> {
        let found = if calendar.is_free_busy_only() {
            Err(failure::out_of_scope("FREE_BUSY_ONLY"))
        } else {
            read::read_window(dav, calendar, window).await.map(CalendarView::Events)
        };
        let seen = match found {
            Err(error) if error.kind == ErrorKind::OutOfScope => {
                match free_busy::query_busy_times(dav, calendar, window).await {
                    Ok(busy) => Ok(CalendarView::Busy(busy)),
                    // The first error is more informative.
                    Err(second) if second.remedy == Remedy::SkipMailbox => Err(error),
                    Err(second) => Err(second),
                }
            }
            found => found,
        };
        let is_default = href::is_same_resource(&calendar.url, &place.booking_calendar().url);
        match self.check(dav, mailbox, seen).await {
            Err(error) if !is_default && error.remedy == Remedy::SkipMailbox => Ok(CalendarView::Nothing),
            seen => seen,
        }
    }

    /// The reported capabilities, reduced to those that a test request confirms, because some servers report
    /// privileges that they do not grant.
    async fn measured(
        &self,
        dav: &DavClient<'_>,
        place: &LocatedMailbox,
        mailbox: &str,
        stated: Capabilities,
    ) -> Result<Capabilities> {
        let now = self.clock.now();
        let hour = TimeRange { start: now, end: now + chrono::Duration::hours(1) };
        match self.look(dav, place, mailbox, place.booking_calendar(), hour).await? {
            CalendarView::Events(_) => Ok(stated),
            CalendarView::Busy(_) | CalendarView::Nothing => {
                Ok(Capabilities { list: true, free_busy: true, ..Capabilities::default() })
            }
        }
    }
}

impl Provider for CalDav {
    fn kind(&self) -> ProviderKind {
        ProviderKind::CalDav
    }

    fn features(&self) -> ProviderFeatures {
        ProviderFeatures {
            verified_organisation: false,
            own_consent: false,
            invitations: false,
            rooms_answer: false,
            room_directory: false,
            push: false,
            online_meetings: false,
            propagates: false,
        }
    }

    /// Limits a customer's own server to two concurrent requests.
    fn limits(&self) -> RequestLimits {
        RequestLimits {
            whole: RateLimit { concurrency: 2, rate: 6_000, per: Duration::from_mins(1) },
            mailbox: RateLimit { concurrency: 2, rate: 6_000, per: Duration::from_mins(1) },
        }
    }
}

fn place_key(dav: &DavClient<'_>, mailbox: &str) -> String {
    dav.cache_key(&format!("place\n{}", mailbox.to_ascii_lowercase()))
}

/// Creates a cache of limited size, whose entries expire.
fn remembering<T: Clone + Send + Sync + 'static>(size: u64, lasts: Duration) -> Cache<String, T> {
    Cache::builder().max_capacity(size).time_to_live(lasts).build()
}

/// The cached value for a key, or the result of `load`; concurrent callers share one load.
async fn remembered<T: Clone + Send + Sync + 'static>(
    cache: &Cache<String, T>,
    key: String,
    load: BoxFuture<'_, Result<T>>,
) -> Result<T> {
    cache.try_get_with(key, load).await.map_err(|error: Arc<Error>| (*error).clone())
}

fn no_calendar() -> Error {
    let message = messages::no_such_calendar();
    Error::new(ErrorKind::Gone, Remedy::Never, "NO_CALENDAR", message)
}

/// The page after the item with the id `after`, of a list sorted by id.
fn page<T>(all: Vec<T>, after: Option<&str>, id: impl Fn(&T) -> &String) -> Page<T> {
    let mut rest = all.into_iter().skip_while(|item| after.is_some_and(|after| id(item).as_str() <= after));
    let items: Vec<T> = rest.by_ref().take(PAGE).collect();
    let more = rest.next().is_some();
    let next = items.last().filter(|_| more).map(|item| id(item).clone());
    Page { items, next }
}

/// Parses a response to PROPFIND or REPORT, for fuzzing.
#[cfg(feature = "fuzzing")]
pub(crate) fn can_parse_multistatus(body: &[u8]) -> bool {
    url::Url::parse("https://dav.test/")
        .is_ok_and(|base| multistatus::parse_with_sync_token(&base, body).is_some())
}
