//! Determines the owners of calendars from the server's properties, independently of its paths: a mailbox is the
//! principal that publishes its email address (RFC 6638, section 2.4.1), and its calendars are those in the
//! principal's home (RFC 4791, section 6.2.1) that belong to the principal (RFC 3744, section 5.1).
//!
//! Some servers return the caller's own home for every principal; the owner of each calendar is then decisive.

use percent_encoding::percent_decode_str;
use url::Url;

use super::{DavClient, multistatus::Resource};
use crate::error::{Result, unexpected};

const OWN: &str =
    r#"<propfind xmlns="DAV:"><prop><current-user-principal/><principal-collection-set/></prop></propfind>"#;
const PRINCIPAL: &str = r#"<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><resourcetype/><C:calendar-user-address-set/><C:calendar-home-set/><C:schedule-inbox-URL/></prop></propfind>"#;
const COLLECTION: &str = r#"<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><resourcetype/><owner/><current-user-privilege-set/><C:supported-calendar-component-set/><C:schedule-calendar-transp/></prop></propfind>"#;
const DEFAULT: &str = r#"<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:schedule-default-calendar-URL/></prop></propfind>"#;

/// The calendars of a mailbox that are visible to the service account.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct VisibleCalendars {
    /// URLs of all visible calendars, including those to which Muster must not write.
    pub(super) all: Vec<Url>,
    /// Calendars to which events may be written: the default calendar (RFC 6638, section 9.2) or, if the server names
    /// none, every writable calendar whose events make the owner busy.
    pub(super) targets: Vec<Url>,
}

/// The service account's own principal.
pub(super) struct OwnPrincipal {
    principal: Url,
    /// Collections that list other principals.
    collections: Vec<Url>,
}

impl DavClient {
    /// The service account's principal; `None` if the server refuses the login.
    pub(super) async fn own_principal(&self, password: &str) -> Result<Option<OwnPrincipal>> {
        for place in ["", "/.well-known/caldav", "/"] {
            let place = self.url.join(place).map_err(|_| unexpected("the server has no address"))?;
            for found in self.list(&place, "0", OWN, password).await? {
                let (principals, collections) =
                    (found.urls("current-user-principal"), found.urls("principal-collection-set"));
                if let Some(principal) = principals.into_iter().next() {
                    return Ok(Some(OwnPrincipal { principal, collections }));
                }
            }
        }
        Ok(None)
    }

    /// The email address published for the service account.
    pub(super) async fn own_address(&self, password: &str) -> Result<Option<String>> {
        let Some(own) = self.own_principal(password).await? else { return Ok(None) };
        let found = self.list(&own.principal, "0", PRINCIPAL, password).await?;
        Ok(found.iter().flat_map(addresses).next().map(str::to_owned))
    }

    /// The calendars of a mailbox; empty if the account sees none.
    pub(super) async fn calendars(&self, mailbox: &str, password: &str) -> Result<VisibleCalendars> {
        let own = self.own_principal(password).await?;
        let own = own.ok_or_else(|| unexpected("the calendar server does not let the account in"))?;
        let mine = self.list(&own.principal, "0", PRINCIPAL, password).await?;
        let own_homes = mine.iter().flat_map(|mine| mine.urls("calendar-home-set")).collect::<Vec<_>>();
        let Some(principal) = self.principal(&own, mine, mailbox, password).await? else {
            return Ok(VisibleCalendars::default());
        };
        let is_own = same(&principal.url, &own.principal);
        let mut collections = Vec::new();
        for home in principal.urls("calendar-home-set") {
            let is_theirs = is_own || !own_homes.iter().any(|own| same(own, &home));
            let listed = self.list(&home, "1", COLLECTION, password).await?;
            collections.extend(listed.into_iter().filter(|one| belongs(one, &principal.url, is_theirs)));
        }
        let default = self.default_calendar(&principal, password).await?;
        Ok(chosen(collections, &default))
    }

    /// The principal of a mailbox, among all that the server lists or finds.
    async fn principal(
        &self,
        own: &OwnPrincipal,
        mine: Vec<Resource>,
        mailbox: &str,
        password: &str,
    ) -> Result<Option<Resource>> {
        let mut listed = mine;
        for collection in own.collections.iter().chain([&self.url]) {
            listed.extend(self.list(collection, "1", PRINCIPAL, password).await?);
            listed.extend(self.search(collection, mailbox, password).await?);
        }
        let Some(found) = pick(listed, mailbox) else { return Ok(None) };
        // Asked by itself: in a listing some servers give the properties of the collection to everything in it.
        let itself = self.list(&found.url, "0", PRINCIPAL, password).await?;
        Ok(itself.into_iter().find(|one| same(&one.url, &found.url)))
    }

    /// Searches a collection for principals by email address (RFC 3744, section 9.4). Some servers return other
    /// principals too.
    async fn search(&self, collection: &Url, mailbox: &str, password: &str) -> Result<Vec<Resource>> {
        let text = quick_xml::escape::escape(mailbox);
        let wanted = PRINCIPAL.split_once("<prop>").map(|(_, rest)| rest.replace("</propfind>", ""));
        let body = format!(
            r#"<principal-property-search xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><property-search><prop><C:calendar-user-address-set/></prop><match>{text}</match></property-search><prop>{}</principal-property-search>"#,
            wanted.unwrap_or_default()
        );
        let answer = self.send(b"REPORT", collection, "0", &body, password).await?;
        match answer.status.as_u16() {
            207 => Resource::parse_all(&answer.url, &answer.text),
            // Not every server searches.
            _ => Ok(Vec::new()),
        }
    }

    /// The default calendar, which the inbox names and, on some servers, other resources too.
    async fn default_calendar(&self, principal: &Resource, password: &str) -> Result<Vec<Url>> {
        let mut named = Vec::new();
        for place in principal.urls("schedule-inbox-URL").iter().chain([&principal.url]) {
            let found = self.list(place, "0", DEFAULT, password).await?;
            named.extend(found.iter().flat_map(|found| found.urls("schedule-default-calendar-URL")));
        }
        Ok(named)
    }
}

/// The mail addresses that a principal publishes.
fn addresses(principal: &Resource) -> impl Iterator<Item = &str> {
    let published = principal.hrefs("calendar-user-address-set").into_iter();
    published.filter_map(|address| {
        let (scheme, address) = address.split_once(':')?;
        scheme.eq_ignore_ascii_case("mailto").then_some(address)
    })
}

/// The principal that publishes the email address; otherwise a principal without a published address whose name
/// matches.
fn pick(listed: Vec<Resource>, mailbox: &str) -> Option<Resource> {
    let principals: Vec<_> = listed.into_iter().filter(|one| one.has_resource_type("principal")).collect();
    let publishes = |one: &Resource| addresses(one).any(|address| address.eq_ignore_ascii_case(mailbox));
    let local = mailbox.split('@').next().unwrap_or(mailbox);
    let bears = |one: &Resource, name: &str| addresses(one).next().is_none() && last_name(&one.url) == name;
    let by_address = principals.iter().position(publishes);
    let position = by_address
        .or_else(|| principals.iter().position(|one| bears(one, mailbox)))
        .or_else(|| principals.iter().position(|one| bears(one, local)));
    position.map(|position| principals[position].clone())
}

/// Whether a collection is a calendar of the principal. If the server names no owner, being in the principal's home
/// suffices, unless that is the caller's home.
fn belongs(collection: &Resource, principal: &Url, is_their_home: bool) -> bool {
    let owners = collection.urls("owner");
    let is_theirs =
        if owners.is_empty() { is_their_home } else { owners.iter().any(|owner| same(owner, principal)) };
    collection.has_resource_type("calendar") && collection.accepts_events() && is_theirs
}

fn chosen(collections: Vec<Resource>, default: &[Url]) -> VisibleCalendars {
    // Some servers take any calendar for the default one, even one that is closed to the account.
    let is_default =
        |one: &&Resource| one.is_writable() && default.iter().any(|default| same(default, &one.url));
    let mut targets: Vec<Url> = collections.iter().filter(is_default).map(|one| one.url.clone()).collect();
    if targets.is_empty() {
        let may_be = |one: &&Resource| one.is_writable() && !one.is_transparent();
        targets.extend(collections.iter().filter(may_be).map(|one| one.url.clone()));
    }
    VisibleCalendars { all: collections.into_iter().map(|one| one.url).collect(), targets }
}

/// Whether two URLs denote the same resource, independently of their spelling.
fn same(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin() && plain(one) == plain(other)
}

fn plain(url: &Url) -> String {
    percent_decode_str(url.path().trim_end_matches('/')).decode_utf8_lossy().into_owned()
}

fn last_name(url: &Url) -> String {
    plain(url).rsplit('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(path: &str, properties: &str) -> Resource {
        let xml = format!(
            r#"<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><response><href>{path}</href><propstat>
            <prop>{properties}</prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"#
        );
        Resource::parse_all(&"http://dav.test/".parse().unwrap(), &xml).unwrap().remove(0)
    }

    fn principal(path: &str, addresses: &[&str]) -> Resource {
        let addresses =
            addresses.iter().map(|address| format!("<href>{address}</href>")).collect::<Vec<_>>().concat();
        let kind = "<resourcetype><principal/></resourcetype>";
        resource(
            path,
            &format!("{kind}<C:calendar-user-address-set>{addresses}</C:calendar-user-address-set>"),
        )
    }

    fn calendar(path: &str, owner: Option<&str>, privilege: &str) -> Resource {
        let transparency = if path.ends_with("ideas/") { "transparent" } else { "opaque" };
        let takes = format!("<C:schedule-calendar-transp><C:{transparency}/></C:schedule-calendar-transp>");
        let owner = owner.map(|owner| format!("<owner><href>{owner}</href></owner>")).unwrap_or_default();
        let held = format!(
            "<current-user-privilege-set><privilege><{privilege}/></privilege></current-user-privilege-set>"
        );
        resource(
            path,
            &format!("<resourcetype><collection/><C:calendar/></resourcetype>{owner}{held}{takes}"),
        )
    }

    fn url(path: &str) -> Url {
        format!("http://dav.test{path}").parse().unwrap()
    }

    #[test]
    fn the_published_address_tells_whose_a_principal_is_and_a_name_only_where_none_is_published() {
        let listed = || {
            vec![
                resource("/", "<resourcetype><collection/></resourcetype>"),
                principal("/ada/", &["mailto:someone@corp.test"]),
                principal("/u7/", &["/u7/", "MAILTO:Ada@corp.test"]),
                principal("/bo/", &["/bo/"]),
                principal("/carla%40corp.test/", &[]),
            ]
        };
        let found = |mailbox: &str| pick(listed(), mailbox).map(|found| found.url.path().to_owned());
        assert_eq!(found("ada@corp.test").as_deref(), Some("/u7/"));
        assert_eq!(found("bo@corp.test").as_deref(), Some("/bo/"));
        assert_eq!(found("carla@corp.test").as_deref(), Some("/carla%40corp.test/"));
        assert_eq!(found("u7@corp.test"), None, "it publishes another address");
        assert_eq!(found("olga@corp.test"), None);
    }

    #[test]
    fn a_calendar_is_its_owners_and_never_the_askers_whose_home_is_answered() {
        let ada = url("/p/ada");
        let is_adas = |owner, is_their_home| belongs(&calendar("/c/", owner, "read"), &ada, is_their_home);
        assert!(is_adas(Some("/p/ada/"), false), "a shared calendar stands in the asker's home");
        assert!(is_adas(Some("/p/%61da/"), true));
        assert!(!is_adas(Some("/p/svc/"), false));
        assert!(!is_adas(Some("/p/svc/"), true));
        assert!(is_adas(None, true), "her own home holds her calendars");
        assert!(!is_adas(None, false));
        let plain = resource("/c/", "<resourcetype><collection/></resourcetype>");
        assert!(!belongs(&plain, &ada, true), "it is no calendar");
    }

    #[test]
    fn the_default_calendar_counts_and_without_one_all_that_are_writable_and_take_time() {
        let collections = || {
            vec![
                calendar("/a/birthdays/", None, "read"),
                calendar("/a/ideas/", None, "write"),
                calendar("/a/personal/", None, "write-content"),
                calendar("/a/travel/", None, "all"),
            ]
        };
        let all =
            ["birthdays", "ideas", "personal", "travel"].map(|name| url(&format!("/a/{name}/"))).to_vec();
        let of = |default: &[Url]| chosen(collections(), default);
        let travel = vec![url("/a/travel/")];
        assert_eq!(of(&[url("/a/travel")]), VisibleCalendars { all: all.clone(), targets: travel });
        let writable = all[2..].to_vec();
        assert_eq!(
            of(&[url("/svc/elsewhere/")]),
            VisibleCalendars { all: all.clone(), targets: writable.clone() }
        );
        let closed = of(&[url("/a/birthdays/")]);
        assert_eq!(
            closed,
            VisibleCalendars { all: all.clone(), targets: writable.clone() },
            "the default is read-only"
        );
        assert_eq!(of(&[]), VisibleCalendars { all, targets: writable });
    }
}
