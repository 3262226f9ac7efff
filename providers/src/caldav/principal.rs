//! A principal that may own calendars, as published by the server.

use url::Url;

use super::{
    account::mail_domain,
    config::PrincipalFacts,
    href,
    multistatus::Resource,
    transport::DavClient,
    xml::{CALDAV, CALENDARSERVER, DAV, Element},
};
use crate::RoomInfo;

/// The properties requested of principals and of calendars: one request finds both below a URL.
pub(super) const PROPFIND_BODY: &str = r#"<D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/" xmlns:O="http://owncloud.org/ns"><D:prop><D:resourcetype/><D:displayname/><D:owner/><D:principal-URL/><D:current-user-privilege-set/><C:calendar-home-set/><C:calendar-user-address-set/><CS:email-address-set/><C:calendar-user-type/><C:schedule-inbox-URL/><C:schedule-default-calendar-URL/><C:calendar-description/><C:supported-calendar-component-set/><C:calendar-timezone/><C:schedule-calendar-transp/><CS:invite/><O:owner-principal/></D:prop></D:propfind>"#;

/// A principal that may own calendars.
#[derive(Debug, Clone)]
pub(super) struct Principal {
    /// The absolute URL of the principal.
    pub url: Url,
    /// The mail addresses, the preferred one first; never empty.
    pub addresses: Vec<String>,
    /// Whether the server publishes the addresses; otherwise there is one, derived from the path.
    pub is_published: bool,
    /// The display name; the local part of the last path segment if the server publishes none.
    pub name: String,
    /// The room's details; `None` for a person.
    pub room: Option<RoomInfo>,
}

impl Principal {
    /// A stable id.
    pub(super) fn id(&self) -> String {
        href::resource_id(&self.url)
    }

    /// The preferred address.
    pub(super) fn address(&self) -> &str {
        self.addresses.first().map_or("", String::as_str)
    }

    /// Whether this is one of the principal's addresses.
    pub(super) fn has_address(&self, address: &str) -> bool {
        self.addresses.iter().any(|own| own.eq_ignore_ascii_case(address))
    }

    /// Whether the principal is a room.
    pub(super) const fn is_room(&self) -> bool {
        self.room.is_some()
    }

    /// The room's details; `None` for a person.
    pub(super) fn into_room(self) -> Option<RoomInfo> {
        self.room
    }

    /// Parses the properties that the server publishes about a principal.
    pub(super) fn from_resource(dav: &DavClient<'_>, account: Option<&str>, found: &Resource) -> Self {
        let segment = href::last_segment(&found.url);
        let mut addresses = addresses(found);
        let is_published = !addresses.is_empty();
        if !is_published {
            let derived = if segment.contains('@') {
                segment.clone()
            } else {
                format!("{segment}@{}", mail_domain(dav, account))
            };
            addresses.push(derived);
        }
        let local = segment.split('@').next().unwrap_or_default().to_owned();
        let name = found.text(DAV, "displayname").map_or(local, str::to_owned);
        let description = found.text(CALDAV, "calendar-description").unwrap_or_default();
        let facts = PrincipalFacts {
            path: &href::decoded_path(&found.url),
            segment: &segment,
            name: &name,
            addresses: &addresses,
            description,
            kind: found.text(CALDAV, "calendar-user-type"),
        };
        let room = dav.room_rule().matches(facts).then(|| room(&found.url, &addresses, &name, description));
        Self { url: found.url.clone(), addresses, is_published, name, room }
    }
}

fn room(url: &Url, addresses: &[String], name: &str, description: &str) -> RoomInfo {
    let field = |key: &str| {
        let mut fields = description.split(';').filter_map(|field| field.split_once('='));
        let value = fields.find(|(name, _)| name.trim().eq_ignore_ascii_case(key))?.1.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    let equipment = field("EQUIPMENT").unwrap_or_default();
    let equipment = equipment.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned);
    RoomInfo {
        id: href::resource_id(url),
        address: addresses.first().cloned().unwrap_or_default(),
        name: name.to_owned(),
        capacity: field("CAPACITY").and_then(|count| count.parse().ok()),
        building: field("BUILDING"),
        floor: field("FLOOR"),
        equipment: equipment.collect(),
    }
}

/// The mail addresses that a principal publishes, the preferred one first, without duplicates. Other kinds of
/// addresses, such as paths and `urn:uuid:`, are left out.
pub(super) fn addresses(found: &Resource) -> Vec<String> {
    let hrefs = found.property(CALDAV, "calendar-user-address-set").into_iter();
    let mut hrefs: Vec<&Element> = hrefs.flat_map(|set| set.all(DAV, "href")).collect();
    hrefs.sort_by_key(|href| href.attribute("preferred").is_none_or(|value| value.trim() != "1"));
    let mails = hrefs.into_iter().filter_map(|href| mail(&href.text));
    let extra = found.property(CALENDARSERVER, "email-address-set").into_iter();
    let extra = extra.flat_map(|set| set.all(CALENDARSERVER, "email-address"));
    let mut all: Vec<String> = Vec::new();
    for address in mails.chain(extra.filter_map(|one| plain(&one.text))) {
        if !all.iter().any(|known| known.eq_ignore_ascii_case(&address)) {
            all.push(address);
        }
    }
    all
}

/// The address of a `mailto:` URI (RFC 6068), whose scheme may have any case.
fn mail(href: &str) -> Option<String> {
    let href = href.trim();
    let scheme = href.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"))?;
    plain(href[scheme.len()..].split('?').next()?)
}

fn plain(address: &str) -> Option<String> {
    let address = href::percent_decode(address.trim());
    let is_address = address
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
        && !address.contains(|char: char| char.is_whitespace() || char.is_control());
    is_address.then_some(address)
}

#[cfg(test)]
mod tests {
    use super::{super::multistatus, *};

    #[test]
    fn published_addresses_are_read_in_every_form() {
        let body = r#"<multistatus xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:s="http://calendarserver.org/ns/">
            <response><href>/p/17/</href><propstat><prop><c:calendar-user-address-set>
            <href>/p/17/</href><href>urn:uuid:1</href><href>mailto:</href><href>mailto:nobody</href>
            <href>mailto:second@corp.test</href><href>MAILTO:Second@corp.test</href>
            <href preferred="1"> Mailto:ada%40corp.test?subject=x </href></c:calendar-user-address-set>
            <s:email-address-set><s:email-address>third@corp.test</s:email-address><s:email-address>x</s:email-address>
            </s:email-address-set></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"#;
        let found = multistatus::parse(&"https://cal.test/".parse().unwrap(), body.as_bytes()).unwrap();
        assert_eq!(addresses(&found[0]), ["ada@corp.test", "second@corp.test", "third@corp.test"]);
    }
}
