//! Calendars as a server lists them: whose, of which kind, and what may be done in them.

use domain::{Zone, provider::Capabilities};
use url::Url;

use super::{
    href,
    multistatus::Resource,
    transport::{Call, Dav},
    xml::{CALDAV, CALENDARSERVER, DAV},
};
use crate::{CalendarKind, CalendarListing, Error, ErrorKind, Remedy, Result};

/// What ownCloud and its descendants add.
const OWNCLOUD: &str = "http://owncloud.org/ns";
/// The same of Nextcloud's.
const NEXTCLOUD: &str = "http://nextcloud.com/ns";
/// Beginnings of names that servers give to calendars which they make from other data.
const GENERATED: [&str; 6] =
    ["contact_birthdays", "contact-birthdays", "birthdays", "holidays", "x-wr-calendar--", "app-generated--"];
/// Names of calendars that servers make for a new user.
const FIRST: [&str; 4] = ["calendar", "default", "personal", "home"];

/// A calendar that takes events.
#[derive(Debug, Clone)]
pub(super) struct Collection {
    /// Where it is.
    pub url: Url,
    /// Its name, for people.
    pub name: String,
    /// Its zone, where it has one.
    pub zone: Option<Zone>,
    /// The principal that it belongs to, where the server says so.
    pub owner: Option<Url>,
    /// Whether it was shared by its owner with whoever's home it stands in.
    pub is_shared: bool,
    /// Whether its events take no time (RFC 6638 section 9.1).
    pub is_transparent: bool,
    /// Whether the server makes it from other data.
    pub is_generated: bool,
    /// What the account may do; absent where the server does not tell.
    privileges: Option<Vec<String>>,
}

impl Collection {
    /// Reads a resource; `None` when it is no calendar that takes events.
    pub(super) fn of(found: &Resource) -> Option<Self> {
        let components = found.prop(CALDAV, "supported-calendar-component-set");
        let mut names = components.into_iter().flat_map(|set| set.all(CALDAV, "comp")).peekable();
        let takes_events = names.peek().is_none()
            || names.any(|comp| {
                comp.attribute("name").is_some_and(|name| name.trim().eq_ignore_ascii_case("VEVENT"))
            });
        let is_other = [(CALDAV, "schedule-inbox"), (CALDAV, "schedule-outbox"), (NEXTCLOUD, "trash-bin")]
            .iter()
            .chain(&[(NEXTCLOUD, "deleted-calendar")])
            .any(|(namespace, name)| found.is_a(namespace, name));
        if !found.is_a(CALDAV, "calendar") || !takes_events || is_other {
            return None;
        }
        let url = href::folder(found.url.clone());
        let segment = href::segment(&url);
        let privileges = found.prop(DAV, "current-user-privilege-set").map(|set| {
            let all = set.all(DAV, "privilege").flat_map(|privilege| &privilege.children);
            all.map(|privilege| privilege.name().to_owned()).collect()
        });
        let zone = found
            .text(CALDAV, "calendar-timezone")
            .and_then(|text| domain::ical::named_zone(text.as_bytes()));
        let transparency = found.prop(CALDAV, "schedule-calendar-transp");
        Some(Self {
            name: found.text(DAV, "displayname").map_or_else(|| segment.clone(), str::to_owned),
            zone,
            owner: owner(found),
            is_shared: found.is_a(CALENDARSERVER, "shared"),
            is_transparent: transparency.is_some_and(|value| value.child(CALDAV, "transparent").is_some()),
            is_generated: found.is_a(CALENDARSERVER, "subscribed") || is_generated(&segment),
            privileges,
            url,
        })
    }

    /// Whether the server says that times may be asked for but events not read.
    pub(super) fn is_closed(&self) -> bool {
        self.privileges.is_some() && self.has(&["read-free-busy"]) && !self.has(&["all", "read"])
    }

    /// Whether the server says that nothing can be written.
    pub(super) fn is_read_only(&self) -> bool {
        self.privileges.is_some() && !self.has(&["all", "write", "bind", "write-content"])
    }

    fn has(&self, names: &[&str]) -> bool {
        self.privileges.iter().flatten().any(|one| names.contains(&one.as_str()))
    }

    /// How suited it is for bookings, the best first: not made by the server, writable, not transparent, named as
    /// servers name a user's first calendar; then by address, so that the choice lasts.
    pub(super) fn rank(&self) -> (bool, bool, bool, usize, String) {
        let segment = own_name(&href::segment(&self.url));
        let named = FIRST.iter().position(|name| segment == *name).unwrap_or(FIRST.len());
        (self.is_generated, self.is_read_only(), self.is_transparent, named, href::id(&self.url))
    }

    /// How it is listed.
    pub(super) fn listing(&self, kind: CalendarKind) -> CalendarListing {
        let counts = kind != CalendarKind::Shared && !self.is_transparent;
        CalendarListing { id: href::id(&self.url), name: self.name.clone(), kind, counts }
    }
}

/// Whose calendar it is. Where a server says who shared it, that counts: several name whoever it was shared with as
/// its owner.
fn owner(found: &Resource) -> Option<Url> {
    let invite = found.prop(CALENDARSERVER, "invite").and_then(|invite| {
        invite.child(CALENDARSERVER, "organizer").and_then(|organiser| organiser.text_of(DAV, "href"))
    });
    let sharing = [found.text(OWNCLOUD, "owner-principal"), invite];
    let principal = found.prop(DAV, "owner").and_then(|owner| owner.text_of(DAV, "href"));
    let mut named = sharing.into_iter().chain([principal]).flatten().filter(|href| !href.is_empty());
    named.find_map(|at| {
        // ownCloud names principals without the path of its own service.
        let at = at.strip_prefix("principal:").unwrap_or(at);
        href::resolve(&found.url, at)
    })
}

/// What a calendar is called beside others of its owner: some servers put the owner before it (`ada.Default`).
fn own_name(segment: &str) -> String {
    segment.rsplit('.').next().unwrap_or(segment).to_lowercase()
}

fn is_generated(segment: &str) -> bool {
    let segment = own_name(segment);
    GENERATED.iter().any(|name| segment == *name || (name.len() > 8 && segment.starts_with(name)))
}

/// What the account may do in a calendar: what the server says, and where it does not, what it lets through.
pub(super) async fn capabilities(dav: &Dav<'_>, calendar: &Collection) -> Result<Capabilities> {
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
    let message = "The service account may see this calendar but not read it.";
    Err(Error::new(ErrorKind::OutOfScope, Remedy::SkipMailbox, "NO_READ", message))
}

async fn offered(dav: &Dav<'_>, calendar: &Collection) -> Result<Capabilities> {
    let options = dav.send(Call::options(&calendar.url)).await?;
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
