//! Values of command-line options.

use clap::ValueEnum;

/// Kind of fault; see `docs/sandbox.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FaultKind {
    /// The response has status 429.
    Throttle,
    /// The response has status 503.
    Outage,
    /// The request takes effect, then the connection is cut.
    DropAfter,
    /// The response is late.
    Slow,
    /// The request has no effect, and the connection is closed after a while.
    TimeoutBefore,
    /// A notification is never sent.
    LoseNotice,
    /// A notification is sent twice.
    DuplicateNotice,
    /// A notification is delivered after the next one.
    ReorderNotice,
    /// A forged notification precedes the real one.
    ForgeNotice,
}

/// Whether applications can access a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ApplicationAccess {
    /// Applications can access the mailbox.
    In,
    /// Applications cannot access the mailbox.
    Out,
}

/// Where a mailbox is hosted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum HostingKind {
    /// In the cloud.
    Normal,
    /// The mailbox does not exist, because the account has no licence.
    None,
    /// On a server of the organisation.
    Onprem,
}

/// A decision about an invitation of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum RoomVerdict {
    /// The room accepts the invitation.
    Accept,
    /// The room declines the invitation.
    Decline,
}
