//! The states of integrations, connections, bookings, runs and campaigns (DESIGN section 4).

use crate::words;

words! {
    /// Where an integration stands.
    IntegrationState {
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
}

impl IntegrationState {
    /// Whether mailboxes may be reached.
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Active | Self::Degraded)
    }

    /// Whether nothing will ever happen to it again.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Removed | Self::Failed | Self::Expired | Self::Declined)
    }
}

words! {
    /// Where a mailbox stands.
    ConnectionState {
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
}

impl ConnectionState {
    /// Whether its busy times are known.
    pub const fn is_readable(self) -> bool {
        matches!(self, Self::Active | Self::FreeBusyOnly)
    }
}

words! {
    /// Where a booking stands.
    BookingState {
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
}

impl BookingState {
    /// Whether its participants' times are blocked.
    pub const fn blocks(self) -> bool {
        !matches!(self, Self::Failed | Self::Cancelled)
    }
}

words! {
    /// Where a run stands.
    RunStatus {
        /// Inserted by a use case; no worker has seen it.
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
}

impl RunStatus {
    /// Whether nothing more will happen by itself.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled | Self::Quarantined)
    }
}

words! {
    /// How soon a run's work is due beside other work.
    Lane {
        /// Somebody waits for it.
        Interactive = "INTERACTIVE",
        /// Many of one kind.
        Bulk = "BULK",
        /// Nobody waits for it.
        Background = "BACKGROUND",
    }
}

words! {
    /// The verdict of one check of a verification.
    Verdict {
        /// As it must be.
        Passed = "PASSED",
        /// Not as it must be; the integration cannot be used.
        Failed = "FAILED",
        /// Usable, but somebody should look.
        Warned = "WARNED",
        /// Not asked, because an earlier check failed or the provider has no such thing.
        Skipped = "SKIPPED",
    }
}

words! {
    /// Where a campaign stands.
    CampaignState {
        /// Mailboxes are being activated.
        Running = "RUNNING",
        /// Every mailbox has its result.
        Finished = "FINISHED",
        /// Stopped by a person.
        Cancelled = "CANCELLED",
    }
}

words! {
    /// What a tenant pays for.
    Plan {
        /// Personal connections only.
        Basic = "BASIC",
        /// May have a service account.
        Plus = "PLUS",
    }
}

words! {
    /// What the vendor's staff switch on for a tenant.
    Feature {
        /// Connect the organisation through one service account.
        ServiceAccount = "SERVICE_ACCOUNT",
    }
}

words! {
    /// What became of the online meeting that a booking was asked to have.
    OnlineMeetingState {
        /// The calendar system is making it.
        Pending = "PENDING",
        /// It can be joined.
        Ready = "READY",
        /// There is none: the calendar permits none, the calendar system made none, or the booking is over.
        Unavailable = "UNAVAILABLE",
    }
}

words! {
    /// What an attendee or a room answered.
    Answer {
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
