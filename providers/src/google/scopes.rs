//! Scopes of each kind of request. The sets are small, because Google refuses the whole token if the administrator
//! has not authorised one of its scopes.

const CALENDAR_EVENTS: &str = "https://www.googleapis.com/auth/calendar.events";
const CALENDAR_BUSY: &str = "https://www.googleapis.com/auth/calendar.events.freebusy";
const CALENDAR_NAMES: &str = "https://www.googleapis.com/auth/calendar.calendars.readonly";
const CALENDAR_LISTS: &str = "https://www.googleapis.com/auth/calendar.calendarlist.readonly";
const DIRECTORY_CUSTOMER: &str = "https://www.googleapis.com/auth/admin.directory.customer.readonly";
const DIRECTORY_DOMAINS: &str = "https://www.googleapis.com/auth/admin.directory.domain.readonly";
const DIRECTORY_RESOURCES: &str =
    "https://www.googleapis.com/auth/admin.directory.resource.calendar.readonly";
const DIRECTORY_USERS: &str = "https://www.googleapis.com/auth/admin.directory.user.readonly";

/// Scopes that an administrator authorises for the service account's client id under "Domain-wide delegation".
pub const DELEGATED_SCOPES: [&str; 7] = [
    CALENDAR_EVENTS,
    CALENDAR_BUSY,
    CALENDAR_LISTS,
    DIRECTORY_CUSTOMER,
    DIRECTORY_DOMAINS,
    DIRECTORY_RESOURCES,
    DIRECTORY_USERS,
];

/// Scopes requested from a user who connects only the user's own calendar.
pub const OWN_CONSENT_SCOPES: [&str; 6] =
    ["openid", "email", CALENDAR_EVENTS, CALENDAR_BUSY, CALENDAR_NAMES, CALENDAR_LISTS];

/// Scopes requested to authenticate a user.
pub const SIGN_IN_SCOPES: [&str; 2] = ["openid", "email"];

/// The scopes of one kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// Events of a calendar, to read, write and watch them.
    Events,
    /// Busy times of calendars, and nothing else.
    Busy,
    /// The list of a user's calendars.
    Lists,
    /// The organisation's record.
    Customer,
    /// The organisation's verified domains.
    Domains,
    /// Users in the directory.
    People,
    /// Rooms and buildings in the directory.
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
