//! Kinds of calendar systems, and how much of them an integration can access.

use serde::{Deserialize, Serialize};

/// Declares an enum whose variants are stored and shown as upper-case words, with `as_str` and `parse`.
#[macro_export]
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),* }

        impl $name {
            /// All values, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word as stored and as shown in the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Parses a stored word; `None` for a word that this version does not support.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl $crate::WordEnum for $name {
            const NAME: &'static str = stringify!($name);

            fn all() -> &'static [Self] {
                Self::ALL
            }

            fn word(self) -> &'static str {
                self.as_str()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Whose calendars an integration gives access to.
    IntegrationKind {
        /// Those of an organisation, by the consent of its administrator.
        OrganisationWide = "ORGANISATION_WIDE",
        /// Those of the people who connected their own calendars, each by their own consent; no directory, no rooms and
        /// no service account. A tenant has at most one for each calendar system.
        Personal = "PERSONAL",
    }
}

words! {
    /// A kind of calendar system.
    ProviderKind {
        /// Microsoft 365 (Exchange Online over Microsoft Graph).
        Microsoft365 = "MICROSOFT_365",
        /// Exchange on-premises (EWS).
        Exchange = "EXCHANGE",
        /// The Google Calendar API and the Admin SDK's Directory API.
        GoogleWorkspace = "GOOGLE_WORKSPACE",
        /// Any CalDAV server.
        CalDav = "CALDAV",
    }
}

words! {
    /// How much of the calendar system a service account may access.
    AccessLevel {
        /// Every calendar of the organisation.
        Full = "FULL",
        /// The calendars of a group, or chosen calendar folders.
        Restricted = "RESTRICTED",
        /// Only busy times. Not accepted for a service account, because it cannot write.
        FreeBusy = "FREE_BUSY",
    }
}

words! {
    /// How Muster accesses a mailbox.
    Route {
        /// Muster acts with the user's own consent.
        Own = "OWN",
        /// Muster acts through the service account, inside the mailbox.
        Delegated = "DELEGATED",
        /// Muster cannot access the mailbox; it writes bookings to the service mailbox instead.
        ServiceAccount = "SERVICE_ACCOUNT",
    }
}

words! {
    /// Which calendar contains the event of a booking.
    WrittenVia {
        /// The organiser's own calendar.
        Organiser = "ORGANISER",
        /// The calendar of the service mailbox.
        ServiceAccount = "SERVICE_ACCOUNT",
    }
}

/// What Muster can do with a mailbox, as determined by tests when the mailbox was activated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// The calendar can be listed.
    pub list: bool,
    /// Busy times can be read.
    pub free_busy: bool,
    /// Titles and attendees can be read.
    pub read_details: bool,
    /// Events can be created.
    pub create: bool,
    /// Events can be changed.
    pub update: bool,
    /// Events can be deleted.
    pub delete: bool,
    /// Events can have an online meeting; false if the capabilities were stored by a version that did not test this.
    #[serde(default)]
    pub online_meetings: bool,
}

impl Capabilities {
    /// Whether bookings can be written: events can be created, changed and deleted.
    pub const fn can_write(&self) -> bool {
        self.create && self.update && self.delete
    }
}
