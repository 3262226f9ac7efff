//! Finds the principal with a given email address, and the calendars that this principal owns.
//!
//! Principals that publish the address are tried first, URLs derived from it last, and a refused URL is not
//! conclusive. A calendar is used only if it certainly belongs to the mailbox's principal: by `DAV:owner` (RFC 3744
//! section 5.1), or because it is in a home that only this principal has. Some servers return the caller's own home
//! for every principal; in that case, and whenever the principal's own home contains nothing, calendars that the
//! owner shares with the account are searched for in the account's home.

use std::sync::Arc;

use domain::Zone;
use futures::FutureExt;
use url::Url;

use super::{
    account::{self, Account},
    collection::Collection,
    failure::{self, RequestSubject},
    href,
    listing::{self, concerns_one_resource},
    multistatus::Resource,
    principal::{self, PROPFIND_BODY, Principal},
    transport::DavClient,
    xml::{CALDAV, DAV},
};
use crate::{CalendarKind, CalendarListing, Error, ErrorKind, Result};

/// Maximum number of homes of one principal that are searched.
const HOMES: usize = 4;
const DEFAULT: &str = r#"<D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:schedule-default-calendar-URL/></D:prop></D:propfind>"#;

/// A mailbox that was found on the server.
#[derive(Debug, Clone)]
pub(super) struct LocatedMailbox {
    /// The owner of the mailbox.
    pub principal: Principal,
    /// Whether the mailbox is the service account's own.
    pub is_account: bool,
    /// The owner's calendars, the one for bookings first; never empty.
    pub calendars: Vec<Collection>,
    /// Calendars of other owners in the same home.
    pub shared: Vec<Collection>,
}

impl LocatedMailbox {
    /// The calendar to which bookings are written.
    pub(super) fn booking_calendar(&self) -> &Collection {
        &self.calendars[0]
    }

    /// The calendars whose events make the owner busy.
    pub(super) fn busy_calendars(&self) -> impl Iterator<Item = &Collection> {
        self.calendars.iter().filter(|one| !one.is_transparent)
    }

    /// The calendar that contains a resource.
    pub(super) fn calendar_containing(&self, url: &Url) -> Option<&Collection> {
        self.calendars.iter().find(|one| href::is_below(&one.url, url))
    }

    /// All calendars, the default one first.
    pub(super) fn listings(&self) -> Vec<CalendarListing> {
        let own = self.calendars.iter().enumerate().map(|(at, one)| {
            one.to_listing(match (at, one.is_generated) {
                (0, _) => CalendarKind::Default,
                (_, true) => CalendarKind::Generated,
                (_, false) => CalendarKind::Secondary,
            })
        });
        own.chain(self.shared.iter().map(|one| one.to_listing(CalendarKind::Shared))).collect()
    }
}

/// The time zone that applies to a calendar's all-day events and floating times.
pub(super) fn calendar_zone(dav: &DavClient<'_>, calendar: &Collection) -> Zone {
    calendar.zone.clone().or_else(|| dav.session.zone.clone()).unwrap_or(Zone::UTC)
}

/// Finds a mailbox and its calendars.
pub(super) async fn locate_mailbox(dav: &DavClient<'_>, mailbox: &str) -> Result<LocatedMailbox> {
    let account = account::cached_account(dav).await?;
    if account.owns_mailbox(dav, mailbox) {
        return at(dav, &account, &account.principal.clone(), None).await;
    }
    if !mailbox.contains('@') {
        return Err(failure::no_mailbox("UNKNOWN_ADDRESS"));
    }
    if let Some(principal) = listing::find_by_address(dav, &account, mailbox).await? {
        match at(dav, &account, &principal.url, None).await {
            // The cached list may contain a principal that no longer exists.
            Err(error) if error.kind == ErrorKind::NoMailbox => {}
            found => return found,
        }
    }
    guess(dav, &account, mailbox).await
}

/// Tries the paths that the configured rules derive from the address.
async fn guess(dav: &DavClient<'_>, account: &Account, mailbox: &str) -> Result<LocatedMailbox> {
    let (mut first, mut is_refused) = (None, false);
    for url in candidates(dav, account, mailbox) {
        match at(dav, account, &url, Some(mailbox)).await {
            Ok(found) => return Ok(found),
            Err(error) if error.code == "401" => is_refused = true,
            Err(error) if concerns_one_resource(&error) => {
                first = first.or(Some(error).filter(|error| error.kind == ErrorKind::OutOfScope));
            }
            Err(error) => return Err(error),
        }
    }
    if is_refused {
        // The password is refused either only there, or everywhere from now on.
        account::find_account(dav).await.map_err(|error| account::as_transient(dav, error))?;
    }
    match first {
        Some(refusal) if !refuses_anything(dav).await? => Err(refusal),
        _ => Err(failure::no_mailbox("UNKNOWN_ADDRESS")),
    }
}

/// Whether the server denies access even to a path that cannot exist; a denial then does not show that a mailbox
/// exists.
async fn refuses_anything(dav: &DavClient<'_>) -> Result<bool> {
    let mut nowhere = href::with_trailing_slash(dav.server.clone());
    if let Ok(mut path) = nowhere.path_segments_mut() {
        path.pop_if_empty().push("muster-looks-for-nobody").push("");
    }
    match dav.try_propfind(&nowhere, "0", DEFAULT).await {
        Err(error) if concerns_one_resource(&error) => Ok(error.kind == ErrorKind::OutOfScope),
        answer => answer.map(|_| false),
    }
}

/// The URLs at which a mailbox may be found according to the configured rules.
fn candidates(dav: &DavClient<'_>, account: &Account, mailbox: &str) -> Vec<Url> {
    let domain = account::mail_domain(dav, account.address());
    let local = mailbox.split_once('@').filter(|(_, own)| own.eq_ignore_ascii_case(&domain));
    let base = href::with_trailing_slash(dav.server.clone());
    let paths = dav.caldav.config.addresses.paths.iter().filter_map(|path| {
        let (mark, name) =
            if path.contains("{local}") { ("{local}", local?.0) } else { ("{address}", mailbox) };
        if matches!(name, "" | "." | "..") {
            return None;
        }
        let mut url = base.clone();
        // Each segment is replaced separately, so that no part of an address can leave its own segment.
        let parts: Vec<String> =
            path.trim_matches('/').split('/').map(|part| part.replace(mark, name)).collect();
        url.path_segments_mut().ok()?.pop_if_empty().extend(parts).push("");
        Some(url)
    });
    paths.collect()
}

/// The principal at a URL with its calendars. If the URL was only derived from the email address `guessed`, the
/// principal must publish that address, or publish none and have exactly this path.
async fn at(
    dav: &DavClient<'_>,
    account: &Account,
    url: &Url,
    guessed: Option<&str>,
) -> Result<LocatedMailbox> {
    let found = match guessed {
        Some(_) => dav.try_propfind(url, "1", PROPFIND_BODY).await?,
        None => dav.propfind(url, "1", PROPFIND_BODY, RequestSubject::Mailbox).await?,
    };
    let itself = found.iter().find(|one| href::is_same_resource(&one.url, url));
    let publishes = |one: &&Resource| {
        let addresses = principal::addresses(one);
        guessed.is_some_and(|mailbox| addresses.iter().any(|own| own.eq_ignore_ascii_case(mailbox)))
    };
    // Another href may be the canonical one.
    let own = itself
        .or_else(|| found.iter().find(publishes))
        .or_else(|| found.first().filter(|one| guessed.is_none() && one.has_resource_type(DAV, "principal")))
        .ok_or_else(|| failure::no_mailbox("NO_PRINCIPAL"))?;
    let principal = Principal::from_resource(dav, account.address(), own);
    if guessed.is_some() && principal.is_published && !publishes(&own) {
        return Err(failure::no_mailbox("ANOTHER_ADDRESS"));
    }
    let search = Search { dav, account, is_account: account.is_own_principal(&principal), principal };
    search.run(own, &found).await
}

/// A search for the calendars of one principal.
struct Search<'a> {
    dav: &'a DavClient<'a>,
    account: &'a Account,
    principal: Principal,
    is_account: bool,
}

impl Search<'_> {
    async fn run(self, own: &Resource, below: &[Resource]) -> Result<LocatedMailbox> {
        let (mut mine, mut others, mut refused) = (Vec::new(), Vec::new(), None);
        // Calendars directly below the principal's path count as a home.
        for one in below.iter().filter_map(Collection::from_resource) {
            self.sort(one, true, &mut mine, &mut others).await?;
        }
        let mut is_askers = false;
        for home in Self::homes(own) {
            if self.account.has_home(&home) && !self.is_account {
                is_askers = true;
                continue;
            }
            match listing::calendars_in(self.dav, &home).await {
                Ok(listed) => {
                    let is_personal = self.is_personal(&home);
                    for one in listed {
                        self.sort(one, is_personal, &mut mine, &mut others).await?;
                    }
                }
                Err(error) if concerns_one_resource(&error) => refused = refused.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        if mine.is_empty() && !self.is_account {
            mine = self.shared_with_account().await?;
        }
        let Some(mut calendars) = Some(mine).filter(|mine| !mine.is_empty()) else {
            return Err(none(is_askers || !others.is_empty(), refused));
        };
        calendars.sort_by_key(Collection::booking_rank);
        calendars.dedup_by(|one, other| href::is_same_resource(&one.url, &other.url));
        self.put_default_first(own, &mut calendars).await?;
        others.sort_by(|one, other| one.url.cmp(&other.url));
        others.dedup_by(|one, other| href::is_same_resource(&one.url, &other.url));
        let Self { principal, is_account, .. } = self;
        Ok(LocatedMailbox { principal, is_account, calendars, shared: others })
    }

    /// The homes that the principal names, except those already listed with it.
    fn homes(own: &Resource) -> Vec<Url> {
        let hrefs = own.hrefs(CALDAV, "calendar-home-set").into_iter();
        let mut homes: Vec<Url> = Vec::new();
        for home in hrefs.filter_map(|home| href::resolve(&own.url, home)) {
            if !href::is_same_resource(&home, &own.url)
                && !homes.iter().any(|known| href::is_same_resource(known, &home))
            {
                homes.push(home);
            }
        }
        homes.truncate(HOMES);
        homes
    }

    /// Whether a home may belong to one person: it must not contain the account's own calendars.
    fn is_personal(&self, home: &Url) -> bool {
        let mut accounts = self.account.homes.iter().chain([&self.account.principal]);
        self.is_account || !accounts.any(|own| href::is_same_resource(own, home) || href::is_below(home, own))
    }

    async fn sort(
        &self,
        one: Collection,
        is_personal: bool,
        mine: &mut Vec<Collection>,
        others: &mut Vec<Collection>,
    ) -> Result<()> {
        let is_mine = match &one.owner {
            // Several servers name the sharee as the owner of a shared calendar.
            Some(owner) if one.is_shared && is_personal => {
                !href::is_same_resource(owner, &self.principal.url) && self.is_owner(owner).await?
            }
            Some(owner) => self.is_owner(owner).await?,
            None => is_personal && !one.is_shared,
        };
        if is_mine {
            mine.push(one);
        } else {
            others.push(one);
        }
        Ok(())
    }

    /// The calendars that the principal shares with the account, in the account's own home; the list is read again if
    /// it contains none of them and is not fresh.
    async fn shared_with_account(&self) -> Result<Vec<Collection>> {
        let mut fresh = false;
        loop {
            let list = match listing::own_home_calendars(self.dav, self.account, fresh).await {
                Err(error) if concerns_one_resource(&error) => return Ok(Vec::new()),
                list => list?,
            };
            let mut found = Vec::new();
            for one in &list.value {
                if let Some(owner) = &one.owner
                    && self.is_owner(owner).await?
                {
                    found.push(one.clone());
                }
            }
            if !found.is_empty() || fresh || !list.is_stale(self.dav) {
                return Ok(found);
            }
            fresh = true;
        }
    }

    /// Whether an owner is this principal, possibly under another path.
    async fn is_owner(&self, owner: &Url) -> Result<bool> {
        if href::is_same_resource(owner, &self.principal.url) {
            return Ok(true);
        }
        if href::is_same_resource(owner, &self.account.principal) && !self.is_account {
            return Ok(false);
        }
        let key = self.dav.cache_key(&format!("owner\n{owner}"));
        let load = async {
            match self.dav.try_propfind(owner, "0", PROPFIND_BODY).await {
                Ok(found) => Ok(Arc::new(found.first().map(PrincipalAlias::from_resource))),
                Err(error) if concerns_one_resource(&error) => Ok(Arc::new(None)),
                Err(error) => Err(error),
            }
        };
        let alias = super::remembered(&self.dav.caldav.aliases, key, load.boxed()).await?;
        Ok(Option::as_ref(&alias).is_some_and(|alias| alias.is(&self.principal)))
    }

    /// Moves the default scheduling calendar to the front, unless it is read-only (RFC 6638 section 9.2).
    async fn put_default_first(&self, own: &Resource, calendars: &mut [Collection]) -> Result<()> {
        if calendars.len() < 2 {
            return Ok(());
        }
        let named = |one: &Resource| {
            let href = one.hrefs(CALDAV, "schedule-default-calendar-URL").first().copied()?;
            href::resolve(&one.url, href)
        };
        let mut default = named(own);
        if default.is_none()
            && let Some(inbox) = self.inbox(own)
        {
            default = match self.dav.try_propfind(&inbox, "0", DEFAULT).await {
                Ok(found) => found.iter().find_map(named),
                Err(error) if concerns_one_resource(&error) => None,
                Err(error) => return Err(error),
            };
        }
        let position =
            default.and_then(|url| calendars.iter().position(|one| href::is_same_resource(&one.url, &url)));
        if let Some(at) = position.filter(|at| !calendars[*at].is_read_only()) {
            calendars[..=at].rotate_right(1);
        }
        Ok(())
    }

    /// The principal's scheduling inbox, unless it is the account's own inbox, which some servers return for every
    /// principal.
    fn inbox(&self, own: &Resource) -> Option<Url> {
        let inbox =
            own.hrefs(CALDAV, "schedule-inbox-URL").first().and_then(|at| href::resolve(&own.url, at))?;
        let is_accounts = self.account.homes.iter().any(|home| href::is_below(home, &inbox));
        (self.is_account || !is_accounts).then_some(inbox)
    }
}

/// A path under which the same principal is also known.
#[derive(Debug)]
pub(super) struct PrincipalAlias {
    urls: Vec<Url>,
    addresses: Vec<String>,
}

impl PrincipalAlias {
    fn from_resource(found: &Resource) -> Self {
        let named =
            found.hrefs(DAV, "principal-URL").into_iter().filter_map(|at| href::resolve(&found.url, at));
        Self { urls: named.chain([found.url.clone()]).collect(), addresses: principal::addresses(found) }
    }

    fn is(&self, principal: &Principal) -> bool {
        self.urls.iter().any(|url| href::is_same_resource(url, &principal.url))
            || (principal.is_published && self.addresses.iter().any(|address| principal.has_address(address)))
    }
}

/// The error for a mailbox without a calendar.
fn none(are_others: bool, refused: Option<Error>) -> Error {
    match refused {
        _ if are_others => failure::no_own_calendar(),
        Some(error) if error.kind == ErrorKind::OutOfScope => error,
        _ => failure::out_of_scope("NO_CALENDAR_VISIBLE"),
    }
}
