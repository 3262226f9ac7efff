//! The words of the domain as enums of the schema.

use async_graphql::Enum;

/// Declares an enum of the schema for an enum of the domain, with conversions both ways. A variant that one of the two
/// lacks does not compile; that the words agree is tested.
macro_rules! mirror {
    ($($(#[$doc:meta])* $name:ident of $of:path { $($(#[$vdoc:meta])* $variant:ident = $word:tt),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
            pub enum $name { $($(#[$vdoc])* #[graphql(name = $word)] $variant),* }

            impl From<$of> for $name {
                fn from(word: $of) -> Self {
                    use $of as Of;
                    match word { $(Of::$variant => Self::$variant),* }
                }
            }

            impl From<$name> for $of {
                fn from(word: $name) -> Self {
                    use $of as Of;
                    match word { $($name::$variant => Of::$variant),* }
                }
            }
        )*

        #[cfg(test)]
        fn agree() -> Vec<(&'static str, &'static str)> {
            vec![$($({ use $of as Of; ($word, Of::$variant.as_str()) }),*),*]
        }
    };
}

mirror! {
    /// One thing that a caller may do.
    Permission of domain::Permission {
        /// See users and their calendar states.
        UserView = "USER_VIEW",
        /// Change users.
        UserEdit = "USER_EDIT",
        /// Add users.
        UserCreate = "USER_CREATE",
        /// Remove users.
        UserDelete = "USER_DELETE",
        /// See and change roles.
        RoleEdit = "ROLE_EDIT",
        /// Connect calendars, and nothing else.
        CalendarConnect = "CALENDAR_CONNECT",
        /// Administer the calendar system of the whole company.
        PlatformAdministration = "PLATFORM_ADMINISTRATION",
        /// Add or change the service account.
        ServiceAccountEdit = "SERVICE_ACCOUNT_EDIT",
        /// See integrations, connections and rooms.
        ConnectionView = "CONNECTION_VIEW",
        /// Ask when people and rooms are free.
        AvailabilityView = "AVAILABILITY_VIEW",
        /// See bookings.
        BookingView = "BOOKING_VIEW",
        /// Make, move and cancel bookings.
        BookingEdit = "BOOKING_EDIT",
        /// See runs and their history.
        RunView = "RUN_VIEW",
        /// Retry, signal and cancel runs.
        RunEdit = "RUN_EDIT",
        /// Everything that only the vendor's staff may do. No role can hold it.
        Staff = "STAFF",
    }

    /// An algorithm by which an OpenID issuer signs.
    SigningAlgorithm of domain::openid::SigningAlgorithm {
        /// RSA with PKCS #1 v1.5 and SHA-256.
        Rs256 = "RS256",
        /// RSA with PSS and SHA-256.
        Ps256 = "PS256",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EDDSA",
    }

    /// Which of an OpenID issuer's tokens open the API by themselves.
    IssuerTokens of domain::openid::IssuerTokens {
        /// None: its users sign in by the page and get Muster's own tokens.
        None = "NONE",
        /// Its access tokens, if they are JWTs of the type `at+jwt` (RFC 9068) for the issuer's `audience`.
        AccessToken = "ACCESS_TOKEN",
        /// Its ID tokens, if they were made for the issuer's `clientId`.
        IdToken = "ID_TOKEN",
    }

    /// A calendar system.
    ProviderKind of domain::ProviderKind {
        /// Microsoft 365 (Exchange Online over Microsoft Graph).
        Microsoft365 = "MICROSOFT_365",
        /// Exchange on-premises (EWS).
        Exchange = "EXCHANGE",
        /// Google Workspace.
        GoogleWorkspace = "GOOGLE_WORKSPACE",
        /// Any CalDAV server.
        CalDav = "CALDAV",
    }

    /// How much of the calendar system a service account may reach.
    AccessLevel of domain::AccessLevel {
        /// Every calendar of the organisation.
        Full = "FULL",
        /// The calendars of a group, or chosen calendar folders.
        Restricted = "RESTRICTED",
        /// Only when people are busy. Cannot write, so it is refused for a service account.
        FreeBusy = "FREE_BUSY",
    }

    /// By which way a mailbox is reached.
    Route of domain::Route {
        /// The user's own consent.
        Own = "OWN",
        /// The service account acts inside the mailbox.
        Delegated = "DELEGATED",
        /// The mailbox cannot be reached; bookings go through the service mailbox.
        ServiceAccount = "SERVICE_ACCOUNT",
    }

    /// Which calendar a booking was written to.
    WrittenVia of domain::WrittenVia {
        /// The organiser's own.
        Organiser = "ORGANISER",
        /// The service mailbox's.
        ServiceAccount = "SERVICE_ACCOUNT",
    }

    /// Where an integration stands.
    IntegrationState of domain::state::IntegrationState {
        /// Made, nothing sent.
        Draft = "DRAFT",
        /// The administrator has to consent at the provider.
        AwaitingConsent = "AWAITING_CONSENT",
        /// The provider granted access; Muster is not yet authorised to use it.
        AwaitingAuthorization = "AWAITING_AUTHORIZATION",
        /// The ladder of checks is being climbed.
        Verifying = "VERIFYING",
        /// The provider has not yet spread the permission.
        AwaitingPropagation = "AWAITING_PROPAGATION",
        /// In use.
        Active = "ACTIVE",
        /// In use, but mailboxes that were active are not.
        Degraded = "DEGRADED",
        /// The provider refuses everything.
        Failing = "FAILING",
        /// Stopped by plan or staff.
        Suspended = "SUSPENDED",
        /// Being taken apart.
        Retiring = "RETIRING",
        /// Gone; kept for the record.
        Removed = "REMOVED",
        /// Could not be connected.
        Failed = "FAILED",
        /// Nobody finished in time.
        Expired = "EXPIRED",
        /// The administrator said no.
        Declined = "DECLINED",
    }

    /// Where a mailbox stands.
    ConnectionState of domain::state::ConnectionState {
        /// Known, nothing decided.
        Discovered = "DISCOVERED",
        /// Left out on purpose.
        Excluded = "EXCLUDED",
        /// Waits for its activation.
        Pending = "PENDING",
        /// Being tried.
        Verifying = "VERIFYING",
        /// Read and written.
        Active = "ACTIVE",
        /// Read only.
        FreeBusyOnly = "FREE_BUSY_ONLY",
        /// Cannot be reached; the reason says why.
        Unreachable = "UNREACHABLE",
        /// No longer connected.
        Disconnected = "DISCONNECTED",
    }

    /// Where a booking stands.
    BookingState of domain::state::BookingState {
        /// Accepted, not yet held.
        Requested = "REQUESTED",
        /// Its times are blocked; the event is being written.
        Held = "HELD",
        /// The event stands in the calendar.
        Written = "WRITTEN",
        /// The room has not answered yet.
        RoomPending = "ROOM_PENDING",
        /// Done.
        Confirmed = "CONFIRMED",
        /// The room said no.
        RoomDeclined = "ROOM_DECLINED",
        /// Could not be written; nothing is left behind.
        Failed = "FAILED",
        /// Cancelled.
        Cancelled = "CANCELLED",
    }

    /// Where a run stands.
    RunStatus of domain::state::RunStatus {
        /// Ordered; no worker has seen it.
        Ordered = "ORDERED",
        /// Has work to do.
        Running = "RUNNING",
        /// Waits for a time, a signal, or both.
        Waiting = "WAITING",
        /// Takes back what it did.
        Undoing = "UNDOING",
        /// Finished.
        Done = "DONE",
        /// Could not finish; everything it did is undone.
        Failed = "FAILED",
        /// Stopped by a person; everything it did is undone.
        Cancelled = "CANCELLED",
        /// Crashes its worker; parked until somebody retries it.
        Quarantined = "QUARANTINED",
    }

    /// What became of the online meeting that a booking was asked to have.
    OnlineMeetingState of domain::state::OnlineMeetingState {
        /// The calendar system is making it; `bookingChanged` tells when it is done.
        Pending = "PENDING",
        /// It can be joined at `onlineMeetingUrl`.
        Ready = "READY",
        /// There is none: the calendar permits none, the calendar system made none, or the booking is over.
        Unavailable = "UNAVAILABLE",
    }

    /// The verdict of one check of a verification.
    Verdict of domain::state::Verdict {
        /// As it must be.
        Passed = "PASSED",
        /// Not as it must be; the integration cannot be used.
        Failed = "FAILED",
        /// Usable, but somebody should look.
        Warned = "WARNED",
        /// Not asked, because an earlier check failed or the provider has no such thing.
        Skipped = "SKIPPED",
    }

    /// Where a campaign stands.
    CampaignState of domain::state::CampaignState {
        /// Mailboxes are being activated.
        Running = "RUNNING",
        /// Every mailbox has its result.
        Finished = "FINISHED",
        /// Stopped by a person.
        Cancelled = "CANCELLED",
    }

    /// What a tenant pays for.
    Plan of domain::state::Plan {
        /// Personal connections only.
        Basic = "BASIC",
        /// May have a service account.
        Plus = "PLUS",
    }

    /// What the vendor's staff switch on for a tenant.
    Feature of domain::state::Feature {
        /// Connect the organisation through one service account.
        ServiceAccount = "SERVICE_ACCOUNT",
    }

    /// What an attendee or a room answered.
    Answer of domain::state::Answer {
        /// Nothing yet.
        None = "NONE",
        /// Yes.
        Accepted = "ACCEPTED",
        /// Perhaps.
        Tentative = "TENTATIVE",
        /// No.
        Declined = "DECLINED",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_schema_and_the_domain_use_the_same_words() {
        let words = super::agree();
        assert!(words.len() > 70, "{} words", words.len());
        for (schema, domain) in words {
            assert_eq!(schema, domain);
        }
    }
}
