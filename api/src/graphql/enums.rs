//! Enums of the schema that mirror enums of the domain.

use async_graphql::Enum;
use services::rows::Stored;

/// Declares schema enums for domain enums, with conversions both ways. A variant missing on either side does not
/// compile; a test checks that the names agree.
///
/// An enum that is stored in the database ends with `, or Unknown`: it has a variant for values that only a newer
/// version defines. As a filter, that variant selects the rows with such values.
macro_rules! mirror {
    ($($(#[$doc:meta])* $name:ident of $of:path $(, or $unknown:ident)? { $($(#[$vdoc:meta])* $variant:ident = $word:tt),* $(,)? })*) => {
        $(mirror! { @one $(#[$doc])* $name of $of $(, or $unknown)? { $($(#[$vdoc])* $variant = $word),* } })*

        #[cfg(test)]
        fn agree() -> Vec<(&'static str, &'static str)> {
            vec![$($({ use $of as Of; ($word, Of::$variant.as_str()) }),*),*]
        }
    };
    (@one $(#[$doc:meta])* $name:ident of $of:path { $($(#[$vdoc:meta])* $variant:ident = $word:tt),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
        pub enum $name { $($(#[$vdoc])* #[graphql(name = $word)] $variant),* }

        mirror! { @from $name of $of { $($variant),* } }

        impl From<$name> for $of {
            fn from(word: $name) -> Self {
                use $of as Of;
                match word { $($name::$variant => Of::$variant),* }
            }
        }
    };
    (@one $(#[$doc:meta])* $name:ident of $of:path, or $unknown:ident { $($(#[$vdoc:meta])* $variant:ident = $word:tt),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
        pub enum $name {
            $($(#[$vdoc])* #[graphql(name = $word)] $variant,)*
            /// A value that a newer server version stored and that this server does not recognise. The object cannot
            /// be changed until this server is updated.
            #[graphql(name = "UNKNOWN")]
            $unknown,
        }

        mirror! { @from $name of $of { $($variant),* } }

        impl From<&Stored<$of>> for $name {
            fn from(stored: &Stored<$of>) -> Self {
                stored.known().map_or(Self::$unknown, Self::from)
            }
        }

        impl From<$name> for Option<$of> {
            fn from(word: $name) -> Self {
                use $of as Of;
                match word { $($name::$variant => Some(Of::$variant),)* $name::$unknown => None }
            }
        }
    };
    (@from $name:ident of $of:path { $($variant:ident),* }) => {
        impl From<$of> for $name {
            fn from(word: $of) -> Self {
                use $of as Of;
                match word { $(Of::$variant => Self::$variant),* }
            }
        }
    };
}

mirror! {
    /// A permission, as granted by a role or a vendor key.
    Permission of domain::Permission {
        /// See users and the state of their calendars.
        UserView = "USER_VIEW",
        /// Change users.
        UserEdit = "USER_EDIT",
        /// Add users to the tenant.
        UserCreate = "USER_CREATE",
        /// Remove users.
        UserDelete = "USER_DELETE",
        /// See and change roles.
        RoleEdit = "ROLE_EDIT",
        /// Connect calendars, and nothing else.
        CalendarConnect = "CALENDAR_CONNECT",
        /// Connect the calendar system of the whole company; the permission of invited IT administrators.
        PlatformAdministration = "PLATFORM_ADMINISTRATION",
        /// Add or change service mailboxes and room rules.
        ServiceAccountEdit = "SERVICE_ACCOUNT_EDIT",
        /// See integrations, connections and rooms.
        ConnectionView = "CONNECTION_VIEW",
        /// Search for free times of people and rooms.
        AvailabilityView = "AVAILABILITY_VIEW",
        /// See bookings.
        BookingView = "BOOKING_VIEW",
        /// Create, move and cancel bookings.
        BookingEdit = "BOOKING_EDIT",
        /// See runs and their history.
        RunView = "RUN_VIEW",
        /// Retry, signal and cancel runs.
        RunEdit = "RUN_EDIT",
        /// Perform vendor staff operations on the whole installation. Roles cannot grant it.
        Staff = "STAFF",
    }

    /// Signature algorithm of an OpenID issuer.
    SigningAlgorithm of domain::openid::SigningAlgorithm {
        /// RSA with PKCS #1 v1.5 and SHA-256.
        Rs256 = "RS256",
        /// RSA with PSS and SHA-256.
        Ps256 = "PS256",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// EdDSA with Ed25519.
        EdDsa = "EDDSA",
    }

    /// Which tokens of an OpenID issuer the API accepts as bearer tokens.
    IssuerTokens of domain::openid::IssuerTokens {
        /// Muster accepts no tokens of this issuer: users sign in on the issuer's page and receive Muster's own tokens.
        None = "NONE",
        /// Access tokens that are JWTs of type `at+jwt` (RFC 9068) with the issuer's `audience`.
        AccessToken = "ACCESS_TOKEN",
        /// ID tokens issued for the issuer's `clientId`.
        IdToken = "ID_TOKEN",
    }

    /// Whose calendars an integration gives access to.
    IntegrationKind of domain::IntegrationKind {
        /// Those of an organisation, by its administrator's consent. Needs the plan `PLUS` and the feature
        /// `SERVICE_ACCOUNT`.
        OrganisationWide = "ORGANISATION_WIDE",
        /// Those of the users who connected their own calendars with `connectOwnCalendar`, each by their own consent. It
        /// has no directory, no rooms and no service account, and is created with the first such calendar. A tenant has
        /// at most one for each calendar system.
        Personal = "PERSONAL",
    }

    /// A supported calendar system.
    ProviderKind of domain::ProviderKind {
        /// Microsoft 365 (Exchange Online through Microsoft Graph).
        Microsoft365 = "MICROSOFT_365",
        /// Exchange on-premises (EWS).
        Exchange = "EXCHANGE",
        /// Google Workspace (Google Calendar API).
        GoogleWorkspace = "GOOGLE_WORKSPACE",
        /// Any CalDAV server.
        CalDav = "CALDAV",
    }

    /// How much of a calendar system a service account may access.
    AccessLevel of domain::AccessLevel {
        /// Every calendar of the organisation.
        Full = "FULL",
        /// Only the calendars of one mailbox group, or only selected calendar folders.
        Restricted = "RESTRICTED",
        /// Only busy times. Rejected for service accounts, which must be able to write events.
        FreeBusy = "FREE_BUSY",
    }

    /// How Muster accesses a mailbox.
    Route of domain::Route, or Unknown {
        /// With the user's own consent.
        Own = "OWN",
        /// Muster accesses the mailbox itself through the service account.
        Delegated = "DELEGATED",
        /// Muster cannot access the mailbox; it writes bookings to the service mailbox instead.
        ServiceAccount = "SERVICE_ACCOUNT",
    }

    /// The calendar to which a booking is written.
    WrittenVia of domain::WrittenVia, or Unknown {
        /// The organiser's own calendar.
        Organiser = "ORGANISER",
        /// The calendar of the service mailbox.
        ServiceAccount = "SERVICE_ACCOUNT",
    }

    /// State of an integration, from its creation to its removal.
    IntegrationState of domain::state::IntegrationState, or Unknown {
        /// Created; consent has not been requested yet.
        Draft = "DRAFT",
        /// Pending until an administrator gives consent at the provider.
        AwaitingConsent = "AWAITING_CONSENT",
        /// The provider granted access; Muster may use it only after `authoriseIntegration`.
        AwaitingAuthorization = "AWAITING_AUTHORIZATION",
        /// The access is being verified.
        Verifying = "VERIFYING",
        /// Pending until a granted permission is effective on all of the provider's servers.
        AwaitingPropagation = "AWAITING_PROPAGATION",
        /// In use.
        Active = "ACTIVE",
        /// In use, but some previously active mailboxes are no longer active.
        Degraded = "DEGRADED",
        /// The provider refuses all requests.
        Failing = "FAILING",
        /// Suspended by the vendor's staff or because the plan does not include it.
        Suspended = "SUSPENDED",
        /// Being removed.
        Retiring = "RETIRING",
        /// Removed; kept as a record.
        Removed = "REMOVED",
        /// Could not be connected.
        Failed = "FAILED",
        /// Not completed in time.
        Expired = "EXPIRED",
        /// An administrator declined.
        Declined = "DECLINED",
    }

    /// State of a connection to a mailbox.
    ConnectedMailboxState of domain::state::ConnectionState, or Unknown {
        /// Found in the directory; neither activated nor excluded yet.
        Discovered = "DISCOVERED",
        /// Excluded by an administrator.
        Excluded = "EXCLUDED",
        /// Waiting for activation.
        Pending = "PENDING",
        /// Being activated: Muster checks what it can do with the mailbox.
        Verifying = "VERIFYING",
        /// Muster reads and writes the calendar.
        Active = "ACTIVE",
        /// Muster can only read when the owner is free or busy, not the details of events.
        FreeBusyOnly = "FREE_BUSY_ONLY",
        /// Muster cannot access the mailbox; see `reason`.
        Unreachable = "UNREACHABLE",
        /// No longer connected.
        Disconnected = "DISCONNECTED",
    }

    /// Outcome of one step of a run.
    StepOutcome of domain::state::StepOutcome, or Unknown {
        /// The run moved to another state.
        WentOn = "WENT_ON",
        /// The run waits for a time or a signal.
        Waited = "WAITED",
        /// The step failed and will be retried later.
        Retried = "RETRIED",
        /// The step was undone.
        Undone = "UNDONE",
        /// The run is complete.
        Done = "DONE",
        /// The step failed permanently; earlier steps are undone.
        Failed = "FAILED",
        /// A person stopped the run; its steps are undone.
        Cancelled = "CANCELLED",
        /// The run was quarantined because it crashed its worker repeatedly or could not be undone.
        Quarantined = "QUARANTINED",
        /// A person retried the run.
        Revived = "REVIVED",
    }

    /// How a booking was changed after its creation.
    BookingChangeKind of domain::state::BookingChangeKind, or Unknown {
        /// Moved to another time.
        Moved = "MOVED",
        /// Cancelled by a person.
        Cancelled = "CANCELLED",
    }

    /// Legal text that a customer accepts before connecting a calendar system.
    TermsDocument of domain::state::TermsDocument, or Unknown {
        /// The vendor's terms of service.
        TermsOfService = "TERMS_OF_SERVICE",
        /// The vendor's privacy policy.
        PrivacyPolicy = "PRIVACY_POLICY",
    }

    /// State of a booking, from the request to its end.
    BookingState of domain::state::BookingState, or Unknown {
        /// The request was accepted; the time is not blocked yet.
        Requested = "REQUESTED",
        /// The time is blocked; the calendar event is being written.
        Held = "HELD",
        /// The calendar event exists.
        Written = "WRITTEN",
        /// The calendar event exists; a room has not responded yet.
        RoomPending = "ROOM_PENDING",
        /// The calendar event exists and every invited room has accepted.
        Confirmed = "CONFIRMED",
        /// At least one room declined the invitation.
        RoomDeclined = "ROOM_DECLINED",
        /// Somebody deleted the event from the calendar; the time is no longer blocked. Write it again with
        /// `restoreBooking`, or cancel the booking.
        Missing = "MISSING",
        /// Somebody moved the event in the calendar to a time at which not everybody is free. Its new time is blocked
        /// for those who are. Move the booking, accept the time with `acceptBookingTime`, or cancel it.
        Conflicting = "CONFLICTING",
        /// The calendar event could not be written; the time is no longer blocked.
        Failed = "FAILED",
        /// Cancelled; the event is being, or has been, removed.
        Cancelled = "CANCELLED",
    }

    /// Execution status of a run.
    RunStatus of domain::state::RunStatus, or Unknown {
        /// Enqueued; no worker has started it yet.
        Ordered = "ORDERED",
        /// Has steps to execute.
        Running = "RUNNING",
        /// Waiting for a time, a signal, or the first of the two.
        Waiting = "WAITING",
        /// Undoing its completed steps.
        Undoing = "UNDOING",
        /// Completed successfully.
        Done = "DONE",
        /// Failed; all completed steps have been undone.
        Failed = "FAILED",
        /// Cancelled by a person; all completed steps have been undone.
        Cancelled = "CANCELLED",
        /// Stopped because it crashed its worker repeatedly; continues only after `retryRun`.
        Quarantined = "QUARANTINED",
    }

    /// State of the online meeting requested for a booking.
    OnlineMeetingState of domain::state::OnlineMeetingState, or Unknown {
        /// The calendar system is creating the meeting; `bookingChanged` reports when it is ready.
        Pending = "PENDING",
        /// The meeting can be joined at `onlineMeetingUrl`.
        Ready = "READY",
        /// There is no online meeting: the calendar does not permit one, the calendar system did not create one, or
        /// the booking is over.
        Unavailable = "UNAVAILABLE",
    }

    /// Result of one check of a verification.
    Verdict of domain::state::Verdict, or Unknown {
        /// The check succeeded.
        Passed = "PASSED",
        /// The check failed; the integration cannot be used.
        Failed = "FAILED",
        /// The integration can be used, but an administrator should review the finding.
        Warned = "WARNED",
        /// The check did not run because an earlier one failed or the provider does not support it.
        Skipped = "SKIPPED",
    }

    /// State of a bulk activation.
    CampaignState of domain::state::CampaignState, or Unknown {
        /// Mailboxes are being activated.
        Running = "RUNNING",
        /// Every mailbox has a result.
        Finished = "FINISHED",
        /// Cancelled by a person.
        Cancelled = "CANCELLED",
    }

    /// Plan that a tenant pays for.
    Plan of domain::state::Plan {
        /// Users connect their own calendars only.
        Basic = "BASIC",
        /// Additionally includes connecting the organisation through a service account.
        Plus = "PLUS",
    }

    /// Feature that the vendor's staff can switch on for a tenant.
    Feature of domain::state::Feature {
        /// Connect the organisation through one service account.
        ServiceAccount = "SERVICE_ACCOUNT",
    }

    /// Response of an attendee or room to an invitation.
    Answer of domain::state::Answer, or Unknown {
        /// No response yet.
        None = "NONE",
        /// Will attend.
        Accepted = "ACCEPTED",
        /// May attend.
        Tentative = "TENTATIVE",
        /// Will not attend.
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
