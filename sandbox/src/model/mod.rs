//! The state of the sandbox: organisations, mailboxes, events, consents, tokens.
//!
//! Plain records without rules. They are written to the log of [`crate::store`] unchanged, so their members must
//! never be renamed.

mod calendar;
mod directory;
mod grant;
mod technical;

pub use calendar::{
    Attendee, Event, Mail, MailKind, Meeting, Part, Party, Pending, Pull, Response, ShowAs, Subscription,
};
pub use directory::{Application, Consent, Hosting, Mailbox, Organisation, Purpose, Room, Settings};
pub use grant::{Code, Grant, Refresh};
pub use technical::Technical;
