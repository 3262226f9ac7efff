//! Mailboxes accessed through an integration.

use domain::{Route, state::ConnectionState};

use crate::Stored;

crate::table::tenant_table! {
    /// A mailbox accessed through an integration.
    "connection": ids::Connection {
        /// The integration that gives access to the mailbox.
        integration_id: Id<ids::Integration>,
        /// The user to whom the mailbox belongs; null for a room's mailbox.
        user_id: Option<Id<ids::User>>,
        /// The room to which the mailbox belongs; null for a user's mailbox.
        room_id: Option<Id<ids::Room>>,
        /// The mailbox's email address, in lower case.
        address: String,
        /// Whether Muster reads and writes the mailbox.
        state: Stored<ConnectionState>,
        /// Why the connection is in its state, as a `domain::Reason`; null when no explanation is needed.
        reason: Option<Json>,
        /// When the connection entered its state.
        since: DateTimeUtc,
        /// How the mailbox is accessed.
        route: Stored<Route>,
        /// What Muster can do with the mailbox, as determined at the last activation, as `domain::Capabilities`.
        capabilities: Json,
        /// The mailbox's own time zone, as an IANA name; null when the provider does not return one.
        time_zone: Option<String>,
        /// When the calendar was last read; null if it never was.
        as_of: Option<DateTimeUtc>,
        /// The start of the time range that the stored copy covers; null if the calendar was never read.
        read_from: Option<DateTimeUtc>,
        /// The end of the time range that the stored copy covers, exclusive; null if the calendar was never read.
        read_until: Option<DateTimeUtc>,
        /// The provider's change token, obtained before the calendar was read. Null if the stored copy may no longer
        /// match it.
        watermark: Option<String>,
        /// Number of unreadable calendar items in the stored copy.
        unreadable_count: i32,
        /// Number of unreadable calendar items that block no time because their times are unknown.
        unknown_count: i32,
        /// Up to 20 examples of unreadable calendar items, as `domain::UnreadableItem`; those that block no time come
        /// first.
        unreadable: Json,
        /// The calendars of the mailbox, a list of `providers::CalendarListing`; null before they are first listed.
        calendars: Option<Json>,
        /// The ids of the calendars that make the owner busy, as a list of strings; null when the calendar system's own
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
