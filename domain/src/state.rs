//! The states of integrations, connections, bookings, runs and campaigns, as stored and as shown in the API.

use crate::words;

words! {
    /// State of an integration, from its creation to its removal.
    IntegrationState {
        /// The integration was created; nothing has been sent to the provider.
        Draft = "DRAFT",
        /// The administrator has to consent at the provider.
        AwaitingConsent = "AWAITING_CONSENT",
        /// The provider granted access, but Muster is not authorised to use it yet.
        AwaitingAuthorization = "AWAITING_AUTHORIZATION",
        /// The access is being verified.
        Verifying = "VERIFYING",
        /// Waiting for the provider to apply a permission everywhere.
        AwaitingPropagation = "AWAITING_PROPAGATION",
        /// The integration is verified and in use.
        Active = "ACTIVE",
        /// In use, but some mailboxes that were active no longer are.
        Degraded = "DEGRADED",
        /// The provider refuses every request.
        Failing = "FAILING",
        /// The plan or the vendor's staff stopped the integration.
        Suspended = "SUSPENDED",
        /// The integration is being disconnected.
        Retiring = "RETIRING",
        /// The integration is disconnected; its row is kept for the record.
        Removed = "REMOVED",
        /// The calendar system could not be connected; see the reason.
        Failed = "FAILED",
        /// Nobody completed the connection in time.
        Expired = "EXPIRED",
        /// The administrator refused to consent.
        Declined = "DECLINED",
    }
}

impl IntegrationState {
    /// The integration states in which Muster may access mailboxes through the integration.
    pub const USABLE: [Self; 2] = [Self::Active, Self::Degraded];

    /// The states of an integration that a person disconnects: whatever other runs find changes nothing any more.
    pub const LEAVING: [Self; 2] = [Self::Retiring, Self::Removed];

    /// Whether Muster may access mailboxes through the integration.
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Active | Self::Degraded)
    }

    /// Whether the integration can no longer leave this state.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Removed | Self::Failed | Self::Expired | Self::Declined)
    }
}

words! {
    /// The state of a mailbox.
    ConnectionState {
        /// The mailbox was found in the directory; nothing is decided yet.
        Discovered = "DISCOVERED",
        /// An administrator excluded the mailbox.
        Excluded = "EXCLUDED",
        /// The mailbox is waiting to be activated.
        Pending = "PENDING",
        /// The mailbox is being activated: Muster determines which operations it permits.
        Verifying = "VERIFYING",
        /// Muster reads and writes the mailbox.
        Active = "ACTIVE",
        /// Muster only reads the mailbox.
        FreeBusyOnly = "FREE_BUSY_ONLY",
        /// The mailbox cannot be reached; the reason says why.
        Unreachable = "UNREACHABLE",
        /// The mailbox is not connected any more.
        Disconnected = "DISCONNECTED",
    }
}

impl ConnectionState {
    /// The connection states in which a mailbox is neither read nor activated until a person decides otherwise.
    pub const LEFT_OUT: [Self; 2] = [Self::Excluded, Self::Disconnected];

    /// The connection states in which the mailbox's busy times are known.
    pub const READABLE: [Self; 2] = [Self::Active, Self::FreeBusyOnly];

    /// Whether the mailbox's busy times are known.
    pub const fn is_readable(self) -> bool {
        matches!(self, Self::Active | Self::FreeBusyOnly)
    }
}

words! {
    /// The outcome of a step of a run, as recorded in its history.
    StepOutcome {
        /// The run moved to another state.
        WentOn = "WENT_ON",
        /// The run waits for a time or a signal.
        Waited = "WAITED",
        /// The step failed and will be repeated.
        Retried = "RETRIED",
        /// The effects of the step were undone.
        Undone = "UNDONE",
        /// The run is complete.
        Done = "DONE",
        /// The step failed for good.
        Failed = "FAILED",
        /// A person cancelled the run.
        Cancelled = "CANCELLED",
        /// The run was quarantined because it crashed its worker repeatedly or could not be undone.
        Quarantined = "QUARANTINED",
        /// A person retried the run.
        Revived = "REVIVED",
    }
}

words! {
    /// How a booking was changed after its creation.
    BookingChangeKind {
        /// The booking was moved to another time.
        Moved = "MOVED",
        /// A person or a program cancelled the booking.
        Cancelled = "CANCELLED",
    }
}

words! {
    /// A legal text that a customer accepts before connecting a calendar system.
    TermsDocument {
        /// The vendor's terms of service.
        TermsOfService = "TERMS_OF_SERVICE",
        /// The vendor's privacy policy.
        PrivacyPolicy = "PRIVACY_POLICY",
    }
}

words! {
    /// State of a booking, from the request to its end.
    BookingState {
        /// The booking is accepted; its time is not blocked yet.
        Requested = "REQUESTED",
        /// The time is blocked; the event is being written.
        Held = "HELD",
        /// The event is in the calendar.
        Written = "WRITTEN",
        /// The room has not responded yet.
        RoomPending = "ROOM_PENDING",
        /// The event is written and every room has accepted.
        Confirmed = "CONFIRMED",
        /// A room does not accept the invitation.
        RoomDeclined = "ROOM_DECLINED",
        /// Somebody deleted the event from the calendar; its times are free again.
        Missing = "MISSING",
        /// Somebody moved the event in the calendar to a time at which not everybody is free.
        Conflicting = "CONFLICTING",
        /// The booking could not be written; no event remains in any calendar.
        Failed = "FAILED",
        /// The booking was cancelled; its times are free again.
        Cancelled = "CANCELLED",
    }
}

impl BookingState {
    /// The states in which the booking's event is compared with the calendar.
    pub const FOLLOWED: [Self; 6] = [
        Self::Written,
        Self::RoomPending,
        Self::Confirmed,
        Self::RoomDeclined,
        Self::Missing,
        Self::Conflicting,
    ];

    /// Whether the booking blocks its participants' times.
    pub const fn blocks_time(self) -> bool {
        !matches!(self, Self::Failed | Self::Cancelled | Self::Missing)
    }

    /// Whether the booking was not written or is cancelled: nothing changes it any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Failed | Self::Cancelled)
    }

    /// Whether the booking's event is compared with the calendar.
    pub fn is_followed(self) -> bool {
        Self::FOLLOWED.contains(&self)
    }
}

words! {
    /// Whether a run can make progress, waits or has ended.
    RunStatus {
        /// Enqueued by a use case; no worker has claimed it yet.
        Ordered = "ORDERED",
        /// Has a step to execute, or is executing one.
        Running = "RUNNING",
        /// The run waits for a time, a signal, or both.
        Waiting = "WAITING",
        /// The run is undoing its steps.
        Undoing = "UNDOING",
        /// The run finished successfully.
        Done = "DONE",
        /// The run could not finish; all its steps are undone.
        Failed = "FAILED",
        /// A person cancelled the run; all its steps are undone.
        Cancelled = "CANCELLED",
        /// The run was stopped because it crashed its worker repeatedly; it continues only when a person retries it.
        Quarantined = "QUARANTINED",
    }
}

impl RunStatus {
    /// Whether the run keeps this status unless a person intervenes.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled | Self::Quarantined)
    }
}

words! {
    /// The priority of a run's work.
    Lane {
        /// A person is waiting for the result.
        Interactive = "INTERACTIVE",
        /// One of many runs of the same kind.
        Bulk = "BULK",
        /// No person is waiting for the result.
        Background = "BACKGROUND",
    }
}

words! {
    /// Result of one check within a verification.
    Verdict {
        /// The check succeeded.
        Passed = "PASSED",
        /// The check failed, so the integration cannot be used.
        Failed = "FAILED",
        /// The integration is usable, but an administrator should investigate.
        Warned = "WARNED",
        /// Not checked, because an earlier check failed or the provider lacks the feature.
        Skipped = "SKIPPED",
    }
}

words! {
    /// Whether a bulk activation is running or over.
    CampaignState {
        /// Mailboxes are being activated.
        Running = "RUNNING",
        /// Every mailbox has a result.
        Finished = "FINISHED",
        /// A person cancelled the campaign.
        Cancelled = "CANCELLED",
    }
}

words! {
    /// The plan for which a tenant pays.
    Plan {
        /// Users may connect their own calendars only.
        Basic = "BASIC",
        /// Users may connect their own calendars, and the organisation a service account.
        Plus = "PLUS",
    }
}

words! {
    /// A feature that the vendor's staff can switch on for a tenant.
    Feature {
        /// Connecting the organisation through one service account.
        ServiceAccount = "SERVICE_ACCOUNT",
    }
}

words! {
    /// State of the online meeting requested for a booking.
    OnlineMeetingState {
        /// The calendar system is creating the meeting.
        Pending = "PENDING",
        /// Participants can join the meeting.
        Ready = "READY",
        /// There is no meeting: the calendar permits none, the calendar system created none, or the booking has ended.
        Unavailable = "UNAVAILABLE",
    }
}

words! {
    /// Kind of participant in a booking.
    ParticipantKind {
        /// A user of the tenant.
        User = "USER",
        /// A room of the tenant.
        Room = "ROOM",
        /// Any other person, identified only by an email address.
        Guest = "GUEST",
    }
}

words! {
    /// Whether a service account is used for new bookings.
    ServiceAccountStatus {
        /// New bookings use it.
        Active = "ACTIVE",
        /// Only bookings that were written through the service account earlier still use it.
        Retired = "RETIRED",
    }
}

words! {
    /// Progress of the rotation of a tenant's data key.
    KeyRotation {
        /// The tenant has yet to receive a new data key in a rotation for all tenants.
        Due = "DUE",
        /// The tenant has a new data key, and its stored secrets are being re-encrypted with it.
        Moving = "MOVING",
    }
}

words! {
    /// The type of object that a change event is about; there is one topic for each subscription.
    Topic {
        /// An integration changed its state or reason.
        Integration = "integration",
        /// A connection changed its state, reason or route, or which of its items cannot be read.
        Connection = "connection",
        /// A campaign made progress.
        Campaign = "campaign",
        /// A booking changed.
        Booking = "booking",
        /// A run completed a step.
        Run = "run",
        /// A run was quarantined and requires action by a person.
        RunParked = "run_parked",
    }
}

words! {
    /// Response of an attendee or a room to an invitation.
    Answer {
        /// No response yet.
        None = "NONE",
        /// The invitation is accepted without reservation.
        Accepted = "ACCEPTED",
        /// The invitation is tentatively accepted.
        Tentative = "TENTATIVE",
        /// The invitation is declined.
        Declined = "DECLINED",
    }
}
