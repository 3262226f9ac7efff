//! Who is there: the service account itself, principals, and their calendars.

use domain::{Zone, provider::Capabilities};
use url::Url;

use super::{
    failure::{self, About},
    href,
    multistatus::Resource,
    transport::{Call, Dav},
    xml::{CALDAV, DAV},
};
use crate::{Error, ErrorKind, Organisation, Remedy, Result, RoomInfo};

const OWN: &str = r#"<D:propfind xmlns:D="DAV:"><D:prop><D:current-user-principal/><D:principal-collection-set/></D:prop></D:propfind>"#;
const PROPERTIES: &str = r#"<D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:resourcetype/><D:displayname/><D:current-user-privilege-set/><C:calendar-home-set/><C:calendar-user-address-set/><C:calendar-user-type/><C:calendar-description/><C:supported-calendar-component-set/><C:calendar-timezone/></D:prop></D:propfind>"#;
const SEARCH: &str = r#"<D:principal-property-search xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:property-search><D:prop><D:displayname/></D:prop><D:match></D:match></D:property-search><D:prop><D:resourcetype/><D:displayname/><C:calendar-user-address-set/><C:calendar-user-type/><C:calendar-description/></D:prop></D:principal-property-search>"#;
/// How many homes of one principal are looked into.
const HOMES: usize = 4;

/// The account that the credentials belong to.
#[derive(Debug)]
pub(super) struct Own {
    /// Its principal.
    pub principal: Url,
    /// Where principals are listed.
    collections: Vec<Url>,
}

/// Somebody who may have calendars.
#[derive(Debug, Clone)]
pub(super) struct Principal {
    /// Where it is.
    pub url: Url,
    /// Its mail address.
    pub address: String,
    /// Its name.
    pub name: String,
    /// What is known of it as a room, if it is one.
    pub room: Option<RoomInfo>,
}

/// A calendar that takes events.
#[derive(Debug, Clone)]
pub(super) struct Collection {
    /// Where it is.
    pub url: Url,
    /// Its zone, where it has one.
    pub zone: Option<Zone>,
    /// What the account may do; absent where the server does not tell.
    privileges: Option<Vec<String>>,
}

/// A mailbox that was found.
#[derive(Debug, Clone)]
pub(super) struct Located {
    /// Whose.
    pub principal: Principal,
    /// The default calendar.
    pub calendar: Collection,
}

impl Principal {
    /// The lasting id.
    pub(super) fn id(&self) -> String {
        href::id(&self.url)
    }

    /// Whether it is a room.
    pub(super) const fn is_room(&self) -> bool {
        self.room.is_some()
    }

    /// The room, if it is one.
    pub(super) fn into_room(self) -> Option<RoomInfo> {
        self.room
    }

    fn of(dav: &Dav<'_>, found: &Resource) -> Self {
        let segment = href::segment(&found.url);
        let published = found.hrefs(CALDAV, "calendar-user-address-set").into_iter().find_map(|address| {
            let mail = address.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
            mail.then(|| address[7..].to_owned())
        });
        let address = published.unwrap_or_else(|| {
            if segment.contains('@') { segment.clone() } else { format!("{segment}@{}", dav.domain()) }
        });
        let local = segment.split('@').next().unwrap_or_default().to_owned();
        let name = found.text(DAV, "displayname").map_or(local, str::to_owned);
        let description = found.text(CALDAV, "calendar-description").unwrap_or_default();
        let kind = found.text(CALDAV, "calendar-user-type");
        let is_room = dav.caldav.config.rooms.matches(&segment, &name, description, kind);
        let field = |key: &str| {
            let mut fields = description.split(';').filter_map(|field| field.split_once('='));
            let value = fields.find(|(name, _)| name.trim().eq_ignore_ascii_case(key))?.1.trim();
            (!value.is_empty()).then(|| value.to_owned())
        };
        let equipment = field("EQUIPMENT").unwrap_or_default();
        let room = is_room.then(|| RoomInfo {
            id: href::id(&found.url),
            address: address.clone(),
            name: name.clone(),
            capacity: field("CAPACITY").and_then(|count| count.parse().ok()),
            building: field("BUILDING"),
            floor: field("FLOOR"),
            equipment: equipment
                .split(',')
                .map(str::trim)
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
                .collect(),
        });
        Self { url: found.url.clone(), address, name, room }
    }
}

impl Collection {
    /// Whether the server says that times may be asked for but events not read.
    pub(super) fn is_closed(&self) -> bool {
        let has = |all: &[String], name: &str| all.iter().any(|privilege| privilege == name);
        self.privileges.as_deref().is_some_and(|all| {
            has(all, "read-free-busy") && !["all", "read"].iter().any(|name| has(all, name))
        })
    }

    fn of(found: &Resource) -> Option<Self> {
        let components = found.prop(CALDAV, "supported-calendar-component-set");
        let takes_events = components.is_none_or(|set| {
            set.all(CALDAV, "comp").any(|comp| comp.attribute("name").is_some_and(|name| name == "VEVENT"))
        });
        if !found.is_a(CALDAV, "calendar") || !takes_events {
            return None;
        }
        let privileges = found.prop(DAV, "current-user-privilege-set").map(|set| {
            let all = set.all(DAV, "privilege").flat_map(|privilege| &privilege.children);
            all.map(|privilege| privilege.name.clone()).collect()
        });
        let zone = found
            .text(CALDAV, "calendar-timezone")
            .and_then(|text| domain::ical::named_zone(text.as_bytes()));
        Some(Self { url: href::folder(found.url.clone()), zone, privileges })
    }
}

/// Finds the account's own principal (RFC 5397): at the address given, else at the well-known one, else at the root.
pub(super) async fn own(dav: &Dav<'_>) -> Result<Own> {
    let mut first = None;
    for url in
        [Some(dav.server.clone()), dav.server.join("/.well-known/caldav").ok(), dav.server.join("/").ok()]
    {
        let Some(url) = url else { continue };
        match dav.propfind(&url, "0", OWN, About::Server).await {
            Ok(found) => return own_of(&url, &found),
            Err(error) if matches!(error.kind, ErrorKind::Misconfigured | ErrorKind::Invalid) => {
                first = first.or(Some(error));
            }
            Err(error) => return Err(error),
        }
    }
    Err(first.unwrap_or_else(failure::nonsense))
}

fn own_of(base: &Url, found: &[Resource]) -> Result<Own> {
    let found = found.first().ok_or_else(failure::nonsense)?;
    let principal = found.hrefs(DAV, "current-user-principal").first().and_then(|at| href::resolve(base, at));
    let mut collections: Vec<Url> = found
        .hrefs(DAV, "principal-collection-set")
        .into_iter()
        .filter_map(|at| href::resolve(base, at))
        .collect();
    if !collections.iter().any(|known| href::same(known, base)) {
        collections.push(href::normalise(base.clone()));
    }
    // Without a principal the server took the request for an anonymous one, or speaks plain WebDAV.
    Ok(Own { principal: principal.ok_or_else(failure::nonsense)?, collections })
}

/// Proves that the server speaks CalDAV and accepts the account.
pub(super) async fn organisation(dav: &Dav<'_>) -> Result<Organisation> {
    let own = own(dav).await?;
    let options = dav.send(Call::options(&own.principal)).await?;
    let classes = options.headers.get_all("dav").iter().filter_map(|value| value.to_str().ok());
    if !classes.flat_map(|value| value.split(',')).any(|class| class.trim() == "calendar-access") {
        return Err(failure::nonsense());
    }
    let found = dav.propfind(&own.principal, "0", PROPERTIES, About::Server).await?;
    let host = dav.server.host_str().unwrap_or_default().to_owned();
    let name = found.first().and_then(|own| own.text(DAV, "displayname")).map_or(host, str::to_owned);
    Ok(Organisation { id: own.principal.to_string(), name, domains: vec![dav.domain()] })
}

/// All principals that the account may see, sorted by id. The lists are looked at one after the other, each first as
/// a collection, then by a search (RFC 3744 section 9.4); the first that holds anybody counts.
pub(super) async fn principals(dav: &Dav<'_>, own: &Own) -> Result<Vec<Principal>> {
    let mut refused = None;
    for url in &own.collections {
        let listed = match dav.propfind(url, "1", PROPERTIES, About::Server).await {
            Ok(listed) => listed,
            Err(error)
                if matches!(error.kind, ErrorKind::Misconfigured | ErrorKind::GrantLost)
                    && error.code != "401" =>
            {
                refused = refused.or(Some(error));
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        let mut found = only_principals(dav, url, listed);
        if found.iter().all(|one| href::same(&one.url, &own.principal)) {
            let answer = dav.send(Call::xml(b"REPORT", url, "0", SEARCH.to_owned())).await?;
            let searched =
                (answer.status.as_u16() == 207).then(|| super::multistatus::read(&answer.url, &answer.body));
            found.extend(only_principals(dav, url, searched.flatten().unwrap_or_default()));
        }
        found.sort_by_key(Principal::id);
        found.dedup_by_key(|one| one.id());
        if !found.is_empty() {
            return Ok(found);
        }
    }
    refused.map_or_else(|| Ok(Vec::new()), Err)
}

fn only_principals(dav: &Dav<'_>, list: &Url, found: Vec<Resource>) -> Vec<Principal> {
    let is_one = |one: &Resource| one.is_a(DAV, "principal") && !href::same(&one.url, list);
    found.iter().filter(|one| is_one(one)).map(|one| Principal::of(dav, one)).collect()
}

/// Finds a mailbox and its default calendar: by the configured paths, as the account itself, in the list of
/// principals.
pub(super) async fn locate(dav: &Dav<'_>, mailbox: &str) -> Result<Located> {
    let mut refused = None;
    for url in candidates(dav, mailbox) {
        match at(dav, &url).await {
            Ok(found) => return Ok(found),
            Err(error) if error.kind == ErrorKind::OutOfScope => refused = refused.or(Some(error)),
            Err(error) if matches!(error.kind, ErrorKind::NoMailbox | ErrorKind::Misconfigured) => {}
            Err(error) => return Err(error),
        }
    }
    if let Some(refused) = refused {
        return Err(refused);
    }
    let own = own(dav).await?;
    if dav.is_account(mailbox) {
        return at(dav, &own.principal).await;
    }
    let all = principals(dav, &own).await?;
    let found = all.into_iter().find(|one| one.address.eq_ignore_ascii_case(mailbox));
    at(dav, &found.ok_or_else(|| failure::no_mailbox("UNKNOWN_ADDRESS"))?.url).await
}

/// The addresses at which a mailbox may be, by the rules.
fn candidates(dav: &Dav<'_>, mailbox: &str) -> Vec<Url> {
    let local = mailbox.split_once('@').filter(|(_, domain)| domain.eq_ignore_ascii_case(&dav.domain()));
    let base = href::folder(dav.server.clone());
    let paths = dav.caldav.config.addresses.paths.iter().filter_map(|path| {
        let (mark, name) =
            if path.contains("{local}") { ("{local}", local?.0) } else { ("{address}", mailbox) };
        if matches!(name, "" | "." | "..") {
            return None;
        }
        let mut url = base.clone();
        // Segment by segment, so that nothing in an address can leave its own segment.
        let parts: Vec<String> =
            path.trim_matches('/').split('/').map(|part| part.replace(mark, name)).collect();
        url.path_segments_mut().ok()?.pop_if_empty().extend(parts).push("");
        Some(url)
    });
    paths.collect()
}

/// The principal at an address with its default calendar.
async fn at(dav: &Dav<'_>, url: &Url) -> Result<Located> {
    let mut found = dav.propfind(url, "1", PROPERTIES, About::Mailbox).await?;
    let position = found.iter().position(|one| href::same(&one.url, url));
    let own = found.swap_remove(position.ok_or_else(|| failure::no_mailbox("NO_PRINCIPAL"))?);
    let principal = Principal::of(dav, &own);
    let mut calendars: Vec<Collection> = found.iter().chain([&own]).filter_map(Collection::of).collect();
    let homes =
        own.hrefs(CALDAV, "calendar-home-set").into_iter().filter_map(|home| href::resolve(url, home));
    for home in homes.filter(|home| !href::same(home, url)).take(HOMES) {
        let listed = dav.propfind(&home, "1", PROPERTIES, About::Mailbox).await?;
        calendars.extend(listed.iter().filter_map(Collection::of));
    }
    calendars.sort_by(|one, other| one.url.cmp(&other.url));
    let calendar =
        calendars.into_iter().next().ok_or_else(|| failure::out_of_scope("NO_CALENDAR_VISIBLE"))?;
    Ok(Located { principal, calendar })
}

/// What the account may do in a calendar: what the server says, and where it does not, what it lets through.
pub(super) async fn capabilities(dav: &Dav<'_>, calendar: &Collection) -> Result<Capabilities> {
    let Some(privileges) = &calendar.privileges else {
        let options = dav.send(Call::options(&calendar.url)).await?;
        let methods: Vec<&str> =
            options.headers.get_all("allow").iter().filter_map(|value| value.to_str().ok()).collect();
        let lets =
            |method: &str| methods.iter().flat_map(|all| all.split(',')).any(|one| one.trim() == method);
        let (put, delete) = (lets("PUT"), lets("DELETE"));
        return Ok(Capabilities {
            list: true,
            free_busy: true,
            read_details: true,
            create: put,
            update: put,
            delete,
            online_meetings: false,
        });
    };
    let may = |names: &[&str]| privileges.iter().any(|privilege| names.contains(&privilege.as_str()));
    let found = Capabilities {
        list: true,
        free_busy: may(&["all", "read", "read-free-busy"]),
        read_details: may(&["all", "read"]),
        create: may(&["all", "write", "bind"]),
        update: may(&["all", "write", "write-content"]),
        delete: may(&["all", "write", "unbind"]),
        online_meetings: false,
    };
    if found.free_busy {
        Ok(found)
    } else {
        Err(Error::new(
            ErrorKind::OutOfScope,
            Remedy::SkipMailbox,
            "NO_READ",
            "The service account may see this calendar but not read it.",
        ))
    }
}
