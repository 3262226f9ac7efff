//! The kinds of calendar systems, and how far an integration reaches in them.

use serde::{Deserialize, Serialize};

/// Declares an enum that is stored and shown as one upper-case word, with `as_str` and `parse`.
#[macro_export]
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word that is stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The value of a word.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
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
    /// A calendar system.
    ProviderKind {
        /// Microsoft 365 (Exchange Online over Microsoft Graph).
        Microsoft365 = "MICROSOFT_365",
        /// Exchange on-premises (EWS).
        Exchange = "EXCHANGE",
        /// Google Workspace.
        GoogleWorkspace = "GOOGLE_WORKSPACE",
        /// Any CalDAV server.
        CalDav = "CALDAV",
    }
}

words! {
    /// How much of the calendar system a service account may reach.
    AccessLevel {
        /// Every calendar of the organisation.
        Full = "FULL",
        /// The calendars of a group, or chosen calendar folders.
        Restricted = "RESTRICTED",
        /// Only when people are busy. Cannot write, so it is refused for a service account.
        FreeBusy = "FREE_BUSY",
    }
}

words! {
    /// By which way a mailbox is reached.
    Route {
        /// The user's own consent.
        Own = "OWN",
        /// The service account acts inside the mailbox.
        Delegated = "DELEGATED",
        /// The mailbox cannot be reached; bookings go through the service mailbox.
        ServiceAccount = "SERVICE_ACCOUNT",
    }
}

words! {
    /// Which calendar a booking was written to.
    WrittenVia {
        /// The organiser's own.
        Organiser = "ORGANISER",
        /// The service mailbox's.
        ServiceAccount = "SERVICE_ACCOUNT",
    }
}

/// What a connection was measured to be able to do. Measured, never assumed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// The calendar is listed.
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
    /// Events can have an online meeting. What was stored before this was measured has none.
    #[serde(default)]
    pub online_meetings: bool,
}

impl Capabilities {
    /// Whether bookings can be written.
    pub const fn writes(&self) -> bool {
        self.create && self.update && self.delete
    }
}
