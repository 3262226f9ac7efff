//! The steps of the demo in order, and the steps that a calendar system does not support.

/// The calendar systems that the demo can connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CalendarSystem {
    /// Microsoft 365 (Exchange Online).
    #[value(name = "microsoft-365")]
    Microsoft365,
    /// Google Workspace (Google Calendar API).
    #[value(name = "google-workspace")]
    GoogleWorkspace,
    /// A CalDAV server.
    #[value(name = "caldav")]
    CalDav,
    /// An Exchange server on-premises.
    #[value(name = "exchange")]
    Exchange,
}

impl CalendarSystem {
    /// The name of the calendar system in the API and on the pages.
    pub const fn api_name(self) -> &'static str {
        match self {
            Self::Microsoft365 => "MICROSOFT_365",
            Self::GoogleWorkspace => "GOOGLE_WORKSPACE",
            Self::CalDav => "CALDAV",
            Self::Exchange => "EXCHANGE",
        }
    }
}

macro_rules! steps {
    ($($name:ident = $title:literal,)*) => {
        /// One step of the demo.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Step {
            $(#[doc = $title] $name,)*
        }

        impl Step {
            /// All steps, in order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The title shown to people.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }

            /// The name under which the step is recorded.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

steps! {
    CreateTenant = "Create a tenant",
    RefusedBefore = "Be refused while the feature is off",
    SwitchOn = "Switch the feature on",
    Invite = "Invite an IT person",
    OpenLink = "Open the connect link",
    TickTerms = "Tick the terms and choose the calendar system",
    CorrectAnswer = "Correct a wrong answer",
    SignIn = "Sign in at the provider as an administrator",
    Consent = "Consent for the organisation",
    TypeCredentials = "Type the service account's credentials",
    Authorise = "Authorise the use of the access",
    Land = "Land back at the vendor",
    Verify = "Verify the connection",
    CreateUsers = "Create users from the directory",
    Activate = "Activate all users and rooms",
    AddUser = "Add a user who is activated by itself",
    FindTime = "Find a time for three people and any of three rooms",
    Book = "Book in the organiser's calendar",
    RoomAnswer = "See the room accept",
    BookByService = "Book for an organiser out of reach",
    Marked = "Read the mark in the event",
    Move = "Move the booking",
    MoveByHand = "Move the event by hand, and see the booking follow",
    DeleteByHand = "Delete the event by hand, and see it missed",
    Restore = "Write the event again",
    Cancel = "Cancel the booking",
    Revoke = "Revoke the consent at the provider",
    TurnsFailing = "Watch the status turn",
    Reconnect = "Reconnect",
    ActiveAgain = "See it active again",
    Disconnect = "Disconnect the calendar system",
    Erase = "Erase the tenant",
}

impl Step {
    /// Whether the step ends what the demo has made.
    pub const fn is_departure(self) -> bool {
        matches!(self, Self::Disconnect | Self::Erase)
    }

    /// Why a calendar system does not support this step; `None` if it does.
    pub const fn unsupported_reason(self, system: CalendarSystem) -> Option<&'static str> {
        match (system, self) {
            (CalendarSystem::CalDav, Self::SignIn | Self::Consent) => {
                Some("CalDAV has no consent pages: credentials are typed")
            }
            (CalendarSystem::CalDav, Self::RoomAnswer) => {
                Some("CalDAV rooms do not answer: they are booked by writing")
            }
            (CalendarSystem::Exchange, Self::SignIn | Self::Consent) => {
                Some("Exchange has no consent pages: credentials are typed")
            }
            (CalendarSystem::GoogleWorkspace, Self::SignIn | Self::Consent) => {
                Some("Google has no consent page for a service account: its key is typed")
            }
            (CalendarSystem::Microsoft365, Self::TypeCredentials) => Some("Microsoft 365 has consent pages"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(system: CalendarSystem) -> Vec<&'static str> {
        Step::ALL
            .iter()
            .filter(|step| step.unsupported_reason(system).is_some())
            .map(|step| step.name())
            .collect()
    }

    #[test]
    fn only_what_a_calendar_system_does_not_have_is_not_applicable() {
        assert_eq!(missing(CalendarSystem::Microsoft365), ["TypeCredentials"]);
        assert_eq!(missing(CalendarSystem::GoogleWorkspace), ["SignIn", "Consent"]);
        assert_eq!(missing(CalendarSystem::CalDav), ["SignIn", "Consent", "RoomAnswer"]);
        assert_eq!(missing(CalendarSystem::Exchange), ["SignIn", "Consent"]);
    }

    #[test]
    fn the_steps_are_the_main_job_in_its_order() {
        let titles: Vec<_> = Step::ALL.iter().map(|step| step.name()).collect();
        let order = [
            "CreateTenant",
            "RefusedBefore",
            "SwitchOn",
            "Invite",
            "OpenLink",
            "TickTerms",
            "CorrectAnswer",
            "SignIn",
            "Consent",
            "TypeCredentials",
            "Authorise",
            "Land",
            "Verify",
            "CreateUsers",
            "Activate",
            "AddUser",
            "FindTime",
            "Book",
            "RoomAnswer",
            "BookByService",
            "Marked",
            "Move",
            "MoveByHand",
            "DeleteByHand",
            "Restore",
            "Cancel",
            "Revoke",
            "TurnsFailing",
            "Reconnect",
            "ActiveAgain",
            "Disconnect",
            "Erase",
        ];
        assert_eq!(titles, order);
    }
}
