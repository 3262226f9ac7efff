//! Mailboxes accessed through an integration.

use domain::{Route, state::ConnectionState};

use crate::Stored;

crate::table::tenant_table! {
    /// A mailbox accessed through an integration.
    "connection": ids::Connection {
        /// The integration that gives access to the mailbox.
        integration_id: Id<ids::Integration>,
        /// The user whose mailbox it is; null for a room's.
        user_id: Option<Id<ids::User>>,
        /// The room whose mailbox it is; null for a user's.
        room_id: Option<Id<ids::Room>>,
        /// The mailbox address, in lower case.
        address: String,
        /// Whether Muster reads and writes the mailbox.
        state: Stored<ConnectionState>,
        /// Why the connection is in its state, as a `domain::Reason`; null when there is nothing to explain.
        reason: Option<Json>,
        /// When the connection entered its state.
        since: DateTimeUtc,
        /// How the mailbox is accessed.
        route: Stored<Route>,
        /// Capabilities measured by the last activation, as `domain::Capabilities`.
        capabilities: Json,
        /// The mailbox's own zone, as an IANA name; null when the provider does not return one.
        time_zone: Option<String>,
        /// When the calendar was last read; null if never.
        as_of: Option<DateTimeUtc>,
        /// The start of the window that the copy covers; null if the calendar was never read.
        read_from: Option<DateTimeUtc>,
        /// The end of the window that the copy covers, exclusive; null if the calendar was never read.
        read_until: Option<DateTimeUtc>,
        /// The provider's change token, obtained before the copy was read. Null if the copy may no longer match what
        /// was read.
        watermark: Option<String>,
        /// Number of unreadable items in the copy.
        unreadable_count: i32,
        /// Number of unreadable items whose times are unknown, so that they block nothing.
        unknown_count: i32,
        /// Up to 20 examples of unreadable items, as `domain::UnreadableItem`; those that block nothing come first.
        unreadable: Json,
        /// The calendars of the mailbox, a list of `providers::CalendarListing`; null before they are first listed.
        calendars: Option<Json>,
        /// The ids of the calendars that make the owner busy, a list of strings; null when the calendar system's own
        /// rule applies.
        counted_calendars: Option<Json>,
        /// When the current series of identical failures began; null after a success.
        failing_since: Option<DateTimeUtc>,
        /// The error code of the failing attempts, followed by a space and the provider's own code if there is one;
        /// null after a success.
        failing_code: Option<String>,
        /// Number of consecutive failed attempts.
        failures: i32,
        /// When the next attempt is due after a failure; null after a success.
        retry_at: Option<DateTimeUtc>,
        /// Incremented on every change; updates compare it with `ifVersion`.
        version: i64,
    }
}
