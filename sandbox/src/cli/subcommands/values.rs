//! Words that stand for a choice on the command line.

use clap::ValueEnum;

/// What goes wrong; see `docs/sandbox.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Fault {
    /// 429.
    Throttle,
    /// 503.
    Outage,
    /// The request takes effect, then the connection is cut.
    DropAfter,
    /// The answer comes late.
    Slow,
    /// Nothing happens, and the connection is cut in the end.
    TimeoutBefore,
    /// A notification is never sent.
    LoseNotice,
    /// A notification is sent twice.
    DuplicateNotice,
    /// A notification comes after the next one.
    ReorderNotice,
    /// A notification by somebody else comes before it.
    ForgeNotice,
}

/// Whether applications may reach a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Reach {
    /// They may.
    In,
    /// They may not.
    Out,
}

/// Where a mailbox lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Kind {
    /// In the cloud.
    Normal,
    /// Nowhere: the account has no licence.
    None,
    /// On a server of the organisation.
    Onprem,
}

/// What is decided about a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Verdict {
    /// Yes.
    Accept,
    /// No.
    Decline,
}
