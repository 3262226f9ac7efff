//! What is asked for with each request: small sets, because one scope that the administrator did not allow fails the
//! whole token.

const CALENDAR_EVENTS: &str = "https://www.googleapis.com/auth/calendar.events";
const CALENDAR_BUSY: &str = "https://www.googleapis.com/auth/calendar.events.freebusy";
const CALENDAR_NAMES: &str = "https://www.googleapis.com/auth/calendar.calendars.readonly";
const CALENDAR_LISTS: &str = "https://www.googleapis.com/auth/calendar.calendarlist.readonly";
const DIRECTORY_CUSTOMER: &str = "https://www.googleapis.com/auth/admin.directory.customer.readonly";
const DIRECTORY_DOMAINS: &str = "https://www.googleapis.com/auth/admin.directory.domain.readonly";
const DIRECTORY_RESOURCES: &str =
    "https://www.googleapis.com/auth/admin.directory.resource.calendar.readonly";
const DIRECTORY_USERS: &str = "https://www.googleapis.com/auth/admin.directory.user.readonly";

/// Everything that an administrator allows the service account's client id under "Domain-wide delegation".
pub const DELEGATED: [&str; 7] = [
    CALENDAR_EVENTS,
    CALENDAR_BUSY,
    CALENDAR_LISTS,
    DIRECTORY_CUSTOMER,
    DIRECTORY_DOMAINS,
    DIRECTORY_RESOURCES,
    DIRECTORY_USERS,
];

/// What a person is asked for who consents for the own calendar alone.
pub const OWN: [&str; 6] =
    ["openid", "email", CALENDAR_EVENTS, CALENDAR_BUSY, CALENDAR_NAMES, CALENDAR_LISTS];

/// What is asked for who has only to prove who they are.
pub const SIGN_IN: [&str; 2] = ["openid", "email"];

/// The scopes of one kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// Events of a calendar: read, written, watched.
    Events,
    /// Busy times alone.
    Busy,
    /// Which calendars somebody sees.
    Lists,
    /// The organisation.
    Customer,
    /// Domain names that the organisation has verified.
    Domains,
    /// People of the directory.
    People,
    /// Rooms and buildings.
    Rooms,
}

impl Scope {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Events => CALENDAR_EVENTS,
            Self::Busy => CALENDAR_BUSY,
            Self::Lists => CALENDAR_LISTS,
            Self::Customer => DIRECTORY_CUSTOMER,
            Self::Domains => DIRECTORY_DOMAINS,
            Self::People => DIRECTORY_USERS,
            Self::Rooms => DIRECTORY_RESOURCES,
        }
    }
}
