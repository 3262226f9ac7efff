//! The state of the sandbox: organisations, mailboxes, events, consents, tokens.
//!
//! Plain records without rules. They are written to the log of [`crate::store`] unchanged, so their fields must never
//! be renamed.

mod calendar;
mod directory;
mod grant;
mod service_account;

pub use calendar::{
    Attendee, AttendeeRole, Event, InvitationResponse, Mail, MailKind, Meeting, NamedAddress,
    PendingResponse, PullSubscription, ShowAs, Subscription,
};
pub use directory::{
    Application, Consent, DelaySettings, Hosting, Mailbox, MailboxPurpose, Organisation, Room,
};
pub use grant::{AuthorisationCode, Grant, RefreshToken};
pub use service_account::ExchangeServiceAccount;
