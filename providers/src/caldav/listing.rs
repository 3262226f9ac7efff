//! The principals that the account can see: listed, or otherwise searched, and cached for a while.
//!
//! Servers differ in which searches they support (RFC 3744 section 9.4): some refuse an empty search string, some
//! ignore a property that they cannot search and return all principals, some return none. Therefore several searches
//! are tried until one finds a principal other than the account, and every principal found is compared by its own
//! published addresses.

use std::sync::Arc;

use chrono::Duration;
use domain::Timestamp;
use futures::FutureExt;
use quick_xml::escape::escape;
use url::Url;

use super::{
    account::{self, Account},
    collection::Collection,
    failure::{self, RequestSubject},
    href,
    multistatus::{self, Resource},
    principal::{PROPFIND_BODY, Principal},
    transport::{DavClient, DavRequest},
    xml::{CALENDARSERVER, DAV},
};
use crate::{ErrorKind, Result};

/// Age above which a cached list is read again if it does not contain a requested principal.
const STALE: Duration = Duration::seconds(30);
/// Maximum number of principals looked up as owners of the calendars in the account's own home.
const OWNERS: usize = 500;
/// Search letters: nearly every name contains at least one of them, so searching for each lists nearly every
/// principal.
const LETTERS: [&str; 6] = ["a", "e", "i", "o", "u", "n"];

/// A value read from the server, with the time of reading.
#[derive(Debug)]
pub(super) struct Cached<T> {
    /// The time of reading, by the connector's clock.
    at: Timestamp,
    /// The cached value as read from the server.
    pub value: T,
}

impl<T> Cached<T> {
    pub(super) fn is_stale(&self, dav: &DavClient<'_>) -> bool {
        dav.caldav.clock.now() - self.at >= STALE
    }
}

/// The listed principals, sorted by id. A refusal is cached like a list, because requests are expensive.
#[derive(Debug)]
pub(super) struct PrincipalListing {
    all: Vec<Principal>,
    refusal: Option<crate::Error>,
}

impl PrincipalListing {
    /// All listed principals. If there are none because the server refused to list them, returns its error.
    pub(super) fn all(&self) -> Result<&[Principal]> {
        match &self.refusal {
            Some(refusal) if self.all.is_empty() => Err(refusal.clone()),
            _ => Ok(&self.all),
        }
    }
}

/// Lists all principals. `fresh` bypasses the cache.
pub(super) async fn list_principals(
    dav: &DavClient<'_>,
    account: &Account,
    fresh: bool,
) -> Result<Arc<Cached<PrincipalListing>>> {
    let key = dav.cache_key("principals");
    if fresh {
        dav.caldav.lists.invalidate(&key).await;
    }
    let load = async {
        let value = read(dav, account).await?;
        Ok(Arc::new(Cached { at: dav.caldav.clock.now(), value }))
    };
    let found = super::remembered(&dav.caldav.lists, key, load.boxed()).await;
    found.map_err(|error| account::as_transient(dav, error))
}

/// Finds the principal that publishes an address, otherwise the one whose path corresponds to it.
pub(super) async fn find_by_address(
    dav: &DavClient<'_>,
    account: &Account,
    mailbox: &str,
) -> Result<Option<Principal>> {
    let pick = |all: &[Principal]| {
        let mut known = all.iter().filter(|one| one.has_address(mailbox)).collect::<Vec<_>>();
        known.sort_by_key(|one| !one.is_published);
        known.first().map(|one| (*one).clone())
    };
    let list = list_principals(dav, account, false).await?;
    if let Some(found) = pick(&list.value.all) {
        return Ok(Some(found));
    }
    if list.is_stale(dav)
        && let Some(found) = pick(&list_principals(dav, account, true).await?.value.all)
    {
        return Ok(Some(found));
    }
    // A server that lists no principals may still find a given one.
    let mut named = Vec::new();
    for url in &account.collections {
        let address = Question { property: Property::Address, text: mailbox };
        named.extend(search(dav, account, url, &address).await?);
    }
    Ok(pick(&named).filter(|one| one.is_published))
}

/// The calendars in the account's own homes: its own calendars, and those that other users share with it.
pub(super) async fn own_home_calendars(
    dav: &DavClient<'_>,
    account: &Account,
    fresh: bool,
) -> Result<Arc<Cached<Vec<Collection>>>> {
    let key = dav.cache_key("home");
    if fresh {
        dav.caldav.homes.invalidate(&key).await;
    }
    let load = async {
        let mut value = Vec::new();
        for home in &account.homes {
            value.extend(calendars_in(dav, home).await?);
        }
        Ok(Arc::new(Cached { at: dav.caldav.clock.now(), value }))
    };
    super::remembered(&dav.caldav.homes, key, load.boxed()).await
}

/// Maximum number of folders searched in a home without calendars.
const FOLDERS: usize = 8;

/// The calendars directly in a home, or one level deeper if there are none.
pub(super) async fn calendars_in(dav: &DavClient<'_>, home: &Url) -> Result<Vec<Collection>> {
    let listed = dav.propfind(home, "1", PROPFIND_BODY, RequestSubject::Mailbox).await?;
    let mut found: Vec<Collection> = listed.iter().filter_map(Collection::from_resource).collect();
    if found.is_empty() {
        for folder in folders(home, &listed) {
            match dav.propfind(&folder, "1", PROPFIND_BODY, RequestSubject::Mailbox).await {
                Ok(listed) => found.extend(listed.iter().filter_map(Collection::from_resource)),
                Err(error) if concerns_one_resource(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

fn folders(home: &Url, listed: &[Resource]) -> Vec<Url> {
    let is_folder = |one: &&Resource| {
        let kinds = one.property(DAV, "resourcetype").map_or(&[][..], |kind| &kind.children);
        href::is_below(home, &one.url) && matches!(kinds, [only] if only.has_name(DAV, "collection"))
    };
    listed.iter().filter(is_folder).map(|one| one.url.clone()).take(FOLDERS).collect()
}

/// Whether an error only means that the account cannot see the requested resource.
pub(super) fn concerns_one_resource(error: &crate::Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::OutOfScope
            | ErrorKind::NoMailbox
            | ErrorKind::NotServed
            | ErrorKind::Invalid
            | ErrorKind::Misconfigured
    ) && !matches!(error.code.as_str(), "AUTHENTICATION_SCHEME" | "ADDRESS_FORBIDDEN")
}

/// Reads the lists one after the other, each first as a collection and then by searches, until one contains a
/// principal other than the account. Principals that share a calendar with the account are added.
async fn read(dav: &DavClient<'_>, account: &Account) -> Result<PrincipalListing> {
    let is_alone =
        |found: &[Principal]| found.iter().all(|one| href::is_same_resource(&one.url, &account.principal));
    let (mut refused, mut found) = (None, Vec::new());
    for url in &account.collections {
        match dav.propfind(url, "1", PROPFIND_BODY, RequestSubject::Server).await {
            Ok(listed) => found.extend(only_principals(dav, account, url, &listed)),
            Err(error)
                if matches!(
                    error.kind,
                    ErrorKind::Misconfigured | ErrorKind::GrantLost | ErrorKind::Invalid
                ) && !matches!(error.code.as_str(), "401" | "NOT_CALDAV" | "AUTHENTICATION_SCHEME") =>
            {
                refused = refused.or(Some(error));
            }
            Err(error) => return Err(error),
        }
        if is_alone(&found) {
            found.extend(searched(dav, account, url).await?);
        }
        if !is_alone(&found) {
            break;
        }
    }
    if is_alone(&found) {
        found.extend(owners(dav, account).await?);
    }
    Ok(PrincipalListing { all: tidy(found), refusal: refused })
}

/// Sorts by id and removes duplicates, by path and by address. A principal that publishes an address takes precedence
/// over one whose name merely resembles it.
fn tidy(mut found: Vec<Principal>) -> Vec<Principal> {
    found.sort_by_key(|one| (one.id(), !one.is_published));
    found.dedup_by(|later, earlier| href::is_same_resource(&later.url, &earlier.url));
    let published: Vec<(usize, String)> = found
        .iter()
        .enumerate()
        .filter(|(_, one)| one.is_published)
        .flat_map(|(at, one)| one.addresses.iter().map(move |address| (at, address.to_lowercase())))
        .collect();
    let mut first = std::collections::HashMap::new();
    for (at, address) in published {
        first.entry(address).or_insert(at);
    }
    let mut taken = std::collections::HashSet::new();
    let mut at = 0;
    found.retain(|one| {
        let address = one.address().to_lowercase();
        let is_theirs = first.get(&address).is_none_or(|first| *first == at);
        at += 1;
        address.contains('@') && is_theirs && taken.insert(address)
    });
    found
}

fn only_principals(dav: &DavClient<'_>, account: &Account, list: &Url, found: &[Resource]) -> Vec<Principal> {
    let is_proxy = |one: &Resource| {
        // Proxy groups publish the addresses of the person for whom their members may act.
        one.has_resource_type(CALENDARSERVER, "calendar-proxy-read")
            || one.has_resource_type(CALENDARSERVER, "calendar-proxy-write")
    };
    let is_one = |one: &&Resource| {
        one.has_resource_type(DAV, "principal") && !is_proxy(one) && !href::is_same_resource(&one.url, list)
    };
    found.iter().filter(is_one).map(|one| Principal::from_resource(dav, account.address(), one)).collect()
}

/// The owners of calendars in the account's own home.
async fn owners(dav: &DavClient<'_>, account: &Account) -> Result<Vec<Principal>> {
    let home = match own_home_calendars(dav, account, true).await {
        Err(error) if concerns_one_resource(&error) => return Ok(Vec::new()),
        home => home?,
    };
    let mut urls: Vec<Url> = home.value.iter().filter_map(|one| one.owner.clone()).collect();
    urls.retain(|url| !href::is_same_resource(url, &account.principal));
    urls.sort();
    urls.dedup();
    let mut found = Vec::new();
    for url in urls.into_iter().take(OWNERS) {
        match dav.try_propfind(&url, "0", PROPFIND_BODY).await {
            Ok(shown) => {
                found.extend(shown.first().map(|one| Principal::from_resource(dav, account.address(), one)));
            }
            Err(error) if concerns_one_resource(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

#[derive(Debug, Clone, Copy)]
enum Property {
    Name,
    Address,
    Mail,
    Kind,
}

#[derive(Debug, Clone, Copy)]
struct Question<'a> {
    property: Property,
    text: &'a str,
}

/// Tries one search after the other until a principal other than the account is found.
async fn searched(dav: &DavClient<'_>, account: &Account, url: &Url) -> Result<Vec<Principal>> {
    let domain = account::mail_domain(dav, account.address());
    let questions = [
        (Property::Name, ""),
        (Property::Address, "@"),
        (Property::Address, domain.as_str()),
        (Property::Mail, "@"),
        (Property::Kind, "INDIVIDUAL"),
    ];
    for (property, text) in questions {
        let found = search(dav, account, url, &Question { property, text }).await?;
        if found.iter().any(|one| !href::is_same_resource(&one.url, &account.principal)) {
            return Ok(found);
        }
    }
    let mut found = Vec::new();
    for text in LETTERS {
        found.extend(search(dav, account, url, &Question { property: Property::Name, text }).await?);
    }
    Ok(found)
}

/// The principals that a search finds; none if the server refuses it.
async fn search(
    dav: &DavClient<'_>,
    account: &Account,
    url: &Url,
    question: &Question<'_>,
) -> Result<Vec<Principal>> {
    let property = match question.property {
        Property::Name => "<D:displayname/>",
        Property::Address => "<C:calendar-user-address-set/>",
        Property::Mail => "<CS:email-address-set/>",
        Property::Kind => "<C:calendar-user-type/>",
    };
    let body = format!(
        r#"<D:principal-property-search xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/"><D:property-search><D:prop>{property}</D:prop><D:match>{}</D:match></D:property-search><D:prop><D:resourcetype/><D:displayname/><C:calendar-user-address-set/><CS:email-address-set/><C:calendar-user-type/><C:calendar-description/></D:prop></D:principal-property-search>"#,
        escape(question.text)
    );
    let answer = dav.send(DavRequest::xml(b"REPORT", url, "0", body)).await?;
    match answer.status.as_u16() {
        207 => {
            let found = multistatus::parse(&answer.url, &answer.body).unwrap_or_default();
            Ok(only_principals(dav, account, url, &found))
        }
        429 | 502..=504 => Err(failure::error_from_response(&answer, RequestSubject::Mailbox, false)),
        _ => Ok(Vec::new()),
    }
}
