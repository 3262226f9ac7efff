//! Calendar collections as a server lists them: owner, kind and privileges.

use domain::{Zone, provider::Capabilities};
use url::Url;

use super::{
    href,
    multistatus::Resource,
    transport::{DavClient, DavRequest},
    xml::{CALDAV, CALENDARSERVER, DAV},
};
use crate::{CalendarKind, CalendarListing, Error, ErrorKind, Remedy, Result, messages};

/// The namespace of the properties of ownCloud and its descendants.
const OWNCLOUD: &str = "http://owncloud.org/ns";
/// The namespace of Nextcloud's properties.
const NEXTCLOUD: &str = "http://nextcloud.com/ns";
/// Prefixes of the names of calendars that servers generate from other data.
const GENERATED: [&str; 6] =
    ["contact_birthdays", "contact-birthdays", "birthdays", "holidays", "x-wr-calendar--", "app-generated--"];
/// The names that servers give to a new user's first calendar.
const FIRST: [&str; 4] = ["calendar", "default", "personal", "home"];

/// A calendar collection that accepts events.
#[derive(Debug, Clone)]
pub(super) struct Collection {
    /// The absolute URL of the collection.
    pub url: Url,
    /// The display name.
    pub name: String,
    /// The calendar's own zone; `None` when it has none.
    pub zone: Option<Zone>,
    /// The owning principal; `None` if the server does not report it.
    pub owner: Option<Url>,
    /// Whether another owner shared it into the home in which it is listed.
    pub is_shared: bool,
    /// Whether its events leave the owner's time free (RFC 6638 section 9.1).
    pub is_transparent: bool,
    /// Whether the server generates it from other data.
    pub is_generated: bool,
    /// The account's privileges; `None` if the server does not report them.
    privileges: Option<Vec<String>>,
}

impl Collection {
    /// Parses a resource; `None` when it is not a calendar that accepts events.
    pub(super) fn from_resource(found: &Resource) -> Option<Self> {
        let components = found.property(CALDAV, "supported-calendar-component-set");
        let mut names = components.into_iter().flat_map(|set| set.all(CALDAV, "comp")).peekable();
        let takes_events = names.peek().is_none()
            || names.any(|comp| {
                comp.attribute("name").is_some_and(|name| name.trim().eq_ignore_ascii_case("VEVENT"))
            });
        let is_other = [(CALDAV, "schedule-inbox"), (CALDAV, "schedule-outbox"), (NEXTCLOUD, "trash-bin")]
            .iter()
            .chain(&[(NEXTCLOUD, "deleted-calendar")])
            .any(|(namespace, name)| found.has_resource_type(namespace, name));
        if !found.has_resource_type(CALDAV, "calendar") || !takes_events || is_other {
            return None;
        }
        let url = href::with_trailing_slash(found.url.clone());
        let segment = href::last_segment(&url);
        let privileges = found.property(DAV, "current-user-privilege-set").map(|set| {
            let all = set.all(DAV, "privilege").flat_map(|privilege| &privilege.children);
            all.map(|privilege| privilege.name().to_owned()).collect()
        });
        let zone = found
            .text(CALDAV, "calendar-timezone")
            .and_then(|text| domain::ical::parse_vtimezone(text.as_bytes()));
        let transparency = found.property(CALDAV, "schedule-calendar-transp");
        Some(Self {
            name: found.text(DAV, "displayname").map_or_else(|| segment.clone(), str::to_owned),
            zone,
            owner: owner(found),
            is_shared: found.has_resource_type(CALENDARSERVER, "shared"),
            is_transparent: transparency.is_some_and(|value| value.child(CALDAV, "transparent").is_some()),
            is_generated: found.has_resource_type(CALENDARSERVER, "subscribed") || is_generated(&segment),
            privileges,
            url,
        })
    }

    /// Whether, according to the reported privileges, the account can read free/busy times but not events.
    pub(super) fn is_free_busy_only(&self) -> bool {
        self.privileges.is_some() && self.has(&["read-free-busy"]) && !self.has(&["all", "read"])
    }

    /// Whether, according to the reported privileges, the account cannot write anything.
    pub(super) fn is_read_only(&self) -> bool {
        self.privileges.is_some() && !self.has(&["all", "write", "bind", "write-content"])
    }

    fn has(&self, names: &[&str]) -> bool {
        self.privileges.iter().flatten().any(|one| names.contains(&one.as_str()))
    }

    /// A sort key, best calendar for bookings first: not generated, writable, not transparent, named like a user's
    /// first calendar; then by URL, so that the choice is stable.
    pub(super) fn booking_rank(&self) -> (bool, bool, bool, usize, String) {
        let segment = own_name(&href::last_segment(&self.url));
        let named = FIRST.iter().position(|name| segment == *name).unwrap_or(FIRST.len());
        (self.is_generated, self.is_read_only(), self.is_transparent, named, href::resource_id(&self.url))
    }

    /// The collection as the API lists it.
    pub(super) fn to_listing(&self, kind: CalendarKind) -> CalendarListing {
        let counts = kind != CalendarKind::Shared && !self.is_transparent;
        CalendarListing { id: href::resource_id(&self.url), name: self.name.clone(), kind, counts }
    }
}

/// URL of the principal to whom the collection belongs: the sharer if the server names one, because several servers
/// list the sharee in `DAV:owner`.
fn owner(found: &Resource) -> Option<Url> {
    let invite = found.property(CALENDARSERVER, "invite").and_then(|invite| {
        invite.child(CALENDARSERVER, "organizer").and_then(|organiser| organiser.child_text(DAV, "href"))
    });
    let sharing = [found.text(OWNCLOUD, "owner-principal"), invite];
    let principal = found.property(DAV, "owner").and_then(|owner| owner.child_text(DAV, "href"));
    let mut named = sharing.into_iter().chain([principal]).flatten().filter(|href| !href.is_empty());
    named.find_map(|at| {
        // ownCloud omits the path of its service from the URLs of principals.
        let at = at.strip_prefix("principal:").unwrap_or(at);
        href::resolve(&found.url, at)
    })
}

/// The calendar's name without the owner's name, which some servers prefix (`ada.Default`).
fn own_name(segment: &str) -> String {
    segment.rsplit('.').next().unwrap_or(segment).to_lowercase()
}

fn is_generated(segment: &str) -> bool {
    let segment = own_name(segment);
    GENERATED.iter().any(|name| segment == *name || (name.len() > 8 && segment.starts_with(name)))
}

/// The account's capabilities in a calendar: as reported by the server, otherwise determined by test requests.
pub(super) async fn capabilities(dav: &DavClient<'_>, calendar: &Collection) -> Result<Capabilities> {
    if calendar.privileges.is_none() {
        return offered(dav, calendar).await;
    }
    let found = Capabilities {
        list: true,
        free_busy: calendar.has(&["all", "read", "read-free-busy"]),
        read_details: calendar.has(&["all", "read"]),
        create: calendar.has(&["all", "write", "bind"]),
        update: calendar.has(&["all", "write", "write-content"]),
        delete: calendar.has(&["all", "write", "unbind"]),
        online_meetings: false,
    };
    if found.free_busy {
        return Ok(found);
    }
    let message = messages::caldav_calendar_not_readable();
    Err(Error::new(ErrorKind::OutOfScope, Remedy::SkipMailbox, "NO_READ", message))
}

async fn offered(dav: &DavClient<'_>, calendar: &Collection) -> Result<Capabilities> {
    let options = dav.send(DavRequest::options(&calendar.url)).await?;
    let methods: Vec<&str> =
        options.headers.get_all("allow").iter().filter_map(|value| value.to_str().ok()).collect();
    let lets = |method: &str| methods.iter().flat_map(|all| all.split(',')).any(|one| one.trim() == method);
    let (put, delete) = (lets("PUT"), lets("DELETE"));
    Ok(Capabilities {
        list: true,
        free_busy: true,
        read_details: true,
        create: put,
        update: put,
        delete,
        online_meetings: false,
    })
}
