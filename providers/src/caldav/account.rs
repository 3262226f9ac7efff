//! The CalDAV account to which the credentials belong, and the collections in which the server lists other principals.

use std::sync::Arc;

use futures::FutureExt;
use url::Url;

use super::{
    failure::{self, RequestSubject},
    href,
    multistatus::Resource,
    principal::{self, Principal},
    transport::{DavClient, DavRequest},
    xml::{CALDAV, DAV},
};
use crate::{Error, ErrorKind, Organisation, Result};

const OWN: &str = r#"<D:propfind xmlns:D="DAV:"><D:prop><D:current-user-principal/><D:principal-collection-set/></D:prop></D:propfind>"#;
const ACCOUNT: &str = r#"<D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/"><D:prop><D:displayname/><D:principal-collection-set/><C:calendar-home-set/><C:calendar-user-address-set/><CS:email-address-set/><C:schedule-outbox-URL/></D:prop></D:propfind>"#;

/// The account to which the credentials belong.
#[derive(Debug)]
pub(super) struct Account {
    /// The URL of the account's principal.
    pub principal: Url,
    /// The display name; `None` when the server publishes none.
    pub name: Option<String>,
    /// The mail addresses that the principal publishes.
    pub addresses: Vec<String>,
    /// The collections that contain the account's own calendars.
    pub homes: Vec<Url>,
    /// The scheduling outbox for requesting other users' free/busy times; `None` when the server has none.
    pub outbox: Option<SchedulingOutbox>,
    /// The collections in which the server lists principals.
    pub collections: Vec<Url>,
}

/// A scheduling outbox: the resource at which an account requests other users' free/busy times.
#[derive(Debug, Clone)]
pub(super) struct SchedulingOutbox {
    /// The URL to which free/busy requests are posted.
    pub url: Url,
    /// The account's own calendar address, sent as the organiser of a request.
    pub organiser: String,
}

impl Account {
    /// Whether `mailbox` is the account's own mailbox: either a published address or the one entered by the
    /// administrator.
    pub(super) fn owns_mailbox(&self, dav: &DavClient<'_>, mailbox: &str) -> bool {
        let typed = &dav.session.account;
        let with_domain = || format!("{typed}@{}", mail_domain(dav, self.address()));
        self.addresses.iter().any(|own| own.eq_ignore_ascii_case(mailbox))
            || typed.eq_ignore_ascii_case(mailbox)
            || (!typed.contains('@') && with_domain().eq_ignore_ascii_case(mailbox))
    }

    /// Whether a principal is the account's own.
    pub(super) fn is_own_principal(&self, principal: &Principal) -> bool {
        href::is_same_resource(&principal.url, &self.principal)
            || (principal.is_published && self.addresses.iter().any(|own| principal.has_address(own)))
    }

    /// The first published address.
    pub(super) fn address(&self) -> Option<&str> {
        self.addresses.first().map(String::as_str)
    }

    /// Whether a URL is one of the account's own calendar homes.
    pub(super) fn has_home(&self, url: &Url) -> bool {
        self.homes.iter().any(|home| href::is_same_resource(home, url))
    }
}

/// The mail domain for principals whose name contains none: the configured one, otherwise that of the account's
/// address, otherwise the server's host.
pub(super) fn mail_domain(dav: &DavClient<'_>, published: Option<&str>) -> String {
    let configured = dav.caldav.config.addresses.domain.clone();
    let of = |address: &str| address.split_once('@').map(|(_, domain)| domain.to_owned());
    configured
        .or_else(|| of(&dav.session.account))
        .or_else(|| published.and_then(of))
        .unwrap_or_else(|| dav.server.host_str().unwrap_or_default().to_owned())
}

/// The account, cached if it was found before.
pub(super) async fn cached_account(dav: &DavClient<'_>) -> Result<Arc<Account>> {
    let load = async { find_account(dav).await.map(Arc::new) };
    let found = super::remembered(&dav.caldav.accounts, dav.cache_key("account"), load.boxed()).await;
    found.map_err(|error| as_transient(dav, error))
}

/// Converts a "no such server" error to a temporary one, because only the search for the server itself may report that
/// the server does not exist.
pub(super) fn as_transient(dav: &DavClient<'_>, error: Error) -> Error {
    if dav.is_about_mailbox() && error.code == "NOT_CALDAV" { failure::unreadable_response() } else { error }
}

/// Finds the account's own principal (RFC 5397): at the given URL, otherwise at the well-known one, otherwise at the
/// root.
pub(super) async fn find_account(dav: &DavClient<'_>) -> Result<Account> {
    let mut first = None;
    for url in
        [Some(dav.server.clone()), dav.server.join("/.well-known/caldav").ok(), dav.server.join("/").ok()]
    {
        let Some(url) = url else { continue };
        let found = match dav.propfind(&url, "0", OWN, RequestSubject::Server).await {
            Ok(found) => found.into_iter().find_map(|one| Some((principal_of(&url, &one)?, one))),
            Err(error) if is_elsewhere(&error) => {
                first = first.or(Some(error));
                continue;
            }
            Err(error) => return Err(error),
        };
        // Without a principal the server took the request for an anonymous one, or speaks plain WebDAV.
        let Some((principal, base)) = found else {
            first = first.or_else(|| Some(failure::not_caldav()));
            continue;
        };
        let account = look(dav, principal, collections(&url, &base)).await?;
        return Ok(with_list(account, &url));
    }
    Err(first.unwrap_or_else(failure::not_caldav))
}

/// Whether the account may still be found at another URL after this error.
fn is_elsewhere(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Misconfigured | ErrorKind::Invalid | ErrorKind::GrantLost)
        && !matches!(error.code.as_str(), "401" | "AUTHENTICATION_SCHEME" | "ADDRESS_FORBIDDEN")
}

fn principal_of(base: &Url, found: &Resource) -> Option<Url> {
    let hrefs = found.hrefs(DAV, "current-user-principal");
    hrefs.first().and_then(|at| href::resolve(base, at))
}

fn collections(base: &Url, found: &Resource) -> Vec<Url> {
    let hrefs = found.hrefs(DAV, "principal-collection-set").into_iter();
    hrefs.filter_map(|at| href::resolve(base, at)).collect()
}

/// Reads the account's principal. If access to the principal is denied, the account has no email addresses and no
/// calendar homes.
async fn look(dav: &DavClient<'_>, principal: Url, collections: Vec<Url>) -> Result<Account> {
    let found = match dav.propfind(&principal, "0", ACCOUNT, RequestSubject::Server).await {
        Err(error) if is_elsewhere(&error) => Vec::new(),
        found => found?,
    };
    let mut account = Account {
        principal,
        name: None,
        addresses: Vec::new(),
        homes: Vec::new(),
        outbox: None,
        collections,
    };
    let own = found
        .iter()
        .find(|one| href::is_same_resource(&one.url, &account.principal))
        .or_else(|| found.first());
    let Some(own) = own else { return Ok(account) };
    account.addresses = principal::addresses(own);
    account.name = own.text(DAV, "displayname").map(str::to_owned);
    let home = |at| href::resolve(&account.principal, at);
    account.homes = own.hrefs(CALDAV, "calendar-home-set").into_iter().filter_map(home).collect();
    let outbox =
        own.hrefs(CALDAV, "schedule-outbox-URL").first().and_then(|at| href::resolve(dav.server, at));
    account.outbox = outbox.zip(account.address()).map(|(url, address)| {
        let organiser = format!("mailto:{address}");
        SchedulingOutbox { url, organiser }
    });
    account.collections.extend(self::collections(&account.principal, own));
    Ok(account)
}

/// Adds every collection that may list principals, without duplicates: those that the server names, and the given
/// URL itself.
fn with_list(mut account: Account, base: &Url) -> Account {
    let mut all: Vec<Url> = Vec::new();
    for url in account.collections.drain(..).chain([href::normalise(base.clone())]) {
        if !all.iter().any(|known| href::is_same_resource(known, &url)) {
            all.push(url);
        }
    }
    Account { collections: all, ..account }
}

/// Verifies that the server supports CalDAV and accepts the account's credentials.
pub(super) async fn read_organisation(dav: &DavClient<'_>) -> Result<Organisation> {
    let own = find_account(dav).await?;
    let options = dav.send(DavRequest::options(&own.principal)).await?;
    let classes = options.headers.get_all("dav").iter().filter_map(|value| value.to_str().ok());
    if !classes.flat_map(|value| value.split(',')).any(|class| class.trim() == "calendar-access") {
        return Err(failure::not_caldav());
    }
    let host = dav.server.host_str().unwrap_or_default().to_owned();
    let name = own.name.clone().unwrap_or(host);
    Ok(Organisation {
        id: own.principal.to_string(),
        name,
        domains: vec![mail_domain(dav, own.address())],
        zone: None,
        language: None,
    })
}
